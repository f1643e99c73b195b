"""Levenberg-Marquardt with bounds, for small dense problems of robust weighted residuals."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float
from numpy import ndarray


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Residuals in units of their standard deviation, in groups (rows, size) that one robust loss sees as a length.

    Loss of a group of length r: r^2 where `cauchy` is infinite, else cauchy^2 log(1 + r^2 / cauchy^2), which lets wrong
    observations go.
    """

    name: str
    residual: Float[ndarray, "rows size"]
    jacobian: Float[ndarray, "rows size unknowns"] | None
    cauchy: float = np.inf

    def cost(self) -> float:
        """Sum of the losses."""
        square = (self.residual**2).sum(1)
        if np.isinf(self.cauchy):
            return float(square.sum())
        return float(self.cauchy**2 * np.log1p(square / self.cauchy**2).sum())

    def weights(self) -> Float[ndarray, "rows"]:
        """Derivative of the loss by the squared length: the weights of iteratively reweighted least squares."""
        if np.isinf(self.cauchy):
            return np.ones(len(self.residual))
        return 1 / (1 + (self.residual**2).sum(1) / self.cauchy**2)


class Problem(Protocol):
    """What is to be minimised: bounds of the unknowns and the residuals, with derivatives where asked for."""

    @property
    def low(self) -> Float[ndarray, "unknowns"]: ...
    @property
    def high(self) -> Float[ndarray, "unknowns"]: ...
    def rows(self, unknowns: Float[ndarray, "unknowns"], *, with_jacobian: bool) -> list[Rows]: ...


def total_cost(problem: Problem, unknowns: Float[ndarray, "unknowns"]) -> float:
    """Sum of all losses."""
    return sum(rows.cost() for rows in problem.rows(unknowns, with_jacobian=False))


def minimise(
    problem: Problem,
    start: Float[ndarray, "unknowns"],
    *,
    iterations: int,
    tolerance: float = 1e-5,
    on_step: Callable[[], None] = lambda: None,
) -> Float[ndarray, "unknowns"]:
    """Levenberg-Marquardt; unknowns at a bound that the gradient pushes outwards rest, and every step ends inside the bounds.

    Stops after `iterations`, or where a step lowers the cost by less than the share `tolerance`.
    """
    x = np.clip(start, problem.low, problem.high)
    damping = 1e-3
    cost, gradient, hessian = _normal_equations(problem, x)
    for _ in range(iterations):
        on_step()
        improved = False
        while not improved and damping < 1e8:
            candidate = _step(problem, x, gradient, hessian, damping)
            candidate_cost = total_cost(problem, candidate)
            improved = candidate_cost < cost
            damping = max(damping * 0.3, 1e-8) if improved else damping * 5
        if not improved:
            break
        x, gain = candidate, cost - candidate_cost
        cost, gradient, hessian = _normal_equations(problem, x)
        if gain < tolerance * cost:
            break
    return x


def _normal_equations(problem: Problem, x: ndarray) -> tuple[float, ndarray, ndarray]:
    cost, gradient, hessian = 0.0, np.zeros(len(x)), np.zeros((len(x), len(x)))
    for rows in problem.rows(x, with_jacobian=True):
        assert rows.jacobian is not None
        cost += rows.cost()
        root = np.sqrt(rows.weights())[:, None]
        jacobian = (rows.jacobian * root[..., None]).reshape(-1, len(x))
        gradient += jacobian.T @ (rows.residual * root).ravel()
        hessian += jacobian.T @ jacobian
    return cost, gradient, hessian


def _step(problem: Problem, x: ndarray, gradient: ndarray, hessian: ndarray, damping: float) -> ndarray:
    rests = ((x <= problem.low) & (gradient > 0)) | ((x >= problem.high) & (gradient < 0))
    free = ~rests
    damped = hessian[np.ix_(free, free)].copy()
    diagonal = np.diag(damped)
    damped[np.diag_indices_from(damped)] += damping * np.maximum(diagonal, 1e-9 * max(diagonal.max(), 1e-12))
    step = np.zeros_like(x)
    step[free] = -np.linalg.solve(damped, gradient[free])
    return np.clip(x + step, problem.low, problem.high)
