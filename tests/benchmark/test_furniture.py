from functools import cache

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from hsimul3r.benchmark.objects.catalogue import CATALOGUE, build_furniture
from hsimul3r.benchmark.objects.pieces import (
    both_sides,
    cushion,
    hull_piece,
    moved,
    ribbon,
    rounded_box,
    shell,
    skins,
    surface,
    tapered_bar,
    tube,
    turned,
    weighing,
)
from hsimul3r.conventions import OBJECT_CATEGORIES
from hsimul3r.errors import UnknownFurniture
from hsimul3r.geometry.mesh import convex_part, is_watertight, solid, union
from hsimul3r.geometry.sdf import ConvexUnion


def test_rounded_box_has_its_size_and_less_than_its_volume():
    points = rounded_box((0.4, 0.3, 0.1), 0.02)
    np.testing.assert_allclose(np.ptp(points, axis=0), (0.4, 0.3, 0.1))
    part = convex_part(points)
    volume = solid(part.vertices, part.faces).volume_m3
    assert 0.4 * 0.3 * 0.1 * 0.9 < volume < 0.4 * 0.3 * 0.1


def test_cushion_bulges_by_its_crown():
    assert cushion((0.5, 0.5, 0.1), 0.02, crown=0.01)[:, 2].max() == pytest.approx(0.06)


def test_square_bar_has_the_sections_it_was_given():
    bar = tapered_bar((0, 0, 0), (0.1, 0, 0.5), (0.04, 0.02), (0.06, 0.03))
    np.testing.assert_allclose(np.ptp(bar[:4, :2], axis=0), (0.04, 0.02))
    np.testing.assert_allclose(np.ptp(bar[4:, :2], axis=0), (0.06, 0.03))
    np.testing.assert_allclose(bar[4:].mean(0), (0.1, 0, 0.5), atol=1e-12)


def test_turned_leg_stands_on_level_sections():
    pieces = turned("leg", "wood", (0.1, 0, 0), (0, 0, 0.4), ((0, 0.01), (0.5, 0.02), (1, 0.015)))
    vertices = np.concatenate([piece.shape.vertices for piece in pieces])
    assert len(pieces) == 2
    assert vertices[:, 2].min() == pytest.approx(0.0) and (vertices[:, 2] == 0).sum() == 10


def test_tube_of_a_straight_path_is_a_cylinder():
    pieces = tube("rod", "metal", [(0, 0, 0), (0, 0, 0.3), (0, 0, 1)], 0.02, sides=32)
    vertices, faces = union([piece.shape for piece in pieces])
    assert solid(vertices, faces).volume_m3 == pytest.approx(np.pi * 0.02**2, rel=0.01)


def test_ribbon_has_the_width_and_thickness_it_was_given():
    (piece,) = ribbon("slat", "wood", [(0, 0, 0), (1, 0, 0)], across=(0, 0.2, 0), thickness=0.03)
    np.testing.assert_allclose(np.ptp(piece.shape.vertices, axis=0), (1, 0.2, 0.03))


def test_shell_of_a_flat_grid_is_a_plate_below_it():
    grid = np.array([[(x, y, 0.5) for x in (0, 0.1, 0.2)] for y in (0, 0.1, 0.2)], float)
    vertices = np.concatenate([piece.shape.vertices for piece in shell("plate", "wood", grid, 0.02)])
    assert vertices[:, 2].min() == pytest.approx(0.48, abs=2e-4) and vertices[:, 2].max() == pytest.approx(0.5, abs=2e-4)


def test_skins_draw_a_bent_body_as_one_closed_surface():
    rod = tube("rod", "metal", [(0, 0, 0), (0, 0, 0.3), (0.2, 0, 0.5)], 0.02)
    knob = hull_piece("knob", "wood", rounded_box((0.1, 0.1, 0.1), 0.01))
    drawn, same = skins([*rod, knob])
    assert (drawn.name, drawn.material, same) == ("rod", "metal", knob)
    assert is_watertight(drawn.shape.faces)
    parts = [solid(piece.shape.vertices, piece.shape.faces).volume_m3 for piece in rod]
    assert solid(drawn.shape.vertices, drawn.shape.faces).volume_m3 == pytest.approx(sum(parts), rel=0.005)


