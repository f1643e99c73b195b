import numpy as np
import pytest

from hsimul3r.errors import BadMesh
from hsimul3r.geometry.mesh import convex_part, is_watertight, require_watertight, sample_surface, solid, union

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)


def test_convex_part_has_outward_normals_and_drops_inner_points():
    part = convex_part(np.vstack([CORNERS, [[0.5, 0.5, 0.5]]]))
    assert len(part.vertices) == 8
    assert solid(part.vertices, part.faces).volume_m3 == pytest.approx(1.0)


def test_flat_points_are_refused():
    with pytest.raises(BadMesh, match="flat"):
        convex_part(CORNERS * [1, 1, 0])


def test_union_of_overlapping_boxes_is_watertight_with_the_right_volume():
    vertices, faces = union([convex_part(CORNERS), convex_part(CORNERS + np.array([0.5, 0.2, 0.3]))])
    assert is_watertight(faces)
    assert solid(vertices, faces).volume_m3 == pytest.approx(2 - 0.5 * 0.8 * 0.7)


def test_union_of_boxes_that_share_a_face_is_one_box():
    vertices, faces = union([convex_part(CORNERS), convex_part(CORNERS + np.array([1.0, 0, 0]))])
    mass = solid(vertices, faces)
    assert mass.volume_m3 == pytest.approx(2.0)
    np.testing.assert_allclose(mass.centroid, [1.0, 0.5, 0.5], atol=1e-9)


def test_inertia_of_a_box_is_the_closed_form():
    size = np.array([0.4, 0.6, 1.1])
    part = convex_part(CORNERS * size + [3.0, -2.0, 0.5])
    mass = solid(part.vertices, part.faces)
    square = size**2
    expected = size.prod() / 12 * np.diag(square.sum() - square)
    np.testing.assert_allclose(mass.inertia, expected, atol=1e-9)
    np.testing.assert_allclose(mass.centroid, [3.2, -1.7, 1.05], atol=1e-9)


def test_an_open_or_inverted_mesh_is_refused():
    part = convex_part(CORNERS)
    with pytest.raises(BadMesh, match="not watertight"):
        require_watertight("box", part.vertices, part.faces[1:])
    with pytest.raises(BadMesh, match="inside out"):
        require_watertight("box", part.vertices, part.faces[:, ::-1])
    with pytest.raises(BadMesh, match="not finite"):
        require_watertight("box", part.vertices * np.nan, part.faces)


def test_surface_samples_lie_evenly_on_the_surface():
    part = convex_part(CORNERS)
    points = sample_surface(part.vertices, part.faces, 12_000, np.random.default_rng(0))
    distance = np.minimum(points, 1 - points).min(axis=1)
    assert np.abs(distance).max() < 1e-12
    top = (points[:, 2] > 1 - 1e-12).mean()
    assert top == pytest.approx(1 / 6, abs=0.015)
