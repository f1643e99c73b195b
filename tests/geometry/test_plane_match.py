"""The floor by likeness of pictures, on floors painted through closed-form rays."""

import numpy as np
import pytest

from hsimul3r.geometry.cameras import rays
from hsimul3r.geometry.floor import Plane
from hsimul3r.geometry.plane_match import PlaneMatch, correlation, match_plane
from tests.geometry import rig

CFG = PlaneMatch(work_px=(160, 240), generations=(16, 6))
NO_FEET = {"feet": np.zeros((0, 3)), "foot_weights": np.zeros(0)}


def cameras():
    return rig.ring(sizes=((320, 240),) * 3, focal=280.0, k1=-0.05, spread_deg=60.0)


def floor_pictures(cameras, contrast=60.0):
    """Views of a floor z = 0 with tiles of random grey, nothing else."""
    tiles = np.random.default_rng(0).normal(0, 1, (64, 64, 3))
    pictures = []
    for view, (width, height) in enumerate(cameras.size_px.tolist()):
        pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
        origin, direction = rays(cameras, view, pixels)
        reach = np.where(direction[..., 2] < -0.02, -origin[2] / np.minimum(direction[..., 2], -0.02), np.inf)
        place = origin + np.where(np.isfinite(reach), reach, 0.0)[..., None] * direction
        tile = (np.floor(place[..., :2] / 0.15).astype(int) + 32) % 64
        colour = np.where(np.isfinite(reach)[..., None], 128 + contrast * tiles[tile[..., 1], tile[..., 0]], 128)
        pictures.append(np.clip(colour, 0, 255).astype(np.uint8))
    return pictures


def tilted(degrees, height):
    a = np.radians(degrees)
    return Plane(normal=np.array([np.sin(a), 0.0, np.cos(a)]), offset=-height)


def shown(cameras):
    return [np.zeros((height, width), bool) for width, height in cameras.size_px.tolist()]


def test_a_tilted_and_raised_start_comes_back_to_the_floor():
    views = cameras()
    found, before, after = match_plane(
        floor_pictures(views), shown(views), views, tilted(3.0, 0.04), np.array([0.0, 0.0, 0.9]), CFG, seed=0, **NO_FEET
    )
    assert after > before + 0.2
    assert np.degrees(np.arccos(found.normal[2])) < 0.3
    assert found.height(np.zeros(3)) == pytest.approx(0.0, abs=0.005)


def test_without_texture_the_plane_stays():
    views = cameras()
    start = tilted(3.0, 0.04)
    found, before, after = match_plane(
        floor_pictures(views, contrast=0.0), shown(views), views, start, np.array([0.0, 0.0, 0.9]), CFG, seed=0, **NO_FEET
    )
    assert after == pytest.approx(before, abs=1e-6)
    assert float(found.normal @ start.normal) > np.cos(np.radians(0.5))
    assert found.offset == pytest.approx(start.offset, abs=0.01)


def test_the_same_seed_gives_the_same_bits():
    views = cameras()
    runs = [
        match_plane(floor_pictures(views), shown(views), views, tilted(2.0, 0.02), np.zeros(3), CFG, seed=3, **NO_FEET)
        for _ in range(2)
    ]
    assert runs[0][1:] == runs[1][1:]
    np.testing.assert_array_equal(runs[0][0].normal, runs[1][0].normal)


def test_correlation_is_one_for_equal_windows_and_nought_without_contrast():
    a = np.random.default_rng(1).uniform(0, 255, (20, 20, 3)).astype(np.float32)
    assert correlation(a, a, 5, 1.0).min() > 0.99
    assert correlation(a, 255 - a, 5, 1.0).max() < -0.99
    assert np.abs(correlation(np.full_like(a, 80.0), np.full_like(a, 80.0), 5, 1.0)).max() < 1e-3
