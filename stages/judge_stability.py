"""The three tests of Sec. 3.4 on the fine simulation, the four feedback types of Fig. 3, and the reason in words."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Criterion, Rollout, SimScene, StabilityVerdict
from hsimul3r.conventions import GRAVITY
from hsimul3r.progress import Progress
from hsimul3r.run_record import CONTROLLERS
from hsimul3r.tracking.criteria import (
    UNLABELLED,
    GravityThresholds,
    InteractionThresholds,
    at_most,
    gravity_criteria,
    interaction_criteria,
)
from hsimul3r.tracking.layout import object_place, velocity_names
from hsimul3r.tracking.problem import at_rate, tracking_problem
from hsimul3r.tracking.recording import SoftStart, soften

if TYPE_CHECKING:
    from sim_envs.contract import SimBatch

SIDES = ("+X", "+X+Y", "+Y", "-X+Y", "-X", "-X-Y", "-Y", "+X-Y")
"""World directions, 45 degrees apart, in which the ground is tilted and objects are pushed."""


@dataclass(frozen=True, kw_only=True)
class JudgeStabilityConfig:
    """Every threshold of the verdict, and the probes."""

    gravity_s: float = 2.0
    """How long objects stand alone."""
    probe_tilt_deg: float = 2.0
    """Slope of the ground towards eight sides: what lacks a leg may survive level ground."""
    probe_push_weight: float = 0.05
    """Side force at an object's centre of mass towards eight sides [its weight]."""
    payload_n: float = 0.0
    """Load that an object has to bear at five points of its seat or top, as what lacks a leg often stands; 0 asks for none."""
    backend: str = "mujoco_cpu"
    threads: int = 0
    soft_start: SoftStart = field(default_factory=SoftStart)
    gravity: GravityThresholds = field(default_factory=GravityThresholds)
    interaction: InteractionThresholds = field(default_factory=InteractionThresholds)


def run(sim_scene: SimScene, rollout: Rollout, *, cfg: JudgeStabilityConfig, out: Path, progress: Progress) -> StabilityVerdict:
    """Raises `UnknownBackend`."""
    problem = at_rate(tracking_problem(sim_scene), rollout.fps)
    criteria = (
        *_objects_alone(sim_scene, cfg),
        *_under_load(sim_scene, cfg),
        *interaction_criteria(rollout, problem, cfg.interaction),
    )
    holds = {test: all(c.holds for c in criteria if c.test == test) for test in ("gravity", "settled", "contact")}
    return StabilityVerdict(
        provenance=replace(rollout.provenance, adapter=f"verdict on {cfg.backend}"),
        controller=rollout.controller,
        is_stable=all(holds.values()),
        feedback_type=feedback_type(holds["gravity"], holds["settled"], holds["contact"]),
        stands_under_gravity=holds["gravity"],
        is_settled=holds["settled"],
        holds_contact=holds["contact"],
        criteria=criteria,
        reason=reason_in_words(criteria, rollout.controller, is_motion=problem.frames > 1),
    )


def feedback_type(stands: bool, settles: bool, touches: bool) -> Literal[1, 2, 3, 4]:
    """Fig. 3: 1 objects fall by themselves, 2 with the person, 3 they stand but nothing is held, 4 a stable interaction."""
    if not stands:
        return 1
    if not settles:
        return 2
    return 4 if touches else 3


POSE_FAILS = {
    "gravity": "An object does not stand by itself",
    "settled": "The objects or the person do not come to rest where they were reconstructed",
    "contact": "The objects stand, but the reconstructed contact is not held",
}
MOTION_FAILS = {
    "gravity": "An object does not stand by itself",
    "settled": "The objects do not stay on their paths, or the person does not come to rest at the end",
    "contact": "The objects stay on their paths, but the person does not follow the reconstructed motion with its contacts",
}


def reason_in_words(criteria: tuple[Criterion, ...], controller: str, *, is_motion: bool = False) -> str:
    """What decided, for somebody who has not read the paper."""
    failed = [c for c in criteria if not c.holds]
    if not failed:
        weakest = min(criteria, key=lambda c: c.margin)
        held = "the motion is followed" if is_motion else "the scene comes to rest"
        return (
            f"Stable: the objects stand by themselves, {held} and the contacts are held. "
            f"Closest to its limit: {_in_words(weakest)}."
        )
    first = next(c for test in ("gravity", "settled", "contact") for c in failed if c.test == test)
    worst = min((c for c in failed if c.test == first.test), key=lambda c: c.margin)
    if worst.name == UNLABELLED:
        return "No body part was found to touch an object, so there is no interaction to hold."
    opening = (MOTION_FAILS if is_motion else POSE_FAILS)[worst.test]
    return f"{opening}: {_in_words(worst)}, under {CONTROLLERS.get(controller, controller)}."


