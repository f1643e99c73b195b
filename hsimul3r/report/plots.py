"""Drawings of the report in plain numbers: the template turns them into SVG, so that they follow its colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.spatial import ConvexHull

from hsimul3r.artifacts import Cameras, ObjectAsset, PointTracks, Rollout
from hsimul3r.geometry.cameras import camera_centers, transform_points
from hsimul3r.geometry.overlay import Color, PaintedMesh

TOP_SIZE_PX = 560.0
PLOT_WIDTH_PX, PLOT_HEIGHT_PX = 720.0, 260.0
MARGIN_PX = 46.0
MOST_POINTS = 700
MOST_CURVES = 6


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A polygon or polyline in SVG pixels with its name and colour."""

    name: str
    points: str
    color: str
    at: tuple[float, float]
    """Where its name is written."""


@dataclass(frozen=True, kw_only=True)
class TopView:
    """The scene from above."""

    width: float
    height: float
    pixels_per_metre: float
    grid: tuple[tuple[float, float, float, float], ...]
    dots: tuple[tuple[float, float], ...]
    cameras: tuple[Shape, ...]
    objects: tuple[Shape, ...]
    people: tuple[Shape, ...]


@dataclass(frozen=True, kw_only=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class ForcePlot:
    """Contact force [N] over time [s], with a line at the person's weight."""

    width: float
    height: float
    left: float
    bottom: float
    curves: tuple[Shape, ...]
    weight: Tick | None
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def hex_color(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def top_view(
    cameras: Cameras, tracks: PointTracks, people: Sequence[PaintedMesh], assets: Sequence[tuple[ObjectAsset, Color]]
) -> TopView:
    """Cameras as wedges of their field of view, people and objects as their outlines on the floor, scene points as dots."""
    wedges = _camera_wedges(cameras)
    outlines = [(mesh, _outline_from_above(mesh)) for mesh in people]
    parts = [
        (asset, color, [_hull(transform_points(asset.T_world_object, part.vertices)[:, :2]) for part in asset.parts])
        for asset, color in assets
    ]
    extent = np.concatenate(
        [*(wedge for _, wedge in wedges), *(hull for _, hull in outlines), *(hull for *_, hulls in parts for hull in hulls)]
    )
    frame = _Frame.around(extent)
    inside = tracks.points[np.all((tracks.points[:, :2] > frame.low) & (tracks.points[:, :2] < frame.high), axis=1)]
    step = max(1, math.ceil(len(inside) / MOST_POINTS))
    return TopView(
        width=frame.width, height=frame.height, pixels_per_metre=frame.scale, grid=frame.grid(),
        dots=tuple((round(x, 1), round(y, 1)) for x, y in frame.place(inside[::step, :2])),
        cameras=tuple(frame.shape(f"view {view}", wedge, "") for view, wedge in wedges),
        objects=tuple(
            frame.shape(asset.name if i == 0 else "", hull, hex_color(color))
            for asset, color, hulls in parts for i, hull in enumerate(hulls)
        ),
        people=tuple(frame.shape(mesh.name, hull, hex_color(mesh.color)) for mesh, hull in outlines),
    )  # fmt: skip


def force_plot(rollout: Rollout, colors: Sequence[str], weight_n: float | None = None) -> ForcePlot | None:
    """The strongest contacts' forces over time; None where nothing ever touched."""
    force = np.nan_to_num(np.asarray(rollout.contact_force_n, float))
    if force.size == 0 or force.max() <= 0.0:
        return None
    peak = force.max(axis=0)
    strongest = [int(i) for i in np.argsort(-peak, kind="stable")[:MOST_CURVES] if peak[i] > 0.0]
    top = _nice_ceiling(max(1.05 * float(np.percentile(force[:, strongest], 99.5)), 1.15 * (weight_n or 0.0)))
    duration = max((len(force) - 1) / rollout.fps, 1e-9)
    axes = _Axes(duration_s=duration, top_n=top)
    x = axes.x(np.linspace(0.0, duration, len(force)))
    curves = [
        Shape(name=rollout.contact_names[i], points=_svg(np.stack([x, axes.y(force[:, i])], axis=1)), color=color, at=(0, 0))
        for i, color in zip(strongest, colors)
    ]
    return ForcePlot(
        width=PLOT_WIDTH_PX,
        height=PLOT_HEIGHT_PX,
        left=MARGIN_PX,
        bottom=axes.bottom,
        curves=tuple(curves),
        weight=Tick(at=float(axes.y(weight_n)), label=f"{weight_n:.0f} N") if weight_n else None,
        x_ticks=tuple(Tick(at=float(axes.x(s)), label=f"{s:g}") for s in _ticks(duration)),
        y_ticks=tuple(Tick(at=float(axes.y(n)), label=f"{n:g}") for n in _ticks(top)),
    )


@dataclass(frozen=True, kw_only=True)
class _Axes:
    """Seconds and newtons to SVG pixels; forces above the top are cut off."""

    duration_s: float
    top_n: float
    bottom: float = PLOT_HEIGHT_PX - 30.0

    def x(self, seconds: ndarray | float) -> ndarray:
        return MARGIN_PX + (PLOT_WIDTH_PX - 12.0 - MARGIN_PX) * np.asarray(seconds) / self.duration_s

    def y(self, newtons: ndarray | float) -> ndarray:
        return self.bottom - (self.bottom - 12.0) * np.clip(np.asarray(newtons) / self.top_n, 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """World XY in metres to SVG pixels, north (+Y) up."""

    low: Float[ndarray, "2"]
    high: Float[ndarray, "2"]
    scale: float

    @classmethod
    def around(cls, points: Float[ndarray, "points 2"]) -> "_Frame":
        low, high = points.min(axis=0) - 0.3, points.max(axis=0) + 0.3
        return cls(low=low, high=high, scale=TOP_SIZE_PX / float((high - low).max()))

    @property
    def width(self) -> float:
        return float(self.high[0] - self.low[0]) * self.scale

    @property
    def height(self) -> float:
        return float(self.high[1] - self.low[1]) * self.scale

    def place(self, points: Float[ndarray, "points 2"]) -> Float[ndarray, "points 2"]:
        return np.stack([points[:, 0] - self.low[0], self.high[1] - points[:, 1]], axis=1) * self.scale

    def shape(self, name: str, points: Float[ndarray, "points 2"], color: str) -> Shape:
        placed = self.place(points)
        return Shape(name=name, points=_svg(placed), color=color, at=(float(placed[:, 0].mean()), float(placed[:, 1].mean())))

    def grid(self) -> tuple[tuple[float, float, float, float], ...]:
        """One line a metre."""
        xs = np.arange(math.ceil(self.low[0]), math.floor(self.high[0]) + 1)
        ys = np.arange(math.ceil(self.low[1]), math.floor(self.high[1]) + 1)
        upright = [((x - self.low[0]) * self.scale, 0.0, (x - self.low[0]) * self.scale, self.height) for x in xs]
        level = [(0.0, (self.high[1] - y) * self.scale, self.width, (self.high[1] - y) * self.scale) for y in ys]
        return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in upright + level)


def _camera_wedges(cameras: Cameras, length_m: float = 0.45) -> list[tuple[int, Float[ndarray, "3 2"]]]:
    centers = camera_centers(cameras)
    wedges = []
    for view in np.flatnonzero(_is_placed(cameras)):
        half = 0.5 * cameras.size_px[view, 0] / cameras.focal_px[view]
        corners = np.array([[-half, 0.0, 1.0], [half, 0.0, 1.0]]) @ cameras.T_cam_world[view, :3, :3]
        ends = centers[view, :2] + length_m * corners[:, :2]
        wedges.append((int(view), np.concatenate([centers[view : view + 1, :2], ends])))
    return wedges


def _is_placed(cameras: Cameras) -> Bool[ndarray, "views"]:
    return np.asarray(cameras.is_registered, bool) & np.isfinite(cameras.T_cam_world).all(axis=(1, 2))


def _hull(points: Float[ndarray, "points 2"]) -> Float[ndarray, "corners 2"]:
    return points[ConvexHull(points).vertices]


def _outline_from_above(mesh: PaintedMesh, pixel_m: float = 0.008) -> Float[ndarray, "corners 2"]:
    """Border of the mesh's shadow on the floor (its largest piece), as a picture of `pixel_m` sees it."""
    low = mesh.vertices[:, :2].min(axis=0) - 2 * pixel_m
    corners = np.round((mesh.vertices[:, :2] - low) / pixel_m).astype(np.int32)
    shadow = np.zeros(corners.max(axis=0)[::-1] + 3, np.uint8)
    for triangle in corners[mesh.faces]:
        cv2.fillConvexPoly(shadow, triangle, 1)
    borders, _ = cv2.findContours(shadow, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_L1)
    return low + pixel_m * max(borders, key=cv2.contourArea)[:, 0].astype(float)


def _svg(points: Float[ndarray, "points 2"]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _nice_ceiling(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value)


def _ticks(top: float) -> list[float]:
    """Four to eight round values from 0 to `top`."""
    power = 10.0 ** math.floor(math.log10(top / 4))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if top / (s * power) <= 8)
    return [round(step * i, 6) for i in range(math.floor(top / step + 1e-9) + 1)]
