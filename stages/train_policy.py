"""Train a policy that follows one clip, or several of one layout: cloned from solved rollouts, improved by PPO (Sec. 3.3).

Training can be stopped at any time: it goes on from the last checkpoint, which lies beside the stage's folder in
`<stage>.training` with TensorBoard's files. More steps later go on from there too.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Artifact, Rollout, SimScene
from hsimul3r.errors import NothingToClone
from hsimul3r.files import write_whole
from hsimul3r.progress import Progress
from sim_envs.ppo.cloning import CloningConfig, Demonstrations, clone, demonstrate
from sim_envs.ppo.environment import Clip, EnvironmentConfig, ImitationEnvironment
from sim_envs.ppo.learner import Agent, PpoConfig, Progressed, learn, make_agent, resume_training, save_training
from sim_envs.ppo.policy_file import description, write_policy

POLICY, WARM_START, CURVE = "policy.onnx", "warm_start.onnx", "curve.png"
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, kw_only=True)
class TrainPolicyConfig:
    """The task, the warm start and PPO."""

    backend: str = "mujoco_cpu"
    threads: int = 0
    """0: all that this process may use. The result does not depend on it."""
    seed: int = 0
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    cloning: CloningConfig = field(default_factory=CloningConfig)
    ppo: PpoConfig = field(default_factory=PpoConfig)


@dataclass(frozen=True, kw_only=True)
class TrainedPolicy(Artifact):
    """A policy file in the artifact's folder, the same before PPO, and how training went."""

    policy: str
    warm_start: str
    sha256: str
    """Of the policy file."""
    curve: Float[ndarray, "updates columns"]
    columns: tuple[str, ...]
    report: dict[str, float]


def run(
    sim_scene: SimScene, solved: Rollout, *others: Path, cfg: TrainPolicyConfig, out: Path, progress: Progress
) -> TrainedPolicy:
    """Train on a scene and a rollout that solved it, and on `others`: folders of a scene and of its rollout in turn.

    Raises `UnknownBackend`, `MissingPackage`, `MixedLayouts`, `NotOnePerson`, `NothingToClone`, `NotFinite`.
    """
    from sim_envs import backend

    clips = [Clip(scene=sim_scene, solved=(solved,)), *_clips(others)]
    training = _training_folder(out, clips, cfg)
    worlds = ImitationEnvironment(clips, backend(cfg.backend), cfg.environment, seed=cfg.seed, threads=cfg.threads)
    agent = make_agent(worlds, cfg.ppo, folder=training / "tensorboard", seed=cfg.seed)
    gains = worlds.worlds[0].gains
    details = description(worlds.spec, gains, trained_on=", ".join(dict.fromkeys(worlds.spec.layout.objects)))
    curve, report = _begun(agent, worlds, clips, details, training, cfg, progress)
    (out / WARM_START).write_bytes((training / WARM_START).read_bytes())
    with progress.bar("training the policy", cfg.ppo.steps) as advance:
        advance(curve[-1].steps if curve else 0)

        def on_update(row: Progressed) -> None:
            before = curve[-2].steps if len(curve) > 1 else 0
            advance(row.steps - before, f"training, reward {row.reward:.2f}, {row.failure_share:.0%} fail")
            if agent.epoch_num % cfg.ppo.save_every == 0:
                save_training(agent, curve, training / CHECKPOINT)

        learn(agent, cfg.ppo, curve=curve, on_update=on_update)
    save_training(agent, curve, training / CHECKPOINT)
    write_policy(agent, details, out / POLICY)
    draw_curve(curve, out / CURVE)
    return TrainedPolicy(
        provenance=replace(sim_scene.provenance, adapter=f"PPO by rl-games on {cfg.backend}", seed=cfg.seed),
        policy=POLICY,
        warm_start=WARM_START,
        sha256=hashlib.sha256((out / POLICY).read_bytes()).hexdigest(),
        curve=np.array([list(vars(row).values()) for row in curve], float).reshape(len(curve), -1),
        columns=tuple(f.name for f in fields(Progressed)),
        report={**report, "clips": float(len(clips)), "observation_size": float(worlds.spec.layout.size)},
    )


