import numpy as np
import pytest

from hsimul3r.geometry.cameras import project
from hsimul3r.geometry.rotations import angle_between
from hsimul3r.geometry.tracks import Correspondences, PairMatches
from stages.adapters import colmap
from tests.geometry import rig

CFG = colmap.MappingConfig()


def scene_matches(cameras, *, noise_px=0.3, wrong=0.1, seed=0):
    """Matches of points in a room in all pairs of views, some of them wrong."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([-1.5, -0.5, 0], [1.5, 2.0, 2.0], (160, 3))
    views = len(cameras.size_px)
    keypoints = tuple(project(cameras, v, points) + noise_px * rng.normal(size=(160, 2)) for v in range(views))
    inside = [((k >= 0) & (k <= cameras.size_px[v] - 1)).all(1) for v, k in enumerate(keypoints)]
    pairs = []
    for a in range(views):
        for b in range(a + 1, views):
            index = np.flatnonzero(inside[a] & inside[b])
            other = np.where(rng.random(len(index)) < wrong, rng.permutation(index), index)
            pairs.append(PairMatches(view_a=a, view_b=b, index=np.stack([index, other], axis=1)))
    return Correspondences(keypoints_px=keypoints, pairs=tuple(pairs))


def lenses(cameras, focal=1020.0, is_trusted=False):
    sizes = [tuple(s) for s in cameras.size_px.tolist()]
    return [colmap.Lens(group=sizes.index(size), focal_px=focal, is_trusted=is_trusted) for size in sizes]


@pytest.fixture(scope="module")
def cameras():
    return rig.ring(spread_deg=80.0)


def test_mapping_recovers_mixed_portrait_and_landscape_views(cameras):
    found = colmap.map_views(scene_matches(cameras), cameras.size_px, lenses(cameras), cfg=CFG, seed=0)
    assert found is not None and found.is_registered.all()
    np.testing.assert_allclose(found.principal_px, (cameras.size_px - 1) / 2)
    assert found.focal_px[0] == pytest.approx(900, rel=0.03)
    a, b = found.T_cam_world[:, :3, :3], cameras.T_cam_world[:, :3, :3]
    for v in range(1, 4):
        assert np.degrees(angle_between(a[v] @ a[0].T, b[v] @ b[0].T)) < 0.5


def test_mapping_repeats_to_the_bit(cameras):
    first, second = (
        colmap.map_views(scene_matches(cameras), cameras.size_px, lenses(cameras), cfg=CFG, seed=3) for _ in range(2)
    )
    assert first is not None and second is not None
    assert first.T_cam_world.tobytes() == second.T_cam_world.tobytes()


def test_mapping_of_nothing_is_none(cameras):
    nothing = Correspondences(keypoints_px=tuple(np.zeros((5, 2)) for _ in range(4)), pairs=())
    assert colmap.map_views(nothing, cameras.size_px, lenses(cameras), cfg=CFG, seed=0) is None


def test_verification_drops_wrong_matches_and_poor_pairs(cameras):
    matches = scene_matches(cameras, wrong=0.3)
    few = PairMatches(view_a=0, view_b=3, index=matches.pairs[2].index[:5])
    matches = Correspondences(keypoints_px=matches.keypoints_px, pairs=(*matches.pairs[:2], few))
    verified = colmap.verify_matches(matches, cameras.size_px, cfg=CFG, seed=0)
    assert [(p.view_a, p.view_b) for p in verified.pairs] == [(0, 1), (0, 2)]
    for before, after in zip(matches.pairs, verified.pairs):
        right = (before.index[:, 0] == before.index[:, 1]).sum()
        assert (after.index[:, 0] == after.index[:, 1]).sum() > 0.95 * right
        assert (after.index[:, 0] != after.index[:, 1]).sum() < 0.1 * right
