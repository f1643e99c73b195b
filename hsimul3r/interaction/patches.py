"""The surface that a body part rests on: the exposed faces of an object that look one way, or the floor."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.geometry.mesh import sample_surface

FACING_COSINE = 0.7
LEVEL_M = 0.06
"""Faces whose middles differ less than this along the direction belong to one seat or top."""
SAMPLE_AREA_M2 = 4e-4


@dataclass(frozen=True, kw_only=True)
class PatchQuery:
    """For each point: is it over the patch, how far before (+) or behind (-) it, the face's normal, and the point on it."""

    is_over: Bool[ndarray, "points"]
    distance: Float[ndarray, "points"]
    normal: Float[ndarray, "points 3"]
    foot: Float[ndarray, "points 3"]


class Patch(Protocol):
    """A surface to touch, in the frame of its object."""

    def query(self, points: Float[ndarray, "points 3"]) -> PatchQuery: ...
    def samples_near(self, points: Float[ndarray, "points 3"]) -> Float[ndarray, "samples 3"]: ...


@dataclass(frozen=True)
class FloorPatch:
    """The floor z = 0."""

    def query(self, points: Float[ndarray, "points 3"]) -> PatchQuery:
        up = np.tile(np.array([0.0, 0.0, 1.0]), (len(points), 1))
        return PatchQuery(
            is_over=np.ones(len(points), bool), distance=points[:, 2], normal=up, foot=points * np.array([1.0, 1.0, 0.0])
        )

    def samples_near(self, points: Float[ndarray, "points 3"]) -> Float[ndarray, "samples 3"]:
        """The points' feet on the floor."""
        return points * np.array([1.0, 1.0, 0.0])


@dataclass(frozen=True, kw_only=True)
class FacePatch:
    """Triangles of an object's surface that look along `direction`, and evenly spread points on them.

    Distances are those of the half-space behind each face, so that a part sunk through a thin seat is still below its top: the
    nearest way out of the solid may be its underside.
    """

    triangles: Float[ndarray, "faces 3 3"]
    direction: Float[ndarray, "3"]
    samples: Float[ndarray, "samples 3"]
    reach_m: float
    depth_m: float

    def query(self, points: Float[ndarray, "points 3"]) -> PatchQuery:
        """Of the faces that a point is over, the nearest between `reach_m` before it and `depth_m` behind it counts."""
        normals = _unit_normals(self.triangles)
        along = np.einsum("pfk,fk->pf", points[:, None] - self.triangles[None, :, 0], normals)
        covers = _projects_inside(points, self.triangles, self.direction)
        covers &= (along < self.reach_m) & (along > -self.depth_m)
        face = np.where(covers, np.abs(along), np.inf).argmin(axis=1)
        distance = along[np.arange(len(points)), face]
        normal = normals[face]
        return PatchQuery(
            is_over=covers.any(axis=1), distance=distance, normal=normal, foot=points - distance[:, None] * normal
        )

    def samples_near(self, points: Float[ndarray, "points 3"]) -> Float[ndarray, "samples 3"]:
        """Samples closer than 3 cm to the points' shadow on the patch; where there are few, the 50 nearest."""
        across = np.eye(3) - np.outer(self.direction, self.direction)
        gap = np.linalg.norm(((self.samples[:, None] - points[None]) @ across), axis=2).min(axis=1)
        near = gap < 0.03
        return self.samples[near] if near.sum() >= 50 else self.samples[np.argsort(gap, kind="stable")[:50]]


def face_patch(
    vertices: Float[ndarray, "vertices 3"],
    faces: Int[ndarray, "faces 3"],
    points: Float[ndarray, "points 3"],
    *,
    direction: Float[ndarray, "3"],
    reach_m: float,
    depth_m: float,
    near_m: float,
    seed: int,
) -> FacePatch | None:
    """The seat, top or backrest of a mesh for a part's `points`: of the faces that look along `direction`, those on the level
    that most of the points are over, or, where they are over none, the level nearest to them within `near_m`; else None."""
    triangles = vertices[faces]
    triangles = triangles[_unit_normals(triangles) @ direction > FACING_COSINE]
    if len(triangles) == 0:
        return None
    whole = FacePatch(triangles=triangles, direction=direction, samples=np.empty((0, 3)), reach_m=reach_m, depth_m=depth_m)
    level = _busiest_level(whole, points)
    if level is None:
        samples = _spread(triangles, seed)
        gap = np.linalg.norm(samples[:, None] - points[None], axis=2)
        if gap.min() > near_m:
            return None
        level = float(samples[gap.min(axis=1).argmin()] @ direction)
    chosen = triangles[np.abs(triangles.mean(axis=1) @ direction - level) < LEVEL_M]
    if len(chosen) == 0:
        return None
    return FacePatch(triangles=chosen, direction=direction, samples=_spread(chosen, seed), reach_m=reach_m, depth_m=depth_m)


def _busiest_level(patch: FacePatch, points: Float[ndarray, "points 3"]) -> float | None:
    query = patch.query(points)
    if not query.is_over.any():
        return None
    levels = query.foot[query.is_over] @ patch.direction
    return float(levels[(np.abs(levels[:, None] - levels[None]) < LEVEL_M / 2).sum(axis=1).argmax()])


def _spread(triangles: Float[ndarray, "faces 3 3"], seed: int) -> Float[ndarray, "samples 3"]:
    area = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1).sum() / 2
    count = int(np.clip(area / SAMPLE_AREA_M2, 200, 6000))
    faces = np.arange(3 * len(triangles)).reshape(-1, 3)
    return sample_surface(triangles.reshape(-1, 3), faces, count, np.random.default_rng(seed))


def _unit_normals(triangles: Float[ndarray, "faces 3 3"]) -> Float[ndarray, "faces 3"]:
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)


def _projects_inside(
    points: Float[ndarray, "points 3"], triangles: Float[ndarray, "faces 3 3"], direction: Float[ndarray, "3"]
) -> Bool[ndarray, "points faces"]:
    inside = np.ones((len(points), len(triangles)), bool)
    for k in range(3):
        start, end = triangles[:, k], triangles[:, (k + 1) % 3]
        outward = np.cross(end - start, direction)
        inside &= np.einsum("pfk,fk->pf", points[:, None] - start[None], outward) <= 1e-12
    return inside
