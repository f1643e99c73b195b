"""The postures of all frames at once: Gauss-Newton within bounds, and speeds within their limits."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation, Slerp

from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.retarget.kinematics import ROOT, Chain, Postures, posed
from hsimul3r.retarget.normal import NormalEquations
from hsimul3r.retarget.problem import Problem

DAMPING = 1e-2
"""Added to the main diagonal: the rows are in units of standard deviations, this is far weaker than any."""


def start_of(problem: Problem) -> Postures:
    """The robot at home where the person's pelvis is, turned as it is."""
    places, turns = problem.targets.places, problem.targets.turns
    root, turn = places.target[:, 0], turns.target[:, 0]
    return posed(
        problem.chain, root - np.einsum("tij,j->ti", turn, places.offset[0]), turn, np.tile(problem.chain.home, (len(root), 1))
    )


def iterate(problem: Problem, at: Postures, iterations: int) -> Postures:
    """Gauss-Newton steps."""
    for _ in range(iterations):
        sums = problem.equations(at)
        step = _step(problem.chain, sums, at)
        at = moved(problem.chain, at, _shortened(step, problem))
    return at


def _shortened(step: Float[ndarray, "frames unknowns"], problem: Problem) -> Float[ndarray, "frames unknowns"]:
    """Each frame's step at most so long that the rows' derivatives still mean something."""
    cfg = problem.cfg
    turn = np.abs(step[:, 3:]).max(axis=1)
    shift = np.abs(step[:, :3]).max(axis=1)
    share = np.minimum(1.0, np.minimum(cfg.largest_rad / np.maximum(turn, 1e-12), cfg.largest_m / np.maximum(shift, 1e-12)))
    return step * share[:, None]


def _step(chain: Chain, sums: NormalEquations, at: Postures) -> Float[ndarray, "frames unknowns"]:
    """The step of a positive definite banded system in which angles at a limit, pushed outwards, stay."""
    n = sums.unknowns
    band, gradient = sums.band, sums.gradient
    force = gradient.reshape(len(at), n)[:, ROOT:]
    stays = np.zeros((len(at), n), bool)
    stays[:, ROOT:] = ((at.angles <= chain.low + 1e-9) & (force > 0)) | ((at.angles >= chain.high - 1e-9) & (force < 0))
    for k in np.flatnonzero(stays.ravel()):
        band[:, k] = 0.0
        reach = min(k, len(band) - 1)
        band[np.arange(1, reach + 1), k - np.arange(1, reach + 1)] = 0.0
        band[0, k] = 1.0
    gradient[stays.ravel()] = 0.0
    band[0] += DAMPING
    return solveh_banded(band, -gradient, lower=True, overwrite_ab=True, overwrite_b=True, check_finite=False).reshape(-1, n)


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
