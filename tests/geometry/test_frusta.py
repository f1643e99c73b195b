import numpy as np
import pytest

from hsimul3r.artifacts import Cameras
from hsimul3r.geometry.cameras import project
from hsimul3r.geometry.frusta import (
    RING,
    SQUARE,
    count_inside,
    count_labels,
    crop_pinholes,
    frustum_parts,
    pinholes,
    silhouette_energies,
    silhouettes,
)
from hsimul3r.geometry.masks import iou, signed_distance_image
from hsimul3r.geometry.mesh import solid
from hsimul3r.geometry.rotations import rotation_about_z
from hsimul3r.geometry.sdf import ConvexUnion

UNIT = np.array([[0, 0, 2.0, 0.5, 0.5, 0, 0, 3.0, 0.5, 0.5, SQUARE, 0.0]])


def looking_up(k1: float = 0.0, focal: float = 100.0) -> Cameras:
    """At the origin, along +Z."""
    return Cameras(
        size_px=np.array([[200, 160]]), focal_px=np.array([focal]), principal_px=np.array([[99.5, 79.5]]), k1=np.array([k1]),
        T_cam_world=np.eye(4)[None], is_registered=np.ones(1, bool),
    )  # fmt: skip


def one_mask(rows, cameras, pose=(0.0, 0.0, 0.0), shift=(0.0, 0.0)):
    return silhouettes(rows, np.array(pose), pinholes(cameras), np.array([shift]), height=160, width=200)[0]


def test_frustum_has_the_volume_of_a_truncated_pyramid():
    row = np.array([[0, 0, 0, 0.5, 0.4, 0.1, 0, 1.2, 0.25, 0.2, SQUARE, 0.7]])
    part = frustum_parts(row)[0]
    bottom, top = 1.0 * 0.8, 0.5 * 0.4
    expected = 1.2 / 3 * (bottom + top + np.sqrt(bottom * top))
    assert solid(part.vertices, part.faces).volume_m3 == pytest.approx(expected)


def test_round_frustum_is_a_regular_prism():
    part = frustum_parts(np.array([[0, 0, 0, 0.5, 0.5, 0, 0, 2.0, 0.5, 0.5, 1.0, 0.0]]))[0]
    area = 0.5 * RING * 0.25 * np.sin(2 * np.pi / RING)
    assert solid(part.vertices, part.faces).volume_m3 == pytest.approx(2 * area)


def test_silhouette_of_a_box_has_the_area_of_its_near_face():
    mask = one_mask(UNIT, looking_up())
    side = 2 * 100 * 0.5 / 2.0
    assert mask.sum() == pytest.approx(side**2, rel=0.03)


def test_silhouette_follows_the_lens():
    cameras = looking_up(k1=-0.3)
    shifted = UNIT.copy()
    shifted[0, [0, 5]] = 0.9
    mask = one_mask(shifted, cameras)
    corners = project(cameras, 0, np.array([[1.4, y, 2.0] for y in (-0.5, 0.5)]))
    columns = np.nonzero(mask.any(axis=0))[0]
    assert columns.max() == pytest.approx(corners[:, 0].max(), abs=1.0)


def test_pose_turns_and_shift_moves_the_silhouette():
    straight, turned = one_mask(UNIT, looking_up()), one_mask(UNIT, looking_up(), pose=(0, 0, np.pi / 4))
    wide, narrow = (np.ptp(np.nonzero(mask.any(axis=0))[0]) for mask in (turned, straight))
    assert wide == pytest.approx(np.sqrt(2) * narrow, abs=2)
    moved = one_mask(UNIT, looking_up(), shift=(10.0, -5.0))
    np.testing.assert_array_equal(moved[5:-10, 20:-10], straight[10:-5, 10:-20])


def test_cropped_camera_sees_every_nth_pixel():
    cameras = looking_up()
    corner, step = np.array([[40.0, 30.0]]), np.array([2.0])
    cropped = crop_pinholes(pinholes(cameras), corner, step)
    small = silhouettes(UNIT, np.zeros(3), cropped, np.zeros((1, 2)), height=50, width=60)[0]
    np.testing.assert_array_equal(small, one_mask(UNIT, cameras)[30:130:2, 40:160:2])


def test_energy_is_one_minus_iou_and_ignores_the_unknown():
    cameras = looking_up()
    mask = one_mask(UNIT, cameras)
    labels = mask.astype(np.uint8)
    labels[:, :100] = 2
    overlapping = np.concatenate([UNIT, UNIT + np.array([0.3, 0, 0, 0, 0, 0.3, 0, 0, 0, 0, 0, 0])])
    energy = silhouette_energies(
        overlapping[None], np.zeros((1, 3)), np.zeros((1, 1, 2)), pinholes(cameras), count_labels(labels[None])
    )[0]  # fmt: skip
    assert energy == pytest.approx(1 - iou(one_mask(overlapping, cameras), mask, labels == 2))


def test_iou_of_shifted_squares_and_of_nothing():
    a, b = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    a[2:6, 2:6], b[2:6, 4:8] = True, True
    assert iou(a, b) == pytest.approx(8 / 24)
    assert iou(a, b, ignore=np.arange(10)[None] >= np.full((10, 1), 6)) == pytest.approx(8 / 16)
    assert iou(a & False, b & False) == 1.0


def test_signed_distance_is_negative_inside_and_cut():
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    image = signed_distance_image(mask, 6.0)
    assert image[20, 5] == pytest.approx(5.0, abs=0.1)
    assert image[20, 12] == pytest.approx(-3.0, abs=0.1)
    assert (image.min(), image.max()) == (-6.0, 6.0)
    assert (signed_distance_image(mask & False, 6.0) == 6.0).all()


def test_points_inside_are_those_that_the_union_of_its_parts_holds():
    rng = np.random.default_rng(2)
    points = rng.uniform([-1, -1, -0.2], [1, 1, 1.2], (4000, 3))
    pose = np.array([0.2, -0.1, 0.7])
    rows = np.array(
        [
            [0.1, 0, 0.0, 0.5, 0.4, 0.2, 0.1, 0.6, 0.25, 0.2, SQUARE, 0.4],
            [-0.3, 0.2, 0.3, 0.3, 0.5, -0.3, 0.2, 1.0, 0.3, 0.5, 1.0, -0.2],
        ]
    )
    world = (rotation_about_z(pose[2]), [*pose[:2], 0.0])
    distance = ConvexUnion(frustum_parts(rows)).query((points - world[1]) @ world[0]).distance
    counted = count_inside(np.stack([rows, rows[[0, 0]]]), np.stack([pose, pose]), points)
    assert counted[0] == pytest.approx((distance < 0).sum(), abs=15), "round outlines are sixteen-sided in the union"
    alone = ConvexUnion(frustum_parts(rows[:1])).query((points - world[1]) @ world[0]).distance
    assert counted[1] == (alone < 0).sum()
