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


def followed_s(motion_s: float, *, rests_at_end: bool, hold_s: float, rest_s: float) -> float:
    """How long a reference is followed: a single moment is held, and a motion that ends at rest rests on for a while."""
    if motion_s == 0:
        return hold_s
    return motion_s + (rest_s if rests_at_end else 0.0)


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


def velocities(problem: TrackingProblem, qvel_names: Sequence[str], *, over_s: float = 0.0) -> Float[ndarray, "frames nv"]:
    """Velocities of the reference in the engine's order, as means over the next `over_s` (at least a frame); zero at its end.

    Linear ones are the world's, angular ones the moving frame's: over a single frame, q[t + 1] = q[t] * exp(w / fps).
    """
    place = {name: i for i, name in enumerate(qvel_names)}
    qvel = np.zeros((problem.frames, len(qvel_names)))
    frame = np.arange(problem.frames)
    later = np.minimum(frame + max(round(over_s * problem.fps), 1), problem.frames - 1)
    rate = (problem.fps / np.maximum(later - frame, 1))[:, None]
    for person in problem.people:
        R = matrix_from_axis_angle(person.pose)
        turns = axis_angle_from_matrix(np.swapaxes(R, -1, -2) @ R[later]) * rate[:, None]
        shift = (person.joints[later, 0] - person.joints[:, 0]) * rate
        qvel[:, [place[f"{person.name}/root:{c}"] for c in FREE_VELOCITIES]] = np.hstack([shift, turns[:, 0]])
        for joint, turn in zip(BODY_JOINTS[1:], turns[:, 1:].swapaxes(0, 1)):
            qvel[:, [place[f"{person.name}/{joint}:{c}"] for c in BALL_VELOCITIES]] = turn
    for reference in problem.objects:
        R = matrix_from_quaternion(reference.quat)
        turn = axis_angle_from_matrix(np.swapaxes(R, -1, -2) @ R[later]) * rate
        shift = (reference.position[later] - reference.position) * rate
        qvel[:, [place[f"{reference.name}:{c}"] for c in FREE_VELOCITIES]] = np.hstack([shift, turn])
    return qvel


def first_velocity(problem: TrackingProblem, qvel_names: Sequence[str]) -> Float[ndarray, "nv"]:
    """Mean velocity of the first `REST_S` in the engine's order; zero where the reference rests in its first frame."""
    if rests_at_start(problem):
        return np.zeros(len(qvel_names))
    return velocities(problem, qvel_names, over_s=REST_S)[0]


def _span(problem: TrackingProblem) -> int:
    """Frames of `REST_S`, fewer in a shorter motion."""
    return min(max(round(REST_S * problem.fps), 1), problem.frames - 1)


def _speed(problem: TrackingProblem, first: int, last: int) -> float:
    """Mean speed [m/s] of the joints of whoever moves most, from where they were to where they are."""
    if first == last:
        return 0.0
    shifts = [np.linalg.norm(p.joints[last] - p.joints[first], axis=-1).mean() for p in problem.people]
    return float(max(shifts, default=0.0)) * problem.fps / (last - first)
