"""People of known truth in front of known cameras, and what a detector would make of them."""

from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import embedded_body
from hsimul3r.body.problem import PersonObservations
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.geometry.alignment import align_points
from hsimul3r.geometry.cameras import depth, project, triangulate
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, rotation_about_z
from hsimul3r.geometry.silhouette import rasterize_depth

POSTURES = {
    "stand": {"left_shoulder_z": -70, "right_shoulder_z": 72, "left_elbow_y": -20, "right_elbow_y": 35},
    "sit": {
        "left_hip_x": -85, "right_hip_x": -88, "left_knee_x": 88, "right_knee_x": 80, "left_shoulder_y": -35,
        "right_shoulder_y": 30, "left_elbow_y": -60, "right_elbow_y": 70, "spine1_x": 8, "spine2_x": 8,
    },
    "lean": {
        "left_hip_x": -45, "right_hip_x": -45, "left_shoulder_y": -70, "right_shoulder_y": 70, "left_shoulder_z": -45,
        "right_shoulder_z": 45, "left_elbow_y": -15, "right_elbow_y": 15, "spine1_x": 15, "spine2_x": 10, "neck_x": -15,
    },
    "stool": {"left_hip_x": -70, "left_knee_x": 85, "left_ankle_x": -10, "right_knee_x": 3, "left_elbow_y": -70},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Truth:
    betas: ndarray
    pose: ndarray
    transl: ndarray

    def joints(self) -> ndarray:
        return embedded_body().joints(self.betas, self.pose, self.transl)[:22]

    def soles(self) -> ndarray:
        return embedded_body().soles(self.betas, self.pose, self.transl)

    def keypoints(self) -> ndarray:
        return embedded_body().keypoints(self.betas, self.pose, self.transl)


def pose_of(dofs: ndarray, root: ndarray) -> ndarray:
    """SMPL-X pose of anatomical coordinates and a root rotation."""
    rotations = anatomy().rotations(dofs)
    rotations[0] = root
    pose = np.zeros((55, 3))
    pose[:22] = axis_angle_from_matrix(rotations)
    return pose


def person(posture: str, *, stature_m: float, yaw: float, at: tuple[float, float], seed: int = 0) -> Truth:
    """A person in a posture, its lowest sole on the floor."""
    rng = np.random.default_rng(seed)
    body = embedded_body()
    dofs = anatomy().posture(**POSTURES[posture])
    dofs = np.clip(dofs + 0.25 * anatomy().spread * rng.standard_normal(len(dofs)), anatomy().low, anatomy().high)
    pitch = np.deg2rad(20.0 if posture == "lean" else 0.0)
    root = rotation_about_z(yaw) @ matrix_from_axis_angle(np.array([np.pi / 2 + pitch, 0, 0]))
    betas = body.betas_of_stature(stature_m)
    betas[1:] += 0.7 * rng.standard_normal(9)
    pose = pose_of(dofs, root)
    low = body.soles(betas, pose, np.zeros(3))[..., 2].min()
    return Truth(betas=betas, pose=pose, transl=np.array([*at, -low]))


def ring_of_cameras(count: int = 4, *, arc: float = 2.6, distance: float = 3.2, size: tuple[int, int] = (1280, 960)) -> Cameras:
    """Cameras on an arc around the origin at eye level, looking at 0.85 m."""
    T = np.tile(np.eye(4), (count, 1, 1))
    for v, angle in enumerate(np.linspace(-arc / 2, arc / 2, count)):
        eye = np.array([distance * np.sin(angle), -distance * np.cos(angle), 1.3 + 0.2 * (v % 2)])
        forward = np.array([0, 0, 0.85]) - eye
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        T[v, :3, :3] = np.stack([right, np.cross(forward, right), forward])
        T[v, :3, 3] = -T[v, :3, :3] @ eye
    return Cameras(
        size_px=np.tile(size, (count, 1)), focal_px=np.full(count, 1050.0), k1=np.full(count, -0.02),
        principal_px=np.tile([(size[0] - 1) / 2, (size[1] - 1) / 2], (count, 1)), T_cam_world=T,
        is_registered=np.ones(count, bool),
    )  # fmt: skip


def detect(
    truth: Truth, cameras: Cameras, *, seed: int, noise_px: float = 5.0, bias_m: float = 0.015, dropped: float = 0.1,
    number: int = 0,
) -> PersonObservations:  # fmt: skip
    """What a detector would say: a bias per joint in the body's frame, noise per view, some joints dropped, some far off."""
    rng = np.random.default_rng(seed)
    views = len(cameras.focal_px)
    root = matrix_from_axis_angle(truth.pose[0])
    points = truth.keypoints() + bias_m * rng.standard_normal((21, 3)) @ root.T
    uv = np.stack([project(cameras, v, points) for v in range(views)])
    uv += noise_px * rng.standard_normal(uv.shape)
    confidence = np.clip(0.75 + 0.15 * rng.standard_normal((views, 21)), 0.3, 1.0)
    is_dropped = rng.random((views, 21)) < dropped
    confidence[is_dropped] = 0.05
    uv[is_dropped] += 60 * rng.standard_normal((int(is_dropped.sum()), 2))
    wrong = rng.random((views, 21)) < 0.03
    uv[wrong] += 40 * rng.standard_normal((int(wrong.sum()), 2))
    skeleton = np.full((21, 3), np.nan)
    for k in range(21):
        seen = np.flatnonzero(confidence[:, k] > 0.2)
        if len(seen) > 1:
            skeleton[k] = triangulate(cameras, seen, uv[seen, k], confidence[seen, k])
    relative = points - points[[KEYPOINTS.index("left_hip"), KEYPOINTS.index("right_hip")]].mean(0)
    monocular = np.einsum("vij,kj->vki", cameras.T_cam_world[:, :3, :3], relative)
    monocular = 0.85 * monocular + 0.06 * rng.standard_normal(monocular.shape)
    return PersonObservations(
        person=number, view=np.arange(views), keypoints_px=uv, confidence=confidence, skeleton_m=monocular, skeleton=skeleton
    )


def silhouettes(truth: Truth, cameras: Cameras) -> list[ndarray]:
    """The body's pixels in every view."""
    body = embedded_body()
    vertices = body.vertices(truth.betas, truth.pose, truth.transl)
    masks = []
    for v, (width, height) in enumerate(cameras.size_px):
        uv, z = project(cameras, v, vertices), depth(cameras, v, vertices)
        masks.append(rasterize_depth(uv, z, body.faces, height=height, width=width)[1] >= 0)
    return masks


def mpjpe(a: ndarray, b: ndarray) -> float:
    """Mean distance of joints [m]."""
    return float(np.linalg.norm(a - b, axis=-1).mean())


def pa_mpjpe(a: ndarray, b: ndarray) -> float:
    """Mean distance of joints after the best similarity [m]."""
    return mpjpe(align_points(a, b, with_scale=True).apply(a), b)
