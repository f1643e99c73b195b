import numpy as np
import pytest

from hsimul3r.geometry import people_rig
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import camera_centers, transform_cameras
from hsimul3r.geometry.rotations import angle_between

from . import rig
from .test_bundle import make_problem


def relative_errors_deg(found, truth):
    """Rotation errors of all pairs of views."""
    a, b = found.T_cam_world[:, :3, :3], truth.T_cam_world[:, :3, :3]
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    return np.degrees([angle_between(a[i] @ a[j].T, b[i] @ b[j].T) for i, j in pairs])


def test_lifting_places_a_skeleton_where_it_was():
    cameras, skeletons = rig.ring(), rig.people(1)
    problem = make_problem(cameras, skeletons)
    lifted = people_rig.lift_all(cameras, problem)
    for v in range(4):
        truth = skeletons[0] @ cameras.T_cam_world[v, :3, :3].T + cameras.T_cam_world[v, :3, 3]
        np.testing.assert_allclose(lifted[v], truth, atol=1e-3)


@pytest.mark.parametrize("count", [1, 2])
def test_people_alone_calibrate_views_from_no_start_at_all(count):
    cameras, skeletons = rig.ring(), rig.people(count)
    sightings = rig.sight(cameras, skeletons, noise_px=3, pose_noise_m=0.04)
    problem = make_problem(cameras, skeletons, sightings=sightings, focal_px=np.array([1020.0]), focal_spread=np.array([0.4]))
    state, found, _ = people_rig.calibrate_by_people(problem, cameras.size_px, (0.55, 0.8, 1.1))
    assert found.is_registered.all()
    assert relative_errors_deg(found, cameras).max() < 6
    assert found.focal_px[0] == pytest.approx(900, rel=0.2)
    baseline = np.linalg.norm(camera_centers(found)[3] - camera_centers(found)[0])
    assert baseline == pytest.approx(np.linalg.norm(camera_centers(cameras)[3] - camera_centers(cameras)[0]), rel=0.15)
    assert len(state.skeletons) == count


def test_two_views_are_enough():
    cameras, skeletons = rig.ring(sizes=((1280, 720), (720, 1280)), spread_deg=60), rig.people(2)
    problem = make_problem(cameras, skeletons, sightings=rig.sight(cameras, skeletons, noise_px=2, pose_noise_m=0.04))
    _, found, _ = people_rig.calibrate_by_people(problem, cameras.size_px, (0.8,))
    assert relative_errors_deg(found, cameras).max() < 6


def test_a_view_that_shares_nobody_is_not_registered():
    cameras, skeletons = rig.ring(), rig.people(2)
    sightings = rig.sight(cameras, skeletons, missing={(3, 0), (0, 1), (1, 1), (2, 1)})
    problem = make_problem(cameras, skeletons, sightings=sightings)
    _, found, _ = people_rig.calibrate_by_people(problem, cameras.size_px, (0.8,))
    assert found.is_registered.tolist() == [True, True, True, False]


def test_cameras_of_any_scale_are_brought_to_peoples_metres():
    cameras, skeletons = rig.ring(), rig.people(1)
    problem = make_problem(cameras, skeletons)
    features = transform_cameras(cameras, Similarity(scale=0.37, R=np.eye(3), t=np.array([1.0, 2.0, 3.0])))
    anchored = people_rig.anchor_to_people(features, problem)
    assert anchored is not None
    found = camera_centers(anchored[0])
    expected = np.linalg.norm(camera_centers(cameras)[3] - camera_centers(cameras)[0])
    assert np.linalg.norm(found[3] - found[0]) == pytest.approx(expected, rel=1e-6)


def test_a_view_without_features_is_added_by_people():
    cameras, skeletons = rig.ring(), rig.people(2)
    problem = make_problem(cameras, skeletons, sightings=rig.sight(cameras, skeletons, noise_px=1))
    features = rig.ring()
    features.is_registered[3] = False
    features.T_cam_world[3] = np.eye(4)
    anchored = people_rig.anchor_to_people(features, problem)
    assert anchored is not None and anchored[0].is_registered.all()
    assert relative_errors_deg(anchored[0], cameras).max() < 8


def test_features_without_a_person_in_two_of_their_views_have_no_metres():
    cameras, skeletons = rig.ring(), rig.people(1)
    features = rig.ring()
    features.is_registered[1:] = False
    assert people_rig.anchor_to_people(features, make_problem(cameras, skeletons)) is None
