import numpy as np
import pytest

from hsimul3r.benchmark.objects.catalogue import CATALOGUE, build_furniture
from hsimul3r.benchmark.objects.pieces import cushion, rounded_box, tapered_bar
from hsimul3r.conventions import OBJECT_CATEGORIES
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


@pytest.mark.parametrize("name", CATALOGUE)
def test_furniture_is_one_watertight_piece_in_its_own_frame(name):
    import trimesh

    furniture = build_furniture(name)
    vertices, faces = union([piece.shape for piece in furniture.pieces])
    assert is_watertight(faces)
    assert trimesh.Trimesh(vertices, faces, process=False).body_count == 1
    assert furniture.category in OBJECT_CATEGORIES
    np.testing.assert_allclose((vertices.min(0) + vertices.max(0))[:2], 0.0, atol=1e-9)
    assert vertices[:, 2].min() == pytest.approx(0.0)


@pytest.mark.parametrize("name", CATALOGUE)
def test_support_is_where_furniture_says(name):
    """Just above the support height there is nothing in the middle of the seat or top, just below there is wood or cloth."""
    furniture = build_furniture(name)
    surface = ConvexUnion([piece.shape for piece in furniture.pieces])
    spot = {"two_seat_sofa": (0.3, -0.15)}.get(name, (0.0, -0.05))
    probes = np.array([[*spot, furniture.support_height_m + offset] for offset in (0.008, -0.008)])
    above, below = surface.query(probes).distance
    assert above > 0 > below
