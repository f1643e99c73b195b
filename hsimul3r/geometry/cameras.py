"""Pinhole cameras with one radial term (conventions.py): project, undistort, rays, triangulation, changes of frame."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras, PointTracks
from hsimul3r.geometry.alignment import Similarity


def no_cameras() -> Cameras:
    """Of a scene that nobody photographed."""
    return Cameras(
        size_px=np.zeros((0, 2), np.int64),
        focal_px=np.zeros(0),
        principal_px=np.zeros((0, 2)),
        k1=np.zeros(0),
        T_cam_world=np.zeros((0, 4, 4)),
        is_registered=np.zeros(0, bool),
    )


def transform_points(T: Float[ndarray, "4 4"], points: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 3"]:
    """Map points by a homogeneous matrix."""
    return np.asarray(points) @ T[:3, :3].T + T[:3, 3]


def lens_limit(k1: float) -> float:
    """Largest radius |x/z| that the radial term maps one to one: beyond it the polynomial folds back."""
    return float(np.sqrt(-1 / (3 * k1))) if k1 < 0 else np.inf


def project(cameras: Cameras, view: int, points: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 2"]:
    """Pixels of world points in one view; nan where no pixel sees the point (behind the camera or beyond the lens' fold)."""
    cam = transform_points(cameras.T_cam_world[view], points)
    with np.errstate(divide="ignore", invalid="ignore"):
        xy = cam[..., :2] / cam[..., 2:]
        r2 = (xy**2).sum(-1, keepdims=True)
        uv = cameras.focal_px[view] * (1 + cameras.k1[view] * r2) * xy + cameras.principal_px[view]
    is_seen = (cam[..., 2:] > 1e-6) & (r2 < lens_limit(float(cameras.k1[view])) ** 2)
    return np.where(is_seen, uv, np.nan)


def depth(cameras: Cameras, view: int, points: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch"]:
    """Depth (Z in the camera) of world points in one view [m]."""
    return transform_points(cameras.T_cam_world[view], points)[..., 2]


def project_with_jacobian(
    points_cam: Float[ndarray, "points 3"],
    focal_px: Float[ndarray, "points"],
    principal_px: Float[ndarray, "points 2"],
    k1: Float[ndarray, "points"],
) -> tuple[Float[ndarray, "points 2"], Float[ndarray, "points 2 3"], Float[ndarray, "points 2"], Float[ndarray, "points 2"]]:
    """Pixels of camera points, each with its own intrinsics, and their derivatives by point, log focal and k1.

    Depth is clamped to 5 cm so that an optimiser can pass through bad states.
    """
    z = np.maximum(points_cam[:, 2], 0.05)
    xy = points_cam[:, :2] / z[:, None]
    r2 = (xy**2).sum(1)
    distorted = xy * (1 + k1 * r2)[:, None]
    d_xy = (1 + k1 * r2)[:, None, None] * np.eye(2) + 2 * k1[:, None, None] * xy[:, :, None] * xy[:, None, :]
    xy_by_point = np.zeros((len(z), 2, 3))
    xy_by_point[:, 0, 0] = xy_by_point[:, 1, 1] = 1 / z
    xy_by_point[:, :, 2] = -xy / z[:, None] * (points_cam[:, 2] > 0.05)[:, None]
    f = focal_px[:, None]
    by_point = f[:, :, None] * d_xy @ xy_by_point
    return f * distorted + principal_px, by_point, f * distorted, f * xy * r2[:, None]


def undistort(cameras: Cameras, view: int, uv_px: Float[ndarray, "*batch 2"]) -> Float[ndarray, "*batch 2"]:
    """Normalised coordinates (x/z, y/z) of pixels: the inverse of the radial model by Newton's method.

    Pixels beyond the lens' fold get the direction at the fold.
    """
    k1 = float(cameras.k1[view])
    d = (np.asarray(uv_px, dtype=float) - cameras.principal_px[view]) / cameras.focal_px[view]
    target = np.linalg.norm(d, axis=-1, keepdims=True)
    limit = lens_limit(k1)
    r = np.minimum(target, 0.999999 * limit)
    for _ in range(30):
        r = np.minimum(r - (r + k1 * r**3 - target) / np.maximum(1 + 3 * k1 * r**2, 1e-9), 0.999999 * limit)
    return d * np.where(target > 0, r / np.maximum(target, 1e-300), 1.0)


def camera_centers(cameras: Cameras) -> Float[ndarray, "views 3"]:
    """Centres of projection in the world."""
    R, t = cameras.T_cam_world[:, :3, :3], cameras.T_cam_world[:, :3, 3]
    return -np.einsum("vji,vj->vi", R, t)


def rays(
    cameras: Cameras, view: int, uv_px: Float[ndarray, "*batch 2"]
) -> tuple[Float[ndarray, "3"], Float[ndarray, "*batch 3"]]:
    """Origin and unit directions, in the world, of the rays through pixels of one view."""
    xy = undistort(cameras, view, uv_px)
    direction = np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1) @ cameras.T_cam_world[view][:3, :3]
    return camera_centers(cameras)[view], direction / np.linalg.norm(direction, axis=-1, keepdims=True)


def intersect_rays(
    origins: Float[ndarray, "rays 3"], directions: Float[ndarray, "rays 3"], weights: Float[ndarray, "rays"] | None = None
) -> Float[ndarray, "3"]:
    """Point with the least weighted squared distance to rays; raises `ValueError` where they are parallel or single."""
    w = np.ones(len(origins)) if weights is None else np.asarray(weights, dtype=float)
    d = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    across = w[:, None, None] * (np.eye(3) - d[:, :, None] * d[:, None, :])
    normal = across.sum(0)
    if np.linalg.eigvalsh(normal)[0] < 1e-9 * max(float(w.sum()), 1e-12):
        raise ValueError("rays are parallel: their point is not determined")
    return np.linalg.solve(normal, np.einsum("nij,nj->i", across, origins))


def triangulate(
    cameras: Cameras,
    views: Int[ndarray, "observations"],
    uv_px: Float[ndarray, "observations 2"],
    weights: Float[ndarray, "observations"] | None = None,
) -> Float[ndarray, "3"]:
    """World point of one feature seen in two or more views: closest point of rays, then Gauss-Newton on the pixels."""
    pairs = [rays(cameras, int(v), uv) for v, uv in zip(views, uv_px)]
    point = intersect_rays(np.array([o for o, _ in pairs]), np.array([d for _, d in pairs]), weights)
    w = np.sqrt(np.ones(len(views)) if weights is None else np.asarray(weights, dtype=float))
    R, t = cameras.T_cam_world[views][:, :3, :3], cameras.T_cam_world[views][:, :3, 3]
    for _ in range(5):
        cam = np.einsum("nij,j->ni", R, point) + t
        if np.any(cam[:, 2] < 0.05):
            break
        uv, by_point, _, _ = project_with_jacobian(cam, cameras.focal_px[views], cameras.principal_px[views], cameras.k1[views])
        J = (by_point @ R * w[:, None, None]).reshape(-1, 3)
        point = point - np.linalg.lstsq(J, ((uv - uv_px) * w[:, None]).ravel(), rcond=None)[0]
    return point


def observation_errors(cameras: Cameras, tracks: PointTracks) -> Float[ndarray, "observations"]:
    """Reprojection error [px] of every observation of a track; inf where the point cannot be seen."""
    errors = np.full(len(tracks.view), np.inf)
    for v in np.unique(tracks.view):
        of_view = tracks.view == v
        uv = project(cameras, int(v), tracks.points[tracks.point[of_view]])
        errors[of_view] = np.nan_to_num(np.linalg.norm(uv - tracks.uv_px[of_view], axis=1), nan=np.inf)
    return errors


def transform_cameras(cameras: Cameras, world: Similarity) -> Cameras:
    """Cameras after their world was mapped by `world`: pixels of mapped points stay the same."""
    R = cameras.T_cam_world[:, :3, :3] @ world.R.T
    t = world.scale * cameras.T_cam_world[:, :3, 3] - np.einsum("vij,j->vi", R, world.t)
    T = np.tile(np.eye(4), (len(R), 1, 1))
    T[:, :3, :3], T[:, :3, 3] = R, t
    return dataclasses.replace(cameras, T_cam_world=T)


def transform_tracks(tracks: PointTracks, world: Similarity) -> PointTracks:
    """Tracks after their world was mapped by `world`."""
    return dataclasses.replace(tracks, points=world.apply(tracks.points))