def test_mirror_images_are_closed_and_the_same_size():
    right, left = both_sides([hull_piece("arm", "wood", moved(rounded_box((0.1, 0.3, 0.1), 0.01), at=(0.4, 0, 0)))])
    volumes = [solid(piece.shape.vertices, piece.shape.faces).volume_m3 for piece in (right, left)]
    assert volumes[0] == pytest.approx(volumes[1]) and volumes[1] > 0
    assert (right.name, left.name) == ("arm_right", "arm_left") and left.shape.vertices[:, 0].max() < 0


def test_weighing_gives_the_mass():
    cube = hull_piece("cube", "wood", rounded_box((0.2, 0.2, 0.2), 0.01))
    furniture = weighing(3.0, name="cube", category="box", pieces=[cube], surfaces=(), support_height_m=0.1)
    assert furniture.density_kg_m3 * solid(cube.shape.vertices, cube.shape.faces).volume_m3 == pytest.approx(3.0)


def test_surface_pitch_turns_a_seat_into_a_back():
    back = surface("back", "back", at=(0, 0, 0), size=(0.4, 0.4), pitch_deg=80)
    assert back.normal[1] < -0.9 and back.normal[2] > 0
    assert np.cross(back.normal, back.across)[2] > 0.9


def test_unknown_furniture_names_the_catalogue():
    with pytest.raises(UnknownFurniture, match="dining_chair"):
        build_furniture("throne")


@cache
def whole(name):
    return union([piece.shape for piece in build_furniture(name).pieces], name)


@pytest.mark.parametrize("name", CATALOGUE)
def test_furniture_is_one_watertight_solid_that_stands(name):
    import trimesh

    vertices, faces = whole(name)
    assert is_watertight(faces)
    assert trimesh.Trimesh(vertices, faces, process=False).body_count == 1
    np.testing.assert_allclose((vertices.min(0) + vertices.max(0))[:2], 0.0, atol=1e-9)
    assert vertices[:, 2].min() == pytest.approx(0.0, abs=1e-6)
    feet = ConvexHull(vertices[vertices[:, 2] < 0.001, :2])
    centre = solid(vertices, faces).centroid[:2]
    assert (feet.equations[:, :2] @ centre + feet.equations[:, 2]).max() < -0.05


@pytest.mark.parametrize("name", CATALOGUE)
def test_furniture_has_the_size_and_mass_of_its_kind(name):
    furniture = build_furniture(name)
    low_kg, high_kg = {"chair": (4, 14), "armchair": (8, 35), "sofa": (20, 75), "stool": (2, 13)}.get(
        furniture.category, (4, 50)
    )
    vertices, faces = whole(name)
    assert low_kg <= solid(vertices, faces).volume_m3 * furniture.density_kg_m3 <= high_kg
    assert 0.3 <= np.ptp(vertices, axis=0).max() <= 2.5
    assert furniture.category in OBJECT_CATEGORIES
    assert {piece.material for piece in furniture.pieces} <= {"wood", "fabric", "leather", "metal", "plastic"}
    seats = [surface.centre[2] for surface in furniture.surfaces if surface.kind == "seat"]
    assert all(0.36 <= height <= 0.76 for height in seats)
    assert bool(seats) == (furniture.category in ("chair", "armchair", "sofa", "bench")) or furniture.category == "stool"


@pytest.mark.parametrize("name", CATALOGUE)
def test_surfaces_lie_on_the_pieces(name):
    """From just above a level surface's middle, straight down, one meets it within 5 mm; backs and rails are near."""
    furniture = build_furniture(name)
    pieces = ConvexUnion([piece.shape for piece in furniture.pieces])
    assert furniture.surfaces
    for place in furniture.surfaces:
        assert abs(place.normal @ place.across) < 1e-12
        if place.kind in ("seat", "bed", "top", "arm", "rung"):
            along = np.cross(place.normal, place.across)
            spread = [(a, b) for a in (-0.3, 0.0, 0.3) for b in (-0.3, 0.0, 0.3)] if place.kind != "bed" else [(0.25, 0.0)]
            spots = [place.centre + a * place.size_m[0] * place.across + b * place.size_m[1] * along for a, b in spread]
            above, below = (pieces.query(np.array(spots) + h * place.normal).distance for h in (0.005, -0.0085))
            assert (above > 0).all() and (below < 0).mean() >= 0.6, place.name
        else:
            assert abs(pieces.query(place.centre[None]).distance[0]) < 0.04, place.name
