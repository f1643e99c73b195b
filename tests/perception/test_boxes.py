from itertools import pairwise

import numpy as np
import pytest

from hsimul3r.perception.boxes import Window, cut_window, intersection_over_union, is_cut_by, square_windows


@pytest.mark.parametrize(("width", "height", "side"), [(1280, 720, 768), (720, 1280, 432), (640, 480, 640), (300, 301, 100)])
def test_windows_cover_the_picture_and_overlap(width, height, side):
    covered = np.zeros((height, width), bool)
    windows = square_windows(width, height, side=side)
    for w in windows:
        covered[max(0, w.y) : w.y + side, max(0, w.x) : w.x + side] = True
    assert covered.all()
    columns = sorted({w.x for w in windows})
    assert all(b - a <= 0.66 * side + 1 for a, b in pairwise(columns))


def test_a_window_as_large_as_the_picture_is_alone_and_centred():
    assert square_windows(100, 60, side=100) == (Window(x=0, y=-20, side=100),)


def test_cut_window_is_black_beyond_the_picture_and_keeps_places():
    image = np.full((60, 100, 3), 200, np.uint8)
    image[30, 50] = 0
    cut = cut_window(image, Window(x=0, y=-20, side=100), size=100)
    assert (cut[:20] == 0).all() and (cut[80:] == 0).all()
    assert (cut[50, 50] == 0).all() and (cut[50, 51] == 200).all()


def test_a_box_at_an_inner_border_is_cut_and_at_the_pictures_border_is_not():
    window = Window(x=0, y=0, side=100)
    assert is_cut_by(window, np.array([50, 10, 99.5, 60]), width=200, height=100)
    assert not is_cut_by(window, np.array([0, 0, 60, 100]), width=200, height=100)
    assert not is_cut_by(window, np.array([50, 10, 99.5, 60]), width=100, height=100)


def test_intersection_over_union_of_half_shifted_squares():
    assert intersection_over_union(np.array([0, 0, 2, 2.0]), np.array([1, 0, 3, 2.0])) == pytest.approx(1 / 3)
    assert intersection_over_union(np.array([0, 0, 1, 1.0]), np.array([2, 2, 3, 3.0])) == 0
