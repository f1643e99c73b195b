"""All frames of a motion together: contacts held, nothing inside anything, weight over the feet, little acceleration.

Nonlinear least squares (Levenberg-Marquardt) over local rotations exp(psi_fj) base_j of 22 joints and the pelvis' place:

    sum_f  |psi_f - reference|^2 / s_r^2  +  |second difference of psi, root|^2 / (s_a dt^2)^2      smooth, near the keys
         + |point - place|^2 / s^2 of standing soles, anchored joints, lifted feet on their way       Targets
         + (distance of the k nearest points of a held part)^2 / s_c^2                                Hold
         + relu(depth - 0.8 mm)^2 / s_p^2 of every skin sample in objects, floor and thighs
         + relu(way of the zero-moment point out of the support polygon)^2 / s_z^2

Frames couple to the next two only, so the normal equations are a band of 207 diagonals, solved by Cholesky.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numba import njit
from numpy import ndarray
from scipy.linalg import solveh_banded

from hsimul3r.benchmark.posing.motions_balance import WideRows, balance_rows
from hsimul3r.benchmark.posing.motions_problem import Problem
from hsimul3r.benchmark.posing.motions_rows import SIZE, Rows, Skin, rows_of
from hsimul3r.benchmark.posing.motions_weights import acceleration_sigma, reference_sigma
from hsimul3r.body.derivatives import COUNT

MAX_TURN = 0.4
"""Largest change of a coordinate in one step [rad, m]."""
DEPTH_SIGMAS_M = (0.03, 0.004, 0.0006)
ENOUGH_GAIN = 0.002
"""Share of the cost that a step must save for another to follow."""


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Coordinates of all frames and the cost they have."""

    state: Float[ndarray, "frames 69"]
    cost: float

    @property
    def psi(self) -> Float[ndarray, "frames 22 3"]:
        return self.state[:, :-3].reshape(-1, COUNT, 3)

    @property
    def root(self) -> Float[ndarray, "frames 3"]:
        return self.state[:, -3:]


def solve(problem: Problem, *, steps: int, depth_sigmas_m: tuple[float, ...] = DEPTH_SIGMAS_M) -> Solution:
    """The motion of least cost next to the reference. Penetration counts little at first, so that limbs can pass."""
    state, damping, system = _flat(problem), 1.0, None
    for sigma_m in depth_sigmas_m:
        system = _linearise(problem, state, sigma_m)
        for _ in range(steps):
            change = _step(system, damping)
            trial = state + change * min(1.0, MAX_TURN / np.abs(change).max())
            attempt = _linearise(problem, trial, sigma_m)
            if attempt.cost > system.cost:
                damping *= 8
                continue
            gain, state, system, damping = system.cost - attempt.cost, trial, attempt, max(damping / 4, 1e-3)
            if gain < ENOUGH_GAIN * system.cost:
                break
    assert system is not None
    return Solution(state=state, cost=system.cost)


def _flat(problem: Problem) -> Float[ndarray, "frames 69"]:
    return np.concatenate([problem.psi.reshape(problem.frames, -1), problem.root], axis=1)


class _System:
    """Normal equations: blocks on the diagonal and the two next to it, gradient, cost."""

    def __init__(self, frames: int):
        self.blocks = [np.zeros((max(frames - o, 0), SIZE, SIZE)) for o in range(3)]
        self.gradient = np.zeros((frames, SIZE))
        self.cost = 0.0

    def add(self, rows: Rows) -> None:
        order = np.argsort(rows.frame, kind="stable")
        frames, starts = np.unique(rows.frame[order], return_index=True)
        for frame, part in zip(frames, np.split(order, starts[1:])):
            J, r = rows.jacobian[part], rows.residual[part]
            self.blocks[0][frame] += J.T @ J
            self.gradient[frame] += J.T @ r
        self.cost += float(rows.residual @ rows.residual)

    def add_wide(self, rows: WideRows) -> None:
        last = len(self.gradient) - 1
        for frame, J, r in zip(rows.frame, rows.jacobian, rows.residual):
            near = [max(frame - 1, 0), frame, min(frame + 1, last)]
            for a, at in enumerate(near):
                self.gradient[at] += J[a] * r
                for b, other in enumerate(near):
                    if at >= other:
                        self.blocks[at - other][other] += np.outer(J[a], J[b])
        self.cost += float(rows.residual @ rows.residual)

    def add_quadratic(self, coupling: Float[ndarray, "frames frames"], weight: Float[ndarray, "69"], offset: ndarray) -> None:
        """sum_d w_d offset_d^T C offset_d of offsets (frames, 69), C a band of two."""
        diagonal = np.arange(SIZE)
        for o, blocks in enumerate(self.blocks):
            blocks[:, diagonal, diagonal] += np.diagonal(coupling, -o)[:, None] * weight
        pull = coupling @ offset
        self.gradient += pull * weight
        self.cost += float(((offset * pull) @ weight).sum())


def _linearise(problem: Problem, state: Float[ndarray, "frames 69"], depth_sigma_m: float) -> _System:
    system = _System(problem.frames)
    skin = Skin.of(problem, problem.body.chain(state[:, :-3].reshape(-1, COUNT, 3), state[:, -3:]))
    for rows in rows_of(problem, skin, depth_sigma_m):
        system.add(rows)
    system.add_wide(balance_rows(problem, skin))
    system.add_quadratic(np.eye(problem.frames), reference_sigma() ** -2, state - _flat(problem))
    if problem.dt is not None:
        second = second_differences(problem.frames) / problem.dt**2
        system.add_quadratic(second.T @ second, acceleration_sigma() ** -2, state)
    return system


def second_differences(frames: int) -> Float[ndarray, "frames frames"]:
    """x[f+1] - 2 x[f] + x[f-1], at rest before the first and after the last frame."""
    D = np.diag(np.full(frames, -2.0)) + np.diag(np.ones(frames - 1), 1) + np.diag(np.ones(frames - 1), -1)
    D[0, 0] = D[-1, -1] = -1.0
    return D


def _step(system: _System, damping: float) -> Float[ndarray, "frames 69"]:
    """The damped Newton step by a banded Cholesky factor."""
    frames = len(system.gradient)
    band = _band(*system.blocks)
    band[0] += np.tile(damping * reference_sigma() ** -2, frames)
    return -solveh_banded(band, system.gradient.ravel(), lower=True, overwrite_ab=True).reshape(frames, SIZE)


@njit(cache=True)
def _band(diagonal, next_to, after_next):  # noqa: ANN001, ANN202 (compiled)
    """The lower band of a matrix by its blocks on the diagonal and on the two below it."""
    band = np.zeros((3 * SIZE, len(diagonal) * SIZE))
    for offset in range(3):
        blocks = diagonal if offset == 0 else (next_to if offset == 1 else after_next)
        for f in range(len(blocks)):
            for row in range(SIZE):
                for column in range(row + 1 if offset == 0 else SIZE):
                    band[offset * SIZE + row - column, f * SIZE + column] = blocks[f, row, column]
    return band
