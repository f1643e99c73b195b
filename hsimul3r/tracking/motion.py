"""How a reference moves: whether it rests at its ends, how fast everything is in its first frame, and that frame by itself."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, matrix_from_quaternion
from hsimul3r.tracking.layout import BALL_VELOCITIES, FREE_VELOCITIES
from hsimul3r.tracking.problem import TrackingProblem

REST_SPEED_M_S = 0.2
"""People whose joints are slower than this on average rest: nobody stands still, and reconstructions tremble."""
REST_S = 0.2
"""Length of the first or last part of a motion that is looked at."""


def rests_at_start(problem: TrackingProblem) -> bool:
    """True where nobody moves yet; a single moment rests."""
    return _speed(problem, 0, _span(problem)) < REST_SPEED_M_S


def rests_at_end(problem: TrackingProblem) -> bool:
    """True where nobody moves any more; a single moment rests."""
    return _speed(problem, problem.frames - 1 - _span(problem), problem.frames - 1) < REST_SPEED_M_S


def duration_s(problem: TrackingProblem) -> float:
    """From the first frame to the last."""
    return (problem.frames - 1) / problem.fps


def first_moment(problem: TrackingProblem) -> TrackingProblem:
    """The first frame as a pose to be held, with the contacts that are held in it."""
    people = (replace(p, pose=p.pose[:1], joints=p.joints[:1], quats=p.quats[:1]) for p in problem.people)
    return replace(
        problem,
        frames=1,
        people=tuple(people),
        objects=tuple(replace(o, position=o.position[:1], quat=o.quat[:1]) for o in problem.objects),
        targets=tuple(replace(t, is_held=t.is_held[:1]) for t in problem.targets if t.is_held[0]),
    )


def first_velocity(problem: TrackingProblem, qvel_names: Sequence[str]) -> Float[ndarray, "nv"]:
    """Mean velocity of the first `REST_S` in the engine's order; zero where the reference rests in its first frame."""
    place = {name: i for i, name in enumerate(qvel_names)}
    qvel = np.zeros(len(qvel_names))
    if rests_at_start(problem):
        return qvel
    last = _span(problem)
    seconds = last / problem.fps
    for person in problem.people:
        turns = axis_angle_from_matrix(_turn(*matrix_from_axis_angle(person.pose[[0, last]]))) / seconds
        shift = (person.joints[last, 0] - person.joints[0, 0]) / seconds
        _write(qvel, place, f"{person.name}/root", [*shift, *turns[0]])
        for joint, turn in zip(BODY_JOINTS[1:], turns[1:]):
            _write(qvel, place, f"{person.name}/{joint}", turn)
    for reference in problem.objects:
        turn = axis_angle_from_matrix(_turn(*matrix_from_quaternion(reference.quat[[0, last]]))) / seconds
        shift = (reference.position[last] - reference.position[0]) / seconds
        _write(qvel, place, reference.name, [*shift, *turn])
    return qvel


def _turn(before: Float[ndarray, "*batch 3 3"], after: Float[ndarray, "*batch 3 3"]) -> Float[ndarray, "*batch 3 3"]:
    """The rotation between two orientations, in the moving frame, as engines have angular velocities."""
    return np.swapaxes(before, -1, -2) @ after


def _write(qvel: Float[ndarray, "nv"], place: dict[str, int], joint: str, values: Sequence[float]) -> None:
    components = FREE_VELOCITIES if len(values) == len(FREE_VELOCITIES) else BALL_VELOCITIES
    qvel[[place[f"{joint}:{component}"] for component in components]] = values


def _span(problem: TrackingProblem) -> int:
    """Frames of `REST_S`, fewer in a shorter motion."""
    return min(max(round(REST_S * problem.fps), 1), problem.frames - 1)


def _speed(problem: TrackingProblem, first: int, last: int) -> float:
    """Mean speed [m/s] of the joints of whoever moves most, from where they were to where they are."""
    if first == last:
        return 0.0
    shifts = [np.linalg.norm(p.joints[last] - p.joints[first], axis=-1).mean() for p in problem.people]
    return float(max(shifts, default=0.0)) * problem.fps / (last - first)
