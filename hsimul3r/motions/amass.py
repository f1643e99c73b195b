"""A motion in AMASS' npz format on our body: one of our own exports exactly, any other with its turns, on a body of one build.

Keys: either `poses` (frames, 156 or 165) of SMPL-H or SMPL-X, or root_orient, pose_body (and pose_hand); trans;
mocap_framerate or mocap_frame_rate. +Z up. Betas of other bodies mean nothing to ours.
"""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import BodySequence
from hsimul3r.body.model import SmplxFormatBody
from hsimul3r.errors import BadMotion
from hsimul3r.export.amass import read_amass
from hsimul3r.importers.clip import ImportedClip, ImportedPerson, bodies_in_world, full_pose

RATES = ("mocap_frame_rate", "mocap_framerate")
BODY_VALUES = 66
HAND_VALUES = 90


def read_amass_motion(path: Path, model: SmplxFormatBody, *, fps: float, stature_m: float) -> BodySequence:
    """The motion at about `fps` frames a second. Raises `BadMotion`, `NotFinite`."""
    table = _table(path)
    rate = next((float(table[key]) for key in RATES if key in table), None)
    if rate is None or not rate > 0:
        raise BadMotion(path, f"it has no frame rate ({' or '.join(RATES)})")
    stride = max(round(rate / fps), 1)
    if str(table.get("body_model", "")) == model.name:
        body = read_amass(path).body
        return replace(body, pose=body.pose[::stride], transl=body.transl[::stride], fps=rate / stride)
    pose = _pose(path, table)[::stride]
    place = np.asarray(table["trans"], float)[::stride]
    if place.shape != (len(pose), 3):
        raise BadMotion(path, f"its trans has the shape {place.shape}, its poses {len(pose)} frames")
    person = ImportedPerson(name=path.stem, pose=pose, root=place, betas=np.zeros(10), frames=np.arange(len(pose)))
    clip = ImportedClip(tool="amass", body="smplx", up="+z", people=(person,))
    return bodies_in_world(clip, model, stature_m=stature_m, fps=rate / stride, path=path)[0]


def _table(path: Path) -> dict[str, ndarray]:
    try:
        with np.load(path, allow_pickle=False) as npz:
            table = {key: npz[key] for key in npz.files if npz[key].dtype != object}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise BadMotion(path, f"it cannot be read ({error})") from error
    if "trans" not in table or not ("poses" in table or {"root_orient", "pose_body"} <= set(table)):
        raise BadMotion(path, f"it holds {', '.join(sorted(table)) or 'nothing'}, not poses and trans")
    return table


def _pose(path: Path, table: dict[str, ndarray]) -> Float[ndarray, "frames 55 3"]:
    if "poses" in table:
        values = np.asarray(table["poses"], float)
        if values.ndim != 2 or values.shape[1] not in (156, 165):
            raise BadMotion(path, f"its poses have the shape {values.shape}, not (frames, 156) or (frames, 165)")
        body, hands = values[:, :BODY_VALUES], values[:, -HAND_VALUES:]
    else:
        body = np.concatenate([table["root_orient"], table["pose_body"]], axis=1).astype(float)
        hands = np.asarray(table.get("pose_hand", np.zeros((len(body), HAND_VALUES))), float)
    if body.shape[1] != BODY_VALUES or hands.shape != (len(body), HAND_VALUES):
        raise BadMotion(path, f"its poses have {body.shape[1]} values for the body and {hands.shape[1]} for the hands")
    return full_pose(body.reshape(len(body), -1, 3), hands.reshape(len(body), -1, 3))
