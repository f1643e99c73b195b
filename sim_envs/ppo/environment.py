"""Many simulations of one or several clips side by side, as one environment: observe, act, reward, end early, start anew.

Every clip has a batch of its own, since reconstructions differ in bodies and objects; the policy is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray

from hsimul3r.artifacts import Rollout, SimScene
from hsimul3r.errors import MixedLayouts
from hsimul3r.tracking.observation import ObservationLayout, SceneMoment, observe, scene_distance, scene_moment
from hsimul3r.tracking.policy import ACTIONS, PolicySpec, commands, reference_for
from hsimul3r.tracking.problem import TrackingProblem, tracking_problem
from hsimul3r.tracking.recording import SoftStart
from hsimul3r.tracking.reference import disturbed, named_contacts
from hsimul3r.tracking.rewards import (
    RewardWeights,
    body_deviation,
    object_reward,
    power_penalty,
    scene_reward,
    tracking_reward,
)
from hsimul3r.tracking.simulation import Simulation
from hsimul3r.tracking.starts import StartConfig, StartSampler
from sim_envs.contract import PLAN, SimBackend
from sim_envs.ppo.servos import servo_gains


@dataclass(frozen=True, kw_only=True)
class StartNoise:
    """How far episodes start from the reference (standard deviations), so that a policy learns to come back."""

    joint_rad: float = 0.05
    root_m: float = 0.01
    speed: float = 0.1
    """Of every velocity [m/s, rad/s]."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentConfig:
    """The task. Distances follow PHC's training: an episode ends where any joint is 25 cm off."""

    simulations: int = 256
    """Shared evenly by the clips."""
    control_hz: float = 30.0
    lookahead: tuple[int, ...] = (1,)
    action_rad: float = 0.05
    """What an action of 1 adds to a servo's target."""
    reach_rad: float = 0.4
    """Most that an action adds."""
    episode_s: float = 3.0
    hold_s: float = 1.0
    """How long a motion's last frame is held; a single moment is held for the whole episode."""
    deviation_m: float = 0.25
    """An episode ends where a joint or an object is farther off."""
    solved_share: float = 0.5
    """Of episodes that start from a state of a solved rollout, where there are any, not from the reference itself."""
    rewards: RewardWeights = field(default_factory=RewardWeights)
    starts: StartConfig = field(default_factory=StartConfig)
    noise: StartNoise = field(default_factory=StartNoise)
    soft_start: SoftStart = field(default_factory=SoftStart)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A scene whose motion is to be tracked, and rollouts of controllers that solved it."""

    scene: SimScene
    solved: tuple[Rollout, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One control step of many simulations. Where an episode ended, the observation is the next one's first."""

    observation: Float32[ndarray, "sims size"]
    reward: Float32[ndarray, "sims"]
    has_failed: Bool[ndarray, "sims"]
    is_over: Bool[ndarray, "sims"]
    """The episode's time was up."""
    deviation_m: Float[ndarray, "sims"]
    """Mean over the joints."""


def layout_of(problems: Sequence[TrackingProblem], cfg: EnvironmentConfig) -> ObservationLayout:
    """One layout for all clips: the same objects, and the contacts of any of them. Raises `MixedLayouts`."""
    objects = {tuple(reference.name for reference in problem.objects) for problem in problems}
    if len(objects) > 1:
        raise MixedLayouts(f"their objects differ ({' / '.join(', '.join(names) or 'none' for names in sorted(objects))})")
    contacts = dict.fromkeys(name for problem in problems for name in named_contacts(problem))
    return ObservationLayout(
        fps=cfg.control_hz, lookahead=cfg.lookahead, objects=next(iter(objects)), contacts=tuple(sorted(contacts))
    )


