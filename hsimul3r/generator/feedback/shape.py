"""What a sampled object looks like beside its stability: a model that makes plinths to stand must be worse in these figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.generator.feedback.images import Truth
from hsimul3r.generator.flow.pictures import Look, look_at
from hsimul3r.generator.registration import centred
from hsimul3r.geometry.masks import iou
from hsimul3r.geometry.mesh import Surface, sample_surface, solid
from hsimul3r.metrics.shape import surface_likeness

POINTS: Final = 1000
TAU: Final = 0.05
"""Threshold of the F-score, of the true object's largest extent."""
SILHOUETTE_PX: Final = 160
FRAME: Final = 1.3
"""Side of a silhouette's picture over the diagonal of the true object's box."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A closed object on the floor, its box around the z axis."""

    surface: Surface
    parts: int

    @classmethod
    def of(cls, surface: Surface, parts: int) -> "Shape":
        vertices, faces = surface
        return cls(surface=(centred(vertices), faces), parts=parts)

    @property
    def extents_m(self) -> Float[ndarray, "3"]:
        return np.ptp(self.surface[0], axis=0)

    @property
    def points(self) -> Float[ndarray, "points 3"]:
        """On the surface, always the same."""
        return sample_surface(*self.surface, POINTS, np.random.default_rng(0))


def shape_figures(shape: Shape, truth: Truth | None) -> Mapping[str, float]:
    """Volume [m3], its share of the box, parts; beside a truth the F-score in percent, the Chamfer distance over the largest
    extent, the mean error of the extents' logarithms, and the overlap of the silhouettes seen from the first camera."""
    volume = solid(*shape.surface).volume_m3
    found = {"parts": float(shape.parts), "volume_m3": volume, "fill": volume / float(shape.extents_m.prod())}
    if truth is None:
        return found
    true = Shape.of(truth.surface, parts=0)
    size = float(true.extents_m.max())
    like = surface_likeness(shape.points / size, true.points / size, threshold=TAU)
    return found | {
        "f_score": like.f_score,
        "chamfer": like.chamfer,
        "extent_error": float(np.abs(np.log(shape.extents_m / true.extents_m)).mean()),
        "silhouette_iou": silhouette_iou(shape.surface, true.surface, truth),
    }


def silhouette_iou(made: Surface, true: Surface, truth: Truth) -> float:
    """Overlap of two outlines seen from far away in the direction of the first camera."""
    drawn, seen = (silhouette(surface, true, truth) for surface in (made, true))
    return iou(drawn, seen, np.zeros_like(seen))


def silhouette(surface: Surface, true: Surface, truth: Truth) -> Bool[ndarray, "size size"]:
    """Parallel projection; the picture is as large as the true object asks for."""
    low, high = true[0].min(axis=0), true[0].max(axis=0)
    T = look_at(Look(yaw=truth.yaw, elevation=truth.elevation, distance_m=1.0), (low + high) / 2)
    side = FRAME * float(np.linalg.norm(high - low))
    seen = surface[0] @ T[:3, :3].T + T[:3, 3]
    corners = np.round(16 * (SILHOUETTE_PX * (seen[:, :2] / side + 0.5) - 0.5)).astype(np.int32)
    picture = np.zeros((SILHOUETTE_PX, SILHOUETTE_PX), np.uint8)
    for face in surface[1]:
        cv2.fillConvexPoly(picture, corners[face], 1, shift=4)
    return picture > 0


def diversity(shapes: Sequence[Shape]) -> float:
    """Mean Chamfer distance between any two objects that were made of one image, over their mean largest extent [1]; nan for
    fewer than two."""
    if len(shapes) < 2:
        return float("nan")
    size = float(np.mean([shape.extents_m.max() for shape in shapes]))
    clouds = [shape.points / size for shape in shapes]
    return float(np.mean([surface_likeness(a, b, threshold=TAU).chamfer for a, b in combinations(clouds, 2)]))
