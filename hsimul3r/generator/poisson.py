"""Objects as HSfM leaves them: a Poisson surface of the scene points that lie in the object's masks. No prior of furniture.

The baseline of the paper's first table. HSfM's points are DUSt3R's; here they are the feature tracks on the object and what a
plane sweep between the calibrated photos finds. Where that leaves too few it is an error which says how many there were.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from hsimul3r.artifacts import Cameras, HumanMotion, PointTracks
from hsimul3r.errors import TooFewPoints
from hsimul3r.generator.objective import MIDDLE_HEIGHT_M, box_centre
from hsimul3r.generator.protocol import Candidate, Observation
from hsimul3r.geometry.cameras import camera_centers
from hsimul3r.geometry.decompose import convex_pieces
from hsimul3r.geometry.plane_sweep import OBJECT, SweepConfig, sweep_object
from hsimul3r.geometry.poisson import PoissonConfig, is_typical, oriented_normals, poisson_surface

FAMILY = "poisson"


@dataclass(frozen=True, kw_only=True)
class PointSurfaceConfig:
    """Settings of `PoissonGenerator`."""

    fewest_points: int = 60
    """Fewer points do not show how a surface runs."""
    fewest_views: int = 2
    """In which a feature track must lie in the object's mask."""
    most_parts: int = 24
    """Convex parts for the simulation."""
    density_kg_m3: float = 150.0
    friction: float = 0.8
    outlier_deviations: float = 2.0
    """Points farther from their neighbours than usual by so many standard deviations are left out."""
    sweep: SweepConfig = field(default_factory=SweepConfig)
    surface: PoissonConfig = field(default_factory=PoissonConfig)


class PoissonGenerator:
    """`Generator` that closes a surface around the points of one object."""

    def __init__(self, motion: HumanMotion, images: tuple[UInt8[ndarray, "height width 3"], ...], cfg: PointSurfaceConfig):
        self.motion, self.images, self.cfg = motion, images, cfg

    @property
    def name(self) -> str:
        return FAMILY

    def generate(self, observation: Observation, *, count: int, seed: int) -> tuple[Candidate, ...]:
        """One candidate; nothing is drawn. Raises `TooFewPoints`, or `BadMesh` where the points bound no solid."""
        name = observation.category or "object"
        points, eyes = self._points(observation)
        if len(points) < self.cfg.fewest_points:
            raise TooFewPoints(name, len(points), self.cfg.fewest_points)
        normals = oriented_normals(points, eyes, neighbours=self.cfg.surface.neighbours)
        surface = poisson_surface(points, normals, cfg=self.cfg.surface, name=name)
        return (self._candidate(*surface, len(points)),)

    def _points(self, observation: Observation) -> tuple[Float[ndarray, "points 3"], Float[ndarray, "points 3"]]:
        """All points above the floor but outliers, and from where each was seen."""
        tracks = self.motion.tracks
        is_on = points_on_object(tracks, observation, self.cfg.fewest_views) & ~self.motion.is_floor_point
        middle = np.array([*box_centre(observation), MIDDLE_HEIGHT_M])
        swept, eyes = sweep_object(observation.cameras, self.images, observation.labels, middle, self.cfg.sweep)
        points = np.concatenate([tracks.points[is_on], swept])
        eyes = np.concatenate([viewpoints(tracks, observation.cameras)[is_on], eyes])
        kept = points[:, 2] > 0.0
        if kept.sum() > self.cfg.surface.neighbours:
            kept[kept] = is_typical(
                points[kept], neighbours=self.cfg.surface.neighbours, deviations=self.cfg.outlier_deviations
            )
        return points[kept], eyes[kept]

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
