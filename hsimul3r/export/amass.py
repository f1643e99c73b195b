"""A simulated motion as a file in the manner of AMASS (SMPL-X), with contacts and object poses beside the body.

AMASS: gender, surface_model_type, betas, num_betas, trans, root_orient, pose_body, pose_jaw, pose_eye, pose_hand, all of these
in a row as poses (frames, 165), mocap_frame_rate, mocap_time_length. Added here: body_model, person, stature_m, contact_part,
contact_target, contact_force_n (frames, contacts), contact_point_m (frames, contacts, 3), object_name, object_pos_m (frames,
objects, 3), object_quat_wxyz (frames, objects, 4).
World frame, +Z up, floor at z = 0, axis-angle rotations [rad].
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import BodySequence, Rollout
from hsimul3r.export.texts import texts

HANDS = slice(25, 55)
EYES = slice(23, 25)
JAW = slice(22, 23)
BODY = slice(1, 22)


@dataclass(frozen=True, kw_only=True)
class AmassMotion:
    """One person's motion, what the person touches, and where the objects are."""

    body_model: str
    body: BodySequence
    contact_part: tuple[str, ...]
    """A key of CONTACT_PARTS, "" for skin that is part of none."""
    contact_target: tuple[str, ...]
    contact_force_n: Float[ndarray, "frames contacts"]
    contact_point_m: Float[ndarray, "frames contacts 3"]
    object_name: tuple[str, ...]
    object_pos_m: Float[ndarray, "frames objects 3"]
    object_quat_wxyz: Float[ndarray, "frames objects 4"]


def motions_of(rollout: Rollout, body_model: str, humans: tuple[str, ...]) -> tuple[AmassMotion, ...]:
    """The motion of every person of a rollout; `humans` are their names in the engine, in the order of its bodies."""
    names = [tuple(name.split("/")) for name in rollout.contact_names]
    motions = []
    for human, body in zip(humans, rollout.bodies):
        own = [i for i, name in enumerate(names) if name[0] == human]
        motions.append(
            AmassMotion(
                body_model=body_model,
                body=body,
                contact_part=tuple(names[i][1] for i in own),
                contact_target=tuple(names[i][2] for i in own),
                contact_force_n=rollout.contact_force_n[:, own],
                contact_point_m=rollout.contact_point[:, own],
                object_name=rollout.object_names,
                object_pos_m=rollout.object_pos,
                object_quat_wxyz=rollout.object_quat,
            )
        )
    return tuple(motions)


def write_amass(motion: AmassMotion, path: Path) -> None:
    """Write the npz; no pickled objects, texts are arrays of unicode."""
    body, frames = motion.body, len(motion.body.pose)

    def flat(joints: slice) -> Float[ndarray, "frames values"]:
        return body.pose[:, joints].reshape(frames, -1)

    np.savez_compressed(
        path, allow_pickle=False,
        gender=np.array("neutral"), surface_model_type=np.array("smplx"), body_model=np.array(motion.body_model),
        person=np.array(body.person), stature_m=np.array(body.stature_m), betas=body.betas,
        num_betas=np.array(body.betas.shape[-1]), trans=body.transl, poses=flat(slice(None)),
        root_orient=body.pose[:, 0], pose_body=flat(BODY), pose_jaw=flat(JAW), pose_eye=flat(EYES), pose_hand=flat(HANDS),
        mocap_frame_rate=np.array(body.fps), mocap_time_length=np.array(frames / body.fps),
        contact_part=texts(motion.contact_part), contact_target=texts(motion.contact_target),
        contact_force_n=motion.contact_force_n, contact_point_m=motion.contact_point_m,
        object_name=texts(motion.object_name), object_pos_m=motion.object_pos_m, object_quat_wxyz=motion.object_quat_wxyz,
    )  # fmt: skip


def read_amass(path: Path) -> AmassMotion:
    """Read what `write_amass` wrote."""
    with np.load(path, allow_pickle=False) as npz:
        table = {name: npz[name] for name in npz.files}
    frames = len(table["trans"])
    pose = np.concatenate([table[f"pose_{part}"].reshape(frames, -1, 3) for part in ("body", "jaw", "eye", "hand")], axis=1)
    body = BodySequence(
        person=int(table["person"]),
        betas=table["betas"],
        pose=np.concatenate([table["root_orient"][:, None], pose], axis=1),
        transl=table["trans"],
        fps=float(table["mocap_frame_rate"]),
        stature_m=float(table["stature_m"]),
    )
    return AmassMotion(
        body_model=str(table["body_model"]),
        body=body,
        contact_part=tuple(table["contact_part"].tolist()),
        contact_target=tuple(table["contact_target"].tolist()),
        contact_force_n=table["contact_force_n"],
        contact_point_m=table["contact_point_m"],
        object_name=tuple(table["object_name"].tolist()),
        object_pos_m=table["object_pos_m"],
        object_quat_wxyz=table["object_quat_wxyz"],
    )
