import numpy as np
import pytest

from hsimul3r.conventions import GRAVITY
from hsimul3r.generator.feedback.support import support_margin
from hsimul3r.geometry.mesh import convex_part, union


def boxes(*middles_and_halves):
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    return union([convex_part(np.array(middle) + signs * half, "part") for middle, half in middles_and_halves], "boxes")


CUBE = boxes(((0.0, 0.0, 0.5), (0.5, 0.3, 0.5)))


def margin(surface, points=(), load_n=0.0, density=100.0):
    return support_margin(*surface, density_kg_m3=density, points=np.array(points).reshape(-1, 3), load_n=load_n)


def test_of_a_block_the_margin_is_half_its_narrow_side():
    assert margin(CUBE) == pytest.approx(0.3, abs=1e-6)


def test_a_load_draws_the_resultant_towards_itself():
    weight = GRAVITY * 100.0 * 1.0 * 0.6 * 1.0
    point = (0.0, 0.5, 1.0)
    expected = 0.3 - 0.5 * 500.0 / (weight + 500.0)
    assert margin(CUBE, [(0.0, 0.0, 1.0), point], 500.0) == pytest.approx(expected, abs=1e-6)


def test_what_stands_on_a_foot_beside_its_weight_falls():
    one_foot = boxes(((0.0, 0.0, 0.9), (0.5, 0.5, 0.1)), ((0.4, 0.0, 0.4), (0.1, 0.1, 0.4)))
    share = 0.2 * 0.2 * 0.8 / (0.2 * 0.2 * 0.8 + 0.2)
    assert margin(one_foot) == pytest.approx(0.4 * share - 0.3, abs=1e-3)


def test_a_leg_that_is_a_little_short_is_a_foot_all_the_same():
    legs = [((x, y, 0.4 + short / 2), (0.02, 0.02, 0.4 - short / 2)) for x, y, short in
            ((-0.3, -0.3, 0.0), (0.3, -0.3, 0.01), (0.3, 0.3, 0.0), (-0.3, 0.3, 0.0))]  # fmt: skip
    table = boxes(((0.0, 0.0, 0.82), (0.4, 0.4, 0.02)), *legs)
    assert margin(table) > 0.25
