import dataclasses

import numpy as np
import pytest

from hsimul3r.geometry import bundle
from hsimul3r.geometry.cameras import depth, transform_points
from hsimul3r.geometry.global_alignment import PairPointmaps
from hsimul3r.geometry.pointmap_rows import (
    PointmapRows,
    _medians,
    no_rows,
    sample_pointmaps,
    select_rows,
    start_rows,
)

from . import rig
from .test_bundle import disturbed, make_problem, pose_errors

SCALES = (0.5, 2.0, 1.3, 0.8, 3.0, 1.0, 0.6, 1.7, 2.2, 0.4, 1.1, 0.9)


def rows_of(cameras, *, noise=0.0, outliers=0.0, count=40, seed=0):
    """What a network would say of a room's points by every ordered pair of views, in scales of its own."""
    rng = np.random.default_rng(seed)
    tracks = rig.scatter(cameras, count, seed=seed)
    pairs = [(i, j) for i in range(len(cameras.size_px)) for j in range(len(cameras.size_px)) if i != j]
    sample, pair, points = [], [], []
    for e, (i, j) in enumerate(pairs):
        seen = np.flatnonzero((tracks.view == i) | (tracks.view == j))
        x = transform_points(cameras.T_cam_world[i], tracks.points[tracks.point[seen]]) / SCALES[e]
        is_wrong = rng.random(len(x)) < outliers
        x *= np.where(is_wrong, rng.uniform(0.3, 3.0, len(x)), 1 + noise * rng.normal(size=len(x)))[:, None]
        sample, pair, points = [*sample, seen], [*pair, np.full(len(seen), e)], [*points, x]
    found = PointmapRows(
        view=tracks.view, uv_px=tracks.uv_px, first=np.array([i for i, _ in pairs]), sample=np.concatenate(sample),
        pair=np.concatenate(pair), points=np.concatenate(points), weight=np.ones(sum(map(len, points))),
    )  # fmt: skip
    return found, tracks.points[tracks.point]


def begun(problem, cameras, skeletons, rows, **errors):
    """A disturbed state with scales and points as its own cameras see them."""
    state = disturbed(problem, cameras, skeletons, **errors)
    start = start_rows(rows, bundle.cameras_of(problem, state, cameras.size_px))
    return dataclasses.replace(state, log_pair=start.log_scale, samples=start.samples)


def test_jacobians_match_finite_differences():
    cameras, skeletons = rig.ring(), rig.people(1)
    rows, _ = rows_of(cameras, noise=0.1, count=8)
    problem = make_problem(
        cameras, skeletons, tracks=rig.scatter(cameras, 8), lens=np.array([0, 1, 0, 0]), pointmaps=rows,
        focal_px=np.array([900.0, 950]), focal_spread=np.array([0.3, 0.1]),
    )  # fmt: skip
    state = begun(problem, cameras, skeletons, rows)
    state = dataclasses.replace(state, k1=np.array([-0.1, 0.05]))
    posed = bundle._posed_skeletons(problem, state)
    size = 2 * 2 + 6 * 4 + 1 + 4 + 63 + 12 + 3 * (len(state.points) + len(state.samples))
    terms = {t.name: t for t in bundle.bundle_terms(problem, state, posed)}
    for name in ("samples", "pointmaps"):
        term, dense = terms[name], np.zeros((*terms[name].values.shape, size))
        for row, columns in enumerate(term.columns):
            dense[row][:, columns] += term.jacobian[row]
        for column in np.unique(term.columns):
            step = 1e-6 * np.eye(size)[column]
            up, down = (
                {t.name: t for t in bundle.bundle_terms(problem, bundle.retract(state, sign * step), posed)}[name].values
                for sign in (1, -1)
            )
            np.testing.assert_allclose(dense[:, :, column], (up - down) / 2e-6, rtol=1e-4, atol=1e-4, err_msg=name)


