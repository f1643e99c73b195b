import numpy as np
import pytest

from hsimul3r.geometry.cameras import project
from hsimul3r.geometry.tracks import (
    Correspondences,
    PairMatches,
    join_matches,
    no_tracks,
    select_tracks,
    triangulate_tracks,
)

from . import rig


def matches(counts, pairs):
    keypoints = tuple(np.arange(2.0 * n).reshape(n, 2) + 100 * v for v, n in enumerate(counts))
    return Correspondences(
        keypoints_px=keypoints, pairs=tuple(PairMatches(view_a=a, view_b=b, index=np.array(index)) for a, b, index in pairs)
    )


def test_matches_of_three_views_join_to_one_track():
    uv = join_matches(matches([2, 2, 2], [(0, 1, [[0, 1]]), (1, 2, [[1, 0]])]))
    np.testing.assert_array_equal(uv, [[[0, 1], [102, 103], [200, 201]]])


def test_a_view_seen_twice_by_a_track_counts_as_not_seen():
    uv = join_matches(matches([2, 1, 1], [(0, 1, [[0, 0]]), (1, 2, [[0, 0]]), (0, 2, [[1, 0]])]))
    assert len(uv) == 1 and np.isnan(uv[0, 0]).all() and not np.isnan(uv[0, 1:]).any()


def test_no_matches_make_no_tracks():
    assert join_matches(matches([3, 3], [])).shape == (0, 2, 2)


@pytest.fixture
def seen():
    cameras = rig.ring()
    points = np.random.default_rng(0).uniform([-0.8, -0.3, 0.2], [0.8, 0.8, 1.6], (30, 3))
    return cameras, points, np.stack([project(cameras, v, points) for v in range(4)], axis=1)


def test_triangulation_gives_back_the_points(seen):
    cameras, points, uv = seen
    tracks = triangulate_tracks(cameras, uv, max_error_px=1, min_angle_deg=2)
    np.testing.assert_allclose(tracks.points, points, atol=1e-9)
    assert len(tracks.view) == 120


def test_a_wrong_observation_is_left_out_and_the_point_kept(seen):
    cameras, points, uv = seen
    uv[5, 2] += [40, 40]
    tracks = triangulate_tracks(cameras, uv, max_error_px=3, min_angle_deg=2)
    np.testing.assert_allclose(tracks.points, points, atol=1e-9)
    assert tracks.view[tracks.point == 5].tolist() == [0, 1, 3]


def test_a_track_that_no_two_views_agree_on_is_dropped(seen):
    cameras, _, uv = seen
    uv[3] += np.array([[0, 0], [90, -50], [-70, 80], [30, -95]])
    uv[4, 1:] = np.nan
    assert len(triangulate_tracks(cameras, uv, max_error_px=3, min_angle_deg=2).points) == 28


def test_points_with_nearly_parallel_rays_are_left_out():
    cameras = rig.ring(sizes=((1280, 720), (1280, 720)), spread_deg=1.0)
    points = np.random.default_rng(1).uniform([-0.5, 0, 0.5], [0.5, 0.5, 1.2], (10, 3))
    uv = np.stack([project(cameras, v, points) for v in range(2)], axis=1)
    assert len(triangulate_tracks(cameras, uv, max_error_px=3, min_angle_deg=5).points) == 0
    assert len(triangulate_tracks(cameras, uv, max_error_px=3, min_angle_deg=0.5).points) == 10


def test_selection_renumbers_points_and_drops_those_seen_once(seen):
    cameras, points, uv = seen
    tracks = triangulate_tracks(cameras, uv, max_error_px=1, min_angle_deg=2)
    is_kept = ~((tracks.point == 0) & (tracks.view > 0))
    kept = select_tracks(tracks, is_kept)
    np.testing.assert_allclose(kept.points, points[1:], atol=1e-9)
    assert kept.point.max() == 28 and len(kept.view) == 116
    assert len(no_tracks().points) == 0
