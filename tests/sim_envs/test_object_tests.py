import numpy as np
import pytest

from hsimul3r.conventions import GRAVITY
from hsimul3r.geometry.mesh import convex_part, union
from sim_envs.object_tests import ObjectBench, ObjectTests, body_of, load_points, touching_corners

CFG = ObjectTests()
SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


def box(centre, half):
    return convex_part(np.array(centre) + SIGNS * np.array(half))


def bench(*boxes, density=500.0):
    body = body_of(*union([box(*one) for one in boxes]), density_kg_m3=density, friction=0.8)
    return ObjectBench(body, CFG), body


def stool(column, top=0.3):
    """A square top on a square column."""
    return ((0, 0, 0.2), (column, column, 0.2)), ((0, 0, 0.41), (top, top, 0.02))


def test_mass_and_centre_are_those_of_the_solid():
    _, body = bench(((0.1, 0, 0.5), (0.2, 0.1, 0.3)), density=1000.0)
    assert body.mass_kg == pytest.approx(1000 * 8 * 0.2 * 0.1 * 0.3)
    assert np.allclose(body.centre, (0.1, 0, 0.3))
    assert body.inertia[0, 0] == pytest.approx(body.mass_kg / 3 * (0.1**2 + 0.3**2))


@pytest.mark.parametrize(("overhang", "stands"), [(0.15, True), (0.25, False)])
def test_an_object_stands_where_its_weight_is_over_its_foot(overhang, stands):
    """A foot of half length .1 and equal height, and a beam of the same section on it: the centre is at overhang / 2."""
    one, _ = bench(((0, 0, 0.1), (0.1, 0.1, 0.1)), ((overhang, 0, 0.3), (0.1, 0.1, 0.1)))
    stood = one.stand()
    assert (stood.tilt_deg < 1.0) == stands
    assert (stood.tilt_deg > CFG.tilt_deg) == (not stands)


@pytest.mark.parametrize("excess", [-0.06, 0.06])
def test_a_load_tips_where_its_lever_outweighs_the_object(excess):
    """Tips about the column's edge b: F (.6 a - b) > m g b."""
    a, column = 0.3, 0.1
    _, body = bench(*stool(column, a), density=1.0)
    balanced = CFG.payload_n * (CFG.spread * a - column) / (GRAVITY * column) / body.mass_kg
    one, _ = bench(*stool(column, a), density=balanced / (1 + excess))
    one.stand()
    found = one.bear(load_points(np.array([-a, -a, 0.39]), np.array([a, a, 0.43]), CFG))
    assert found[0].tilt_deg < 1.0
    assert (found[-1].tilt_deg > CFG.tilt_deg) == (excess > 0)
    assert len(found) == (2 if excess > 0 else 5)


def test_a_table_bears_until_a_leg_is_gone():
    legs = [((x, y, 0.35), (0.03, 0.03, 0.35)) for x in (-0.5, 0.5) for y in (-0.3, 0.3)]
    top = ((0, 0, 0.72), (0.55, 0.35, 0.02))
    points = load_points(np.array([-0.55, -0.35, 0.7]), np.array([0.55, 0.35, 0.74]), CFG)
    whole, _ = bench(top, *legs)
    assert whole.stand().tilt_deg < 0.1
    assert max(one.tilt_deg for one in whole.bear(points)) < 1.0
    broken, _ = bench(top, *legs[1:])
    broken.stand()
    assert broken.bear(points)[-1].tilt_deg > CFG.tilt_deg


def test_load_points_lie_on_the_upper_side():
    points = load_points(np.array([0.0, 0.0, 0.4]), np.array([1.0, 2.0, 0.5]), CFG)
    assert np.allclose(points, [[0.5, 1, 0.5], [0.2, 1, 0.5], [0.8, 1, 0.5], [0.5, 0.4, 0.5], [0.5, 1.6, 0.5]])


def test_only_corners_that_may_touch_are_kept():
    legs = np.array([[x, y, 0.0] for x in (-1, 1) for y in (-1, 1)], float)
    high = np.array([[0, 0, 5.0], [0.5, 0, 4.0]])
    assert len(touching_corners(np.concatenate([legs, high]), 45.0)) == 4


def test_the_same_object_ends_the_same():
    one, _ = bench(*stool(0.2))
    first = one.stand()
    assert one.stand() == first
