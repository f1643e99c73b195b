import numpy as np
import pytest

from hsimul3r.geometry.levenberg import Term, minimise


def line_term(x, y):
    """Residual a x + b - y of a line (a, b)."""
    rows = len(x)
    jacobian = np.stack([x, np.ones(rows)], axis=1)[:, None, :]
    columns = np.tile([0, 1], (rows, 1))
    return lambda state: [
        Term(name="line", values=(state[0] * x + state[1] - y)[:, None], columns=columns, jacobian=jacobian, huber=0.1)
    ]


def test_huber_loss_is_quadratic_inside_and_linear_outside():
    term = Term(
        name="t",
        values=np.array([[3.0, 4.0], [0.3, 0.4]]),
        columns=np.zeros((2, 1), int),
        jacobian=np.zeros((2, 2, 1)),
        huber=1.0,
    )
    assert term.cost() == pytest.approx((2 * 5 - 1) + 0.25)


def test_a_robust_line_ignores_outliers():
    x = np.linspace(-1, 1, 50)
    y = 2 * x + 0.5
    y[::7] += 30
    found = minimise(
        np.zeros(2), terms=line_term(x, y), retract=lambda s, d: s + d, is_free=np.ones(2, bool), max_iterations=200
    )
    np.testing.assert_allclose(found.state, [2, 0.5], atol=0.05)


def test_a_parameter_that_is_not_free_stays():
    x = np.linspace(-1, 1, 20)
    found = minimise(
        np.array([1.0, 0.0]), terms=line_term(x, 2 * x + 0.01), retract=lambda s, d: s + d, is_free=np.array([False, True])
    )
    assert found.state[0] == 1.0 and found.state[1] != 0.0


def test_eliminated_points_give_the_step_of_the_whole_system():
    """Dense parameters coupled to 3D points: one undamped step must solve the joint linear least squares."""
    rng = np.random.default_rng(0)
    dense, points, rows = 4, 5, 40
    point = rng.integers(0, points, rows)
    columns = np.concatenate([rng.integers(0, dense, (rows, 2)), dense + 3 * point[:, None] + np.arange(3)], axis=1)
    jacobian, target = rng.normal(size=(rows, 2, 5)), rng.normal(size=(rows, 2))
    A = np.zeros((2 * rows, dense + 3 * points))
    for i in range(rows):
        for j in range(5):
            A[2 * i : 2 * i + 2, columns[i, j]] += jacobian[i, :, j]

    def terms(state):
        return [Term(name="t", values=(A @ state).reshape(rows, 2) - target, columns=columns, jacobian=jacobian)]

    found = minimise(
        np.zeros(dense + 3 * points), terms=terms, retract=lambda s, d: s + d, is_free=np.ones(dense, bool), points=points,
        tolerance=1e-14,
    )  # fmt: skip
    np.testing.assert_allclose(found.state, np.linalg.lstsq(A, target.ravel(), rcond=None)[0], atol=1e-5)
