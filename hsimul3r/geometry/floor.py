"""The floor plane and the direction up, from scene points, people's feet and how cameras are held."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.geometry.alignment import Similarity

_HIPS = [KEYPOINTS.index(f"{side}_hip") for side in ("left", "right")]
_KNEES = [KEYPOINTS.index(f"{side}_knee") for side in ("left", "right")]
_ANKLES = [KEYPOINTS.index(f"{side}_ankle") for side in ("left", "right")]
_SHOULDERS = [KEYPOINTS.index(f"{side}_shoulder") for side in ("left", "right")]
FOOT_KEYPOINTS = tuple(f"{side}_{part}" for part in ("ankle", "heel", "toe") for side in ("left", "right"))


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Points with normal @ x + offset == 0; the normal is up, heights above are positive."""

    normal: Float[ndarray, "3"]
    offset: float

    def height(self, points: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch"]:
        """Signed distance above the plane."""
        return np.asarray(points) @ self.normal + self.offset


@dataclass(frozen=True, kw_only=True)
class FloorModel:
    """Standard deviations of what a floor is inferred from, in metres and radians."""

    point: float = 0.02
    foot: float = 0.03
    up: float = np.radians(4.0)
    most_tilt: float = np.radians(15.0)
    """Planes farther from the prior up are not floors."""
    foot_share: float = 8.0
    """Weight of a fully confident foot keypoint relative to a scene point."""
    up_share: float = 4.0
    roll: float = np.radians(3.0)
    pitch: float = np.radians(20.0)
    posture: float = np.radians(12.0)
    """Cameras are held level across within `roll` and along within `pitch`; who stands straight is upright within `posture`."""


def up_direction(cameras: Cameras, skeletons: Float[ndarray, "persons 21 3"], model: FloorModel) -> Float[ndarray, "3"]:
    """Direction up from cameras held level and from people who stand straight.

    Minimises sum (x_i . u / roll)^2 over the cameras' right axes x_i, minus the pull of their own up axes and of straight
    people: the smallest eigenvector of one 3x3 matrix, with the sign of the cameras.
    """
    R = cameras.T_cam_world[cameras.is_registered][:, :3, :3]
    M = np.einsum("vi,vj->ij", R[:, 0], R[:, 0]) / model.roll**2
    camera_up = -R[:, 1].mean(0) / max(np.linalg.norm(R[:, 1].mean(0)), 1e-9)
    M = M - np.outer(camera_up, camera_up) / model.pitch**2
    for skeleton in skeletons:
        axis = _standing_axis(skeleton)
        if axis is not None and axis @ camera_up > np.cos(np.radians(50)):
            M = M - np.outer(axis, axis) / model.posture**2
    up = np.linalg.eigh(M)[1][:, 0]
    return up * np.sign(up @ camera_up)


def _standing_axis(skeleton: Float[ndarray, "21 3"]) -> Float[ndarray, "3"] | None:
    """Direction from the ankles to the shoulders of a person whose hips and knees are straight within 30 degrees."""
    ankles, knees, hips, shoulders = (skeleton[rows].mean(0) for rows in (_ANKLES, _KNEES, _HIPS, _SHOULDERS))
    shin, thigh, trunk = knees - ankles, hips - knees, shoulders - hips
    straight = np.cos(np.radians(30))
    if _cosine(shin, thigh) < straight or _cosine(thigh, trunk) < straight:
        return None
    return (shoulders - ankles) / np.linalg.norm(shoulders - ankles)


def _cosine(a: Float[ndarray, "3"], b: Float[ndarray, "3"]) -> float:
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-9))


def fit_floor(
    points: Float[ndarray, "points 3"],
    feet: Float[ndarray, "feet 3"],
    foot_weights: Float[ndarray, "feet"],
    up: Float[ndarray, "3"],
    *,
    model: FloorModel,
    seed: int = 0,
    trials: int = 3000,
) -> Plane:
    """The plane that the floor's points and the soles of the feet lie on, tilted little from `up`.

    `feet` are foot keypoints lowered by their height over the sole. Every term is bounded, except that nothing of a person
    may be below: walls, furniture and a foot on a stool do not pull. Best of `trials` planes through three points, and of
    level planes through every point and foot; then refined by reweighted least squares. Raises `ValueError` without support.
    """
    if len(points) + len(feet) == 0:
        raise ValueError("a floor needs scene points or feet, found neither")
    planes = _candidates(points, feet, up, model, np.random.default_rng(seed), trials)
    normals, offsets = np.array([p.normal for p in planes]), np.array([p.offset for p in planes])
    cost = _cost(normals, offsets, points, feet, foot_weights, up, model)
    return _refine(planes[int(np.argmin(cost))], points, feet, foot_weights, up, model)