def objects_alone(scene: SimScene) -> SimScene:
    """The scene without people."""
    kept = [i for i, name in enumerate(scene.qpos_names) if name.split("/")[0] not in scene.humans]
    return replace(
        scene,
        bodies=(),
        contacts=(),
        humans=(),
        human_mass_kg=(),
        joint_names=tuple(asset.name for asset in scene.assets),
        qpos_names=tuple(scene.qpos_names[i] for i in kept),
        qpos=scene.qpos[kept],
    )


def _objects_alone(scene: SimScene, cfg: JudgeStabilityConfig) -> Iterator[Criterion]:
    if not scene.assets:
        return
    from sim_envs import backend
    from sim_envs.contract import JUDGE

    probes = ["standing alone"]
    probes += [f"on ground tilted {cfg.probe_tilt_deg:g} deg towards {side}" for side in SIDES]
    probes += [f"pushed towards {side} with {cfg.probe_push_weight:.0%} of its weight" for side in SIDES]
    alone = objects_alone(scene)
    batch = backend(cfg.backend).load(alone, count=len(probes), timing=JUDGE, threads=cfg.threads)
    _set_probes(batch, scene, cfg)
    settle(batch, np.tile(alone.qpos, (len(probes), 1)), cfg)
    qpos, qvel = batch.state()
    owners = np.array([name.rsplit(":", 1)[0] for name in velocity_names(batch.qpos_names)])
    for reference in tracking_problem(alone).objects:
        place = object_place(reference.name, batch.qpos_names)
        yield from gravity_criteria(reference, qpos[:, place], qvel[:, owners == reference.name], probes, cfg.gravity)


def _under_load(scene: SimScene, cfg: JudgeStabilityConfig) -> Iterator[Criterion]:
    """Every object by itself, on level ground; what falls under a load falls in an interaction."""
    if cfg.payload_n <= 0.0:
        return
    from sim_envs.object_tests import POINT_NAMES, ObjectBench, ObjectTests, body_of, load_points, support_box

    limits = ObjectTests(payload_n=cfg.payload_n, tilt_deg=cfg.gravity.tilt_deg, speed=cfg.gravity.speed)
    for asset in scene.assets:
        shape = asset.vertices, asset.faces
        bench = ObjectBench(body_of(*shape, density_kg_m3=asset.density_kg_m3, friction=asset.friction), limits)
        bench.stand()
        for where, stood in zip(POINT_NAMES, bench.bear(load_points(*support_box(*shape, asset.parts), limits))):
            what = f"{asset.name} under {cfg.payload_n:g} N in {where}"
            yield at_most("settled", f"tilt of {what} [deg]", stood.tilt_deg, limits.tilt_deg)
            yield at_most("settled", f"speed of {what}", stood.speed, limits.speed)


def settle(batch: "SimBatch", qpos: Float[ndarray, "sims nq"], cfg: JudgeStabilityConfig) -> None:
    """Let objects go for `gravity_s`; those that overlap at the start are pushed apart gently."""
    nothing, chunk = np.zeros((len(qpos), 0)), 1 / 60
    steps = round(chunk / batch.timestep_s)
    batch.reset(qpos)
    for i in range(round(cfg.gravity_s / chunk)):
        if (i - 1) * chunk <= cfg.soft_start.duration_s:
            soften(batch, cfg.soft_start.recovery(i * chunk))
        batch.step(nothing, steps)


def _set_probes(batch: "SimBatch", scene: SimScene, cfg: JudgeStabilityConfig) -> None:
    """First simulation: plain gravity; then one per tilt, then one per push."""
    count = len(SIDES)
    angle = 2 * np.pi * np.arange(count) / count
    sides = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    gravity = np.tile([0.0, 0.0, -GRAVITY], (1 + 2 * count, 1))
    gravity[1 : 1 + count] = tilted_gravity(np.radians(cfg.probe_tilt_deg), sides)
    batch.set_parameter("gravity_m_s2", gravity)
    for asset in scene.assets:
        force = np.zeros((1 + 2 * count, 3))
        force[1 + count :, :2] = cfg.probe_push_weight * asset.mass_kg * GRAVITY * sides
        batch.set_parameter("force_n", force, body=asset.name)


def tilted_gravity(angle: float, sides: Float[ndarray, "sides 2"]) -> Float[ndarray, "sides 3"]:
    """Gravity on ground that slopes down by `angle` [rad] towards each side."""
    down = np.full((len(sides), 1), -np.cos(angle))
    return GRAVITY * np.concatenate([np.sin(angle) * sides, down], axis=1)


def _in_words(criterion: Criterion) -> str:
    relation = "limit" if criterion.holds else "not within its limit of"
    return f"{criterion.name} is {criterion.value:.3g} ({relation} {criterion.threshold:.3g})"
