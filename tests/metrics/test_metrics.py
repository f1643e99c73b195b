"""Every metric on a case whose answer is known in closed form."""

import numpy as np
import pytest
import trimesh

from hsimul3r.artifacts import Cameras
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import transform_cameras
from hsimul3r.geometry.mesh import sample_surface
from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.geometry.sdf import WatertightMesh
from hsimul3r.metrics.cameras import align_worlds, camera_errors, relative_pose_accuracy
from hsimul3r.metrics.contacts import contact_score
from hsimul3r.metrics.penetration import scene_penetration
from hsimul3r.metrics.pose import mpjpe_mm, pa_mpjpe_mm, wa_mpjpe_mm
from hsimul3r.metrics.shape import icp, iou_3d, normalise, normalised_likeness, support_height, surface_likeness

RNG = np.random.default_rng(0)


def ring_of_cameras(count=4):
    poses = np.tile(np.eye(4), (count, 1, 1))
    for v in range(count):
        R = matrix_from_axis_angle(np.array([0, 0.5 * v, 0.1 * v]))
        poses[v, :3, :3], poses[v, :3, 3] = R, -R @ np.array([3 * np.cos(v), 3 * np.sin(v), 1.5])
    size = np.tile([1280, 720], (count, 1))
    return Cameras(size_px=size, focal_px=np.full(count, 900.0), principal_px=size / 2, k1=np.zeros(count),
                   T_cam_world=poses, is_registered=np.ones(count, bool))  # fmt: skip


def with_pose(cameras, view, pose):
    poses = cameras.T_cam_world.copy()
    poses[view] = pose
    return Cameras(**{**vars(cameras), "T_cam_world": poses})


def box(size, centre=(0, 0, 0)):
    mesh = trimesh.creation.box(extents=size)
    return np.array(mesh.vertices) + np.array(centre), np.array(mesh.faces)


SIMILARITY = Similarity(scale=1.3, R=matrix_from_axis_angle(np.array([0.3, -1.0, 0.4])), t=np.array([1.0, -2, 0.5]))
RIGID = Similarity(scale=1.0, R=SIMILARITY.R, t=SIMILARITY.t)


def test_shift_of_10_mm_is_w_mpjpe_of_10_and_aligned_errors_of_0():
    joints = RNG.uniform(size=(2, 22, 3))
    moved = joints + np.array([0.006, 0, 0.008])
    assert mpjpe_mm(moved, joints) == pytest.approx(10)
    assert wa_mpjpe_mm(moved, joints) == pytest.approx(0, abs=1e-9)
    assert pa_mpjpe_mm(SIMILARITY.apply(joints), joints) == pytest.approx(0, abs=1e-9)


def test_two_people_moved_apart_count_in_wa_but_not_in_pa():
    joints = RNG.uniform(size=(2, 22, 3))
    moved = joints + np.array([[[0.2, 0, 0]], [[-0.2, 0, 0]]])
    assert pa_mpjpe_mm(moved, joints) == pytest.approx(0, abs=1e-9)
    assert wa_mpjpe_mm(moved, joints) > 50


def test_a_mirrored_skeleton_is_not_aligned_away():
    joints = RNG.uniform(size=(22, 3))
    assert pa_mpjpe_mm(joints * [-1, 1, 1], joints) > 100


def test_joints_of_other_shape_are_refused():
    with pytest.raises(ValueError, match="equal shape"):
        mpjpe_mm(np.zeros((22, 3)), np.zeros((21, 3)))


def test_sp3d_of_a_known_overlap():
    """Ten vertices: 4 far, 2 near, 1 at 5 mm, 3 deeper than a centimetre: 3 of the 6 in the region."""
    distance = np.array([1.0, 0.5, 0.2, 0.06, 0.04, 0.01, -0.005, -0.02, -0.03, -0.065])
    score = scene_penetration(distance)
    assert score.sp3d_percent == pytest.approx(50)
    assert (score.region_count, score.inside_percent) == (6, pytest.approx(40))
    assert (score.max_depth_mm, score.mean_depth_mm) == (pytest.approx(65), pytest.approx(30))


def test_sp3d_of_a_sphere_sunk_into_a_box():
    """A sphere of radius 10 cm sunk by 4 cm: heights above the box are uniform over [-4, 16] cm, so 3 of 9 cm are too deep."""
    z = np.linspace(-0.1, 0.1, 20001)
    sphere = np.column_stack([np.sqrt(np.maximum(0, 0.01 - z**2)), 0 * z, z + 0.5 + 0.06])
    vertices, faces = box((1, 1, 1))
    score = scene_penetration(WatertightMesh(vertices, faces).query(sphere).distance)
    assert score.sp3d_percent == pytest.approx(100 * 3 / 9, abs=0.1)
    assert score.max_depth_mm == pytest.approx(40, abs=0.1)
    assert score.inside_percent == pytest.approx(20, abs=0.1)


def test_no_object_near_is_no_penetration():
    score = scene_penetration(np.full(5, 3.0))
    assert (score.sp3d_percent, score.max_depth_mm, score.mean_depth_mm, score.region_count) == (0, 0, 0, 0)