def _begun(
    agent: Agent,
    worlds: ImitationEnvironment,
    clips: Sequence[Clip],
    details: dict[str, object],
    training: Path,
    cfg: TrainPolicyConfig,
    progress: Progress,
) -> tuple[list[Progressed], dict[str, float]]:
    """The agent where an earlier run left it, else cloned from the solved rollouts; its curve so far, the cloning's figures."""
    notes = training / "warm_start.json"
    if (training / CHECKPOINT).is_file():
        return resume_training(agent, training / CHECKPOINT, seed=cfg.seed), json.loads(notes.read_text())
    report = _cloned(agent, worlds, clips, cfg, progress) if cfg.cloning.rounds else {}
    write_policy(agent, details, training / WARM_START)
    write_whole(notes, json.dumps(report))
    save_training(agent, [], training / CHECKPOINT)
    return [], report


def _cloned(
    agent: Agent, worlds: ImitationEnvironment, clips: Sequence[Clip], cfg: TrainPolicyConfig, progress: Progress
) -> dict[str, float]:
    """Clone what was solved; raises `NothingToClone`."""
    with progress.bar("demonstrations and cloning", len(clips) + cfg.cloning.epochs) as advance:
        shown = []
        for world, clip in zip(worlds.worlds, clips):
            shown.append(demonstrate(world, clip.solved, cfg.cloning))
            advance(1.0)
        pairs = Demonstrations(
            observation=np.concatenate([d.observation for d in shown]),
            action=np.concatenate([d.action for d in shown]),
            held_share=float(np.mean([d.held_share for d in shown])),
        )
        if not len(pairs.action):
            raise NothingToClone(cfg.cloning.rounds * worlds.count)
        error = clone(agent, pairs, cfg.cloning, seed=cfg.seed, on_epoch=advance)
    return {
        "demonstrated_pairs": float(len(pairs.action)),
        "demonstrations_held": pairs.held_share,
        "cloning_error_rad": error * cfg.environment.action_rad,
    }


def _clips(folders: Iterable[Path]) -> list[Clip]:
    places = list(folders)
    return [
        Clip(scene=SimScene.load(scene), solved=(Rollout.load(rollout),)) for scene, rollout in zip(places[::2], places[1::2])
    ]


def _training_folder(out: Path, clips: Sequence[Clip], cfg: TrainPolicyConfig) -> Path:
    """Where checkpoints live, beside the stage's folder, under the task's hash: only the same task goes on from them."""
    task = {**asdict(cfg), "threads": 0, "ppo": {**asdict(cfg.ppo), "steps": 0, "save_every": 0}}
    digest = hashlib.sha256(json.dumps(task, sort_keys=True).encode())
    for clip in clips:
        digest.update(clip.scene.qpos.tobytes())
        digest.update("".join(rollout.replay_hash for rollout in clip.solved).encode())
    folder = out.with_name(f"{out.name.removesuffix('.tmp')}.training") / digest.hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def draw_curve(curve: Sequence[Progressed], path: Path) -> None:
    """The learning curve: reward and failures over steps, every update faint and their moving mean."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.add_subplot()
    right = left.twinx()
    steps = np.array([row.steps for row in curve])
    rewards = np.array([row.reward for row in curve])
    failures = np.array([row.failure_share / row.episode_s for row in curve])
    for axes, values, colour, label in ((left, rewards, "#1f6f8b", "reward"), (right, failures, "#c8553d", "failures")):
        axes.plot(steps, values, color=colour, alpha=0.25, linewidth=1.0)
        axes.plot(steps, moving_mean(values, max(len(curve) // 20, 1)), color=colour, label=label)
    left.set(xlabel="steps of all simulations", ylabel="mean reward a step")
    right.set(ylabel="failures a simulated second", ylim=(0.0, None))
    figure.legend(loc="outside upper center", ncols=2)
    figure.savefig(path, dpi=120, format="png")


def moving_mean(values: Float[ndarray, "rows"], width: int) -> Float[ndarray, "rows"]:
    """Mean of the last `width` values, fewer at the start."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - width, 0)
    return (total[last] - total[first]) / (last - first)
