import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from hsimul3r.perception.pairing import likeness, pairs_to_match


def walk(photos, reach, rng, order):
    """Descriptors of photos along a ring: each sees the features near it, in an order of its own, a little noisy."""
    features = rng.normal(size=(photos, 40, 16))
    seen = [np.concatenate([features[(at + step) % photos] for step in range(reach)]) for at in order]
    noisy = [rng.permutation(one) + 0.05 * rng.normal(size=one.shape) for one in seen]
    return [one / np.linalg.norm(one, axis=1, keepdims=True) for one in noisy]


def degree(pairs, photos):
    return np.bincount(np.array(pairs).ravel(), minlength=photos)


def test_photos_that_share_features_are_alike():
    order = [0, 1, 2, 6]
    alike = likeness(walk(12, 3, np.random.default_rng(0), order))
    np.testing.assert_array_equal(alike, alike.T)
    assert alike[0, 1] > alike[0, 2] > alike[0, 3]
    assert likeness([np.zeros((0, 16)), np.ones((3, 16))]).sum() == 0


@pytest.mark.parametrize("photos", [7, 10, 16])
def test_the_order_of_capture_alone_gives_a_closed_ring(photos):
    pairs = pairs_to_match(np.zeros((photos, photos), int), window=2, most_alike=0)
    assert len(pairs) == 2 * photos and (0, photos - 1) in pairs and (0, 2) in pairs
    assert (degree(pairs, photos) == 4).all()


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_photos_are_related_by_what_they_show(seed):
    """Whatever the order, each photo meets its true neighbours, and far fewer pairs are matched than there are."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(16)
    pairs = pairs_to_match(likeness(walk(16, 4, rng, order)), window=2, most_alike=4)
    place = np.argsort(order)
    for at in range(16):
        assert tuple(sorted((int(place[at]), int(place[(at + 1) % 16])))) in pairs
    graph = np.zeros((16, 16))
    graph[tuple(np.array(pairs).T)] = 1
    assert connected_components(graph, directed=False)[0] == 1
    assert len(pairs) < 16 * 15 / 2 * 0.65
    assert pairs == sorted(set(pairs)) and all(a < b for a, b in pairs)
