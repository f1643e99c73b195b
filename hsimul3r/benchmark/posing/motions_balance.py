"""Where a moving body's weight acts: centre of mass, zero-moment point, support polygon."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial import ConvexHull, QhullError

from hsimul3r.benchmark.posing.motions_body import motion_body, point_jacobian
from hsimul3r.benchmark.posing.motions_problem import Problem
from hsimul3r.benchmark.posing.motions_rows import Skin
from hsimul3r.benchmark.scene import Staged
from hsimul3r.body.derivatives import COUNT
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import GRAVITY

MARGIN_M = 0.02
LEVELS, BEARING_M = 5, 0.015
INSIDE_M, FAR_M = 0.001, 0.05
BALANCE_SIGMA_M = 0.01


@dataclass(frozen=True, kw_only=True)
class WideRows:
    """Residuals that speak of three neighbouring frames: jacobian of the frames `frame` - 1, `frame`, `frame` + 1."""

    frame: Int[ndarray, "rows"]
    jacobian: Float[ndarray, "rows 3 69"]
    residual: Float[ndarray, "rows"]


def support_polygon(points: Float[ndarray, "points 3"]) -> Float[ndarray, "edges 3"] | None:
    """Edges (n, d) of the hull of the points from above: inside where n . xy + d <= 0; None where they span no area."""
    try:
        return ConvexHull(points[:, :2]).equations
    except (QhullError, ValueError):
        return None


def zero_moment_points(
    points: Float[ndarray, "frames points 3"], fps: float, heights: Float[ndarray, "frames levels"]
) -> Float[ndarray, "frames levels 2"]:
    """Where the ground's force must act at given heights, for equal masses that start and end at rest.

    With accelerations a and height h:  xy = sum((a_z + g) x - (z - h) a_xy) / sum(a_z + g).
    """
    padded = np.concatenate([points[:1], points, points[-1:]])
    a = (padded[2:] - 2 * points + padded[:-2]) * fps**2
    load = a[..., 2] + GRAVITY
    lever = points[:, None, :, 2] - heights[..., None]
    moment = np.einsum("fp,fpc->fc", load, points[..., :2])[:, None] - np.einsum("flp,fpc->flc", lever, a[..., :2])
    return moment / load.sum(1)[:, None, None]


def balance_rows(problem: Problem, skin: Skin) -> WideRows:
    """How far the zero-moment point is out of the support polygon less its margin; of key poses the centre of mass."""
    frames = problem.frames
    centre = problem.body.centre
    every = np.arange(frames)
    tiled = centre[np.zeros(frames, int)]
    by = np.stack([point_jacobian(skin.chain, every, tiled, np.broadcast_to(axis, (frames, 3))) for axis in np.eye(3)[:2]], 1)
    place = centre.posed(skin.chain)[:, 0]
    bearing = bearing_points(problem, skin)
    before, after = np.maximum(every - 1, 0), np.minimum(every + 1, frames - 1)
    lever = _levers(problem, place, bearing)
    zmp = place[:, :2] - lever[:, None] * (place[after] - 2 * place + place[before])[:, :2]
    found = [_outside(points, zmp[f]) for f, points in enumerate(bearing)]
    frame = np.repeat(every, [len(residual) for _, residual in found])
    normal = np.concatenate([normal for normal, _ in found]).reshape(-1, 2)
    residual = np.concatenate([residual for _, residual in found])
    shares = np.stack([-lever, 1 + 2 * lever, -lever], 1)[frame]
    near = np.stack([before, every, after], 1)[frame]
    jacobian = shares[..., None] * np.einsum("nc,nkcd->nkd", normal, by[near])
    return WideRows(frame=frame, jacobian=jacobian / BALANCE_SIGMA_M, residual=residual / BALANCE_SIGMA_M)


def bearing_points(problem: Problem, skin: Skin) -> list[Float[ndarray, "points 3"]]:
    """Per frame, what can carry weight: standing soles and held parts, but for those on an object that moves."""
    points = [[soles] for soles in problem.bearing]
    for (_, item, _), near in zip(problem.holds, skin.near):
        if np.ptp(problem.plan.objects[item].T_plan_object, axis=0).max() < 1e-9:
            for frame, place in zip(near.frame, skin.vertices[near.frame, near.vertex]):
                points[frame].append(place[None])
    return [np.concatenate(parts) for parts in points]


def _levers(problem: Problem, place: ndarray, bearing: Sequence[ndarray]) -> Float[ndarray, "frames"]:
    """(height of the centre over its supports) / (g dt^2): metres of the zero-moment point by metre of second difference."""
    if problem.dt is None:
        return np.zeros(problem.frames)
    ground = np.array([points[:, 2].mean() if len(points) else 0.0 for points in bearing])
    return (place[:, 2] - ground) / (GRAVITY * problem.dt**2)


def _outside(points: Float[ndarray, "points 3"], zmp: Float[ndarray, "2"]) -> tuple[ndarray, ndarray]:
    """Normals and excesses of the polygon's edges, moved in by the margin, that a point is beyond."""
    edges = support_polygon(points)
    if edges is None:
        return np.zeros((0, 2)), np.zeros(0)
    excess = edges[:, :2] @ zmp + edges[:, 2] + MARGIN_M
    is_out = excess > 0
    return edges[is_out, :2], excess[is_out]


