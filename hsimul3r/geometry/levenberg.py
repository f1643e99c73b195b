"""Levenberg-Marquardt on sparse robust residuals; a tail of many 3D points is eliminated by the Schur complement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import bsr_array, csr_array

State = TypeVar("State")


@dataclass(frozen=True, kw_only=True)
class Term:
    """Residuals in units of their standard deviation, in `rows` groups that are judged together by the robust loss.

    `jacobian[i, :, j]` is the derivative of `values[i]` by parameter `columns[i, j]`.
    """

    name: str
    values: Float[ndarray, "rows dims"]
    columns: Int[ndarray, "rows parameters"]
    jacobian: Float[ndarray, "rows dims parameters"]
    huber: float = np.inf
    """Beyond this length of a row the loss grows linearly."""

    def cost(self) -> float:
        """Sum of Huber losses: |r|^2 inside, 2 huber |r| - huber^2 outside."""
        length = np.linalg.norm(self.values, axis=1)
        beyond = length > self.huber
        linear = 2 * self.huber * length[beyond] - self.huber**2 if beyond.any() else np.zeros(0)
        return float((length[~beyond] ** 2).sum() + linear.sum())

    def weighted(self) -> tuple[Float[ndarray, "rows dims"], Float[ndarray, "rows dims parameters"]]:
        """Residuals and Jacobian times the square root of the robust weight."""
        length = np.linalg.norm(self.values, axis=1)
        root = np.sqrt(np.minimum(1.0, self.huber / np.maximum(length, 1e-12)))
        return self.values * root[:, None], self.jacobian * root[:, None, None]


@dataclass(frozen=True, kw_only=True)
class Solution(Generic[State]):
    """What `minimise` found."""

    state: State
    cost: float
    iterations: int


def minimise(
    state: State,
    *,
    terms: Callable[[State], Sequence[Term]],
    retract: Callable[[State, Float[ndarray, "parameters"]], State],
    is_free: Bool[ndarray, "dense"],
    points: int = 0,
    max_iterations: int = 60,
    tolerance: float = 1e-7,
) -> Solution[State]:
    """Minimise the sum of the terms' costs over a state with `len(is_free)` dense parameters, then `points` 3D points.

    Parameters that are not free stay. Each step solves (H + damping * diag H) step = -gradient; the damping falls after a
    step that helps and grows after one that does not. Stops when a step gains less than `tolerance` of the cost.
    """
    current = terms(state)
    cost, damping = sum(term.cost() for term in current), 1e-3
    for iteration in range(max_iterations):
        system = _normal_equations(current, len(is_free), points)
        while damping < 1e8:
            step = _solve(system, is_free, damping)
            trial = state if step is None else retract(state, step)
            trial_terms = terms(trial)
            trial_cost = sum(term.cost() for term in trial_terms)
            if trial_cost < cost:
                break
            damping *= 5
        else:
            return Solution(state=state, cost=cost, iterations=iteration)
        gain = (cost - trial_cost) / max(cost, 1e-300)
        state, current, cost, damping = trial, trial_terms, trial_cost, max(damping / 5, 1e-9)
        if gain < tolerance:
            return Solution(state=state, cost=cost, iterations=iteration + 1)
    return Solution(state=state, cost=cost, iterations=max_iterations)


@dataclass(frozen=True, kw_only=True)
class _System:
    """Normal equations in blocks: dense parameters, coupling, 3x3 blocks of the points, and the gradient of each."""

    dense: Float[ndarray, "dense dense"]
    coupling: csr_array
    blocks: Float[ndarray, "points 3 3"]
    gradient: Float[ndarray, "dense"]
    point_gradient: Float[ndarray, "points 3"]


def _normal_equations(terms: Sequence[Term], dense: int, points: int) -> _System:
    residuals, jacobians = [], []
    for term in terms:
        values, jacobian = term.weighted()
        rows, dims, width = jacobian.shape
        row = np.repeat(np.arange(rows * dims), width)
        column = np.broadcast_to(term.columns[:, None, :], jacobian.shape).ravel()
        jacobians.append((row, column, jacobian.ravel(), rows * dims))
        residuals.append(values.ravel())
    start = np.cumsum([0] + [entry[3] for entry in jacobians])
    row = np.concatenate([entry[0] + s for entry, s in zip(jacobians, start)])
    column = np.concatenate([entry[1] for entry in jacobians])
    value = np.concatenate([entry[2] for entry in jacobians])
    J = csr_array((value, (row, column)), shape=(start[-1], dense + 3 * points))
    gradient = J.T @ np.concatenate(residuals)
    J_dense, J_points = J[:, :dense], J[:, dense:]
    return _System(
        dense=(J_dense.T @ J_dense).toarray(),
        coupling=csr_array(J_dense.T @ J_points),
        blocks=_diagonal_blocks(J_points, points),
        gradient=gradient[:dense],
        point_gradient=gradient[dense:].reshape(points, 3),
    )


def _diagonal_blocks(J: csr_array, points: int) -> Float[ndarray, "points 3 3"]:
    H = (J.T @ J).tocoo()
    blocks = np.zeros((points, 3, 3))
    blocks[H.row // 3, H.row % 3, H.col % 3] = H.data
    return blocks


def _solve(system: _System, is_free: Bool[ndarray, "dense"], damping: float) -> Float[ndarray, "parameters"] | None:
    """Damped step; None where rounding leaves the system without a Cholesky factor."""
    free = np.flatnonzero(is_free)
    diagonal = np.arange(len(free))
    A, g = system.dense[np.ix_(free, free)].copy(), system.gradient[free].copy()
    A[diagonal, diagonal] += damping * (A[diagonal, diagonal] + 1e-6)
    points = len(system.blocks)
    step, C_inverse = np.zeros(len(is_free)), np.zeros((points, 3, 3))
    if points:
        C = system.blocks.copy()
        C[:, range(3), range(3)] += damping * (C[:, range(3), range(3)] + 1e-6)
        C_inverse = np.linalg.inv(C)
        B = system.coupling[free]
        through = B @ bsr_array((C_inverse, np.arange(points), np.arange(points + 1)), shape=(3 * points, 3 * points))
        A -= (through @ B.T).toarray()
        g -= through @ system.point_gradient.ravel()
    try:
        step[free] = -cho_solve(cho_factor(A), g)
    except np.linalg.LinAlgError:
        return None
    back = system.point_gradient + (system.coupling[free].T @ step[free]).reshape(points, 3)
    point_step = -np.einsum("pij,pj->pi", C_inverse, back)
    return np.concatenate([step, point_step.ravel()])
