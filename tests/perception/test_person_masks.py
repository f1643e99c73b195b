import numpy as np

from hsimul3r.geometry.masks import iou
from hsimul3r.perception.masks import drop_small_pieces, guided_filter, refine_mask, warp_probability


def disc(height, width, centre, radius):
    y, x = np.mgrid[:height, :width]
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2


def test_a_coarse_mask_snaps_to_the_edge_in_the_picture():
    truth = disc(240, 320, (160, 120), 70)
    rng = np.random.default_rng(0)
    image = np.where(truth[..., None], (180, 60, 50), (90, 140, 120)) + rng.normal(0, 6, (240, 320, 3))
    image = np.clip(image, 0, 255).astype(np.uint8)
    coarse = disc(240, 320, (163, 117), 68).astype(float)
    before = iou(coarse > 0.5, truth)
    refined = refine_mask(image, coarse, radius=8)
    assert before < 0.93
    assert iou(refined, truth) > 0.95


def test_a_flat_picture_leaves_the_mask_where_it_was():
    coarse = disc(100, 100, (50, 50), 30).astype(float)
    refined = refine_mask(np.full((100, 100, 3), 128, np.uint8), coarse, radius=4)
    assert iou(refined, coarse > 0.5) > 0.97


def test_guided_filter_keeps_constants():
    image = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    np.testing.assert_allclose(guided_filter(image, np.full((40, 50), 0.7), radius=3), 0.7, atol=1e-4)


def test_nothing_seen_gives_an_empty_mask():
    assert not refine_mask(np.zeros((30, 40, 3), np.uint8), np.zeros((30, 40)), radius=3).any()


def test_small_pieces_are_dropped_and_large_ones_kept():
    mask = disc(100, 200, (40, 50), 30) | disc(100, 200, (120, 50), 15) | disc(100, 200, (180, 50), 3)
    kept = drop_small_pieces(mask, 0.05)
    assert kept[50, 40] and kept[50, 120] and not kept[50, 180]


def test_warp_puts_crop_pixels_where_the_map_says():
    probability = np.zeros((8, 8))
    probability[2, 3] = 1.0
    warped = warp_probability(probability, np.array([[2.0, 0, 10], [0, 2.0, 20]]), width=60, height=50)
    assert np.unravel_index(warped.argmax(), warped.shape) == (24, 16)
    assert warped[:18].max() == 0
