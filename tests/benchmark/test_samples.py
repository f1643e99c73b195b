"""The shipped sample captures: their truth agrees with itself, with the photographs and with physics."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hsimul3r.benchmark.truth import CONTACT_M, Truth, load_truth
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.mesh import is_watertight, solid
from hsimul3r.geometry.sdf import Moved, WatertightMesh

SAMPLES = Path(__file__).parents[2] / "data" / "hsibench" / "samples"
NAMES = ("sit_chair", "sit_sofa", "lean_table", "foot_stool")
PENETRATION_M = 0.005


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def truth(name) -> Truth:
    return load_truth(SAMPLES / name / "truth")


def project(truth: Truth, view: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    T, cameras = truth.cameras.T_cam_world[view], truth.cameras
    local = points @ T[:3, :3].T + T[:3, 3]
    return local[:, :2] / local[:, 2:] * cameras.focal_px[view] + cameras.principal_px[view], local[:, 2]


def test_four_photos_of_the_size_that_the_truth_says(name, truth):
    photos = sorted((SAMPLES / name).glob("*.jpg"))
    assert len(photos) == 4 == len(truth.cameras.size_px)
    for photo, size in zip(photos, truth.cameras.size_px):
        assert photo.stat().st_size < 350_000
        assert cv2.imread(str(photo)).shape[1::-1] == tuple(size)


def test_no_truth_leaks_into_what_the_pipeline_reads(name):
    beside = {path.name for path in (SAMPLES / name).iterdir() if path.suffix != ".jpg"}
    assert beside == {"truth"}
    for photo in (SAMPLES / name).glob("*.jpg"):
        assert b"Exif" not in photo.read_bytes()[:4096]


def test_cameras_are_rigid_and_phone_like(truth):
    R = truth.cameras.T_cam_world[:, :3, :3]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.tile(np.eye(3), (4, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(R), 1.0)
    centres = -np.einsum("vji,vj->vi", R, truth.cameras.T_cam_world[:, :3, 3])
    assert ((centres[:, 2] > 1.1) & (centres[:, 2] < 1.8)).all()
    distance = np.linalg.norm(centres[:, :2], axis=1)
    assert ((distance > 2.1) & (distance < 3.6)).all()
    azimuth = np.degrees(np.arctan2(centres[:, 0], -centres[:, 1]))
    assert 60 < np.ptp(azimuth) < 110


def test_projected_body_lies_in_the_person_mask(truth):
    for view in range(4):
        mask, obstacle = truth.person_mask(view), truth.object_mask(view)
        uv, depth = project(truth, view, truth.body.vertices())
        assert (depth > 0.5).all()
        column, row = np.round(uv).astype(int).T
        height, width = mask.shape
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        assert inside.mean() > 0.99
        covered = mask[row[inside], column[inside]] | obstacle[row[inside], column[inside]]
        assert covered.mean() > 0.97
        assert mask[row[inside], column[inside]].mean() > 0.55


def test_projected_joints_lie_in_the_person_mask_or_behind_the_object(truth):
    for view in range(4):
        mask, obstacle = truth.person_mask(view), truth.object_mask(view)
        uv, _ = project(truth, view, truth.body.joints[0, : len(BODY_JOINTS)])
        column, row = np.round(uv).astype(int).T
        assert (mask[row, column] | obstacle[row, column]).all()


def test_projected_object_lies_in_the_object_mask_or_behind_the_person(truth):
    rng = np.random.default_rng(0)
    corners = truth.objects[0].world_vertices()[truth.objects[0].faces]
    weights = rng.dirichlet(np.ones(3), len(corners))
    points = np.einsum("fk,fkc->fc", weights, corners)
    for view in range(4):
        person, mask = truth.person_mask(view), truth.object_mask(view)
        uv, _ = project(truth, view, points)
        column, row = np.round(uv).astype(int).T
        height, width = mask.shape
        inside = (column >= 1) & (column < width - 1) & (row >= 1) & (row < height - 1)
        assert inside.mean() > 0.97
        near = cv2.dilate((mask | person).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert near[row[inside], column[inside]].mean() > 0.995
        assert mask.sum() > 5000


def test_stored_joints_are_the_embedded_body_in_the_stored_pose(truth):
    body, posed = embedded_body(), truth.body
    np.testing.assert_allclose(body.joints(posed.betas, posed.pose[0], posed.transl[0]), posed.joints[0], atol=1e-6)
    assert 1.55 < body.stature(posed.betas) < 1.90


def test_pelvis_is_above_the_origin(truth):
    np.testing.assert_allclose(truth.body.joints[0, 0, :2], 0.0, atol=1e-6)


def test_object_is_a_watertight_union_that_stands_on_the_floor(truth):
    item = truth.objects[0]
    assert is_watertight(item.faces)
    assert abs(item.vertices[:, 2].min()) < 1e-6
    np.testing.assert_allclose((item.vertices.min(0) + item.vertices.max(0))[:2], 0.0, atol=1e-6)
    np.testing.assert_allclose(item.pose()[2], (0, 0, 1, 0), atol=1e-12)
    assert np.abs(item.vertices[:, 2] - item.support_height_m).min() < 0.012


def test_object_does_not_tip_over(truth):
    item = truth.objects[0]
    feet = item.vertices[item.vertices[:, 2] < 1e-3, :2]
    centroid = solid(item.vertices, item.faces).centroid[:2]
    hull = cv2.convexHull(feet.astype(np.float32))
    assert cv2.pointPolygonTest(hull, centroid.astype(np.float32).tolist(), True) > 0.05


def test_body_penetrates_neither_object_nor_floor(truth):
    item, skin = truth.objects[0], truth.body.vertices()
    surface = Moved(WatertightMesh(item.vertices, item.faces), item.pose())
    assert surface.query(skin).distance.min() > -PENETRATION_M
    assert skin[:, 2].min() > -PENETRATION_M


def test_contacts_are_those_of_the_interaction_and_closed(name, truth):
    expected = {
        "sit_chair": {("buttocks", "object"), ("left_foot", "floor"), ("right_foot", "floor")},
        "sit_sofa": {("buttocks", "object"), ("back", "object"), ("left_foot", "floor"), ("right_foot", "floor")},
        "lean_table": {("left_hand", "object"), ("right_hand", "object"), ("left_foot", "floor"), ("right_foot", "floor")},
        "foot_stool": {("right_foot", "object"), ("left_foot", "floor")},
    }[name]
    assert expected <= {(contact.part, contact.target) for contact in truth.contacts}
    assert all(abs(contact.gap_m) <= CONTACT_M for contact in truth.contacts)


def test_standing_feet_are_flat(name, truth):
    posed = truth.body
    soles = embedded_body().soles(posed.betas, posed.pose[0], posed.transl[0])[..., 2]
    heights = {"foot_stool": (0.0, truth.objects[0].support_height_m)}.get(name, (0.0, 0.0))
    assert np.abs(soles.mean(1) - heights).max() < 0.010


def test_weight_is_over_the_support(truth):
    """The centre of mass lies over the hull of everything that touches from below."""
    body, skin = embedded_body(), truth.body.vertices()
    bearing = [
        body.parts[contact.part][skin[body.parts[contact.part], 2] < contact.point[2] + 0.02]
        for contact in truth.contacts
        if contact.part != "back"
    ]
    hull = cv2.convexHull(skin[np.concatenate(bearing), :2].astype(np.float32))
    centroid = solid(skin, body.faces).centroid[:2]
    assert cv2.pointPolygonTest(hull, centroid.astype(np.float32).tolist(), True) > 0.0