def test_the_residual_is_that_of_eq_1():
    """exp(-s) (R X + t) - x over the noise at that distance, and the pairs' worth spread over their rows."""
    cameras, skeletons = rig.ring(), rig.people(1)
    rows, truth = rows_of(cameras, count=20)
    problem = make_problem(cameras, skeletons, pointmaps=rows)
    state = dataclasses.replace(
        bundle.initial_state(problem, cameras, skeletons), log_pair=np.log(SCALES), samples=truth + np.array([0.1, 0, 0])
    )
    term = next(
        t for t in bundle.bundle_terms(problem, state, bundle._posed_skeletons(problem, state)) if t.name == "pointmaps"
    )
    row, w = 7, problem.weights
    share = np.sqrt(w.pointmap_worth * 12 / len(rows.sample))
    R = cameras.T_cam_world[rows.first[rows.pair[row]], :3, :3]
    off = R @ [0.1, 0.0, 0.0] / SCALES[rows.pair[row]]
    np.testing.assert_allclose(term.values[row], share * off / (w.pointmap * np.linalg.norm(rows.points[row])), atol=1e-9)
    assert term.huber == pytest.approx(share * w.pointmap_huber)


def test_true_cameras_place_points_and_scales_where_they_are():
    cameras = rig.ring()
    rows, truth = rows_of(cameras)
    start = start_rows(rows, cameras)
    np.testing.assert_allclose(np.exp(start.log_scale), SCALES, rtol=1e-5)
    np.testing.assert_allclose(start.samples, truth, atol=1e-4)


def test_a_pair_whose_second_view_is_left_out_takes_its_first_view_s_scale():
    cameras = rig.ring()
    rows, _ = rows_of(cameras)
    kept = select_rows(rows, np.array([True, True, False, True]))
    start = start_rows(kept, cameras)
    alone = [e for e in range(len(kept.first)) if set(kept.view[kept.sample[kept.pair == e]]) == {kept.first[e]}]
    assert len(alone) == 3
    np.testing.assert_allclose(np.exp(start.log_scale), np.delete(SCALES, [6, 7, 8]), rtol=1e-5)


def test_outliers_do_not_move_the_start():
    cameras = rig.ring()
    rows, truth = rows_of(cameras, outliers=0.2, count=100)
    start = start_rows(rows, cameras)
    np.testing.assert_allclose(np.exp(start.log_scale), SCALES, rtol=0.02)
    assert np.median(np.linalg.norm(start.samples - truth, axis=1)) < 0.02


def test_pointmaps_alone_bring_disturbed_cameras_back():
    """No tracks: what the people leave open to centimetres and degrees, the pointmaps say."""
    cameras, skeletons = rig.ring(), rig.people(1)
    rows, _ = rows_of(cameras, noise=0.003, outliers=0.1, count=80)
    sightings = rig.sight(cameras, skeletons, noise_px=4, pose_noise_m=0.06)
    found = {}
    for name, pointmaps in (("people", no_rows()), ("pointmaps", rows)):
        problem = make_problem(cameras, skeletons, sightings=sightings, pointmaps=pointmaps)
        start = begun if len(pointmaps.sample) else lambda *given: disturbed(*given[:3])
        state, _ = bundle.adjust(problem, start(problem, cameras, skeletons, pointmaps), max_iterations=100)
        found[name] = (*pose_errors(cameras, bundle.cameras_of(problem, state, cameras.size_px)), np.exp(state.log_focal[0]))
    assert found["pointmaps"][0] < 0.3 < 1.0 < found["people"][0]
    assert found["pointmaps"][1] < 0.1 < found["people"][1]
    assert found["pointmaps"][2] == pytest.approx(900, rel=0.01)


def test_a_pair_s_own_scale_does_not_matter():
    cameras, skeletons = rig.ring(), rig.people(1)
    rows, _ = rows_of(cameras, noise=0.01, count=40)
    grown = dataclasses.replace(rows, points=rows.points * np.where(rows.pair == 3, 5.0, 1.0)[:, None])
    costs, states = [], []
    for pointmaps in (rows, grown):
        problem = make_problem(cameras, skeletons, pointmaps=pointmaps)
        state, cost = bundle.adjust(problem, begun(problem, cameras, skeletons, pointmaps))
        costs.append(cost)
        states.append(state)
    np.testing.assert_allclose(states[0].t, states[1].t, atol=1e-3)
    assert states[1].log_pair[3] - states[0].log_pair[3] == pytest.approx(-np.log(5), abs=1e-3)
    assert costs[0] == pytest.approx(costs[1], rel=1e-3)


