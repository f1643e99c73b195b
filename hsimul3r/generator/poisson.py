"""Objects as HSfM leaves them: a Poisson surface of the scene points that lie in the object's masks. No prior of furniture.

The baseline of the paper's first table. Its points come from sparse feature tracks, not from the dense point maps of DUSt3R, so
that an object without texture has too few of them: that is an error which says how many there were.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras, PointTracks
from hsimul3r.errors import TooFewPoints
from hsimul3r.generator.protocol import Candidate, Observation
from hsimul3r.geometry.cameras import camera_centers
from hsimul3r.geometry.decompose import convex_pieces
from hsimul3r.geometry.poisson import PoissonConfig, oriented_normals, poisson_surface

OBJECT = 1
FAMILY = "poisson"


@dataclass(frozen=True, kw_only=True)
class PointSurfaceConfig:
    """Settings of `PoissonGenerator`."""

    fewest_points: int = 24
    """Fewer points do not show how a surface runs."""
    fewest_views: int = 2
    """In which a point must lie in the object's mask."""
    most_parts: int = 24
    """Convex parts for the simulation."""
    density_kg_m3: float = 150.0
    friction: float = 0.8
    surface: PoissonConfig = field(default_factory=PoissonConfig)


class PoissonGenerator:
    """`Generator` that closes a surface around the points of one object."""

    def __init__(self, tracks: PointTracks, is_floor_point: Bool[ndarray, "points"], cfg: PointSurfaceConfig):
        self.tracks, self.is_floor_point, self.cfg = tracks, is_floor_point, cfg

    @property
    def name(self) -> str:
        return FAMILY

    def generate(self, observation: Observation, *, count: int, seed: int) -> tuple[Candidate, ...]:
        """One candidate; nothing is drawn. Raises `TooFewPoints`, or `BadMesh` where the points bound no solid."""
        name = observation.category or "object"
        is_on = points_on_object(self.tracks, observation, self.cfg.fewest_views) & ~self.is_floor_point
        if is_on.sum() < self.cfg.fewest_points:
            raise TooFewPoints(name, int(is_on.sum()), self.cfg.fewest_points)
        points = self.tracks.points[is_on]
        towards = viewpoints(self.tracks, observation.cameras)[is_on]
        normals = oriented_normals(points, towards, neighbours=self.cfg.surface.neighbours)
        surface = poisson_surface(points, normals, cfg=self.cfg.surface, name=name)
        return (self._candidate(*surface, len(points)),)

    def _candidate(self, vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], count: int) -> Candidate:
        T = np.eye(4)
        T[:2, 3] = (vertices[:, :2].min(axis=0) + vertices[:, :2].max(axis=0)) / 2
        return Candidate(
            family=FAMILY,
            parameters={"points": float(count)},
            parts=convex_pieces(vertices - T[:3, 3], faces, limit=self.cfg.most_parts),
            T_world_object=T,
            energy=0.0,
            density_kg_m3=self.cfg.density_kg_m3,
            friction=self.cfg.friction,
        )


def points_on_object(tracks: PointTracks, observation: Observation, fewest_views: int) -> Bool[ndarray, "points"]:
    """Points that are seen inside the object's mask in enough views."""
    seen = np.zeros(len(tracks.points), int)
    for view, labels in enumerate(observation.labels):
        if labels is None:
            continue
        mine = tracks.view == view
        column, row = np.round(tracks.uv_px[mine]).astype(int).T
        inside = (row >= 0) & (row < labels.shape[0]) & (column >= 0) & (column < labels.shape[1])
        row, column, point = row[inside], column[inside], tracks.point[mine][inside]
        np.add.at(seen, point[labels[row, column] == OBJECT], 1)
    return seen >= fewest_views


def viewpoints(tracks: PointTracks, cameras: Cameras) -> Float[ndarray, "points 3"]:
    """Mean position of the cameras that saw each point."""
    total, count = np.zeros((len(tracks.points), 3)), np.zeros(len(tracks.points))
    np.add.at(total, tracks.point, camera_centers(cameras)[tracks.view])
    np.add.at(count, tracks.point, 1.0)
    return total / np.maximum(count, 1.0)[:, None]
