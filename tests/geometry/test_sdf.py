import time

import numpy as np
import pytest
import trimesh

from hsimul3r.artifacts import ConvexPart
from hsimul3r.errors import BadMesh, NotFinite
from hsimul3r.geometry.sdf import ConvexUnion, HalfSpaceBelow, Moved, WatertightMesh


def box(size, centre=(0, 0, 0)):
    mesh = trimesh.creation.box(extents=size)
    return ConvexPart(vertices=np.array(mesh.vertices) + np.array(centre), faces=np.array(mesh.faces))


def watertight(part):
    return WatertightMesh(part.vertices, part.faces)


def box_sdf(points, size, centre=(0, 0, 0)):
    q = np.abs(points - np.array(centre)) - np.array(size) / 2
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(axis=1), 0)


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-1, 1, (2000, 3))


@pytest.mark.parametrize("solid", ["union", "mesh"])
def test_box_has_closed_form_distance(points, solid):
    part = box((0.6, 0.4, 0.9))
    query = (ConvexUnion([part]) if solid == "union" else watertight(part)).query(points)
    np.testing.assert_allclose(query.distance, box_sdf(points, (0.6, 0.4, 0.9)), atol=1e-12)


def test_overlapping_parts_measure_depth_to_the_union_surface():
    """At the centre of two crossing slabs the nearest surface of a single part is inside the other."""
    wide, tall = (1.0, 1.0, 0.2), (0.2, 1.0, 1.0)
    query = ConvexUnion([box(wide), box(tall)]).query(np.array([[0.0, 0.0, 0.0], [0.3, 0.0, 0.05], [0.3, 0, 0.3]]))
    np.testing.assert_allclose(query.distance, [-np.hypot(0.1, 0.1), -0.05, 0.2], atol=1e-9)


def test_sphere_mesh_distance_matches_radius(points):
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    query = WatertightMesh(np.array(sphere.vertices), np.array(sphere.faces)).query(points)
    np.testing.assert_allclose(query.distance, np.linalg.norm(points, axis=1) - 0.5, atol=6e-3)


def test_winding_sign_holds_in_a_hollow_shape(points):
    """A torus' hole is outside though inside its convex hull."""
    torus = trimesh.creation.torus(major_radius=0.6, minor_radius=0.2)
    query = WatertightMesh(np.array(torus.vertices), np.array(torus.faces)).query(points)
    exact = np.hypot(np.hypot(points[:, 0], points[:, 1]) - 0.6, points[:, 2]) - 0.2
    np.testing.assert_allclose(query.distance, exact, atol=0.01)


@pytest.mark.parametrize("make", [lambda: ConvexUnion([box((0.5, 0.5, 0.1)), box((0.1, 0.1, 0.8))]),
                                  lambda: watertight(box((0.5, 0.7, 0.4))), lambda: HalfSpaceBelow(0.1)])  # fmt: skip
def test_gradient_matches_finite_differences(points, make):
    solid, step = make(), 1e-6
    query = solid.query(points)
    shifts = step * np.eye(3)
    numeric = np.stack([(solid.query(points + s).distance - solid.query(points - s).distance) / (2 * step) for s in shifts], 1)
    smooth = np.abs(np.linalg.norm(numeric, axis=1) - 1) < 1e-3
    assert smooth.mean() > 0.99
    np.testing.assert_allclose(query.gradient[smooth], numeric[smooth], atol=1e-4)
    np.testing.assert_allclose(query.closest + query.gradient * query.distance[:, None], points, atol=1e-9)


def test_moved_solid_is_queried_in_the_world():
    pose = np.array(trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1]))
    pose[:3, 3] = [2.0, 0, 0]
    query = Moved(ConvexUnion([box((1.0, 0.2, 0.2))]), pose).query(np.array([[2.0, 0.8, 0.0]]))
    np.testing.assert_allclose(query.distance, [0.3], atol=1e-12)
    np.testing.assert_allclose(query.gradient, [[0, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(query.closest, [[2, 0.5, 0]], atol=1e-12)


def test_open_mesh_is_refused():
    part = box((1, 1, 1))
    with pytest.raises(BadMesh, match="'broken' is not watertight"):
        WatertightMesh(part.vertices, part.faces[1:], name="broken")
    with pytest.raises(BadMesh, match="'chair part 0' is not watertight"):
        ConvexUnion([ConvexPart(vertices=part.vertices, faces=part.faces[1:])], name="chair")


def test_inverted_mesh_is_refused():
    part = box((1, 1, 1))
    with pytest.raises(BadMesh, match="inside out"):
        WatertightMesh(part.vertices, part.faces[:, ::-1])


def test_nan_is_refused():
    solid = watertight(box((1, 1, 1)))
    with pytest.raises(NotFinite):
        solid.query(np.array([[0, np.nan, 0]]))


def test_body_sized_query_is_fast():
    rng = np.random.default_rng(0)
    parts = [box((0.3, 0.3, 0.1), rng.uniform(-0.4, 0.4, 3)) for _ in range(20)]
    union, points = ConvexUnion(parts), rng.uniform(-0.6, 0.6, (1229, 3))
    union.query(points)
    start = time.process_time()
    for _ in range(5):
        union.query(points)
    assert (time.process_time() - start) / 5 < 0.02
