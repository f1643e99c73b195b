import dataclasses

import numpy as np
import pytest

from hsimul3r.geometry import bundle
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import camera_centers, transform_cameras, transform_tracks
from hsimul3r.geometry.rotations import angle_between, matrix_from_axis_angle
from hsimul3r.geometry.skeletons import bone_lengths
from hsimul3r.geometry.tracks import no_tracks

from . import rig


def make_problem(cameras, skeletons, *, tracks=None, sightings=None, **changes):
    sightings = rig.sight(cameras, skeletons) if sightings is None else sightings
    known = {
        "lens": np.zeros(len(cameras.size_px), int),
        "focal_px": cameras.focal_px[:1],
        "focal_spread": np.array([0.3]),
        "is_registered": cameras.is_registered,
    }
    return bundle.BundleProblem(
        **(known | changes), principal_px=cameras.principal_px, sightings=sightings, reference=bone_lengths(rig.STANDING),
        stature_spread=np.full(len(skeletons), 0.05), tracks=no_tracks() if tracks is None else tracks,
    )  # fmt: skip


def disturbed(problem, cameras, skeletons, *, turn=0.05, move=0.1, focal=1.15, seed=0):
    """A start some degrees, centimetres and per cent from the truth; the first camera stays."""
    rng = np.random.default_rng(seed)
    state = bundle.initial_state(problem, cameras, skeletons + 0.05 * rng.normal(size=skeletons.shape))
    R = matrix_from_axis_angle(turn * rng.normal(size=(len(state.R), 3))) @ state.R
    t = state.t + move * rng.normal(size=state.t.shape)
    R[0], t[0] = state.R[0], state.t[0]
    points = state.points + 0.05 * rng.normal(size=state.points.shape)
    return dataclasses.replace(state, R=R, t=t, points=points, log_focal=state.log_focal + np.log(focal), k1=state.k1 * 0)


def pose_errors(cameras, found):
    """Largest rotation error [deg] and centre error [m]; the first camera is the common frame."""
    turn = angle_between(found.T_cam_world[:, :3, :3], cameras.T_cam_world[:, :3, :3])
    return np.degrees(turn.max()), np.linalg.norm(camera_centers(found) - camera_centers(cameras), axis=1).max()


def test_jacobians_match_finite_differences():
    cameras, skeletons = rig.ring(), rig.people(2)
    sightings = rig.sight(cameras, skeletons, noise_px=3, pose_noise_m=0.05)
    problem = make_problem(
        cameras, skeletons, tracks=rig.scatter(cameras, 12, noise_px=1), sightings=sightings,
        lens=np.array([0, 1, 0, 0]), focal_px=np.array([900.0, 950]), focal_spread=np.array([0.3, 0.1]),
    )  # fmt: skip
    lift = 0.1 * np.random.default_rng(1).normal(size=8)
    state = disturbed(problem, cameras, skeletons)
    state = dataclasses.replace(state, log_size=np.array([0.05, -0.08]), log_lift=lift, k1=np.array([-0.1, 0.05]))
    posed = bundle._posed_skeletons(problem, state)
    size = 2 * 2 + 6 * 4 + 2 + 8 + 63 * 2 + 3 * len(state.points)
    for term in bundle.bundle_terms(problem, state, posed):
        dense = np.zeros((*term.values.shape, size))
        for row in range(len(term.values)):
            for j, column in enumerate(term.columns[row]):
                dense[row, :, column] += term.jacobian[row, :, j]
        for column in np.unique(term.columns):
            step = 1e-6 * np.eye(size)[column]
            up, down = (
                next(
                    t.values
                    for t in bundle.bundle_terms(problem, bundle.retract(state, s * step), posed)
                    if t.name == term.name
                )
                for s in (1, -1)
            )
            np.testing.assert_allclose(dense[:, :, column], (up - down) / 2e-6, rtol=1e-4, atol=1e-4, err_msg=term.name)


def test_clean_observations_give_back_the_truth():
    cameras, skeletons = rig.ring(), rig.people(1)
    problem = make_problem(cameras, skeletons, tracks=rig.scatter(cameras))
    state, cost = bundle.adjust(problem, disturbed(problem, cameras, skeletons))
    found = bundle.cameras_of(problem, state, cameras.size_px)
    turn_deg, shift = pose_errors(cameras, found)
    # The priors of k1 (0 +- 0.1) and the start's focal (truth) pull a little, hence not zero.
    assert cost < 5.0
    assert turn_deg < 0.05 and shift < 0.04
    assert found.focal_px[0] == pytest.approx(900, rel=0.002)
    assert found.k1[0] == pytest.approx(-0.05, abs=0.003)


