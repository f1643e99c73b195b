"""The postures of all frames at once: Gauss-Newton within bounds, and speeds within their limits."""

import numpy as np
from jaxtyping import Bool, Float
from numba import njit
from numpy import ndarray
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation, Slerp

from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.retarget.kinematics import ROOT, Chain, Postures, posed
from hsimul3r.retarget.normal import NormalEquations, PointRows
from hsimul3r.retarget.problem import Problem

SETS = 3
"""How often a step is taken again with other barriers and stops."""
ENTERED_M = 0.004
OVER_RAD = 0.03
"""What a step may enter or leave without being taken again."""
DAMPING = 3.0
"""Added to the main diagonal: a step of 0.6 rad or m of an unknown counts as one standard deviation. It keeps what
little decides, as the twist of a stretched arm, from being thrown to and fro."""


def start_of(problem: Problem) -> Postures:
    """The robot at home where the person's pelvis is, turned as it is."""
    places, turns = problem.targets.places, problem.targets.turns
    root, turn = places.target[:, 0], turns.target[:, 0]
    return posed(
        problem.chain, root - np.einsum("tij,j->ti", turn, places.offset[0]), turn, np.tile(problem.chain.home, (len(root), 1))
    )


def iterate(problem: Problem, at: Postures, least: int, most: int) -> Postures:
    """Gauss-Newton steps, until they are short; at least `least`, and up to `most` while anything is entered deeper than
    allowed and gets out."""
    cfg, before, longest = problem.cfg, np.inf, np.inf
    for i in range(most):
        barriers = problem.barriers(at)
        depth = -float(barriers.value.min(initial=0.0))
        is_out = depth < cfg.deepest_m or (longest < cfg.stalled_rad and depth > cfg.stalled_share * before)
        if is_out and (longest < cfg.settled_rad or i >= least):
            break
        step = _step(problem.chain, problem.equations(at), at, barriers)
        at, before, longest = moved(problem.chain, at, _shortened(step, problem)), depth, float(np.abs(step).max())
    return at


def _shortened(step: Float[ndarray, "frames unknowns"], problem: Problem) -> Float[ndarray, "frames unknowns"]:
    """Each frame's step at most so long that the rows' derivatives still mean something."""
    cfg = problem.cfg
    turn = np.abs(step[:, 3:]).max(axis=1)
    shift = np.abs(step[:, :3]).max(axis=1)
    share = np.minimum(1.0, np.minimum(cfg.largest_rad / np.maximum(turn, 1e-12), cfg.largest_m / np.maximum(shift, 1e-12)))
    return step * share[:, None]


def _step(chain: Chain, sums: NormalEquations, at: Postures, barriers: PointRows) -> Float[ndarray, "frames unknowns"]:
    """The step to the least sum of squares in which barriers count where the step would enter them, and angles that it would
    take over a limit stop there."""
    is_entered = barriers.value < 0
    room = np.stack([chain.low - at.angles, chain.high - at.angles])
    stops, step = np.zeros_like(at.angles, bool), np.zeros((len(at), sums.unknowns))
    for _ in range(SETS):
        step = _stopped_step(*sums.with_points(barriers.chosen(is_entered)), stops, np.clip(step[:, ROOT:], *room))
        after = sums.changed(barriers, step)
        over = np.maximum(room[0] - step[:, ROOT:], step[:, ROOT:] - room[1])
        if after[~is_entered].min(initial=0.0) > -ENTERED_M and over.max(initial=0.0) < OVER_RAD:
            break
        is_entered, stops = after < 0, stops | (over > 1e-9)
    return step


def _stopped_step(
    band: Float[ndarray, "diagonals all"],
    gradient: Float[ndarray, "all"],
    stops: Bool[ndarray, "frames joints"],
    value: Float[ndarray, "frames joints"],
) -> Float[ndarray, "frames unknowns"]:
    """The solution of a positive definite banded system with some of the angles' steps given."""
    is_given = np.pad(stops, ((0, 0), (ROOT, 0)))
    given = np.where(is_given, np.pad(value, ((0, 0), (ROOT, 0))), 0.0).ravel()
    right = -gradient
    _give(band, right, given, np.flatnonzero(is_given))
    band[0] += DAMPING
    step = solveh_banded(band, right, lower=True, overwrite_ab=True, overwrite_b=True, check_finite=False)
    return step.reshape(is_given.shape)


@njit(cache=True)
def _give(band, right, given, index):  # noqa: ANN001, ANN202
    """Take known unknowns out of a banded system: what they do to the others moves to the right side."""
    reach, size = band.shape[0] - 1, band.shape[1]
    for k in index:
        for d in range(1, min(reach, size - 1 - k) + 1):
            right[k + d] -= band[d, k] * given[k]
            band[d, k] = 0.0
        for d in range(1, min(reach, k) + 1):
            right[k - d] -= band[d, k - d] * given[k]
            band[d, k - d] = 0.0
        band[0, k] = 1.0
    for k in index:
        right[k] = given[k] * (1.0 + DAMPING)


def moved(chain: Chain, at: Postures, step: Float[ndarray, "frames unknowns"]) -> Postures:
    """The postures after a step, angles within their limits."""
    return posed(
        chain,
        at.root + step[:, :3],
        matrix_from_axis_angle(step[:, 3:ROOT]) @ at.turn,
        np.clip(at.angles + step[:, ROOT:], chain.low, chain.high),
    )


def refined(chain: Chain, coarse: Postures, step: int, frames: int) -> Postures:
    """Postures of all frames between those of every `step`th; the last ones stay as they are."""
    known, wanted = np.arange(len(coarse)) * step, np.minimum(np.arange(frames), (len(coarse) - 1) * step)
    if len(coarse) < 2:
        turn = np.repeat(coarse.turn, frames, axis=0)
    else:
        turn = Slerp(known, Rotation.from_matrix(coarse.turn))(wanted).as_matrix()

    def between(values: Float[ndarray, "coarse columns"]) -> Float[ndarray, "frames columns"]:
        return np.stack([np.interp(wanted, known, column) for column in values.T], axis=1)

    return posed(chain, between(coarse.root), turn, between(coarse.angles))


def limited(angles: Float[ndarray, "frames joints"], largest: Float[ndarray, "joints"]) -> Float[ndarray, "frames joints"]:
    """The angles, none of which changes from frame to frame by more than `largest`.

    The mean of the smallest curve above and of the largest below that keep the speed; where the speed was kept everywhere, both
    are the angles themselves. It stays between the least and the greatest angle, so within the limits of the joint.
    """
    above, below = angles.copy(), angles.copy()
    for t in range(1, len(angles)):
        above[t] = np.maximum(above[t], above[t - 1] - largest)
        below[t] = np.minimum(below[t], below[t - 1] + largest)
    for t in range(len(angles) - 2, -1, -1):
        above[t] = np.maximum(above[t], above[t + 1] - largest)
        below[t] = np.minimum(below[t], below[t + 1] + largest)
    return (above + below) / 2
