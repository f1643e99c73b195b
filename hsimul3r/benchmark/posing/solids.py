"""Furniture of the catalogue as solids to pose against; built once each."""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.benchmark.objects.catalogue import build_furniture
from hsimul3r.benchmark.posing.check import surface_of
from hsimul3r.benchmark.scene import StagedObject
from hsimul3r.geometry.sdf import SignedDistanceField, SignedDistances

EDGE_STEP_M = 0.004


@dataclass(frozen=True, kw_only=True)
class Solid:
    """An object where it stands: `T_world_object` and the box (low, high) in its own frame."""

    field: SignedDistanceField
    T_world_object: Float[ndarray, "4 4"]
    low: Float[ndarray, "3"]
    high: Float[ndarray, "3"]

    def query(self, points: Float[ndarray, "points 3"]) -> SignedDistances:
        """Signed distances of points of the world."""
        R, t = self.T_world_object[:3, :3], self.T_world_object[:3, 3]
        own = self.field.query((points - t) @ R)
        return SignedDistances(distance=own.distance, gradient=own.gradient @ R.T, closest=own.closest @ R.T + t)

    def near(self, points: Float[ndarray, "points 3"]) -> Int[ndarray, "near"]:
        """Which points may be inside."""
        own = (points - self.T_world_object[:3, 3]) @ self.T_world_object[:3, :3]
        return np.flatnonzero(((own > self.low) & (own < self.high)).all(axis=1))


def solid_of(name: str, T_world_object: Float[ndarray, "4 4"]) -> Solid:
    """A piece of the catalogue where it stands."""
    field, low, high = _field(name)
    return Solid(field=field, T_world_object=T_world_object, low=low, high=high)


def edge_y(name: str, *, x: float, z: float, side: float) -> float:
    """Where the solid begins, coming from +Y (side 1) or -Y (side -1) at (x, z) of its own frame; nan where there is none."""
    field, low, high = _field(name)
    start, stop = (high[1], low[1]) if side > 0 else (low[1], high[1])
    y = np.arange(start, stop, np.sign(stop - start) * EDGE_STEP_M)
    inside = field.query(np.column_stack([np.full_like(y, x), y, np.full_like(y, z)])).distance <= 0
    return float(y[inside.argmax()]) if inside.any() else float("nan")


@functools.cache
def _field(name: str) -> tuple[SignedDistanceField, Float[ndarray, "3"], Float[ndarray, "3"]]:
    """Signed distance and box."""
    furniture = build_furniture(name)
    points = np.concatenate([piece.shape.vertices for piece in furniture.pieces])
    solid = surface_of(StagedObject(name=name, furniture=furniture, T_world_object=np.eye(4)[None]))
    return solid, points.min(axis=0), points.max(axis=0)
