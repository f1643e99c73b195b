"""A network that starts where a controller without one already is: taught by `teacher`, in the states that it gets itself into.

    python -m mjlab_kit.warm_start --out runs
    python -m mjlab_kit.train --out runs --resume --iterations 30000

Dataset aggregation (Ross et al. 2011) in plain MuJoCo: the teacher acts in the first round and the network in all others, and
the teacher says what it would have done. Half of the tries start in the first frame, half anywhere, disturbed. Writes
model_0.pt and policy.onnx; PPO goes on from there.
"""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from numpy import ndarray

from . import train
from .plant import Plant
from .scene import folder_of
from .teacher import Teacher, TeacherWeights

LOST_M, LOST_RAD = 0.25, 0.8
"""Of the root from the motion, where a try ends: what the teacher says there is worth nothing."""


@dataclass(frozen=True, kw_only=True)
class Args:
    """Teaching."""

    export: Path | None = None
    out: Path = Path("runs")
    rounds: int = 6
    tries: int = 48
    """A round."""
    epochs: int = 6
    """A round, over all that was seen so far."""
    std: float = 0.1
    """Of the actions' noise that PPO begins with, and of the teacher's in the first round, in units of the action scale."""
    learning_rate: float = 1e-3
    seed: int = 0
    weights: TeacherWeights = field(default_factory=TeacherWeights)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Of one try, step by step."""

    observations: ndarray
    actions: ndarray
    """The teacher's."""
    share: float
    """Of the way from its start to the motion's end."""


def main(args: Args) -> list[dict[str, Any]]:
    """Teach round by round; gives back a row a round."""
    os.environ |= {"WANDB_MODE": "disabled"}
    torch.manual_seed(args.seed)
    if train.last_checkpoint(args.out) is not None:
        raise SystemExit(f"{args.out} has a checkpoint: give another --out.")
    folder = folder_of(args.export)
    runner = train.runner_of(
        train.Args(export=args.export, out=args.out, envs=2, seed=args.seed, device="cpu", init_std=args.std)
    )
    plant = Plant.of(runner.env.unwrapped)
    teacher = Teacher.of(plant, folder, args.weights)
    rng, actor, rows = np.random.default_rng(args.seed), runner.alg.get_policy(), []
    kept: list[Seen] = []
    optimizer = torch.optim.Adam(actor.parameters(), lr=args.learning_rate)
    for round_ in range(args.rounds):
        tries = [tried(teacher, actor if round_ else None, args.std, rng) for _ in range(args.tries)]
        kept += tries
        actor.obs_normalizer.train()
        actor.obs_normalizer.update(torch.from_numpy(np.concatenate([one.observations for one in tries])))
        loss = taught(actor, optimizer, kept, args.epochs, rng)
        share = float(np.mean([one.share for one in tries]))
        rows.append({"round": round_, "survived": share, "loss": loss, "cpu_s": round(time.process_time(), 1)})
        sys.stdout.write(json.dumps(rows[-1]) + "\n")
        sys.stdout.flush()
    train.save(runner, args.out)
    (args.out / "warm_start.json").write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def tried(teacher: Teacher, actor: Any, noise: float, rng: np.random.Generator) -> Seen:
    """The network acts, or with none the teacher, disturbed by noise; the teacher says what it would have done."""
    plant, motion = teacher.plant, teacher.plant.motion
    first = 0 if rng.random() < 0.5 else int(rng.integers(len(motion) - 2))
    plant.put(*disturbed(plant, first, rng))
    action, seen, said, t = np.zeros(len(plant.joints)), [], [], first
    while t < len(motion) - 1:
        state = plant.state()
        off = plant.difference(*state, motion.qpos[t], motion.qvel[t])[plant.root_rates]
        if np.abs(off[:3]).max() > LOST_M or np.abs(off[3:]).max() > LOST_RAD:
            break
        seen.append(plant.observation(t + 1, action))
        said.append((teacher.act(t, *state) - plant.home) / plant.scale)
        action = said[-1] if actor is None else act(actor, seen[-1])
        action = action + noise * rng.normal(size=len(action))
        plant.advance(plant.home + plant.scale * action)
        t += 1
    share = (t - first) / (len(motion) - 1 - first)
    return Seen(observations=np.array(seen, np.float32), actions=np.array(said, np.float32), share=share)


def disturbed(plant: Plant, frame: int, rng: np.random.Generator) -> tuple[ndarray, ndarray]:
    """The motion's state with joints off by up to 0.1 rad, as mjlab's resets have them, and a push."""
    qpos, qvel = plant.motion.qpos[frame].copy(), plant.motion.qvel[frame].copy()
    qpos[plant.joint_places] += rng.uniform(-0.1, 0.1, len(plant.joints)) * rng.random()
    qvel[plant.root_rates] += rng.uniform(-0.3, 0.3, 6) * rng.random()
    return qpos, qvel


def act(actor: Any, observation: ndarray) -> ndarray:
    """The network's mean action."""
    with torch.inference_mode():
        return actor.mlp(actor.obs_normalizer(torch.from_numpy(observation)[None]))[0].numpy()


def taught(actor: Any, optimizer: Any, kept: list[Seen], epochs: int, rng: np.random.Generator) -> float:
    """Regress the teacher's actions; gives back the last epoch's mean squared error in units of the action scale."""
    seen = torch.from_numpy(np.concatenate([one.observations for one in kept]))
    said = torch.from_numpy(np.concatenate([one.actions for one in kept]))
    losses: list[float] = []
    for _ in range(epochs):
        losses = []
        for batch in np.array_split(rng.permutation(len(seen)), max(len(seen) // 256, 1)):
            optimizer.zero_grad()
            loss = ((actor.mlp(actor.obs_normalizer(seen[batch])) - said[batch]) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return float(np.mean(losses))


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
