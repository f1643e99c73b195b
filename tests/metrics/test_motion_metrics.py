"""Foot faults of soles that move in known ways."""

import numpy as np
import pytest

from hsimul3r.metrics.motion import foot_faults

CORNERS = np.array([[0, 0, 0], [0.1, 0, 0], [0.1, 0.25, 0.0], [0, 0.25, 0.01]])


def soles(frames=31, feet=2):
    return np.tile(CORNERS, (frames, feet, 1, 1))


def test_feet_that_stand_have_no_fault():
    faults = foot_faults(soles(), fps=30)
    assert (faults.skate_mm_s, faults.skate_mm, faults.float_mm, faults.sink_mm) == (0, 0, 0, 0)


def test_one_foot_sliding_at_ten_centimetres_a_second_counts_half():
    moving = soles()
    moving[:, 0, :, 0] += 0.1 * np.arange(31)[:, None] / 30
    faults = foot_faults(moving, fps=30)
    assert faults.skate_mm_s == pytest.approx(50)
    assert faults.skate_mm == pytest.approx(100)


def test_a_foot_in_the_air_may_move():
    moving = soles()
    moving[:, 0, :, 0] += np.linspace(0, 1, 31)[:, None]
    moving[:, 0, :, 2] += 0.2
    faults = foot_faults(moving, fps=30)
    assert (faults.skate_mm_s, faults.float_mm) == (0, 0)


def test_a_foot_that_is_put_elsewhere_did_not_slide():
    moving, planted = soles(), np.ones((31, 2), bool)
    moving[16:, 0, :, 0] += 0.4
    planted[15, 0] = False
    assert foot_faults(moving, fps=30, is_planted=planted).skate_mm == pytest.approx(0)


def test_height_is_measured_from_the_support():
    raised, planted = soles(), np.ones((31, 2), bool)
    raised[:, 0, :, 2] += 0.31
    raised[:, 1, :, 2] -= 0.004
    faults = foot_faults(raised, fps=30, is_planted=planted, support_m=np.array([[0.3, 0.0]]))
    assert faults.float_mm == pytest.approx(5)
    assert faults.sink_mm == pytest.approx(2)


def test_feet_that_never_stand_have_no_speed():
    assert np.isnan(foot_faults(soles() + np.array([0, 0, 1]), fps=30).skate_mm_s)
