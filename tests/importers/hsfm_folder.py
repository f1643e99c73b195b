"""A folder of HSfM's steps as its programs write it, of people and cameras that are known."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.geometry.cameras import project
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, shortest_rotation
from hsimul3r.geometry.skeletons import HIPS
from tests.geometry import rig

UPRIGHT = np.array([np.pi / 2, 0, 0])


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Two people in the cameras of four photos, which are twice as large as the working images."""

    cameras: Cameras
    identities: tuple[int, ...]
    poses: ndarray
    """(people, 55, 3), in the world."""
    keypoints: ndarray
    """(people, 21, 3), in the world."""

    def seen_straight(self, person: int, view: int) -> ndarray:
        """The rotation from the world into the axes of a camera that looks straight at a person."""
        T = self.cameras.T_cam_world[view]
        hips = T[:3, :3] @ self.keypoints[person, HIPS].mean(0) + T[:3, 3]
        return shortest_rotation(hips, np.array([0, 0, 1.0])) @ T[:3, :3]


def truth(identities=(3, 8)) -> Truth:
    rng = np.random.default_rng(5)
    poses = np.zeros((len(identities), 55, 3))
    poses[:, 1:22] = rng.normal(0, 0.15, (len(identities), 21, 3))
    poses[:, 0] = UPRIGHT
    body = embedded_body()
    places = [(0.0, 0.0, 1.0), (0.8, 0.5, 1.0)]
    keypoints = np.stack([body.keypoints(np.zeros(10), pose, np.array(at)) for pose, at in zip(poses, places)])
    keypoints[:, :, 2] -= keypoints[:, :, 2].min(1, keepdims=True)
    return Truth(cameras=rig.ring(k1=0.0), identities=identities, poses=poses, keypoints=keypoints)


def write_steps(folder: Path, of: Truth, *, hands=True, whole_body=True, absent=()) -> Path:
    """What get_sam2_, get_pose2d_vitpose_, get_smpl_hmr2_ and get_smplx_..._for_hsfm.py leave. `absent`: (view, identity)."""
    for name in ("sam2_json_data", "sam2_mask_data"):
        (folder / name).mkdir(parents=True)
    for v in range(len(of.cameras.size_px)):
        number, seen = f"{v + 1:05d}", [p for p, one in enumerate(of.identities) if (v, one) not in absent]
        wide, high = (2 * of.cameras.size_px[v]).tolist()
        pixels = {p: 2 * (project(of.cameras, v, of.keypoints[p]) + 0.5) - 0.5 for p in seen}
        mask, labels, poses, smpl, smplx = np.zeros((high, wide), np.uint16), {}, {}, {}, {}
        for p, uv in pixels.items():
            identity = of.identities[p]
            x0, y0, x1, y1 = np.clip([*uv.min(0), *uv.max(0)], 0, [wide - 1, high - 1] * 2).astype(int).tolist()
            mask[y0 : y1 + 1, x0 : x1 + 1] = identity
            labels[str(identity)] = {
                "instance_id": identity, "class_name": "person", "x1": x0, "y1": y0, "x2": x1, "y2": y1, "logit": 0.0
            }  # fmt: skip
            poses[identity] = {"bbox": [x0, y0, x1, y1, 1.0], "keypoints": in_coco_s_order(uv, whole_body).tolist()}
            smpl[identity], smplx[identity] = bodies(of, p, v)
        for one in (one for w, one in absent if w == v):
            labels[str(one)] = {"instance_id": one, "class_name": "person", "x1": 0, "y1": 0, "x2": 0, "y2": 0, "logit": 0.0}
        record = {"mask_name": f"mask_{number}.npy", "mask_height": high, "mask_width": wide, "promote_type": "mask"}
        (folder / "sam2_json_data" / f"mask_{number}.json").write_text(json.dumps({**record, "labels": labels}))
        np.save(folder / "sam2_mask_data" / f"mask_{number}.npy", mask)
        if seen:
            (folder / f"pose_{number}.json").write_text(json.dumps(poses, indent=4))
            (folder / f"smpl_params_{number}.pkl").write_bytes(pickle.dumps(smpl))
            if hands:
                (folder / f"smplx_params_{number}.pkl").write_bytes(pickle.dumps(smplx))
    return folder


def in_coco_s_order(uv: ndarray, whole_body: bool) -> ndarray:
    """(133 or 17, 3) of KEYPOINTS in pixels."""
    rows = np.zeros((133 if whole_body else 17, 3), np.float32)
    rows[:17, :2], rows[:17, 2] = uv[:17], 0.8
    feet = {17: "left_toe", 18: "left_toe", 19: "left_heel", 20: "right_toe", 21: "right_toe", 22: "right_heel"}
    for row, name in feet.items() if whole_body else ():
        rows[row] = [*uv[KEYPOINTS.index(name)], 0.6]
    return rows


def bodies(of: Truth, person: int, view: int) -> tuple[Mapping, Mapping]:
    """One person of smpl_params_ and of smplx_params_, as HMR2's crop shows the person."""
    pose = of.poses[person].copy()
    pose[0] = axis_angle_from_matrix(of.seen_straight(person, view) @ matrix_from_axis_angle(pose[0]))
    joints = np.concatenate([pose[:22], np.zeros((2, 3))])
    matrices = matrix_from_axis_angle(joints).astype(np.float32)
    smpl = {"global_orient": matrices[:1], "body_pose": matrices[1:], "betas": np.zeros(10, np.float32)}
    smplx = {
        "global_orient": pose[:1], "body_pose": pose[1:22].astype(np.float32), "betas": np.zeros(10, np.float32),
        "left_hand_pose": None, "right_hand_pose": np.full((15, 3), 0.1, np.float16),
    }  # fmt: skip
    return {"smpl_params": smpl}, smplx
