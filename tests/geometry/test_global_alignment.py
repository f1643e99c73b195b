import dataclasses

import numpy as np
import pytest
import torch

from geometry.pointmaps import pairs_of, true_views
from hsimul3r.geometry.alignment import Similarity, align_points
from hsimul3r.geometry.global_alignment import (
    BASE_SCALE,
    TRAINED,
    AlignmentParameters,
    PairPointmaps,
    align_globally,
    alignment_loss,
    alignment_problem,
    camera_poses,
    focal_px,
    pack_similarities,
    pair_maps,
    world_points,
)
from hsimul3r.geometry.pointmap_matches import match_pointmaps
from hsimul3r.geometry.pointmap_start import focal_of_pointmap, initial_parameters, place_pictures, select_pairs
from hsimul3r.geometry.rotations import angle_between, matrix_from_axis_angle

RIGHT = np.array([1.0, 0.0, 0.0])


def pose_errors(views, parameters: AlignmentParameters) -> tuple[float, float]:
    """Largest error of a camera's rotation [deg] and of its centre over the distance of the cameras, after the best fit."""
    truth, ours = views.T_world_cam, camera_poses(parameters)
    turns = angle_between(truth[0, :3, :3].T @ truth[:, :3, :3], ours[0, :3, :3].T @ ours[:, :3, :3])
    fit = align_points(ours[:, :3, 3], truth[:, :3, 3], with_scale=True)
    missed = np.linalg.norm(fit.apply(ours[:, :3, 3]) - truth[:, :3, 3], axis=1)
    return float(np.degrees(turns).max()), float(missed.max() / np.linalg.norm(np.ptp(truth[:, :3, 3], axis=0)))


def depth_errors(views, parameters: AlignmentParameters) -> np.ndarray:
    depth = parameters.log_depth.exp().numpy()
    ratio = np.concatenate([depth[v, : d.size] / d.ravel() for v, d in enumerate(views.depth)])
    return np.abs(ratio / np.median(ratio) - 1)


def solved(views, maps, *, iterations=200, weighting="log", known_focal_px=None):
    problem = alignment_problem(maps, weighting=weighting, known_focal_px=known_focal_px)
    start = initial_parameters(maps, weighting=weighting, known_focal_px=known_focal_px)
    found, losses = align_globally(problem, start, iterations=iterations)
    return problem, found, losses


def test_pairs_come_in_both_orders():
    assert select_pairs(3) == [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]
    assert select_pairs(4, "window", window=1) == [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]
    assert select_pairs(3, "ref", reference=1) == [(1, 0), (0, 1), (1, 2), (2, 1)]


def test_exact_pairs_are_joined_exactly_from_the_start():
    views = true_views()
    problem, found, losses = solved(views, pairs_of(views), iterations=0)
    assert losses[0] < 1e-5
    rotation, centre = pose_errors(views, found)
    assert rotation < 0.02 and centre < 2e-3
    np.testing.assert_allclose(focal_px(problem, found)[:, 0].numpy(), views.focal_px, rtol=1e-4)
    assert depth_errors(views, found).max() < 1e-3


def test_a_chain_of_pairs_is_enough():
    views = true_views()
    _, found, losses = solved(views, pairs_of(views, scheme="window"), iterations=0)
    assert losses[0] < 1e-5 and pose_errors(views, found)[0] < 0.02


def test_noise_and_outliers_are_overcome_and_confidence_helps():
    views = true_views()
    maps = pairs_of(views, noise=0.01, outliers=0.3)
    _, weighted, losses = solved(views, maps)
    _, plain, _ = solved(views, maps, weighting="none")
    rotation, centre = pose_errors(views, weighted)
    assert losses[-1] < 0.9 * losses[0]
    assert rotation < 1 and centre < 0.06
    assert np.median(depth_errors(views, weighted)) < 0.01 < np.median(depth_errors(views, plain)) / 1.5


def test_the_start_is_near_in_spite_of_outliers():
    views = true_views()
    start = initial_parameters(pairs_of(views, noise=0.01, outliers=0.3))
    rotation, centre = pose_errors(views, start)
    assert rotation < 2 and centre < 0.03


def test_a_known_focal_length_is_kept():
    views = true_views()
    known = np.array([views.focal_px[0], np.nan, np.nan, 30.0])
    problem, found, _ = solved(views, pairs_of(views, noise=0.01), iterations=20, known_focal_px=known)
    np.testing.assert_allclose(focal_px(problem, found)[[0, 3], 0].numpy(), known[[0, 3]], rtol=1e-6)
    np.testing.assert_allclose(focal_px(problem, found)[[1, 2], 0].numpy(), views.focal_px[[1, 2]], rtol=0.02)


def test_pairs_keep_a_common_scale():
    views = true_views(3)
    problem, found, _ = solved(views, pairs_of(views, noise=0.02), iterations=10)
    linear, _ = pair_maps(problem, found)
    assert torch.linalg.det(linear).log().mean().exp().item() == pytest.approx(BASE_SCALE**3, rel=1e-4)


