"""A policy in closed loop: observe, act, command the servos; what it did becomes a plan that replays bit by bit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.errors import MixedLayouts
from hsimul3r.tracking.controllers import Controlled, ControlTask, OpenLoop
from hsimul3r.tracking.observation import ObservationLayout, observe, scene_moment
from hsimul3r.tracking.problem import TrackingProblem
from hsimul3r.tracking.recording import Execution, Plan, RecordConfig
from hsimul3r.tracking.reference import ReferenceMotion, named_contacts
from hsimul3r.tracking.simulation import Simulation

ACTIONS = 3 * (len(BODY_JOINTS) - 1)
"""A rotation vector for every joint but the root."""
METADATA = "hsimul3r_policy"
"""Entry of an ONNX file's metadata that holds how the policy is connected, as JSON."""

Act = Callable[[Float32[ndarray, "sims size"]], Float32[ndarray, "sims 63"]]
"""Observations to actions, in units of the exploration: of the order of 1."""


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """How a policy is connected to a scene."""

    layout: ObservationLayout
    action_rad: float
    """What an action of 1 adds to a servo's target."""
    reach_rad: float
    """Most that an action adds."""


def reference_for(problem: TrackingProblem, simulation: Simulation, layout: ObservationLayout) -> ReferenceMotion:
    """The problem at the policy's rate, objects and contacts in its order. Raises `MixedLayouts`, `NotOnePerson`."""
    objects = tuple(reference.name for reference in problem.objects)
    if objects != layout.objects:
        raise MixedLayouts(f"the objects are {', '.join(objects) or 'none'}, not {', '.join(layout.objects) or 'none'}")
    unknown = set(named_contacts(problem)) - set(layout.contacts)
    if unknown:
        raise MixedLayouts(f"the contact {min(unknown)} was not there in training")
    return ReferenceMotion.of(
        problem, simulation.qpos_names, simulation.ctrl_names, fps=layout.fps, pairs=layout.contacts
    )  # fmt: skip


def commands(
    actions: Float[ndarray, "sims 63"], reference: ReferenceMotion, frame: Int[ndarray, "sims"], spec: PolicySpec
) -> Float[ndarray, "sims nu"]:
    """Servo targets: the next frame's pose, and the action on top."""
    ctrl = reference.ctrl[np.minimum(frame + 1, reference.frames - 1)]
    ctrl[:, reference.skeleton.layout.servos.ravel()] += np.clip(spec.action_rad * actions, -spec.reach_rad, spec.reach_rad)
    return ctrl


def actions_for(
    ctrl: Float[ndarray, "sims nu"], reference: ReferenceMotion, frame: Int[ndarray, "sims"], spec: PolicySpec
) -> Float[ndarray, "sims 63"]:
    """The actions that command `ctrl`: the inverse of `commands`, as far as actions reach."""
    offset = ctrl - reference.ctrl[np.minimum(frame + 1, reference.frames - 1)]
    return np.clip(offset[:, reference.skeleton.layout.servos.ravel()], -spec.reach_rad, spec.reach_rad) / spec.action_rad


def follow_policy(
    problem: TrackingProblem,
    simulation: Simulation,
    act: Act,
    spec: PolicySpec,
    cfg: RecordConfig,
    starts: Sequence[Plan],
) -> list[Plan]:
    """Let a policy act in every simulation from the states in which plans start; what it commanded, as `record` replays it.

    `cfg.fps` must be a multiple of the policy's rate. Raises `MixedLayouts`, `NotOnePerson`.
    """
    reference, every = reference_for(problem, simulation, spec.layout), round(cfg.fps / spec.layout.fps)
    execution = Execution(simulation=simulation, cfg=cfg)
    execution.start(starts)
    given: list[Float[ndarray, "sims nu"]] = []
    for step in range(round(cfg.duration_s * cfg.fps)):
        if step % every == 0:
            frame = np.full(simulation.count, step // every)
            seen = observe(scene_moment(simulation, reference), reference, frame, spec.layout)
            ctrl = commands(act(seen), reference, frame, spec)
        execution.advance(ctrl)
        given.append(ctrl)
    return [replace(start, ctrl=np.stack([ctrl[i] for ctrl in given])) for i, start in enumerate(starts)]


@dataclass(frozen=True, kw_only=True)
class PolicyFollower:
    """The controller `ppo`: a trained policy in closed loop in the fine simulation, from the reconstruction itself."""

    act: Act
    spec: PolicySpec

    def control(self, task: ControlTask) -> Controlled:
        """Raises `MixedLayouts`, `NotOnePerson`."""
        start = OpenLoop().control(task).plan
        (plan,) = follow_policy(task.problem, task.simulator("judge", 1), self.act, self.spec, task.recording, [start])
        return Controlled(plan=plan)
