"""Closed triangle meshes: convex hulls, watertight unions, volume and inertia in closed form, surface samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import manifold3d
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial import ConvexHull, QhullError

from hsimul3r.artifacts import ConvexPart
from hsimul3r.errors import BadMesh

Surface = tuple[Float[ndarray, "vertices 3"], Int[ndarray, "faces 3"]]
"""Vertices and faces of a mesh."""


@dataclass(frozen=True, kw_only=True)
class Solid:
    """Volume integrals of a closed mesh of unit density."""

    volume_m3: float
    centroid: Float[ndarray, "3"]
    inertia: Float[ndarray, "3 3"]
    """About the centroid, along the frame's axes, per unit density [m^5]."""


def convex_part(points: Float[ndarray, "points 3"], name: str = "part") -> ConvexPart:
    """Convex hull of `points` with outward normals; points inside are left out."""
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError) as error:
        raise BadMesh(name, "is flat: its points span no volume") from error
    index = np.full(len(points), -1, np.int64)
    index[hull.vertices] = np.arange(len(hull.vertices))
    faces = index[hull.simplices]
    vertices = np.asarray(points, float)[hull.vertices]
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    is_inward = np.einsum("fk,fk->f", normal, hull.equations[:, :3]) < 0.0
    faces[is_inward] = faces[is_inward][:, ::-1]
    return ConvexPart(vertices=vertices, faces=faces.astype(np.int32))


def union(parts: Sequence[ConvexPart], name: str = "object") -> Surface:
    """Watertight surface of the union of convex parts.

    Raises `BadMesh` where nothing is left or the result is not closed.
    """
    solids = [manifold_of(part.vertices, part.faces, f"{name} part {i}") for i, part in enumerate(parts)]
    if not solids:
        raise BadMesh(name, "has no parts")
    return surface_of(manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add), name)


def surface_of(made: manifold3d.Manifold, name: str) -> Surface:
    """Watertight surface of a solid; vertices that no face uses are left out. Raises `BadMesh`."""
    mesh = made.to_mesh64()
    used, inverse = np.unique(np.asarray(mesh.tri_verts, np.int64), return_inverse=True)
    vertices = np.asarray(mesh.vert_properties, float)[used, :3]
    faces = inverse.reshape(-1, 3).astype(np.int32)
    require_watertight(name, vertices, faces)
    return vertices, faces


def is_watertight(faces: Int[ndarray, "faces 3"]) -> bool:
    """True where every edge is used once in each direction: closed and consistently oriented."""
    if len(faces) == 0:
        return False
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    if (edges[:, 0] == edges[:, 1]).any():
        return False
    size = int(edges.max()) + 1
    forward, uses = np.unique(edges[:, 0] * size + edges[:, 1], return_counts=True)
    backward = np.unique(edges[:, 1] * size + edges[:, 0])
    return bool((uses == 1).all()) and np.array_equal(forward, backward)


def require_watertight(name: str, vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"]) -> None:
    """Raise `BadMesh` unless the mesh is finite, closed, consistently oriented and has a positive volume."""
    if not np.isfinite(vertices).all():
        raise BadMesh(name, "has vertices that are not finite")
    if not is_watertight(faces):
        raise BadMesh(name, "is not watertight")
    if solid(vertices, faces).volume_m3 <= 0.0:
        raise BadMesh(name, "has its normals inside out")


def solid(vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"]) -> Solid:
    """Volume, centroid and inertia of a closed mesh as sums over the tetrahedra (origin, face).

    With a tetrahedron's signed volume V and corners a, b, c beside the origin, its second moment is
    V/20 (s s^T + a a^T + b b^T + c c^T), s = a + b + c.
    """
    corner = vertices[faces].astype(float)
    signed = np.einsum("fk,fk->f", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) / 6.0
    volume = float(signed.sum())
    total = corner.sum(axis=1)
    safe = volume if volume != 0.0 else np.inf
    centroid = np.einsum("f,fk->k", signed, total) / (4.0 * safe)
    second = np.einsum("f,fi,fj->ij", signed, total, total) + np.einsum("f,fci,fcj->ij", signed, corner, corner)
    second = second / 20.0 - volume * np.outer(centroid, centroid)
    return Solid(volume_m3=volume, centroid=centroid, inertia=np.trace(second) * np.eye(3) - second)


def combined(parts: Sequence[ConvexPart]) -> Solid:
    """Several solids as one rigid body of unit density; where they overlap, both count."""
    solids = [solid(part.vertices, part.faces) for part in parts]
    volume = sum(one.volume_m3 for one in solids)
    centroid = sum((one.volume_m3 / volume * one.centroid for one in solids), np.zeros(3))
    inertia = np.zeros((3, 3))
    for one in solids:
        away = one.centroid - centroid
        inertia += one.inertia + one.volume_m3 * (away @ away * np.eye(3) - np.outer(away, away))
    return Solid(volume_m3=volume, centroid=centroid, inertia=inertia)


def box_of(part: ConvexPart) -> tuple[Float[ndarray, "3"], Float[ndarray, "3 3"], Float[ndarray, "3"]] | None:
    """(centre, rotation, half sizes) where a part is a box, else None. A box collides faster than the same box as a mesh."""
    corners = part.vertices
    if len(corners) != 8:
        return None
    centre = corners.mean(axis=0)
    edges = corners[1:] - corners[0]
    order = np.argsort(np.linalg.norm(edges, axis=1))
    first = edges[order[0]]
    tolerance = 1e-6 * np.linalg.norm(edges[order[-1]]) ** 2
    square = [edges[i] for i in order[1:] if abs(edges[i] @ first) < tolerance]
    if len(square) < 2:
        return None
    second = square[0]
    third = next((edge for edge in square[1:] if abs(edge @ second) < tolerance), None)
    if third is None:
        return None
    sides = np.stack([first, second, third])
    size = np.linalg.norm(sides, axis=1)
    R = (sides / size[:, None]).T
    R[:, 2] *= np.sign(np.linalg.det(R))
    local = np.abs((corners - centre) @ R)
    return (centre, R, size / 2) if np.allclose(local, size / 2, atol=1e-6 * size.max()) else None


def sample_surface(
    vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], count: int, rng: np.random.Generator
) -> Float[ndarray, "count 3"]:
    """Points spread evenly over the surface."""
    corner = vertices[faces]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    face = rng.choice(len(faces), size=count, p=area / area.sum())
    a, b = np.sqrt(rng.random(count)), rng.random(count)
    weight = np.stack([1.0 - a, a * (1.0 - b), a * b], axis=1)
    return np.einsum("nc,nck->nk", weight, corner[face])


def vertex_normals(vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"]) -> Float[ndarray, "vertices 3"]:
    """Area-weighted unit normals of a mesh."""
    corner = vertices[faces]
    of_face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, faces[:, k], of_face)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def manifold_of(vertices: ndarray, faces: ndarray, name: str) -> manifold3d.Manifold:
    """A closed mesh as a solid for boolean operations. Raises `BadMesh`."""
    mesh = manifold3d.Mesh64(np.array(vertices, np.float64), np.array(faces, np.uint64))
    made = manifold3d.Manifold(mesh)
    if made.status() != manifold3d.Error.NoError or made.volume() <= 0.0:
        raise BadMesh(name, f"is not a closed solid ({made.status().name})")
    return made
