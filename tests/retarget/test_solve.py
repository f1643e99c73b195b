"""Limits: of angles within a step, of speeds at the end."""

import numpy as np
import pytest

from hsimul3r.retarget.kinematics import ROOT, chain_of, posed
from hsimul3r.retarget.normal import NormalEquations, PointRows
from hsimul3r.retarget.solve import _step, _stopped_step, limited, moved, refined
from tests.retarget.robots import two_links


def test_speeds_that_are_kept_are_left_alone():
    angles = np.sin(np.linspace(0, 6, 50))[:, None]
    assert limited(angles, np.array([0.2])) == pytest.approx(angles)


@pytest.mark.parametrize("seed", range(5))
def test_no_angle_is_faster_than_allowed_or_leaves_its_range(seed):
    rng = np.random.default_rng(seed)
    angles, largest = rng.uniform(-2, 2, (200, 3)), np.array([0.1, 0.5, 3.0])
    kept = limited(angles, largest)
    assert (np.abs(np.diff(kept, axis=0)) <= largest + 1e-12).all()
    assert (kept >= angles.min(axis=0) - 1e-12).all()
    assert (kept <= angles.max(axis=0) + 1e-12).all()


def test_a_jump_becomes_the_ramp_between():
    angles = np.array([0.0, 0, 0, 1, 1, 1])[:, None]
    assert limited(angles, np.array([0.5]))[:, 0] == pytest.approx([0, 0, 0.25, 0.75, 1, 1])


def test_a_known_part_of_a_banded_system():
    rng = np.random.default_rng(1)
    unknowns, frames = 8, 3
    J = rng.normal(size=(40, unknowns * frames))
    for row in J:
        start = unknowns * rng.integers(frames)
        row[:start], row[start + unknowns :] = 0, 0
    matrix, gradient = J.T @ J + 3 * np.eye(unknowns * frames), rng.normal(size=unknowns * frames)
    band = np.zeros((2 * unknowns + 1, unknowns * frames), order="F")
    for d in range(2 * unknowns + 1):
        band[d, : band.shape[1] - d] = np.diagonal(J.T @ J, -d)
    stops, value = np.zeros((frames, 2), bool), np.zeros((frames, 2))
    stops[1, 0], value[1, 0] = True, 0.7
    step = _stopped_step(band, gradient, stops, value).ravel()
    given = unknowns + ROOT
    free = np.arange(unknowns * frames) != given
    wanted = np.linalg.solve(matrix[np.ix_(free, free)], -gradient[free] - matrix[free, given] * 0.7)
    assert step[given] == pytest.approx(0.7)
    assert step[free] == pytest.approx(wanted)


def test_a_step_stops_at_barriers_and_limits():
    chain = chain_of(two_links())
    at = posed(chain, np.zeros((1, 3)), np.eye(3)[None], np.array([[1.9, 0.0]]))
    sums = NormalEquations(chain, at)
    pull = np.array([100.0] * ROOT + [10.0, 10.0])
    sums.add_own(np.array([[0.0, 0, 1.0, 0, 0, 0, -1.0, 0.0]]), pull)
    barrier = PointRows(
        frame=np.array([0]), body=np.array([0]), place=np.zeros((1, 3)), other=np.array([-1]), other_place=np.zeros((1, 3)),
        normal=np.array([[0, 0, 1.0]]), value=np.array([0.25]), weight=np.array([1e5]),
    )  # fmt: skip
    after = moved(chain, at, _step(chain, sums, at, barrier))
    assert after.root[0, 2] == pytest.approx(-0.25, abs=1e-4)
    assert after.angles[0, 0] == chain.high[0]


def test_frames_between_are_filled_in():
    chain = chain_of(two_links())
    coarse = posed(chain, np.array([[0.0, 0, 0], [3, 0, 0]]), np.tile(np.eye(3), (2, 1, 1)), np.array([[0.0, 0], [0.3, 0]]))
    at = refined(chain, coarse, 3, 5)
    assert at.root[:, 0] == pytest.approx([0, 1, 2, 3, 3])
    assert at.angles[:, 0] == pytest.approx([0, 0.1, 0.2, 0.3, 0.3])
