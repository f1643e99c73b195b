"""The banded normal equations against those of a dense Jacobian by finite differences."""

import numpy as np
import pytest

from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.retarget.kinematics import ROOT, chain_of, posed
from hsimul3r.retarget.normal import NormalEquations, PointRows
from hsimul3r.retarget.solve import moved
from hsimul3r.retarget.targets import LimbTargets, PlaceTargets, TurnTargets
from tests.retarget.robots import two_links

FRAMES = 4
RNG = np.random.default_rng(3)
CHAIN = chain_of(two_links())
UNKNOWNS = ROOT + 2
AT = posed(
    CHAIN, RNG.normal(size=(FRAMES, 3)), matrix_from_axis_angle(RNG.normal(size=(FRAMES, 3))), RNG.uniform(-1, 1, (FRAMES, 2))
)
TIP = np.array([0.1, 0.2, 0.3])


def places_of(at, body, offset):
    return at.places(np.array([body]), offset[None])[:, 0]


PLACES = PlaceTargets(
    body=np.array([2]), offset=TIP[None], target=RNG.normal(size=(FRAMES, 1, 3)), weight=RNG.uniform(1, 2, (FRAMES, 1))
)
LIMBS = LimbTargets(
    start=np.array([1]), start_offset=TIP[None], end=np.array([2]), end_offset=-TIP[None],
    target=RNG.normal(size=(FRAMES, 1, 3)), weight=RNG.uniform(1, 2, (FRAMES, 1)),
)  # fmt: skip
NORMALS = np.array([[1.0, 0, 0], [0.6, 0, 0.8]])


def point_rows():
    frames = np.array([0, 2])
    place, other = places_of(AT, 2, TIP)[frames], places_of(AT, 0, TIP)[frames]
    return PointRows(
        frame=frames, body=np.array([2, 2]), place=place, other=np.array([-1, 0]), other_place=other, normal=NORMALS,
        value=np.array([0.3, -0.2]), weight=np.array([2.0, 3.0]),
    )  # fmt: skip


def residuals_of_places(at):
    return (PLACES.weight[:, 0, None] * (places_of(at, 2, TIP) - PLACES.target[:, 0])).ravel()


def residuals_of_limbs(at):
    limb = places_of(at, 2, -TIP) - places_of(at, 1, TIP)
    return (LIMBS.weight[:, 0, None] * (limb - LIMBS.target[:, 0])).ravel()


def residuals_of_points(at):
    rows = point_rows()
    tip, base = places_of(at, 2, TIP)[rows.frame], places_of(at, 0, TIP)[rows.frame]
    change = tip - rows.place - np.where(rows.other[:, None] >= 0, base - rows.other_place, 0.0)
    return rows.weight * (rows.value + (change * rows.normal).sum(axis=1))


def residuals_of_course(at):
    angles = at.angles - AT.angles
    second = np.diff(np.diff(AT.angles, axis=0), axis=0) + np.diff(np.diff(angles, axis=0), axis=0)
    return (5.0 * second).ravel()


def added(kind):
    sums = NormalEquations(CHAIN, AT)
    if kind is residuals_of_places:
        sums.add_places(PLACES)
    elif kind is residuals_of_limbs:
        sums.add_limbs(LIMBS)
    elif kind is residuals_of_points:
        sums.add_points(point_rows())
    else:
        weight = np.array([0.0] * ROOT + [5.0] * 2)
        second = np.pad(np.diff(np.diff(AT.angles, axis=0), axis=0), ((0, 0), (ROOT, 0)))
        sums.add_acceleration(second, weight)
    return sums


def dense(band):
    size = band.shape[1]
    matrix = np.zeros((size, size))
    for d in range(band.shape[0]):
        for k in range(size - d):
            matrix[k + d, k] = matrix[k, k + d] = band[d, k]
    return matrix


@pytest.mark.parametrize("residuals", [residuals_of_places, residuals_of_limbs, residuals_of_points, residuals_of_course])
def test_matrix_and_gradient_are_those_of_the_rows(residuals):
    step, columns = 1e-6, []
    for unknown in range(FRAMES * UNKNOWNS):
        shift = np.zeros(FRAMES * UNKNOWNS)
        shift[unknown] = step
        shift = shift.reshape(FRAMES, UNKNOWNS)
        columns.append((residuals(moved(CHAIN, AT, shift)) - residuals(moved(CHAIN, AT, -shift))) / (2 * step))
    J, r, sums = np.stack(columns, axis=1), residuals(AT), added(residuals)
    assert dense(sums.band) == pytest.approx(J.T @ J, abs=1e-6)
    assert sums.gradient == pytest.approx(J.T @ r, abs=1e-6)
    assert sums.cost == pytest.approx(0.5 * r @ r)


def test_turns_lead_to_their_targets():
    target = matrix_from_axis_angle(np.array([0.1, 0.2, -0.1])) @ AT.rotations[:, [1]]
    sums = NormalEquations(CHAIN, AT)
    sums.add_turns(TurnTargets(body=np.array([1]), target=target, weight=np.ones((FRAMES, 1))))
    step = np.zeros((FRAMES, UNKNOWNS))
    step[:, 3:ROOT] = -sums.gradient.reshape(FRAMES, UNKNOWNS)[:, 3:ROOT]
    assert moved(CHAIN, AT, step).rotations[:, [1]] == pytest.approx(target, abs=1e-9)


def test_what_a_step_does_to_rows_is_told_beforehand():
    step = 1e-5 * RNG.normal(size=(FRAMES, UNKNOWNS))
    rows = point_rows()
    told = NormalEquations(CHAIN, AT).changed(rows, step)
    assert rows.weight * told == pytest.approx(residuals_of_points(moved(CHAIN, AT, step)), abs=1e-8)