@dataclass(frozen=True, kw_only=True)
class QuasiStatic:
    """How far a motion is from one that its contacts alone can carry.

    `distance_m` is the way of the zero-moment point from the support polygon, 0 inside; `inside` the share of frames inside.
    """

    distance_m: Float[ndarray, "frames"]

    @property
    def inside(self) -> float:
        return float((self.distance_m <= INSIDE_M).mean())

    @property
    def far(self) -> float:
        """Share of frames more than 5 cm out."""
        return float((self.distance_m > FAR_M).mean())


def quasi_static_residual(staged: Staged) -> QuasiStatic:
    """Per frame, the distance of the zero-moment point from the hull of the held contacts, seen from above.

    The body is some hundred equal masses inside the skin. Contacts lie at several heights and friction may act at any of
    them, so the nearest zero-moment point of those heights counts. Contacts on a thing that moves carry nothing. A frame
    without contacts is infinitely far.
    """
    body = motion_body(staged.betas, staged.pose[0, COUNT:], np.tile(np.eye(3), (COUNT, 1, 1)))
    root = staged.transl + body.rest[0]
    masses = body.mass.posed(body.chain(staged.pose[:, :COUNT], root))
    skin = embedded_body().vertices(staged.betas, staged.pose, staged.transl)
    bearing = [_held(staged, skin, frame) for frame in range(staged.frames)]
    lowest, highest = (
        np.array([pick(points[:, 2], initial=i) for points in bearing]) for pick, i in ((np.min, 9), (np.max, 0))
    )
    heights = np.linspace(lowest, highest, LEVELS, axis=1)
    zmp = zero_moment_points(masses, staged.fps, heights)
    return QuasiStatic(distance_m=np.array([_distance(points, at) for points, at in zip(bearing, zmp)]))


def _held(staged: Staged, skin: Float[ndarray, "frames vertices 3"], frame: int) -> Float[ndarray, "points 3"]:
    """The vertices of the held parts within 1 cm of the part's nearest to what it touches: its sole, palm or seat."""
    points = [np.zeros((0, 3))]
    for held in staged.contacts:
        if held.first <= frame <= held.last and held.target not in _moving(staged):
            part = skin[frame, embedded_body().parts[held.part]]
            points.append(part[part[:, 2] < part[:, 2].min() + BEARING_M])
    return np.concatenate(points)


def _moving(staged: Staged) -> tuple[str, ...]:
    return tuple(item.name for item in staged.objects if np.ptp(item.T_world_object, axis=0).max() > 1e-9)


def _distance(points: Float[ndarray, "points 3"], zmp: Float[ndarray, "levels 2"]) -> float:
    """Way from the nearest of the zero-moment points to the polygon [m]."""
    edges = support_polygon(points)
    if edges is None:
        return np.inf
    corners = points[ConvexHull(points[:, :2]).vertices, :2]
    is_in = (zmp @ edges[:, :2].T + edges[:, 2]).max(1) <= 0
    start, end = corners, np.roll(corners, -1, axis=0)
    along = ((zmp[:, None] - start) * (end - start)).sum(-1) / ((end - start) ** 2).sum(-1)
    nearest = start + along.clip(0, 1)[..., None] * (end - start)
    away = np.linalg.norm(zmp[:, None] - nearest, axis=-1).min(1)
    return float(np.where(is_in, 0.0, away).min())