def maps_of(shape, pairs, confidence=5.0):
    y, x = np.mgrid[: shape[0], : shape[1]]
    points = np.stack([x, y, 1.0 + 0 * x], axis=-1)
    return [
        PairPointmaps(
            first=i, second=j, points_first=points + i, points_second=points + 10 * j,
            confidence_first=np.full(shape, confidence), confidence_second=np.full(shape, confidence),
        )
        for i, j in pairs
    ]  # fmt: skip


def test_samples_lie_on_a_grid_as_wide_as_their_number_asks():
    shape, pairs = (20, 30), [(0, 1), (1, 0)]
    pixels = [np.stack(np.divmod(np.arange(600), 30)[::-1], axis=-1).astype(float)] * 2
    is_static = [np.ones(shape, bool), np.ones(shape, bool)]
    is_static[1][:10] = False
    rows = sample_pointmaps(maps_of(shape, pairs), pixels, is_static, most_rows=450)
    assert len(rows.sample) == 2 * (rows.view == 0).sum() + 2 * (rows.view == 1).sum() <= 500
    assert (rows.uv_px[rows.view == 1][:, 1] >= 10).all()
    np.testing.assert_allclose(np.diff(np.unique(rows.uv_px[:, 0])), 2)
    for k in (0, 11, len(rows.sample) - 1):
        view, first = rows.view[rows.sample[k]], rows.first[rows.pair[k]]
        shift = first if view == first else 10 * view
        np.testing.assert_allclose(rows.points[k], [*rows.uv_px[rows.sample[k]] + shift, 1 + shift])
    np.testing.assert_allclose(rows.weight, 1.0)


def test_points_of_no_confidence_and_of_one_pair_do_not_count():
    shape = (6, 6)
    pixels = [np.zeros((36, 2))] * 3
    is_static = [np.ones(shape, bool)] * 3
    maps = maps_of(shape, [(0, 1), (1, 0), (1, 2)])
    maps[1].confidence_first[:3] = 1.0
    rows = sample_pointmaps(maps, pixels, is_static, most_rows=10_000)
    assert not (rows.view == 2).any()
    assert np.bincount(rows.sample).min() >= 2 and (rows.weight > 0).all()
    assert ((rows.pair == 1) & (rows.view[rows.sample] == 1)).sum() == 18


def test_rows_of_unregistered_views_are_left_out():
    rows, _ = rows_of(rig.ring(), count=20)
    kept = select_rows(rows, np.array([True, True, False, True]))
    assert set(kept.view) == {0, 1, 3} == set(kept.first) and len(kept.first) == 9
    assert kept.sample.max() + 1 == len(kept.view) and kept.pair.max() + 1 == len(kept.first)
    assert not len(select_rows(rows, np.zeros(4, bool)).sample)


def test_people_who_stand_before_the_camera_are_far_enough_for_a_start():
    """A start whose scales are wrong still lies before its own cameras."""
    cameras = rig.ring()
    rows, _ = rows_of(cameras, outliers=0.6)
    start = start_rows(rows, cameras)
    for v in range(4):
        assert (depth(cameras, v, start.samples[rows.view == v]) > 0).all()


def test_medians_of_groups():
    values = np.array([5.0, 1.0, 3.0, 2.0, 9.0, 4.0])
    np.testing.assert_allclose(_medians(np.array([0, 0, 0, 2, 2, 2]), values, 4), [3, np.nan, 4, np.nan])
    np.testing.assert_allclose(_medians(np.array([1, 1, 0]), np.array([1.0, 2, 7]), 2), [7, 1.5])
