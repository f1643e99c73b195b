"""What users keep of SAT-HMR and MA-HMR; the programs themselves keep pictures only.

predictions  what the network returns for one photo, as .npz, .pkl or .pt: pred_poses (n, 72): axis-angle of SMPL's 24 joints,
             the first turns SMPL into the camera's axes; pred_betas (n, 10); pred_transl (n, 3): moves SMPL [m]; pred_boxes
             (n, 4): middle, width and height over the side of the network's picture; pred_confs (n); pred_intrinsics (3, 3) of
             that picture, whose principal point is the middle of the photo in it. With or without a leading axis of one photo.
motion       npz/<frame>.npz of the fork knaiberger/SAT-HMR, or a folder of these: root_orient (3), pose_body (63), trans (3),
             betas (10) of the one person who is followed
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.errors import BadForeignFile
from hsimul3r.importers.clip import ImportedClip, ImportedPerson, full_pose
from hsimul3r.importers.plain import read_plain

TOOL: Final = "sat_hmr"
MOTION: Final = ("root_orient", "pose_body", "trans", "betas")
PEOPLE: Final = {"pred_poses": (72,), "pred_betas": (10,), "pred_transl": (3,), "pred_boxes": (4,)}
"""Of every person."""
WRONG: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError, OSError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """All people whom the network considered in one photo, in its camera's frame; lengths in metres."""

    poses: Float[ndarray, "people 24 3"]
    betas: Float[ndarray, "people 10"]
    transl: Float[ndarray, "people 3"]
    boxes: Float[ndarray, "people 4"]
    """Middle, width and height over the side of the network's picture."""
    confidence: Float[ndarray, "people"]
    K: Float[ndarray, "3 3"]
    """Of the network's picture."""


def is_result(folder: Path) -> bool:
    """Whether a folder looks like one of a motion."""
    return (folder / "npz").is_dir() or _is_motion(next(iter(sorted(folder.glob("*.npz"))), None))


def read_motion(folder: Path) -> ImportedClip:
    """The person's motion. Raises `BadForeignFile`."""
    inside = folder / "npz" if (folder / "npz").is_dir() else folder
    paths = sorted(
        (path for path in inside.glob("*.npz") if path.stem.isascii() and path.stem.isdigit()), key=lambda p: int(p.stem)
    )
    if not paths:
        raise BadForeignFile(folder, "it holds no .npz called by its frame's number")
    turns, body, places, betas = (np.stack(part) for part in zip(*(_frame(path) for path in paths)))
    person = ImportedPerson(
        name="0", pose=full_pose(np.concatenate([turns, body], axis=1)), root=places, betas=betas.mean(axis=0),
        frames=np.array([int(path.stem) for path in paths]),
    )  # fmt: skip
    return ImportedClip(tool=TOOL, body="smpl", up="-y", people=(person,))


def read_predictions(path: Path) -> Predictions:
    """Of one photo. Raises `BadForeignFile`, `UnsafeFile`."""
    content = _npz(path) if path.suffix == ".npz" else read_plain(path)
    try:
        found = {name: _people(content[name], shape) for name, shape in PEOPLE.items()}
        count = len(found["pred_poses"])
        sure = np.asarray(content["pred_confs"], float).reshape(-1) if "pred_confs" in content else np.ones(count)
        K = np.asarray(content["pred_intrinsics"], float).reshape(3, 3)
    except WRONG as error:
        raise BadForeignFile(path, f"it is no prediction of SAT-HMR or MA-HMR ({type(error).__name__}: {error})") from error
    if {len(one) for one in (*found.values(), sure)} != {count}:
        raise BadForeignFile(path, "its people are not as many in all of its arrays")
    if not all(np.isfinite(one).all() for one in (*found.values(), sure, K)) or not (K[[0, 1, 0, 1], [0, 1, 2, 2]] > 0).all():
        raise BadForeignFile(path, "it holds NaN, or a camera that sees nothing")
    poses, betas, transl, boxes = found.values()
    return Predictions(poses=poses.reshape(count, 24, 3), betas=betas, transl=transl, boxes=boxes, confidence=sure, K=K)


def _is_motion(path: Path | None) -> bool:
    try:
        return path is not None and all(name in _npz(path) for name in MOTION)
    except BadForeignFile:
        return False


def _npz(path: Path) -> Mapping[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except WRONG as error:
        raise BadForeignFile(path, f"it cannot be read ({type(error).__name__}: {error})") from error


def _frame(path: Path) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    content = _npz(path)
    try:
        sizes = ((1, 3), (21, 3), (3,), (-1,))
        turn, body, place, betas = (np.asarray(content[name], float).reshape(size) for name, size in zip(MOTION, sizes))
    except WRONG as error:
        raise BadForeignFile(path, f"it is no frame of SAT-HMR ({type(error).__name__}: {error})") from error
    return turn, body, place, betas


def _people(values: Any, shape: tuple[int, ...]) -> Float[ndarray, "people size"]:
    """Rows of people out of an array that may have an axis of one photo before."""
    array = np.asarray(values, float)
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    if array.ndim != 2 or array.shape[1:] != shape:
        raise ValueError(f"{array.shape} in place of (people, {shape[0]}): one photo a file")
    return array
