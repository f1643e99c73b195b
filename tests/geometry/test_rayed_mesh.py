"""The sign along a ray is the sign by the winding number of the whole surface."""

import numpy as np

from hsimul3r.geometry.mesh import convex_part, union
from hsimul3r.geometry.sdf import RayedMesh, WatertightMesh


def test_signs_and_distances_are_those_of_the_watertight_mesh():
    rng = np.random.default_rng(0)
    corners = np.array([[x, y, z] for x in (-0.3, 0.3) for y in (-0.2, 0.2) for z in (0.0, 0.1)])
    vertices, faces = union([convex_part(corners), convex_part(corners[:, [2, 1, 0]] + [0.05, 0, 0.2])])
    points = np.concatenate([rng.uniform(-0.6, 0.6, (800, 3)), np.zeros((1, 3)), vertices + 1e-4])
    by_ray, by_winding = (solid(vertices, faces).query(points) for solid in (RayedMesh, WatertightMesh))
    np.testing.assert_allclose(by_ray.distance, by_winding.distance, atol=1e-12)
    assert (by_ray.distance < 0).any() and (by_ray.distance > 0).any()
