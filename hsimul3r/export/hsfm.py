"""A reconstructed scene as HSfM's `hsfm_output_smplx.pkl`, so that its viewer shows it and its users compare with it.

{hsfm_places_cameras: {photo: {rgbimg (h, w, 3) in [0, 1], intrinsic (3, 3), cam2world (4, 4), pts3d (h, w, 3), depths (h, w),
msk (h, w), conf (h, w)}}, hsfm_people(smplx_params): {id: {global_orient (1, 3), body_pose (1, 63), left_hand_pose (1, 45),
right_hand_pose (1, 45), betas (1, 10), root_transl (1, 1, 3)}}}; metres, -Y up, all float32.

Points are those of objects and floor as reconstructed, seen by each camera: conf is 10 where there is one and 0 elsewhere.
Betas are zero, the mean shape: those of our body mean nothing to SMPL-X.
"""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import AlignedScene, BodySequence, Cameras
from hsimul3r.body.model import SmplxFormatBody
from hsimul3r.geometry.cameras import depth, project, rays, transform_points
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.importers.cameras import HSFM_CAMERAS
from hsimul3r.importers.clip import R_WORLD_SOURCE
from hsimul3r.importers.tools import HSFM_PEOPLE

LONG_SIDE_PX: Final = 512
"""HSfM's viewer draws every pixel: more than DUSt3R's resolution is slow."""
SEEN: Final = 10.0
"""Confidence of a point; the viewer hides those under 3.5."""
FLOOR_HALF_M: Final = 4.0
R_HSFM_WORLD: Final = R_WORLD_SOURCE["-y"].T


def write_hsfm(
    scene: AlignedScene, model: SmplxFormatBody, photos: Sequence[UInt8[ndarray, "height width 3"]], names: Sequence[str],
    path: Path,
) -> None:  # fmt: skip
    """Write the file; `photos` and `names` are those of `scene.cameras`, of which only registered ones count."""
    views = np.flatnonzero(scene.cameras.is_registered).tolist()
    people = {str(body.person + 1): _person(body, model) for body in scene.bodies}
    cameras = {names[v]: _view(scene, v, photos[v]) for v in views}
    path.write_bytes(pickle.dumps({HSFM_CAMERAS: cameras, HSFM_PEOPLE: people}, protocol=4))


def _person(body: BodySequence, model: SmplxFormatBody) -> dict[str, Float[ndarray, "..."]]:
    pose = body.pose[0]
    turned = axis_angle_from_matrix(R_HSFM_WORLD @ matrix_from_axis_angle(pose[0]))
    root = model.joints(body.betas, pose, body.transl[0])[0] @ R_HSFM_WORLD.T
    found = {
        "global_orient": turned[None],
        "body_pose": pose[1:22].reshape(1, 63),
        "left_hand_pose": pose[25:40].reshape(1, 45),
        "right_hand_pose": pose[40:55].reshape(1, 45),
        "betas": np.zeros((1, 10)),
        "root_transl": root.reshape(1, 1, 3),
    }
    return {name: value.astype(np.float32) for name, value in found.items()}


def _view(scene: AlignedScene, v: int, photo: UInt8[ndarray, "height width 3"]) -> dict[str, Any]:
    scale = LONG_SIDE_PX / max(photo.shape[:2])
    width, height = (max(round(side * scale), 1) for side in photo.shape[1::-1])
    cameras = _pinhole(scene.cameras, scale)
    points = _points(scene, cameras, v, height, width)
    is_seen = np.isfinite(points[..., 2])
    points = np.nan_to_num(points)
    T_world_cam = np.linalg.inv(cameras.T_cam_world[v])
    T_world_cam[:3] = R_HSFM_WORLD @ T_world_cam[:3]
    focal, (cx, cy) = float(cameras.focal_px[v]), cameras.principal_px[v]
    arrays = {
        "rgbimg": cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA) / 255.0,
        "intrinsic": np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1]]),
        "cam2world": T_world_cam,
        "pts3d": points @ R_HSFM_WORLD.T,
        "depths": np.where(is_seen, depth(cameras, v, points), 0.0),
        "conf": np.where(is_seen, SEEN, 0.0),
    }
    return {name: value.astype(np.float32) for name, value in arrays.items()} | {"msk": is_seen}


def _points(scene: AlignedScene, cameras: Cameras, v: int, height: int, width: int) -> Float[ndarray, "height width 3"]:
    """The nearest point of objects and floor that every pixel sees; nan where none."""
    u, w = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    origin, directions = rays(cameras, v, np.stack([u, w], axis=-1))
    z = np.full((height, width), np.inf)
    for asset in scene.assets:
        world = transform_points(asset.T_world_object, asset.vertices)
        uv, vertex_z = project(cameras, v, world), depth(cameras, v, world)
        z = np.minimum(z, rasterize_depth(uv, vertex_z, asset.faces, height=height, width=width)[0])
    distance = np.minimum(z / (directions @ cameras.T_cam_world[v, 2, :3]), _to_floor(scene, origin, directions))
    return origin + np.where(np.isfinite(distance), distance, np.nan)[..., None] * directions


def _to_floor(
    scene: AlignedScene, origin: Float[ndarray, "3"], directions: Float[ndarray, "height width 3"]
) -> Float[ndarray, "height width"]:
    """Distance along each ray to z = 0 in the people's surroundings; inf where it is not met there."""
    down = np.where(directions[..., 2] < 0, directions[..., 2], np.nan)
    distance = -origin[2] / down
    middle = np.mean([body.transl[0, :2] for body in scene.bodies] or [[0.0, 0.0]], axis=0)
    spot = origin[:2] + distance[..., None] * directions[..., :2]
    return np.where((np.abs(spot - middle) < FLOOR_HALF_M).all(axis=-1), distance, np.inf)


def _pinhole(cameras: Cameras, scale: float) -> Cameras:
    """The cameras of smaller pictures, without distortion: HSfM's format knows none."""
    return replace(
        cameras,
        size_px=np.round(cameras.size_px * scale).astype(int),
        focal_px=cameras.focal_px * scale,
        principal_px=(cameras.principal_px + 0.5) * scale - 0.5,
        k1=np.zeros_like(cameras.k1),
    )
