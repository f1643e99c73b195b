"""A textured wall seen by two cameras side by side."""

import numpy as np
import pytest

from hsimul3r.artifacts import Cameras
from hsimul3r.geometry.plane_sweep import SweepConfig, correlation, sweep_object

FOCAL, SIZE, WALL_M = 300.0, (320, 240), 2.5


def cameras(baseline_m=0.5):
    T = np.tile(np.eye(4), (2, 1, 1))
    T[1, 0, 3] = -baseline_m
    size = np.tile(SIZE, (2, 1))
    return Cameras(size_px=size, focal_px=np.full(2, FOCAL), principal_px=(size - 1) / 2.0, k1=np.zeros(2), T_cam_world=T,
                   is_registered=np.ones(2, bool))  # fmt: skip


def wall(texture):
    """Photos of a wall at z = WALL_M: the second shows it shifted by f b / z = 60 px. Its left half is the object."""
    rng = np.random.default_rng(0)
    grey = np.kron(rng.uniform(0, 255, (60, 100)), np.ones((4, 4))) if texture else np.full((240, 400), 128.0)
    photos = tuple(np.repeat(grey[:, start : start + 320, None], 3, axis=2).astype(np.uint8) for start in (0, 60))
    labels = tuple(np.zeros((240, 320), np.uint8) for _ in range(2))
    for mask, start in zip(labels, (0, 60)):
        mask[40:200, 100 - start : 220 - start] = 1
    return photos, labels


def test_a_textured_surface_is_found_where_it_is_and_only_within_the_mask():
    photos, labels = wall(True)
    points, eyes = sweep_object(cameras(), photos, labels, np.array([0.0, 0.0, WALL_M]), SweepConfig(long_side_px=320))
    assert len(points) > 500
    assert np.median(np.abs(points[:, 2] - WALL_M)) < 0.02
    left, right = (np.array([100, 219]) - 159.5) * WALL_M / FOCAL
    assert left - 0.03 < points[:, 0].min() and points[:, 0].max() < right + 0.03
    assert {tuple(eye) for eye in eyes.round(6).tolist()} <= {(0.0, 0.0, 0.0), (0.5, 0.0, 0.0)}


def test_nothing_is_said_of_a_surface_without_texture():
    photos, labels = wall(False)
    points, eyes = sweep_object(cameras(), photos, labels, np.array([0.0, 0.0, WALL_M]), SweepConfig(long_side_px=320))
    assert points.shape == eyes.shape == (0, 3)


def test_without_a_mask_there_are_no_points():
    photos, _ = wall(True)
    assert len(sweep_object(cameras(), photos, (None, None), np.array([0.0, 0.0, WALL_M]), SweepConfig())[0]) == 0


def test_correlation_does_not_see_brightness_and_contrast():
    a = np.random.default_rng(1).uniform(0, 255, (40, 40)).astype(np.float32)
    assert correlation(a, 0.5 * a + 20, 9, 3.0)[20, 20] == pytest.approx(1.0, abs=1e-3)
    assert correlation(a, 255 - a, 9, 3.0)[20, 20] == pytest.approx(-1.0, abs=1e-3)
    assert correlation(a, np.full_like(a, 7.0), 9, 3.0)[20, 20] == -1.0
