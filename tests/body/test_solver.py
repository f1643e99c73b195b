from dataclasses import dataclass

import numpy as np
import pytest

from hsimul3r.body.solver import Rows, minimise, total_cost


@dataclass(frozen=True, kw_only=True)
class Rosenbrock:
    low: np.ndarray
    high: np.ndarray

    def rows(self, unknowns, *, with_jacobian):
        x, y = unknowns
        jacobian = np.array([[[-1.0, 0.0]], [[-20 * x, 10.0]]]) if with_jacobian else None
        return [Rows(name="rosenbrock", residual=np.array([[1 - x], [10 * (y - x * x)]]), jacobian=jacobian)]


@dataclass(frozen=True, kw_only=True)
class Mean:
    samples: np.ndarray
    cauchy: float

    @property
    def low(self):
        return np.array([-np.inf])

    @property
    def high(self):
        return np.array([np.inf])

    def rows(self, unknowns, *, with_jacobian):
        jacobian = np.ones((len(self.samples), 1, 1)) if with_jacobian else None
        return [Rows(name="mean", residual=unknowns - self.samples[:, None], jacobian=jacobian, cauchy=self.cauchy)]


def test_finds_the_minimum_of_rosenbrock():
    problem = Rosenbrock(low=np.full(2, -9.0), high=np.full(2, 9.0))
    assert minimise(problem, np.array([-1.2, 1.0]), iterations=100, tolerance=0) == pytest.approx([1, 1], abs=1e-6)


def test_minimum_on_a_bound_is_found_and_the_bound_kept():
    problem = Rosenbrock(low=np.array([-9.0, -9.0]), high=np.array([0.5, 9.0]))
    assert minimise(problem, np.array([-1.2, 1.0]), iterations=100, tolerance=0) == pytest.approx([0.5, 0.25], abs=1e-6)


def test_start_outside_the_bounds_is_moved_inside():
    problem = Rosenbrock(low=np.array([-9.0, -9.0]), high=np.array([0.5, 9.0]))
    assert minimise(problem, np.array([5.0, 1.0]), iterations=1)[0] <= 0.5


def test_cauchy_lets_outliers_go():
    samples = np.array([0.0, 0.1, -0.1, 0.05, 50.0])
    assert minimise(Mean(samples=samples, cauchy=np.inf), np.zeros(1), iterations=50)[0] == pytest.approx(10.01, abs=1e-3)
    assert abs(minimise(Mean(samples=samples, cauchy=1.0), np.zeros(1), iterations=50)[0]) < 0.1


def test_cost_is_the_sum_of_losses():
    samples = np.array([3.0, 4.0])
    assert total_cost(Mean(samples=samples, cauchy=np.inf), np.zeros(1)) == pytest.approx(25)
    assert total_cost(Mean(samples=samples, cauchy=2.0), np.zeros(1)) == pytest.approx(4 * (np.log(3.25) + np.log(5)))