def test_chamfer_of_parallel_planes_is_their_distance():
    xy = np.stack(np.meshgrid(np.linspace(0, 1, 41), np.linspace(0, 1, 41)), -1).reshape(-1, 2)
    low, high = np.column_stack([xy, np.zeros(len(xy))]), np.column_stack([xy, np.full(len(xy), 0.04)])
    assert surface_likeness(low, high, threshold=0.05).chamfer == pytest.approx(0.04)
    assert surface_likeness(low, high, threshold=0.05).f_score == pytest.approx(100)
    assert surface_likeness(low, high, threshold=0.03).f_score == 0


def test_f_score_of_a_half_is_the_harmonic_mean():
    whole = np.column_stack([np.arange(100.0), np.zeros((100, 2))])
    score = surface_likeness(whole[:50], whole, threshold=0.1)
    assert (score.precision, score.recall) == (100, 50)
    assert score.f_score == pytest.approx(100 * 2 / 3)


def test_normalisations_have_their_extents():
    points = sample_surface(*box((0.5, 1.0, 2.0), (3, 3, 3)), 20000, np.random.default_rng(0))
    np.testing.assert_allclose(np.ptp(normalise(points, "midi"), axis=0), 1.9)
    np.testing.assert_allclose(np.ptp(normalise(points, "dso"), axis=0), [0.25, 0.5, 1], atol=1e-2)


@pytest.mark.parametrize("normalisation", ["midi", "dso"])
def test_equal_shapes_score_full_under_both_normalisations(normalisation):
    points = sample_surface(*box((0.5, 1.0, 2.0)), 3000, np.random.default_rng(0))
    score = normalised_likeness(points * (1.0 if normalisation == "midi" else 3.0) + 5, points, normalisation=normalisation)
    assert score.f_score == pytest.approx(100)
    assert score.chamfer == pytest.approx(0, abs=1e-9)


def test_icp_undoes_a_small_motion():
    points = sample_surface(*box((0.5, 1.0, 2.0)), 3000, np.random.default_rng(0))
    moved = points @ matrix_from_axis_angle(np.array([0.05, 0.02, -0.04])).T + 0.02
    np.testing.assert_allclose(icp(moved, points).apply(moved), points, atol=1e-6)


def test_iou_of_boxes_overlapping_by_half_is_a_third():
    a, b = WatertightMesh(*box((0.4, 0.4, 0.4))), WatertightMesh(*box((0.4, 0.4, 0.4), (0.2, 0, 0)))
    low, high = np.full(3, -0.5), np.full(3, 0.5)
    assert iou_3d(a, b, low=low, high=high, voxel_m=0.02) == pytest.approx(1 / 3)
    assert iou_3d(a, a, low=low, high=high, voxel_m=0.02) == 1


def test_support_height_of_a_chair_is_its_seat():
    parts = [box((0.45, 0.45, 0.06), (0, 0, 0.42)), box((0.45, 0.05, 0.5), (0, 0.2, 0.7))]
    vertices = np.concatenate([v for v, _ in parts])
    faces = np.concatenate([f + 8 * i for i, (_, f) in enumerate(parts)])
    assert support_height(vertices, faces) == pytest.approx(0.45)


def test_equal_cameras_in_another_world_have_no_error():
    true = ring_of_cameras()
    errors = camera_errors(transform_cameras(true, RIGID), true)
    np.testing.assert_allclose(errors.rotation_deg, 0, atol=1e-5)
    np.testing.assert_allclose(errors.position_m, 0, atol=1e-9)
    assert relative_pose_accuracy(transform_cameras(true, SIMILARITY), true, threshold_deg=1) == (100, 100)


def test_scale_is_found_only_where_it_is_asked_for():
    true = ring_of_cameras()
    estimated = transform_cameras(true, SIMILARITY)
    assert align_worlds(estimated, true, with_scale=True).scale == pytest.approx(1 / 1.3)
    assert camera_errors(estimated, true, with_scale=True).ate_m == pytest.approx(0, abs=1e-9)
    assert camera_errors(estimated, true).ate_m > 0.3


def test_one_turned_camera_fails_its_three_pairs():
    true = ring_of_cameras()
    turned = true.T_cam_world[0].copy()
    turned[:3, :3] = matrix_from_axis_angle(np.array([0, 0, np.radians(8)])) @ turned[:3, :3]
    turned[:3, 3] = turned[:3, :3] @ true.T_cam_world[0, :3, :3].T @ true.T_cam_world[0, :3, 3]
    rra, _ = relative_pose_accuracy(with_pose(true, 0, turned), true, threshold_deg=5)
    assert rra == pytest.approx(50)


def test_unregistered_view_counts_as_failed_pairs_and_focal_is_relative():
    true = ring_of_cameras()
    registered = np.array([True, True, True, False])
    estimated = Cameras(**{**vars(true), "is_registered": registered, "focal_px": true.focal_px * 1.05})
    assert relative_pose_accuracy(estimated, true, threshold_deg=5) == (50, 50)
    np.testing.assert_allclose(camera_errors(estimated, true).focal_percent, [5, 5, 5])


def test_contact_score_counts_pairs():
    score = contact_score([("buttocks", "chair"), ("back", "chair")], [("buttocks", "chair"), ("left_foot", "floor")])
    assert (score.precision, score.recall) == (50, 50)
    assert contact_score([], []).precision == 100