def test_noise_and_outliers_leave_the_cameras_within_tolerance():
    cameras, skeletons = rig.ring(), rig.people(2)
    tracks = rig.scatter(cameras, noise_px=0.7, outliers=0.08)
    sightings = rig.sight(cameras, skeletons, noise_px=5, pose_noise_m=0.06)
    problem = make_problem(cameras, skeletons, tracks=tracks, sightings=sightings)
    state, _ = bundle.adjust(problem, disturbed(problem, cameras, skeletons))
    found = bundle.cameras_of(problem, state, cameras.size_px)
    turn_deg, shift = pose_errors(cameras, found)
    assert turn_deg < 0.4 and shift < 0.15
    assert found.focal_px[0] == pytest.approx(900, rel=0.015)


def test_people_alone_determine_the_cameras():
    cameras, skeletons = rig.ring(), rig.people(2)
    sightings = rig.sight(cameras, skeletons, noise_px=3, pose_noise_m=0.05)
    problem = make_problem(cameras, skeletons, sightings=sightings)
    state, _ = bundle.adjust(problem, disturbed(problem, cameras, skeletons))
    turn_deg, shift = pose_errors(cameras, bundle.cameras_of(problem, state, cameras.size_px))
    assert turn_deg < 3 and shift < 0.25
    assert np.nanmedian(bundle.keypoint_errors(problem, state)) < 4


def test_scale_comes_from_the_people_not_from_the_start():
    cameras, skeletons = rig.ring(), rig.people(1)
    half = Similarity(scale=0.5, R=np.eye(3), t=np.zeros(3))
    small, tracks = transform_cameras(cameras, half), rig.scatter(cameras)
    problem = make_problem(cameras, skeletons, tracks=transform_tracks(tracks, half))
    start = bundle.initial_state(problem, small, half.apply(skeletons))
    state, _ = bundle.adjust(problem, start, max_iterations=200)
    found = camera_centers(bundle.cameras_of(problem, state, cameras.size_px))
    truth = camera_centers(cameras)
    assert np.linalg.norm(found[3] - found[0]) == pytest.approx(np.linalg.norm(truth[3] - truth[0]), rel=0.01)


def test_a_given_focal_length_stays():
    cameras, skeletons = rig.ring(), rig.people(1)
    problem = make_problem(
        cameras, skeletons, tracks=rig.scatter(cameras), focal_spread=np.zeros(1), focal_px=np.array([870.0])
    )
    state, _ = bundle.adjust(problem, disturbed(problem, cameras, skeletons, focal=1.0))
    assert np.exp(state.log_focal[0]) == pytest.approx(870, rel=1e-12)


def test_a_person_missing_in_a_view_is_kept():
    cameras, skeletons = rig.ring(), rig.people(3)
    sightings = rig.sight(cameras, skeletons, missing={(0, 2), (3, 2), (1, 0)}, noise_px=2)
    problem = make_problem(cameras, skeletons, tracks=rig.scatter(cameras), sightings=sightings)
    state, _ = bundle.adjust(problem, disturbed(problem, cameras, skeletons))
    assert np.linalg.norm(state.skeletons - skeletons, axis=2).mean(1).max() < 0.04


def test_an_unregistered_view_does_not_move():
    cameras, skeletons = rig.ring(), rig.people(1)
    registered = np.array([True, True, True, False])
    sightings = rig.sight(cameras, skeletons, missing={(3, 0)})
    problem = make_problem(cameras, skeletons, sightings=sightings, is_registered=registered)
    start = disturbed(problem, cameras, skeletons)
    state, _ = bundle.adjust(problem, start)
    np.testing.assert_array_equal(state.R[3], start.R[3])
    assert not np.array_equal(state.R[2], start.R[2])


def test_the_same_start_gives_the_same_bits():
    cameras, skeletons = rig.ring(), rig.people(1)
    problem = make_problem(cameras, skeletons, tracks=rig.scatter(cameras, noise_px=1))
    first, second = (bundle.adjust(problem, disturbed(problem, cameras, skeletons))[0] for _ in range(2))
    assert first.t.tobytes() == second.t.tobytes() and first.points.tobytes() == second.points.tobytes()
