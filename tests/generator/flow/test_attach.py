import numpy as np
import pytest

from hsimul3r.generator.flow.attach import AttachConfig, attach, convex_gap
from hsimul3r.generator.flow.primitives import SIGNS, Primitive, bounds, convex_parts
from hsimul3r.geometry.mesh import manifold_of, union
from hsimul3r.geometry.rotations import matrix_from_axis_angle


def box(role, centre, half):
    return Primitive(role=role, kind="box", centre=np.array(centre, float), half=np.array(half, float), R=np.eye(3))


def table(gap=0.0, sideways=0.0):
    """A top and four legs that end `gap` below it."""
    legs = [box("leg", (x + sideways, y, 0.3 - gap / 2), (0.03, 0.03, 0.3 - gap / 2)) for x in (-0.4, 0.4) for y in (-0.3, 0.3)]
    return [box("top", (0, 0, 0.62), (0.5, 0.4, 0.02)), *legs]


def bodies(primitives):
    vertices, faces = union(convex_parts(primitives))
    return len(manifold_of(vertices, faces, "object").decompose())


@pytest.mark.parametrize(
    ("shift", "distance"), [((3, 0, 0), 1.0), ((3, 4, 0), np.hypot(1, 2)), ((3, 3, 3), np.sqrt(3)), ((1.5, 0, 0), 0.0)]
)
def test_gap_of_two_cubes(shift, distance):
    gap = convex_gap(SIGNS, SIGNS + shift)
    assert gap.distance == pytest.approx(distance, abs=1e-5)
    assert np.linalg.norm(gap.first - gap.second) == pytest.approx(distance, abs=1e-5)


def test_gap_of_an_edge_and_an_edge():
    """Two bars that cross at a height of 5 cm above each other."""
    bar = SIGNS * (1.0, 0.01, 0.01) @ matrix_from_axis_angle(np.array([np.pi / 4, 0, 0])).T
    other = bar @ matrix_from_axis_angle(np.array([0, 0, np.pi / 2])).T + (0, 0, 0.05 + 2 * 0.01 * np.sqrt(2))
    gap = convex_gap(bar, other)
    assert gap.distance == pytest.approx(0.05, abs=1e-6)
    assert np.allclose(gap.first[:2], 0, atol=1e-6)


def test_legs_grow_up_to_the_top_and_keep_their_feet():
    done = attach(table(gap=0.03))
    assert (done.pieces_before, done.pieces, done.moved) == (5, 1, 4)
    assert done.farthest_m == pytest.approx(0.03, abs=1e-6)
    assert bodies(done.primitives) == 1
    assert bounds(done.primitives)[0][2] == pytest.approx(0.0, abs=1e-9)
    assert done.primitives[1].half[2] == pytest.approx((0.6 + 0.004) / 2, abs=1e-6)


def test_parts_beyond_reach_are_left_and_counted():
    parts = [*table(gap=0.03), box("slat", (0, 0, 1.0), (0.2, 0.01, 0.01))]
    done = attach(parts, AttachConfig(reach_m=0.05))
    assert done.pieces == 2
    assert done.primitives[-1] is parts[-1]
    assert bodies(done.primitives) == 2


def test_switched_off_it_changes_nothing():
    parts = table(gap=0.03)
    done = attach(parts, AttachConfig(reach_m=0.0))
    assert done.primitives == tuple(parts)
    assert (done.pieces_before, done.pieces, done.moved) == (5, 5, 0)


def test_a_whole_object_is_left_alone():
    parts = table()
    done = attach(parts)
    assert done.primitives == tuple(parts)
    assert (done.pieces_before, done.pieces, done.moved, done.farthest_m) == (1, 1, 0, 0.0)


def test_a_loose_group_moves_as_one():
    """A back on two posts hovers behind the seat."""
    seat = box("seat", (0, 0, 0.45), (0.25, 0.25, 0.03))
    loose = [
        box("back", (0, 0.29, 0.8), (0.2, 0.01, 0.1)),
        *(box("post", (x, 0.29, 0.6), (0.01, 0.01, 0.2)) for x in (-0.15, 0.15)),
    ]
    done = attach([seat, *loose])
    assert (done.pieces_before, done.pieces) == (2, 1)
    steps = [after.centre - before.centre for after, before in zip(done.primitives[1:], loose)]
    assert np.allclose(steps, [0, -0.034, 0], atol=1e-6)
    assert bodies(done.primitives) == 1


def test_a_bar_that_lengthening_does_not_bring_is_moved_too():
    """A leg ends below and beside the corner of the top."""
    parts = [box("top", (0, 0, 0.62), (0.5, 0.4, 0.02)), box("leg", (0.535, 0, 0.28), (0.02, 0.02, 0.28))]
    done = attach(parts)
    assert (done.pieces_before, done.pieces) == (2, 1)
    assert bodies(done.primitives) == 1