def test_the_loss_is_the_mean_distance_over_pixels_of_all_pairs_not_of_each():
    """Pairs of pictures of 2 and 6 pixels, one off by 1, one by 2: (2 * 1 + 6 * 2) / 8 on either side."""
    shapes = ((1, 2), (2, 3))
    maps = [
        PairPointmaps(
            first=i, second=1 - i,
            points_first=np.zeros((*shapes[i], 3)), confidence_first=np.full(shapes[i], np.e),
            points_second=np.zeros((*shapes[1 - i], 3)), confidence_second=np.full(shapes[1 - i], np.e),
        )
        for i in (0, 1)
    ]  # fmt: skip
    problem = alignment_problem(maps, has_common_scale=False)
    still = pack_similarities([Similarity(scale=1.0, R=np.eye(3), t=np.zeros(3))] * 2)
    parameters = AlignmentParameters(
        log_depth=torch.full((2, 6), -30.0), poses=still[:, :7].clone(), focals=torch.full((2, 1), 60.0),
        principals=torch.zeros(2, 2), pair_poses=still, pair_adaptors=torch.zeros(2, 2),
    )  # fmt: skip
    parameters.poses[:, 4] = torch.log1p(torch.tensor([1.0, 2.0]))
    assert alignment_loss(problem, parameters).item() == pytest.approx(2 * (2 * 1 + 6 * 2) / 8, rel=1e-6)


def test_gradients_agree_with_finite_differences():
    views = true_views(3)
    maps = pairs_of(views, noise=0.05)
    problem = alignment_problem(maps)
    problem = dataclasses.replace(
        problem,
        **{name: getattr(problem, name).double() for name in ("pixels", "middles", "points", "weight", "known_focal_px")},
    )
    start = initial_parameters(maps)
    values = {f.name: getattr(start, f.name).double() for f in dataclasses.fields(start)}

    def loss(*trained):
        return alignment_loss(problem, AlignmentParameters(**values | dict(zip(TRAINED, trained))))

    inputs = [(values[name] + 0.01).requires_grad_() for name in TRAINED]
    torch.autograd.gradcheck(loss, inputs, eps=1e-6, atol=1e-6, fast_mode=True)


def test_points_follow_the_camera_and_its_depth():
    R = matrix_from_axis_angle(np.array([0.0, np.pi / 2, 0.0]))
    maps = pairs_of(true_views(2))
    problem = alignment_problem(maps)
    parameters = dataclasses.replace(
        initial_parameters(maps),
        poses=pack_similarities([Similarity(scale=1.0, R=R, t=np.array([1.0, 2.0, -3.0]))] * 2)[:, :7],
        log_depth=torch.full((2, 384), float(np.log(5))),
        focals=torch.full((2, 1), 20 * float(np.log(10))),
    )
    pixel = 3 * 24 + 22
    expected = R @ (5 * np.array([(22 - 12) / 10, (3 - 8) / 10, 1.0])) + [1, 2, -3]
    np.testing.assert_allclose(world_points(problem, parameters)[0, pixel].numpy(), expected, atol=1e-5)


def test_the_focal_length_of_a_pointmap_survives_outliers():
    views = true_views(1)
    points = views.points(0)
    points[np.random.default_rng(0).random(points.shape[:2]) < 0.2] *= [3, 0.2, 1]
    assert focal_of_pointmap(points) == pytest.approx(views.focal_px[0], rel=1e-2)
    assert focal_of_pointmap(-points) == pytest.approx(0.2 * 24)


def test_pictures_that_no_pair_joins_are_an_error():
    views = true_views()
    maps = pairs_of(views)
    with pytest.raises(ValueError, match="join 2 of 4"):
        place_pictures([m for m in maps if {m.first, m.second} in ({0, 1}, {2, 3})], "log")
    with pytest.raises(ValueError, match="not from zero"):
        alignment_problem([m for m in maps if 0 not in (m.first, m.second)])
    with pytest.raises(ValueError, match="picture 3 is first in no pair"):
        initial_parameters([m for m in maps if m.first != 3])
    turned = dataclasses.replace(maps[0], points_first=maps[0].points_second, confidence_first=maps[0].confidence_second)
    with pytest.raises(ValueError, match="different sizes"):
        alignment_problem([turned, *maps[1:]])


def test_matches_are_pixels_of_the_same_points():
    """The second picture shows the first's plane three columns further right."""
    y, x = np.mgrid[:12, :16]
    plane = np.stack([x, y, 0 * x], axis=-1).astype(float)
    confidence = np.full(plane.shape[:2], 5.0)
    maps = [
        PairPointmaps(
            first=i, second=1 - i, points_first=plane + 3 * i * RIGHT, confidence_first=confidence,
            points_second=plane + 3 * (1 - i) * RIGHT, confidence_second=confidence,
        )
        for i in (0, 1)
    ]  # fmt: skip
    static = [np.ones((12, 16), bool) for _ in maps]
    static[1][:6] = False
    (pair,) = match_pointmaps(maps, static, stride=4)
    rows, columns = np.divmod(pair.index, 16)
    assert (pair.view_a, pair.view_b) == (0, 1) and len(pair.index) >= 6
    assert (rows[:, 0] == rows[:, 1]).all() and (rows >= 6).all()
    exact = columns[:, 0] - columns[:, 1] == 3
    assert exact.mean() > 0.7 and set(columns[:, 0] - columns[:, 1]) <= {1, 2, 3, 4}
    assert match_pointmaps(maps, [static[0], np.zeros((12, 16), bool)], stride=4) == ()
