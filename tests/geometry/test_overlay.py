import numpy as np
import pytest
import trimesh

from hsimul3r.artifacts import Cameras
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.geometry import overlay

WIDTH, HEIGHT, FOCAL, DISTANCE = 200, 160, 180.0, 4.0


@pytest.fixture
def cameras() -> Cameras:
    """One camera at the origin that looks along its Z axis; the world is its frame."""
    return Cameras(
        size_px=np.array([[WIDTH, HEIGHT]]), focal_px=np.array([FOCAL]), principal_px=np.array([[99.5, 79.5]]),
        k1=np.zeros(1), T_cam_world=np.eye(4)[None], is_registered=np.ones(1, bool),
    )  # fmt: skip


@pytest.fixture
def photo() -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def sphere(z: float, radius: float, color: overlay.Color) -> overlay.PaintedMesh:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return overlay.PaintedMesh(name="ball", vertices=ball.vertices + np.array([0, 0, z]), faces=ball.faces, color=color)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


def test_sphere_covers_its_disc(cameras: Cameras, photo: np.ndarray) -> None:
    drawn = overlay.draw_mesh_overlay(photo, [sphere(DISTANCE, 0.5, (255, 0, 0))], cameras, 0, legend=False)
    area = changed(photo, drawn).sum()
    radius_px = FOCAL * np.tan(np.arcsin(0.5 / DISTANCE))
    outline_px = 3.5  # the outer half of the contour with its soft edge
    assert np.pi * radius_px**2 * 0.97 < area < np.pi * (radius_px + outline_px) ** 2
    assert not changed(photo, np.full_like(photo, 90)).any()


def test_nearer_mesh_hides_the_farther(cameras: Cameras, photo: np.ndarray) -> None:
    red, blue = sphere(3.0, 0.3, (255, 0, 0)), sphere(5.0, 0.3, (0, 0, 255))
    for meshes in ([red, blue], [blue, red]):
        drawn = overlay.draw_mesh_overlay(photo, meshes, cameras, 0, alpha=1.0, legend=False)
        center = drawn[HEIGHT // 2, WIDTH // 2]
        assert center[0] > 100 and center[2] == 0


def test_mesh_behind_the_camera_is_not_drawn(cameras: Cameras, photo: np.ndarray) -> None:
    drawn = overlay.draw_mesh_overlay(photo, [sphere(-DISTANCE, 0.5, (255, 0, 0))], cameras, 0, legend=False)
    assert np.array_equal(drawn, photo)


def test_overlay_scales_with_the_picture(cameras: Cameras, photo: np.ndarray) -> None:
    meshes = [sphere(DISTANCE, 0.5, (255, 0, 0))]
    small = changed(photo, overlay.draw_mesh_overlay(photo, meshes, cameras, 0, legend=False))
    large_photo = np.full((2 * HEIGHT, 2 * WIDTH, 3), 90, np.uint8)
    large = changed(large_photo, overlay.draw_mesh_overlay(large_photo, meshes, cameras, 0, legend=False))
    rows, columns = (np.nonzero(large)[i].mean() for i in (0, 1))
    assert np.allclose((rows, columns), (2 * 79.5 + 0.5, 2 * 99.5 + 0.5), atol=0.6)
    assert large.sum() / small.sum() == pytest.approx(4.0, rel=0.15)


def test_skeleton_leaves_out_doubtful_and_missing_points(photo: np.ndarray) -> None:
    points = np.full((1, len(KEYPOINTS), 2), 50.0)
    points[0, 0] = (150, 120)
    confidence = np.full((1, len(KEYPOINTS)), 0.9)
    assert changed(photo, overlay.draw_skeletons(photo, points, confidence))[115:125, 145:155].any()
    confidence[0, 0] = 0.1
    assert not changed(photo, overlay.draw_skeletons(photo, points, confidence))[115:125, 145:155].any()
    points[:] = np.nan
    assert np.array_equal(overlay.draw_skeletons(photo, points, confidence, labels=["person 0"]), photo)


def test_label_mask_tints_object_and_leaves_background(photo: np.ndarray) -> None:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[40:80, 40:80] = 1
    labels[100:140, 40:80] = 2
    drawn = overlay.draw_label_mask(photo, labels, color=(0, 255, 0))
    assert (drawn[45:75, 45:75, 1] > 150).all()
    assert changed(photo, drawn)[105:135, 45:75].mean() == pytest.approx(0.5, abs=0.1)
    assert not changed(photo, drawn)[:, 100:].any()


def test_boxes_that_are_not_given_are_left_out(photo: np.ndarray) -> None:
    boxes = np.array([[np.nan] * 4, [20, 60, 90, 140]])
    drawn = overlay.draw_boxes(photo, boxes, ["a", "b"], [(255, 0, 0), (0, 255, 0)])
    assert changed(photo, drawn).any() and not (drawn[..., 0] > 200).any()


def test_contact_sheet_holds_every_picture(photo: np.ndarray) -> None:
    pictures = [np.full((100, 50 * (i + 1), 3), 60 * (i + 1), np.uint8) for i in range(3)]
    sheet = overlay.contact_sheet(pictures, ["eins", "zwei", "drei 多"], columns=2, width_px=400)
    assert sheet.shape[1] == 400
    assert all((sheet == 60 * (i + 1)).all(axis=2).sum() > 2_000 for i in range(3))
