"""People in motion as another program estimated them, and the same motion in this project's world and body."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.artifacts import BodySequence
from hsimul3r.body.model import SmplxFormatBody
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.errors import BadForeignFile, NotFinite
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle

SourceBody = Literal["smpl", "smplx"]
Up = Literal["+z", "+y", "-y"]
"""Which axis of the source's world points up; "-y" is a camera's own frame, held level."""

SMPL_BODY: Final = 22
"""Joints that SMPL and SMPL-X have in common, the pelvis first; SMPL's last two stand for the hands."""
R_WORLD_SOURCE: Final[dict[Up, Float[ndarray, "3 3"]]] = {
    "+z": np.eye(3),
    "+y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-y": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
}


@dataclass(frozen=True, kw_only=True)
class ImportedPerson:
    """One person, in the source's world. `pose` is axis-angle by SMPLX_JOINTS; what the source does not estimate is at rest."""

    name: str
    pose: Float[ndarray, "frames 55 3"]
    root: Float[ndarray, "frames 3"]
    """Joint 0. Where the source gives `transl` instead, off by the pelvis' place in its body's T-pose: a constant, which
    placing the person on the floor takes away (in a turning camera some centimetres of it remain)."""
    betas: Float[ndarray, "betas"]
    """In the source body's own space: only the licensed body of that name can read them."""
    frames: Int[ndarray, "frames"]
    """Places in the video."""
    joint: str = "pelvis"
    """Whose place `root` is where it is not joint 0."""


@dataclass(frozen=True, kw_only=True)
class ImportedCamera:
    """A photo's camera and what it saw, in the source's world."""

    name: str
    K: Float[ndarray, "3 3"]
    T_world_cam: Float[ndarray, "4 4"]
    points: Float[ndarray, "height width 3"] | None = None
    confidence: Float[ndarray, "height width"] | None = None


@dataclass(frozen=True, kw_only=True)
class ImportedClip:
    """What a file of another program holds."""

    tool: str
    body: SourceBody
    up: Up
    people: tuple[ImportedPerson, ...]
    cameras: tuple[ImportedCamera, ...] = field(default=())


def axis_angles(values: Any, count: int) -> Float[ndarray, "count joints 3"]:
    """Axis-angle of `count` frames from itself or from matrices (..., 3, 3)."""
    array = np.asarray(values, float)
    is_matrix = array.shape[-2:] == (3, 3) and array.ndim >= 3
    return axis_angle_from_matrix(array.reshape(count, -1, 3, 3)) if is_matrix else array.reshape(count, -1, 3)


def full_pose(body: Float[ndarray, "frames joints 3"], hands: Float[ndarray, "frames 30 3"] | None = None) -> ndarray:
    """(frames, 55, 3) from the axis-angle of the body's joints, the pelvis first; SMPL's hand joints are left out."""
    pose = np.zeros((len(body), len(SMPLX_JOINTS), 3))
    count = min(body.shape[1], SMPL_BODY)
    pose[:, :count] = body[:, :count]
    if hands is not None:
        pose[:, 25:] = hands
    return pose


def bodies_in_world(
    clip: ImportedClip, model: SmplxFormatBody, *, stature_m: float, fps: float, path: Path
) -> tuple[BodySequence, ...]:
    """The people on the floor of this project's world, as the embedded body of a given stature.

    Rotations carry over exactly. A source's betas mean nothing to another body, so limbs have the proportions of `model`, and
    the source's scale is kept. The lowest sole of all frames is put on z = 0. Raises `BadForeignFile`, `NotFinite`.
    """
    if not clip.people:
        raise BadForeignFile(path, "it holds no person")
    betas = model.betas_of_stature(stature_m)
    bodies = [_turned(person, clip.up, model, betas, fps, stature_m, i) for i, person in enumerate(clip.people)]
    for body in bodies:
        if not (np.isfinite(body.pose).all() and np.isfinite(body.transl).all()):
            raise NotFinite(f"The motion in '{path}'", "Export it again without the frames in which the person was lost.")
    floor = min(float(model.soles(betas, body.pose, body.transl)[..., 2].min()) for body in bodies)
    origin = np.append(model.joints(betas, bodies[0].pose[0], bodies[0].transl[0])[0, :2], floor)
    return tuple(replace(body, transl=body.transl - origin) for body in bodies)


def _turned(
    person: ImportedPerson, up: Up, model: SmplxFormatBody, betas: ndarray, fps: float, stature_m: float, index: int
) -> BodySequence:
    R = R_WORLD_SOURCE[up]
    pose = person.pose.copy()
    pose[:, 0] = axis_angle_from_matrix(R @ matrix_from_axis_angle(pose[:, 0]))
    transl = person.root @ R.T - model.joints(betas, pose, np.zeros((len(pose), 3)))[:, SMPLX_JOINTS.index(person.joint)]
    return BodySequence(person=index, betas=betas, pose=pose, transl=transl, fps=fps, stature_m=stature_m)
