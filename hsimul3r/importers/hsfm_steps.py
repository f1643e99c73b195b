"""What HSfM's steps leave of each photo before the last of them joins the photos: who is where, keypoints, masks, bodies.

sam2_json_data/mask_<n>.json  {labels: {identity: {instance_id, x1, y1, x2, y2, ...}}}; a box of zeros is nobody
sam2_mask_data/mask_<n>.npy   (height, width) identities, 0 where nobody is
pose_<n>.json                 {identity: {keypoints (133 or 17, 3): x, y, confidence in COCO's order, bbox}}
smplx_params_<n>.pkl          {identity: {global_orient (1, 3), body_pose (21, 3), betas, left_hand_pose, right_hand_pose}}
smpl_params_<n>.pkl           {identity: {smpl_params: {global_orient (1, 3, 3), body_pose (23, 3, 3), betas (10)}}}, of HMR2

<n> is the number at the end of the photo's name, in five digits; pixels are the photo's, turned upright; an identity is the
same person in all photos. Poses are in the axes of a camera that looks straight at the person: HMR2 sees them in a crop.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.errors import BadForeignFile
from hsimul3r.importers.clip import axis_angles, full_pose
from hsimul3r.importers.plain import read_plain


@dataclass(frozen=True, kw_only=True)
class SeenInPhoto:
    """One person in one photo, in its pixels."""

    identity: int
    keypoints: Float[ndarray, "keypoints 3"]
    """COCO's 17 or COCO-WholeBody's 133: x, y, confidence."""
    box_px: Float[ndarray, "4"]
    pose: Float[ndarray, "55 3"]
    """Axis-angle by SMPLX_JOINTS, in the axes of a camera that looks straight at the person."""


@dataclass(frozen=True, kw_only=True)
class PhotoSteps:
    """What the steps say of one photo."""

    people: tuple[SeenInPhoto, ...]
    identities: Int[ndarray, "height width"]
    """Who is seen in every pixel of the photo, 0 for nobody."""


def number_of(photo: str, folder: Path) -> int:
    """The number at the end of a photo's name, by which HSfM calls its files. Raises `BadForeignFile`."""
    last = Path(photo).stem.split("_")[-1]
    if not (last.isascii() and last.isdigit()):
        raise BadForeignFile(folder, f"HSfM calls its files by the number at the end of a photo's name, '{photo}' has none")
    return int(last)


def read_photo_steps(folder: Path, photo: str) -> PhotoSteps:
    """Of a photo by its name; nobody where no person has keypoints and a body. Raises `BadForeignFile`, `UnsafeFile`."""
    number = f"{number_of(photo, folder):05d}"
    labels = folder / "sam2_json_data" / f"mask_{number}.json"
    boxes = _boxes(_json(labels), labels)
    mask = folder / "sam2_mask_data" / f"mask_{number}.npy"
    identities = np.asarray(read_plain(mask))
    if identities.ndim != 2 or not np.issubdtype(identities.dtype, np.integer):
        raise BadForeignFile(mask, "it is no picture of identities")
    keypoints_file = folder / f"pose_{number}.json"
    keypoints = _keypoints(_json(keypoints_file), keypoints_file) if boxes else {}
    poses = _poses(folder, number) if boxes else {}
    known = sorted(identity for identity in boxes if identity in keypoints and identity in poses)
    people = (
        SeenInPhoto(identity=one, keypoints=keypoints[one], box_px=boxes[one], pose=poses[one]) for one in known
    )  # fmt: skip
    return PhotoSteps(people=tuple(people), identities=identities)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise BadForeignFile(path, f"it cannot be read as JSON ({error})") from error


def _boxes(content: Any, path: Path) -> dict[int, ndarray]:
    try:
        labels = content["labels"].values()
        found = {int(one["instance_id"]): np.array([one[side] for side in ("x1", "y1", "x2", "y2")], float) for one in labels}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadForeignFile(path, f"it holds no labelled boxes ({type(error).__name__}: {error})") from error
    return {identity: box for identity, box in found.items() if box.any()}


def _keypoints(content: Any, path: Path) -> dict[int, ndarray]:
    try:
        found = {int(identity): np.asarray(one["keypoints"], float) for identity, one in content.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadForeignFile(path, f"it holds no keypoints ({type(error).__name__}: {error})") from error
    for identity, points in found.items():
        if points.shape not in ((17, 3), (133, 3)) or not np.isfinite(points).all():
            what = f"person {identity} has {points.shape} keypoints; 17 or 133 rows of x, y and confidence are known"
            raise BadForeignFile(path, what)
    return found


def _poses(folder: Path, number: str) -> dict[int, ndarray]:
    """Poses with hands where that step was made, else HMR2's own."""
    path = next((p for kind in ("smplx", "smpl") if (p := folder / f"{kind}_params_{number}.pkl").exists()), None)
    if path is None:
        raise BadForeignFile(folder, f"it holds neither smplx_params_{number}.pkl nor smpl_params_{number}.pkl")
    content = read_plain(path)
    try:
        found = {int(identity): _pose(one.get("smpl_params", one)) for identity, one in content.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadForeignFile(path, f"it holds no bodies ({type(error).__name__}: {error})") from error
    if not all(np.isfinite(pose).all() for pose in found.values()):
        raise BadForeignFile(path, "its bodies hold NaN")
    return found


def _pose(body: Mapping[str, Any]) -> Float[ndarray, "55 3"]:
    joints = np.concatenate([axis_angles(body[name], 1) for name in ("global_orient", "body_pose")], axis=1)
    hands = [body.get(f"{side}_hand_pose") for side in ("left", "right")]
    fingers = np.concatenate([np.zeros((15, 3)) if hand is None else np.reshape(hand, (15, 3)) for hand in hands])
    return full_pose(joints, fingers[None])[0]
