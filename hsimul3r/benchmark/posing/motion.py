"""Motions of HSIBench: key poses in time, contacts held as intervals, one solve over all frames; exact truth at 30 fps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.benchmark.posing import motions_seats, motions_standing, motions_steps
from hsimul3r.benchmark.posing.check import check_staged, is_true
from hsimul3r.benchmark.posing.motions_balance import quasi_static_residual
from hsimul3r.benchmark.posing.motions_plan import MotionPlan
from hsimul3r.benchmark.posing.motions_problem import FPS, Problem, active, key_problem, path_problem, settled_problem, subject
from hsimul3r.benchmark.posing.motions_rows import Skin, stay_targets
from hsimul3r.benchmark.posing.motions_solver import DEPTH_SIGMAS_M, Solution, solve
from hsimul3r.benchmark.posing.motions_stage import Stage
from hsimul3r.benchmark.scene import CaseSpec, Difficulty, HeldContact, Staged, StagedObject
from hsimul3r.errors import NotPosable
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, rotation_about_z

KEY_STEPS, PATH_STEPS = 25, 12
ALLOWED_FAR = 0.1
TOUCH_M, LATE_FRAMES = 0.002, 6
YAW_DEG = 30.0
"""Largest turn of a motion out of the room's front."""

CHAIRS = ("dining_chair", "windsor_chair", "ladder_back_chair", "parsons_chair", "cantilever_chair", "folding_chair")
SEATS = (*CHAIRS, "bentwood_chair")
SOFAS = ("two_seat_sofa", "three_seat_sofa", "chesterfield_sofa", "spindle_loveseat", "wing_chair", "lounge_armchair")
TABLES = ("dining_table", "oval_table", "trestle_table", "writing_desk", "round_table")
DESKS = ("dining_table", "trestle_table", "oval_table")
RAILS = ("dining_chair", "cantilever_chair", "folding_chair", "park_bench")
LOW = ("step_stool", "ottoman", "coffee_table")


@dataclass(frozen=True, kw_only=True)
class MotionTemplate:
    """A kind of motion: how it is planned, the sets of catalogue objects that it suits, and how hard it is to reconstruct."""

    plan: Callable[[Stage], MotionPlan]
    objects: tuple[tuple[str, ...], ...]
    difficulty: Difficulty
    candidates: int = 9


