"""Normal equations of a whole motion: J^T W J as a banded matrix, J^T W r as a vector.

Targets couple the unknowns of one frame only; velocity and acceleration couple each unknown with itself in the next two frames.
With n unknowns a frame the matrix therefore has 2 n diagonals below the main one and none else: a banded Cholesky factor costs
T n (2 n)^2 operations, linear in the frames. Only the unknowns that move a point enter its rows (for the G1 12 to 16 of 35).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit
from numpy import ndarray

from hsimul3r.retarget.kinematics import ROOT, Chain, Postures
from hsimul3r.retarget.targets import LimbTargets, PlaceTargets, TurnTargets


@dataclass(frozen=True, kw_only=True)
class PointRows:
    """Rows along single directions: residual = value, derivative = normal . (d place of `body` - d place of `other`)."""

    frame: Int[ndarray, "rows"]
    body: Int[ndarray, "rows"]
    place: Float[ndarray, "rows 3"]
    other: Int[ndarray, "rows"]
    """-1: the world."""
    other_place: Float[ndarray, "rows 3"]
    normal: Float[ndarray, "rows 3"]
    value: Float[ndarray, "rows"]
    weight: Float[ndarray, "rows"]

    def chosen(self, keep: Bool[ndarray, "rows"]) -> "PointRows":
        """Some of the rows."""
        return PointRows(**{name: getattr(self, name)[keep] for name in PointRows.__dataclass_fields__})

    @staticmethod
    def joined(groups: "Sequence[PointRows]") -> "PointRows":
        """All rows of some groups."""
        names = PointRows.__dataclass_fields__
        return PointRows(**{name: np.concatenate([getattr(group, name) for group in groups]) for name in names})


class NormalEquations:
    """Sums rows up: `band[d, k]` is entry (k + d, k) of the matrix, `gradient` is J^T W r, `cost` half the sum of squares."""

    def __init__(self, chain: Chain, at: Postures):
        self.unknowns = ROOT + len(chain.joint_names)
        self.band = np.zeros((2 * self.unknowns + 1, self.unknowns * len(at)), order="F")
        self.gradient = np.zeros(self.unknowns * len(at))
        self.cost = 0.0
        self._tree = (chain.moved_by, chain.carrier, at.root, at.rotations, at.positions, at.axes)

    def add_places(self, rows: PlaceTargets) -> None:
        """|place - target|^2."""
        self.cost += _add_places(self.band, self.gradient, *self._tree, rows.body, rows.offset, rows.target, rows.weight)

    def add_limbs(self, rows: LimbTargets) -> None:
        """|end - start - target|^2."""
        self.cost += _add_limbs(
            self.band, self.gradient, *self._tree, rows.start, rows.start_offset, rows.end, rows.end_offset, rows.target,
            rows.weight,
        )  # fmt: skip

    def add_turns(self, rows: TurnTargets) -> None:
        """|log(R target^T)|^2; its derivative is taken as that of a small turn."""
        self.cost += _add_turns(self.band, self.gradient, *self._tree, rows.body, rows.target, rows.weight)

    def add_points(self, rows: PointRows) -> None:
        """value^2."""
        self.cost += _add_points(
            self.band, self.gradient, *self._tree, rows.frame, rows.body, rows.place, rows.other, rows.other_place,
            rows.normal, rows.value, rows.weight,
        )  # fmt: skip

    def with_points(self, rows: PointRows) -> tuple[Float[ndarray, "diagonals all"], Float[ndarray, "all"]]:
        """Matrix and vector with further rows; those here stay as they are."""
        band, gradient = self.band.copy(order="F"), self.gradient.copy()
        _add_points(
            band, gradient, *self._tree, rows.frame, rows.body, rows.place, rows.other, rows.other_place, rows.normal,
            rows.value, rows.weight,
        )  # fmt: skip
        return band, gradient

    def changed(self, rows: PointRows, step: Float[ndarray, "frames unknowns"]) -> Float[ndarray, "rows"]:
        """Values of rows after a step, to first order."""
        return rows.value + _changes(
            np.ascontiguousarray(step), *self._tree, rows.frame, rows.body, rows.place, rows.other, rows.other_place,
            rows.normal,
        )  # fmt: skip

    def add_own(self, residual: Float[ndarray, "frames unknowns"], weight: Float[ndarray, "unknowns"]) -> None:
        """(residual of each unknown, which changes as the unknown does)^2."""
        self.band[0] += np.tile(weight**2, len(residual))
        self._count(residual, weight, np.ones(1))

    def add_velocity(self, residual: Float[ndarray, "steps unknowns"], weight: Float[ndarray, "steps unknowns"]) -> None:
        """(x[t + 1] - x[t] - wanted)^2, given as its value now."""
        n, square = self.unknowns, (weight**2).ravel()
        self.band[0, :-n] += square
        self.band[0, n:] += square
        self.band[n, : len(square)] -= square
        self._count(residual, weight, np.array([-1.0, 1.0]))

    def add_acceleration(self, residual: Float[ndarray, "steps unknowns"], weight: Float[ndarray, "unknowns"]) -> None:
        """(x[t] - 2 x[t + 1] + x[t + 2])^2, given as its value now."""
        n, square = self.unknowns, np.tile(weight**2, len(residual))
        size = len(square)
        for shift, factor in ((0, 1.0), (1, 4.0), (2, 1.0)):
            self.band[0, shift * n : shift * n + size] += factor * square
        self.band[n, :size] -= 2 * square
        self.band[n, n : n + size] -= 2 * square
        self.band[2 * n, :size] += square
        self._count(residual, weight, np.array([1.0, -2.0, 1.0]))

    def _count(self, residual: ndarray, weight: ndarray, stencil: Float[ndarray, "taps"]) -> None:
        force = (residual * weight**2).ravel()
        for shift, factor in enumerate(stencil):
            self.gradient[shift * self.unknowns : shift * self.unknowns + len(force)] += factor * force
        self.cost += 0.5 * float(((residual * weight) ** 2).sum())


@njit(cache=True)
def _columns(columns, index, count, t, body, x, y, z, sign, moved_by, carrier, root, positions, axes):  # noqa: ANN001, ANN202
    """Add sign * d(x, y, z) by each unknown that moves the point; `index[:count]` are the unknowns so far."""
    u, v, w = x - root[t, 0], y - root[t, 1], z - root[t, 2]
    if count == 0:
        for k in range(ROOT):
            index[k] = k
            columns[k] = 0.0
        count = ROOT
    columns[0, 0] += sign
    columns[1, 1] += sign
    columns[2, 2] += sign
    columns[3, 1] -= sign * w
    columns[3, 2] += sign * v
    columns[4, 0] += sign * w
    columns[4, 2] -= sign * u
    columns[5, 0] -= sign * v
    columns[5, 1] += sign * u
    for m in range(moved_by.shape[1]):
        j = moved_by[body, m]
        if j < 0:
            break
        k = -1
        for i in range(ROOT, count):
            if index[i] == ROOT + j:
                k = i
                break
        if k < 0:
            k = count
            index[k] = ROOT + j
            columns[k] = 0.0
            count += 1
        b = carrier[j]
        u, v, w = x - positions[t, b, 0], y - positions[t, b, 1], z - positions[t, b, 2]
        columns[k, 0] += sign * (axes[t, j, 1] * w - axes[t, j, 2] * v)
        columns[k, 1] += sign * (axes[t, j, 2] * u - axes[t, j, 0] * w)
        columns[k, 2] += sign * (axes[t, j, 0] * v - axes[t, j, 1] * u)
    return count


@njit(cache=True)
def _sum_up(band, gradient, t, unknowns, columns, index, count, error, square):  # noqa: ANN001, ANN202
    """Three rows with the same weight."""
    base = t * unknowns
    for a in range(count):
        ka = index[a]
        x, y, z = square * columns[a, 0], square * columns[a, 1], square * columns[a, 2]
        gradient[base + ka] += x * error[0] + y * error[1] + z * error[2]
        for b in range(a + 1):
            value = x * columns[b, 0] + y * columns[b, 1] + z * columns[b, 2]
            kb = index[b]
            if ka >= kb:
                band[ka - kb, base + kb] += value
            else:
                band[kb - ka, base + ka] += value


@njit(cache=True)
def _place(rotations, positions, t, body, offset, out):  # noqa: ANN001, ANN202
    for i in range(3):
        out[i] = positions[t, body, i]
        for k in range(3):
            out[i] += rotations[t, body, i, k] * offset[k]


@njit(cache=True)
def _add_places(  # noqa: ANN202
    band, gradient, moved_by, carrier, root, rotations, positions, axes, body, offset, target, weight,  # noqa: ANN001
):  # fmt: skip
    unknowns = ROOT + len(carrier)
    columns, index = np.empty((unknowns, 3)), np.empty(unknowns, np.int64)
    place, error, cost = np.empty(3), np.empty(3), 0.0
    for t in range(len(root)):
        for p in range(len(body)):
            square = weight[t, p] ** 2
            if square == 0:
                continue
            _place(rotations, positions, t, body[p], offset[p], place)
            for i in range(3):
                error[i] = place[i] - target[t, p, i]
                cost += 0.5 * square * error[i] ** 2
            x, y, z = place
            count = _columns(columns, index, 0, t, body[p], x, y, z, 1.0, moved_by, carrier, root, positions, axes)
            _sum_up(band, gradient, t, unknowns, columns, index, count, error, square)
    return cost


@njit(cache=True)
def _add_limbs(  # noqa: ANN202
    band, gradient, moved_by, carrier, root, rotations, positions, axes, start, start_offset, end, end_offset, target,  # noqa: ANN001
    weight,  # noqa: ANN001
):  # fmt: skip
    unknowns = ROOT + len(carrier)
    columns, index = np.empty((unknowns, 3)), np.empty(unknowns, np.int64)
    first, last, error, cost = np.empty(3), np.empty(3), np.empty(3), 0.0
    for t in range(len(root)):
        for p in range(len(start)):
            square = weight[t, p] ** 2
            if square == 0:
                continue
            _place(rotations, positions, t, start[p], start_offset[p], first)
            _place(rotations, positions, t, end[p], end_offset[p], last)
            for i in range(3):
                error[i] = last[i] - first[i] - target[t, p, i]
                cost += 0.5 * square * error[i] ** 2
            x, y, z = last
            count = _columns(columns, index, 0, t, end[p], x, y, z, 1.0, moved_by, carrier, root, positions, axes)
            x, y, z = first
            count = _columns(columns, index, count, t, start[p], x, y, z, -1.0, moved_by, carrier, root, positions, axes)
            _sum_up(band, gradient, t, unknowns, columns, index, count, error, square)
    return cost


@njit(cache=True)
def _add_turns(  # noqa: ANN202
    band, gradient, moved_by, carrier, root, rotations, positions, axes, body, target, weight,  # noqa: ANN001
):  # fmt: skip
    unknowns = ROOT + len(carrier)
    columns, index = np.zeros((unknowns, 3)), np.empty(unknowns, np.int64)
    error, cost = np.empty(3), 0.0
    for t in range(len(root)):
        for p in range(len(body)):
            square = weight[t, p] ** 2
            if square == 0:
                continue
            _turn_between(rotations[t, body[p]], target[t, p], error)
            cost += 0.5 * square * (error[0] ** 2 + error[1] ** 2 + error[2] ** 2)
            count = 0
            for i in range(3):
                columns[count] = 0.0
                columns[count, i] = 1.0
                index[count] = 3 + i
                count += 1
            for m in range(moved_by.shape[1]):
                j = moved_by[body[p], m]
                if j < 0:
                    break
                columns[count] = axes[t, j]
                index[count] = ROOT + j
                count += 1
            _sum_up(band, gradient, t, unknowns, columns, index, count, error, square)
    return cost


@njit(cache=True)
def _turn_between(R, target, out):  # noqa: ANN001, ANN202
    """out = log(R target^T), the rotation vector from the target to R."""
    trace = 0.0
    for i in range(3):
        for k in range(3):
            trace += R[i, k] * target[i, k]
    for i in range(3):
        a, b = (i + 1) % 3, (i + 2) % 3
        out[i] = 0.0
        for k in range(3):
            out[i] += (R[b, k] * target[a, k] - R[a, k] * target[b, k]) / 2
    sine = np.sqrt(out[0] ** 2 + out[1] ** 2 + out[2] ** 2)
    angle = np.arctan2(sine, (trace - 1) / 2)
    if sine > 1e-9:
        for i in range(3):
            out[i] *= angle / sine


@njit(cache=True)
def _add_points(  # noqa: ANN202
    band, gradient, moved_by, carrier, root, rotations, positions, axes, frame, body, place, other, other_place,  # noqa: ANN001
    normal, value, weight,  # noqa: ANN001
):  # fmt: skip
    unknowns = ROOT + len(carrier)
    columns, index = np.empty((unknowns, 3)), np.empty(unknowns, np.int64)
    row, cost = np.empty(unknowns), 0.0
    for r in range(len(frame)):
        t, square = frame[r], weight[r] ** 2
        x, y, z = place[r]
        count = _columns(columns, index, 0, t, body[r], x, y, z, 1.0, moved_by, carrier, root, positions, axes)
        if other[r] >= 0:
            x, y, z = other_place[r]
            count = _columns(columns, index, count, t, other[r], x, y, z, -1.0, moved_by, carrier, root, positions, axes)
        cost += 0.5 * square * value[r] ** 2
        base = t * unknowns
        for a in range(count):
            row[a] = columns[a, 0] * normal[r, 0] + columns[a, 1] * normal[r, 1] + columns[a, 2] * normal[r, 2]
            gradient[base + index[a]] += square * row[a] * value[r]
            for b in range(a + 1):
                ka, kb = index[a], index[b]
                if ka >= kb:
                    band[ka - kb, base + kb] += square * row[a] * row[b]
                else:
                    band[kb - ka, base + ka] += square * row[a] * row[b]
    return cost


@njit(cache=True)
def _changes(  # noqa: ANN202
    step, moved_by, carrier, root, rotations, positions, axes, frame, body, place, other, other_place, normal,  # noqa: ANN001
):  # fmt: skip
    unknowns = ROOT + len(carrier)
    columns, index = np.empty((unknowns, 3)), np.empty(unknowns, np.int64)
    changes = np.zeros(len(frame))
    for r in range(len(frame)):
        t = frame[r]
        x, y, z = place[r]
        count = _columns(columns, index, 0, t, body[r], x, y, z, 1.0, moved_by, carrier, root, positions, axes)
        if other[r] >= 0:
            x, y, z = other_place[r]
            count = _columns(columns, index, count, t, other[r], x, y, z, -1.0, moved_by, carrier, root, positions, axes)
        for a in range(count):
            along = columns[a, 0] * normal[r, 0] + columns[a, 1] * normal[r, 1] + columns[a, 2] * normal[r, 2]
            changes[r] += along * step[t, index[a]]
    return changes
