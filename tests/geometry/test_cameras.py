import dataclasses

import numpy as np
import pytest

from hsimul3r.artifacts import Cameras, PointTracks
from hsimul3r.geometry import cameras as cam
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.rotations import matrix_from_axis_angle


def look_at(centre, target):
    """T_cam_world of an upright camera in a Z-up world."""
    z = np.asarray(target, float) - centre
    z /= np.linalg.norm(z)
    x = np.cross(z, [0, 0, 1.0])
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3] = np.stack([x, np.cross(z, x), z])
    T[:3, 3] = -T[:3, :3] @ centre
    return T


@pytest.fixture
def rig():
    """A landscape and two portrait cameras around the origin."""
    size = np.array([[1280, 720], [720, 1280], [960, 1280]])
    centres = np.array([[3.0, 0, 1.5], [0, 3.0, 1.2], [-2, -2, 1.8]])
    return Cameras(
        size_px=size,
        focal_px=np.array([700.0, 900.0, 1100.0]),
        principal_px=(size - 1) / 2,
        k1=np.array([-0.16, 0.0, 0.08]),
        T_cam_world=np.stack([look_at(c, np.array([0, 0, 0.9])) for c in centres]),
        is_registered=np.ones(3, bool),
    )


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform([-0.5, -0.5, 0], [0.5, 0.5, 1.8], size=(40, 3))


def test_the_point_looked_at_falls_on_the_principal_point_of_each_image(rig):
    for v in range(3):
        np.testing.assert_allclose(cam.project(rig, v, np.array([0, 0, 0.9])), (rig.size_px[v] - 1) / 2, atol=1e-9)


def test_up_in_the_world_is_up_in_the_picture(rig):
    for v in range(3):
        assert cam.project(rig, v, np.array([0, 0, 1.2]))[1] < rig.principal_px[v, 1]


def test_projection_follows_the_printed_model(rig):
    uv = cam.project(dataclasses.replace(rig, T_cam_world=np.tile(np.eye(4), (3, 1, 1))), 0, np.array([0.2, -0.1, 2.0]))
    r2 = 0.1**2 + 0.05**2
    np.testing.assert_allclose(uv, 700 * (1 - 0.16 * r2) * np.array([0.1, -0.05]) + [639.5, 359.5])


def test_points_behind_or_beyond_the_fold_have_no_pixel(rig):
    behind = 2 * cam.camera_centers(rig)[0] - np.array([0, 0, 0.9])
    assert np.isnan(cam.project(rig, 0, behind)).all()
    rays_at_fold = np.array([[1.5, 0, 1.0], [1.4, 0, 1.0]])
    world = (rays_at_fold - rig.T_cam_world[0][:3, 3]) @ rig.T_cam_world[0][:3, :3]
    assert np.isnan(cam.project(rig, 0, world)).any(-1).tolist() == [True, False]


@pytest.mark.parametrize("view", [0, 1, 2])
def test_undistortion_inverts_projection(rig, points, view):
    p = cam.transform_points(rig.T_cam_world[view], points)
    np.testing.assert_allclose(cam.undistort(rig, view, cam.project(rig, view, points)), p[:, :2] / p[:, 2:], atol=1e-12)


def test_undistortion_of_the_centre_is_zero_and_beyond_the_fold_finite(rig):
    np.testing.assert_array_equal(cam.undistort(rig, 0, rig.principal_px[0]), [0, 0])
    assert np.isfinite(cam.undistort(rig, 0, np.array([1e5, 0.0]))).all()


@pytest.mark.parametrize("view", [0, 1, 2])
def test_rays_pass_through_the_points(rig, points, view):
    origin, direction = cam.rays(rig, view, cam.project(rig, view, points))
    np.testing.assert_allclose(origin, cam.camera_centers(rig)[view])
    distance = np.linalg.norm(points - origin, axis=1, keepdims=True)
    np.testing.assert_allclose(origin + distance * direction, points, atol=1e-10)


def test_triangulation_recovers_points_from_any_two_views(rig, points):
    for views in ([0, 1], [1, 2], [0, 1, 2]):
        uv = np.array([cam.project(rig, v, points[0]) for v in views])
        np.testing.assert_allclose(cam.triangulate(rig, np.array(views), uv), points[0], atol=1e-9)


def test_triangulation_refuses_one_view(rig, points):
    uv = cam.project(rig, 0, points[:1])
    with pytest.raises(ValueError, match="parallel"):
        cam.triangulate(rig, np.array([0]), uv)


def test_projection_jacobian_matches_finite_differences(rig):
    rng = np.random.default_rng(3)
    points = rng.uniform([-1, -1, 1], [1, 1, 4], size=(10, 3))
    f, k1, pp = rng.uniform(500, 900, 10), rng.uniform(-0.1, 0.1, 10), rng.uniform(300, 400, (10, 2))
    _, by_point, by_logf, by_k1 = cam.project_with_jacobian(points, f, pp, k1)
    h = 1e-6
    for i in range(3):
        step = h * np.eye(3)[i]
        up, down = (cam.project_with_jacobian(points + s * step, f, pp, k1)[0] for s in (1, -1))
        np.testing.assert_allclose(by_point[:, :, i], (up - down) / (2 * h), rtol=1e-5, atol=1e-4)
    up, down = (cam.project_with_jacobian(points, f * np.exp(s * h), pp, k1)[0] for s in (1, -1))
    np.testing.assert_allclose(by_logf, (up - down) / (2 * h), rtol=1e-5, atol=1e-4)
    up, down = (cam.project_with_jacobian(points, f, pp, k1 + s * h)[0] for s in (1, -1))
    np.testing.assert_allclose(by_k1, (up - down) / (2 * h), rtol=1e-5, atol=1e-4)


def test_a_change_of_world_leaves_pixels_and_scales_depth(rig, points):
    world = Similarity(scale=2.5, R=matrix_from_axis_angle(np.array([0.1, 2.0, -0.4])), t=np.array([1.0, 2.0, 3.0]))
    moved = cam.transform_cameras(rig, world)
    np.testing.assert_allclose(cam.project(moved, 1, world.apply(points)), cam.project(rig, 1, points), atol=1e-8)
    np.testing.assert_allclose(cam.depth(moved, 1, world.apply(points)), 2.5 * cam.depth(rig, 1, points))


def test_observation_errors_measure_the_shift_of_pixels(rig, points):
    views, index = np.repeat([0, 1], 40), np.tile(np.arange(40), 2)
    uv = np.concatenate([cam.project(rig, 0, points), cam.project(rig, 1, points)])
    uv[3] += [3.0, 4.0]
    tracks = PointTracks(points=points, colors=np.zeros((40, 3), np.uint8), view=views, point=index, uv_px=uv)
    errors = cam.observation_errors(rig, tracks)
    assert errors[3] == pytest.approx(5.0) and errors[4:].max() < 1e-9