class ClipWorlds:
    """The simulations of one clip."""

    def __init__(
        self, clip: Clip, simulation: Simulation, layout: ObservationLayout, cfg: EnvironmentConfig, rng: np.random.Generator
    ):
        problem = tracking_problem(clip.scene)
        self.simulation, self.layout, self.rng = simulation, layout, rng
        self.reference = reference_for(problem, simulation, layout)
        self.sampler = StartSampler(self.reference.frames, layout.fps, cfg.starts)
        self.spec = PolicySpec(layout=layout, action_rad=cfg.action_rad, reach_rad=cfg.reach_rad)
        self._cfg, self.gains = cfg, servo_gains(problem.people[0].mass_kg, clip.scene.torques)
        self._solved = _solved_states(clip.solved, self.reference.frames, layout.fps)
        self._last = self.reference.frames - 1 + cfg.hold_s * layout.fps if self.reference.frames > 1 else np.inf
        self._steps = round(1.0 / (layout.fps * simulation.timestep_s))
        self.frame, self._start, self._age = (np.zeros(simulation.count, int) for _ in range(3))

    def restart(self, rows: Int[ndarray, "some"]) -> None:
        """Start the listed simulations anew, somewhere in the clip and not quite there."""
        frame = self.sampler.draw(self.rng, len(rows))
        qpos, qvel = self.reference.qpos[frame], self.reference.qvel[frame]
        for i in np.flatnonzero(self.rng.random(len(rows)) < self._cfg.solved_share):
            choice = self._solved.get(int(frame[i]))
            if choice is not None:
                pick = self.rng.integers(len(choice[0]))
                qpos[i], qvel[i] = choice[0][pick], choice[1][pick]
        self.start_from(rows, frame, qpos, qvel)

    def start_from(
        self,
        rows: Int[ndarray, "some"],
        frame: Int[ndarray, "some"],
        qpos: Float[ndarray, "some nq"],
        qvel: Float[ndarray, "some nv"],
    ) -> None:
        """Start the listed simulations from given states at given frames, with noise."""
        if not len(rows):
            return
        noise, layout = self._cfg.noise, self.reference.skeleton.layout
        joints = noise.joint_rad * self.rng.normal(size=(len(rows), ACTIONS // 3, 3))
        root = noise.root_m * self.rng.normal(size=(len(rows), 3))
        moving = qvel.copy()
        mine = np.concatenate([self.reference.skeleton.root, self.reference.skeleton.balls.ravel()])
        moving[:, mine] += noise.speed * self.rng.normal(size=(len(rows), len(mine)))
        self.simulation.reset(disturbed(qpos, layout, joints, root), moving, only=rows)
        self.frame[rows], self._start[rows], self._age[rows] = frame, frame, 0

    def observe(self) -> Float32[ndarray, "sims size"]:
        """What the policy sees now."""
        return observe(scene_moment(self.simulation, self.reference), self.reference, self.frame, self.layout)

    def step(self, actions: Float[ndarray, "sims 63"]) -> Outcome:
        """Act for one control step; episodes that end start anew."""
        return self.command(commands(actions, self.reference, self.frame, self.spec))

    def command(self, ctrl: Float[ndarray, "sims nu"]) -> Outcome:
        """Give the servos these targets for one control step; episodes that end start anew."""
        cfg = self._cfg
        age_s = self._age / self.layout.fps
        self.simulation.set_parameter("contact_recovery_s", np.array([cfg.soft_start.recovery(age) for age in age_s]))
        self.simulation.step(ctrl, self._steps)
        self.frame, self._age = self.frame + 1, self._age + 1
        moment = scene_moment(self.simulation, self.reference)
        body = self.reference.body.at(np.minimum(self.frame, self.reference.frames - 1))
        deviation = body_deviation(moment.body, body)
        has_failed = self._failures(moment, deviation)
        reward = np.where(has_failed, 0.0, self._reward(moment))
        is_over = ~has_failed & ((self._age >= cfg.episode_s * self.layout.fps) | (self.frame >= self._last))
        ended = np.flatnonzero(has_failed | is_over)
        self.sampler.learn(self._start[ended], has_failed[ended])
        self.restart(ended)
        seen = observe(moment, self.reference, self.frame, self.layout)
        if len(ended):
            seen[ended] = self.observe()[ended]
        return Outcome(
            observation=seen,
            reward=reward.astype(np.float32),
            has_failed=has_failed,
            is_over=is_over,
            deviation_m=deviation.mean(axis=-1),
        )

    def _failures(self, moment: SceneMoment, deviation: Float[ndarray, "sims joints"]) -> Bool[ndarray, "sims"]:
        wanted = self.reference.object_pos[np.minimum(self.frame, self.reference.frames - 1)]
        drift = np.linalg.norm(moment.object_pos - wanted, axis=-1).max(axis=-1, initial=0.0)
        far = np.maximum(deviation.max(axis=-1), drift) > self._cfg.deviation_m
        return far | ~np.isfinite(deviation).all(axis=-1) | self.simulation.has_diverged()

    def _reward(self, moment: SceneMoment) -> Float[ndarray, "sims"]:
        weights, frame = self._cfg.rewards, np.minimum(self.frame, self.reference.frames - 1)
        torque = self.simulation.servo_torques()[:, self.reference.skeleton.layout.servos.ravel()]
        distance = scene_distance(moment, self.reference, frame)
        return (
            tracking_reward(moment.body, self.reference.body.at(frame), weights)
            + scene_reward(distance, self.reference.contacts.is_held[frame], weights)
            + object_reward(moment.object_pos, self.reference.object_pos[frame], weights)
            - power_penalty(torque, moment.servo_speed, weights)
        )


class ImitationEnvironment:
    """All clips as one vectorised environment. Deterministic for a seed and a sequence of actions."""

    def __init__(self, clips: Sequence[Clip], engine: SimBackend, cfg: EnvironmentConfig, *, seed: int, threads: int = 0):
        problems = [tracking_problem(clip.scene) for clip in clips]
        layout = layout_of(problems, cfg)
        shares = [len(part) for part in np.array_split(np.arange(cfg.simulations), len(clips))]
        self.worlds = [
            ClipWorlds(
                clip,
                engine.load(clip.scene, count=share, timing=PLAN, threads=threads),
                layout,
                cfg,
                np.random.default_rng([seed, i]),
            )
            for i, (clip, share) in enumerate(zip(clips, shares))
        ]
        self._cuts = np.cumsum(shares)[:-1]
        self.spec, self.count = self.worlds[0].spec, cfg.simulations

    def reset(self) -> Float32[ndarray, "sims size"]:
        """Start every simulation anew."""
        for world in self.worlds:
            world.restart(np.arange(world.simulation.count))
        return np.concatenate([world.observe() for world in self.worlds])

    def step(self, actions: Float[ndarray, "sims 63"]) -> Outcome:
        """One control step of all."""
        outcomes = [world.step(part) for world, part in zip(self.worlds, np.split(actions, self._cuts))]
        return Outcome(
            observation=np.concatenate([o.observation for o in outcomes]),
            reward=np.concatenate([o.reward for o in outcomes]),
            has_failed=np.concatenate([o.has_failed for o in outcomes]),
            is_over=np.concatenate([o.is_over for o in outcomes]),
            deviation_m=np.concatenate([o.deviation_m for o in outcomes]),
        )

    def reseed(self, seed: int, step: int) -> None:
        """Draw what follows anew from a seed and the number of steps done: what a resumed training starts from."""
        for i, world in enumerate(self.worlds):
            world.rng = np.random.default_rng([seed, i, step])


def _solved_states(rollouts: Sequence[Rollout], frames: int, fps: float) -> dict[int, tuple[ndarray, ndarray]]:
    """States of rollouts by frame of the reference, which holds its last frame."""
    found: dict[int, list[tuple[ndarray, ndarray]]] = {}
    for rollout in rollouts:
        every = round(rollout.fps / fps)
        for i, (qpos, qvel) in enumerate(zip(rollout.qpos[::every], rollout.qvel[::every])):
            found.setdefault(min(i, frames - 1), []).append((qpos, qvel))
    return {frame: (np.stack([q for q, _ in states]), np.stack([v for _, v in states])) for frame, states in found.items()}
