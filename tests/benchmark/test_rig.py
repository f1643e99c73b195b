"""Cameras round a scene made of the coarse body and a box."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from staged_scene import scene

from hsimul3r.benchmark.camera.rig import K1, RING_DEG, VIEW_SETS, film, front_deg, outline, ring
from hsimul3r.benchmark.camera.shot import cameras_of
from hsimul3r.benchmark.scene import Staged
from hsimul3r.body.model import embedded_body
from hsimul3r.geometry.cameras import project


def skin(staged: Staged, frame: int) -> np.ndarray:
    return embedded_body().vertices(staged.betas, staged.pose[frame], staged.transl[frame])


def things(staged: Staged) -> np.ndarray:
    corners = np.concatenate([piece.shape.vertices for piece in staged.objects[0].furniture.pieces])
    return corners + staged.objects[0].T_world_object[0, :3, 3]


def assert_inside(views, view: int, points: np.ndarray) -> None:
    width, height = views[view].size_px
    uv = project(cameras_of(views), view, points)
    assert (uv > 0.01 * width).all()
    assert (uv < np.array([0.99 * width, 0.99 * height])).all()


@pytest.mark.parametrize("seed", range(4))
def test_every_view_of_the_ring_holds_person_and_object(seed):
    staged = scene(yaw_deg=50.0 * seed)
    views = ring(staged, np.random.default_rng(seed))
    for view in range(16):
        assert_inside(views, view, np.concatenate([skin(staged, 0), things(staged)]))


def test_the_ring_is_a_ring_of_one_phone_held_by_hand():
    staged = scene()
    views = ring(staged, np.random.default_rng(0))
    assert len({(view.focal_px, view.k1) for view in views}) == 1
    assert K1[0] <= views[0].k1 <= K1[1]
    points = outline(staged)
    middle = (points.min(0) + points.max(0))[:2] / 2
    centres = np.array([-view.T_cam_world[:3, :3].T @ view.T_cam_world[:3, 3] for view in views])
    distance = np.linalg.norm(centres[:, :2] - middle, axis=1)
    assert ((distance > 2.15) & (distance < 3.05)).all()
    assert ((centres[:, 2] >= 1.2) & (centres[:, 2] <= 1.7)).all()
    azimuth = np.degrees(np.arctan2(centres[:, 0] - middle[0], -(centres[:, 1] - middle[1])))
    off = (azimuth - front_deg(staged) - RING_DEG + 180) % 360 - 180
    assert np.abs(off).max() <= 3.0
    assert len({view.exposure for view in views}) == 16


def test_front_turns_with_the_person():
    assert front_deg(scene()) == pytest.approx(0.0, abs=1.0)
    assert front_deg(scene(yaw_deg=70)) == pytest.approx(70.0, abs=1.0)


@pytest.mark.parametrize("bend_deg", [30, 65, 85])
def test_who_bends_forward_still_faces_forward(bend_deg):
    upright = scene(yaw_deg=70)
    sideways = np.array([np.cos(np.radians(70)), np.sin(np.radians(70)), 0.0])
    turned = Rotation.from_rotvec(np.radians(bend_deg) * sideways) * Rotation.from_rotvec(upright.pose[0, 0])
    pose = upright.pose.copy()
    pose[0, 0] = turned.as_rotvec()
    assert turned.apply((0.0, 0.0, 1.0))[2] < 0, "bent towards the floor"
    assert front_deg(replace(upright, pose=pose)) == pytest.approx(70.0, abs=1.0)


def test_view_sets_are_about_the_front_and_nested():
    azimuth = np.array(RING_DEG)
    np.testing.assert_array_equal(azimuth[list(VIEW_SETS[4])], (-60, -20, 20, 60))
    assert np.abs(azimuth[list(VIEW_SETS[10])]).max() <= 100
    assert set(VIEW_SETS[4]) <= set(VIEW_SETS[10]) <= set(VIEW_SETS[16])
    assert all(len(set(views)) == count for count, views in VIEW_SETS.items())


@pytest.mark.parametrize("moving", [False, True])
def test_a_film_holds_the_person_in_every_frame(moving):
    staged = scene(frames=60, way_m=1.2)
    views = film(staged, np.random.default_rng(3), moving)
    assert len(views) == 60
    for frame in range(0, 60, 7):
        assert_inside(views, frame, np.concatenate([skin(staged, frame), things(staged)]))
    poses = np.stack([view.T_cam_world for view in views])
    step = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    if moving:
        assert 0.002 < step.mean() < 0.1
        assert step.max() < 0.2
    else:
        assert (poses == poses[0]).all()


def test_the_same_generator_gives_the_same_views():
    first, second = (ring(scene(), np.random.default_rng(9)) for _ in range(2))
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a.T_cam_world, b.T_cam_world)
        assert (a.focal_px, a.k1, a.exposure) == (b.focal_px, b.k1, b.exposure)