def _candidates(
    points: Float[ndarray, "points 3"], feet: Float[ndarray, "feet 3"], up: Float[ndarray, "3"], model: FloorModel,
    rng: np.random.Generator, trials: int,
) -> list[Plane]:  # fmt: skip
    level = [Plane(normal=up, offset=float(-up @ p)) for p in np.concatenate([points, feet])]
    if len(points) < 3:
        return level
    triples = points[rng.integers(0, len(points), (trials, 3))]
    normals = np.cross(triples[:, 1] - triples[:, 0], triples[:, 2] - triples[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    normals = normals / np.maximum(lengths, 1e-12)[:, None]
    normals = normals * np.where(normals @ up < 0, -1, 1)[:, None]
    is_level = (lengths > 1e-4) & (normals @ up > np.cos(model.most_tilt))
    return level + [Plane(normal=n, offset=float(-n @ t[0])) for n, t in zip(normals[is_level], triples[is_level])]


def _cost(
    normals: Float[ndarray, "planes 3"], offsets: Float[ndarray, "planes"], points: Float[ndarray, "points 3"],
    feet: Float[ndarray, "feet 3"], foot_weights: Float[ndarray, "feet"], up: Float[ndarray, "3"], model: FloorModel,
) -> Float[ndarray, "planes"]:  # fmt: skip
    """Geman-McClure r^2 / (1 + r^2) of points and feet, and a linear price for feet far below."""
    point = ((normals @ points.T + offsets[:, None]) / model.point) ** 2
    foot = (normals @ feet.T + offsets[:, None]) / model.foot
    below = np.maximum(-foot - 1, 0)
    tilt = np.arccos(np.clip(normals @ up, -1, 1)) / model.up
    return (
        (point / (1 + point)).sum(1)
        + model.foot_share * (foot_weights * (foot**2 / (1 + foot**2) + 0.5 * below)).sum(1)
        + model.up_share * tilt**2
    )


def _refine(
    plane: Plane, points: Float[ndarray, "points 3"], feet: Float[ndarray, "feet 3"], foot_weights: Float[ndarray, "feet"],
    up: Float[ndarray, "3"], model: FloorModel, rounds: int = 20,
) -> Plane:  # fmt: skip
    """Gauss-Newton on (two tilts, offset) with Geman-McClure weights 1 / (1 + r^2)^2."""
    data = np.concatenate([points, feet])
    sigma = np.concatenate([np.full(len(points), model.point), np.full(len(feet), model.foot)])
    share = np.concatenate([np.ones(len(points)), model.foot_share * foot_weights])
    centre = data[np.argmin(np.abs(plane.height(data)))]
    for _ in range(rounds):
        r = plane.height(data) / sigma
        w = share / (1 + r**2) ** 2
        basis = np.linalg.svd(plane.normal[None])[2][1:]
        J = np.column_stack([(data - centre) @ basis.T, np.ones(len(data))]) / sigma[:, None]
        prior = np.column_stack([basis.T, np.zeros(3)]) / model.up
        lhs = (J * w[:, None]).T @ J + model.up_share * prior.T @ prior + 1e-9 * np.eye(3)
        rhs = (J * w[:, None]).T @ r + model.up_share * prior.T @ ((plane.normal - up) / model.up)
        step = -np.linalg.solve(lhs, rhs)
        normal = plane.normal + step[:2] @ basis
        normal = normal / np.linalg.norm(normal)
        plane = Plane(normal=normal, offset=float(plane.height(centre) + step[2] - normal @ centre))
    return plane


def world_from_floor(plane: Plane, origin: Float[ndarray, "3"], ahead: Float[ndarray, "3"]) -> Similarity:
    """Rigid map to the world: floor at z = 0, `origin` above or on the world's origin, `ahead` along +Y as far as level."""
    y = ahead - (ahead @ plane.normal) * plane.normal
    if np.linalg.norm(y) < 1e-6 * np.linalg.norm(ahead):
        raise ValueError("the direction ahead is vertical")
    y = y / np.linalg.norm(y)
    R = np.stack([np.cross(y, plane.normal), y, plane.normal])
    foot = origin - plane.height(origin) * plane.normal
    return Similarity(scale=1.0, R=R, t=-R @ foot)