def _one_of(names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple((name,) for name in names)


def _pairs(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple((a, b) for a in first for b in second)


MOTIONS: Final[Mapping[str, MotionTemplate]] = {
    "sit_down_chair": MotionTemplate(plan=motions_seats.sit_down, objects=_one_of(SEATS), difficulty="medium", candidates=21),
    "stand_up_chair": MotionTemplate(plan=motions_seats.stand_up, objects=_one_of(SEATS), difficulty="medium", candidates=21),
    "sit_down_sofa": MotionTemplate(plan=motions_seats.sit_back, objects=_one_of(SOFAS), difficulty="medium", candidates=21),
    "stand_up_sofa": MotionTemplate(
        plan=motions_seats.rise_from_back, objects=_one_of(SOFAS), difficulty="medium", candidates=21
    ),
    "foot_on_stool": MotionTemplate(plan=motions_standing.foot_on_stool, objects=_one_of(LOW), difficulty="hard"),
    "lean_on_table": MotionTemplate(plan=motions_standing.lean_on_table, objects=_one_of(TABLES), difficulty="medium"),
    "lean_on_chair_back": MotionTemplate(plan=motions_standing.lean_on_chair_back, objects=_one_of(RAILS), difficulty="medium"),
    "reach_table": MotionTemplate(plan=motions_seats.reach_table, objects=_pairs(CHAIRS, DESKS), difficulty="hard"),
    "step_up": MotionTemplate(plan=motions_steps.climb_step, objects=_one_of(("step_stool",)), difficulty="hard"),
    "climb_ladder": MotionTemplate(plan=motions_steps.climb_ladder, objects=_one_of(("step_ladder",)), difficulty="hard"),
    "push_cart": MotionTemplate(plan=motions_steps.push_cart, objects=_one_of(("push_cart",)), difficulty="hard"),
}


def stage_motion(spec: CaseSpec) -> Staged:
    """The motion of a case in the world: origin below the pelvis of the first frame, everything else from `spec.seed`.

    Raises `NotPosable` where the solve does not close a contact, leaves something inside something, or where the contacts
    cannot carry the motion: its zero-moment point is over 5 cm off their polygon in more than a tenth of the frames.
    """
    stage = Stage.of(spec)
    plan = MOTIONS[spec.interaction].plan(stage)
    body = subject(plan)
    posed = key_problem(plan, body)
    wished = solve(posed, steps=KEY_STEPS)
    posed = settled_problem(posed, wished.psi, wished.root)
    keys = solve(posed, steps=KEY_STEPS, depth_sigmas_m=DEPTH_SIGMAS_M[1:])
    path = path_problem(posed.plan, body, keys.psi, keys.root)
    path = replace(path, targets=stay_targets(posed, Skin.of(posed, body.chain(keys.psi, keys.root)), path))
    staged = _in_world(path, solve(path, steps=PATH_STEPS), np.radians(stage.around(0.0, YAW_DEG)))
    _require_true(spec, staged)
    return staged


def _require_true(spec: CaseSpec, staged: Staged) -> None:
    figures = check_staged(staged)
    if not is_true(figures):
        raise NotPosable(spec.name, ", ".join(f"{name} {value:.1f}" for name, value in figures.items()))
    balance = quasi_static_residual(staged)
    if balance.far > ALLOWED_FAR:
        raise NotPosable(spec.name, f"its weight is over 5 cm off the contacts in {balance.far:.0%} of the frames")


def _in_world(problem: Problem, solution: Solution, yaw: float) -> Staged:
    """The solved plan, turned by `yaw` and moved so that the pelvis starts above the origin."""
    T = np.eye(4)
    T[:3, :3] = rotation_about_z(yaw)
    T[:2, 3] = -(T[:3, :3] @ solution.root[0])[:2]
    local = matrix_from_axis_angle(solution.psi) @ problem.body.base
    local[:, 0] = T[:3, :3] @ local[:, 0]
    fingers = np.tile(problem.body.fingers, (problem.frames, 1, 1))
    plan = problem.plan
    return Staged(
        objects=tuple(
            StagedObject(name=item.name, furniture=item.furniture, T_world_object=T @ item.T_plan_object)
            for item in plan.objects
        ),
        betas=problem.body.betas,
        pose=np.concatenate([axis_angle_from_matrix(local), fingers], axis=1),
        transl=solution.root @ T[:3, :3].T + T[:3, 3] - problem.body.rest[0],
        fps=FPS,
        contacts=_contacts(problem, solution),
    )


def _contacts(problem: Problem, solution: Solution) -> tuple[HeldContact, ...]:
    """Standing feet as planned, held parts as long as they touch, as intervals of frames."""
    contacts = []
    for stance in problem.plan.stances:
        frames = np.flatnonzero(active(stance.start_s, stance.end_s, problem.times))
        contacts.append(_held(f"{stance.side}_foot", stance.target, frames))
    skin = Skin.of(problem, problem.body.chain(solution.psi, solution.root))
    for (hold, _, frames), near in zip(problem.holds, skin.near):
        gaps = near.distance.reshape(len(frames), -1).min(axis=1)
        contacts.append(_held(hold.part, hold.target, frames[_touching(gaps)]))
    return tuple(contacts)


def _held(part: str, target: str, frames: Int[ndarray, "held"]) -> HeldContact:
    return HeldContact(part=part, target=target, first=int(frames[0]), last=int(frames[-1]))


def _touching(gaps: Float[ndarray, "held"]) -> slice:
    """A hold less the frames at its ends, `LATE_FRAMES` at most, in which nothing touches yet or any more."""
    near = np.flatnonzero(gaps <= TOUCH_M)
    if len(near) == 0:
        return slice(None)
    first, last = near[0], near[-1]
    return slice(first if first <= LATE_FRAMES else 0, last + 1 if len(gaps) - 1 - last <= LATE_FRAMES else None)
