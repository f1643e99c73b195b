"""SMPL, SMPL-H and SMPL-X from the npz that their licence gives a user, behind the same interface as the embedded body.

Nothing of these models is shipped. Joints are brought to SMPL-X's 55 by name: what a model lacks (SMPL's fingers, jaw and eyes)
lies on its nearest joint and moves nothing. Landmarks (keypoints, soles) are the embedded body's, carried over by `conversion`.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial import KDTree
from torch import Tensor

from hsimul3r.body.conversion import ConversionConfig, ConvertedBody, convert_body
from hsimul3r.body.model import Skeleton, SkinnedPoints, SmplxFormatBody, contact_part_vertices, embedded_body, rodrigues
from hsimul3r.conventions import BODY_JOINTS, SMPLX_JOINTS
from hsimul3r.errors import BadBody

BETAS = 10
HANDS = ("left_hand", "right_hand")
JOINT_NAMES: Final = {
    24: (*BODY_JOINTS, *HANDS),
    52: (*BODY_JOINTS, *SMPLX_JOINTS[25:]),
    55: SMPLX_JOINTS,
}  # fmt: skip
"""Joints of SMPL, SMPL-H and SMPL-X, by how many there are."""
KINDS: Final = {24: "smpl", 52: "smplh", 55: "smplx"}
STAND_INS: Final = {"left_hand": "left_middle1", "right_hand": "right_middle1"}
"""Where SMPL's hand joints go among SMPL-X's."""
LICENCES: Final = {
    kind: f"{name} body model (Max Planck Society): non-commercial scientific research only; from the user's own file"
    for kind, name in (("smpl", "SMPL"), ("smplh", "SMPL-H"), ("smplx", "SMPL-X"))
}
LANDMARK_JOINT_M = 0.05
"""A landmark within this of a body joint of the embedded body belongs to the joint, others to the skin."""
SKIN_POINTS = 4


@dataclass(frozen=True, kw_only=True)
class LicensedBody(SmplxFormatBody):
    """A body with SMPL's pose-dependent shape. Its skeleton, and its skin without that, are those of the base class."""

    posedirs: Float[Tensor, "vertices 3 features"]
    feature_joints: tuple[int, ...]
    """The joints, in SMPL-X's order of names, whose turns `posedirs` answers; nine features each."""
    licence: str
    landmarks: ConvertedBody
    """The embedded body laid onto this one at rest, from which the landmarks come, with its error."""

    def vertices(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch vertices 3"]:
        """World positions of the skin: shape, pose-dependent shape, linear blend skinning."""
        rotations, joints, offsets = self._transforms(betas, pose, transl)
        turns = rodrigues(torch.as_tensor(np.array(pose, float)))[..., list(self.feature_joints), :, :]
        features = (turns - torch.eye(3, dtype=turns.dtype)).flatten(-3)
        bent = torch.einsum("pcf,...f->...pc", self.posedirs, features.to(self.posedirs.dtype)).double()
        shape = torch.as_tensor(np.broadcast_to(betas, (*joints.shape[:-2], BETAS)).copy(), dtype=torch.float64)
        return self.skin.blended(self.skin.shaped(shape) + bent, rotations, offsets).numpy()


@dataclass(frozen=True, kw_only=True)
class _Arrays:
    """What a model's file holds, joints brought to SMPL-X's 55."""

    kind: str
    template: ndarray
    faces: ndarray
    shapes: ndarray
    posedirs: ndarray
    weights: ndarray
    joints: ndarray
    joint_shapes: ndarray
    feature_joints: tuple[int, ...]


def load_licensed_body(path: Path) -> LicensedBody:
    """A body from SMPL_*.npz, SMPLH_*.npz or SMPLX_*.npz. Raises `BadBody`."""
    arrays = _read(path)
    skin = _points(arrays.template, arrays.shapes, arrays.weights)
    skeleton = Skeleton(template=torch.as_tensor(arrays.joints), shapes=torch.as_tensor(arrays.joint_shapes))
    highest, lowest = arrays.template[:, 1].argmax(), arrays.template[:, 1].argmin()
    span = arrays.template[highest, 1] - arrays.template[lowest, 1]
    bare = SmplxFormatBody(
        name=f"{arrays.kind}:{path.stem}", faces=arrays.faces, weights=arrays.weights, skeleton=skeleton, skin=skin,
        parts=contact_part_vertices(arrays.template, arrays.joints, arrays.weights), keypoint_points=skin, sole_points=skin,
        stature_row=np.concatenate([[span], arrays.shapes[highest, 1] - arrays.shapes[lowest, 1]]),
    )  # fmt: skip
    own = embedded_body()
    laid = convert_body(bare, np.zeros(BETAS), np.zeros((55, 3)), np.zeros(3), own, cfg=ConversionConfig(rounds=4))
    return LicensedBody(
        name=bare.name, faces=bare.faces, weights=bare.weights, parts=bare.parts, skeleton=skeleton, skin=skin,
        keypoint_points=_carried(own, own.keypoint_points, laid, arrays),
        sole_points=_carried(own, own.sole_points, laid, arrays), stature_row=bare.stature_row,
        posedirs=torch.as_tensor(arrays.posedirs), feature_joints=arrays.feature_joints, licence=LICENCES[arrays.kind],
        landmarks=laid,
    )  # fmt: skip


def _read(path: Path) -> _Arrays:
    table = _table(path)
    count = len(table["J_regressor"])
    if count not in JOINT_NAMES:
        raise BadBody(path, f"it has {count} joints; {', '.join(map(str, JOINT_NAMES))} are known")
    names = JOINT_NAMES[count]
    place = [SMPLX_JOINTS.index(STAND_INS.get(name, name)) for name in names]
    shapes = table["shapedirs"][..., :BETAS]
    if shapes.shape != (len(table["v_template"]), 3, BETAS) or table["weights"].shape != (len(shapes), count):
        raise BadBody(path, "its shapes or weights do not fit its vertices and joints")
    if table["posedirs"].shape != (len(shapes), 3, 9 * (count - 1)):
        raise BadBody(path, "its pose-dependent shape does not fit its joints")
    weights = np.zeros((len(shapes), len(SMPLX_JOINTS)))
    weights[:, place] = table["weights"] / table["weights"].sum(axis=1, keepdims=True)
    joints, joint_shapes = table["J_regressor"] @ table["v_template"], np.einsum("jv,vcn->jcn", table["J_regressor"], shapes)
    source = [place.index(_nearest_had(joint, place)) for joint in range(len(SMPLX_JOINTS))]
    return _Arrays(
        kind=KINDS[count], template=table["v_template"], faces=table["f"].astype(np.int64), shapes=shapes,
        posedirs=table["posedirs"].astype(np.float32), weights=weights, joints=joints[source],
        joint_shapes=joint_shapes[source], feature_joints=tuple(place[1:]),
    )  # fmt: skip


def _table(path: Path) -> dict[str, ndarray]:
    keys = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights")
    try:
        with np.load(path, allow_pickle=False) as npz:
            missing = [key for key in keys if key not in npz.files]
            if missing:
                raise BadBody(path, f"it lacks {', '.join(missing)}")
            return {key: np.asarray(npz[key], np.float64) for key in keys}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise BadBody(path, f"it is no npz of plain arrays ({error})") from error


def _nearest_had(joint: int, had: list[int]) -> int:
    """The joint itself where the model has it, else the fingers' or the head's stand-in."""
    if joint in had:
        return joint
    name = SMPLX_JOINTS[joint]
    stand_in = "head" if "eye" in name or name == "jaw" else f"{name.split('_')[0]}_middle1"
    return SMPLX_JOINTS.index(stand_in)


def _points(template: ndarray, shapes: ndarray, weights: ndarray) -> SkinnedPoints:
    return SkinnedPoints(template=torch.as_tensor(template), shapes=torch.as_tensor(shapes), weights=torch.as_tensor(weights))


def _carried(own: SmplxFormatBody, points: SkinnedPoints, laid: ConvertedBody, arrays: _Arrays) -> SkinnedPoints:
    """Landmarks of the embedded body at their places on the other, changing shape as the joint or skin there does."""
    at = own._posed(points, laid.betas, laid.pose, laid.transl)
    body_joints = own.joints(laid.betas, laid.pose, laid.transl)[: len(BODY_JOINTS)]
    away, joint = (np.asarray(found) for found in KDTree(body_joints).query(at))
    distance, near = (np.asarray(found) for found in KDTree(arrays.template).query(at, k=SKIN_POINTS))
    share = 1 / np.maximum(distance, 1e-6)
    share /= share.sum(axis=1, keepdims=True)
    is_joint = away < LANDMARK_JOINT_M
    template = np.where(is_joint[:, None], at - body_joints[joint] + arrays.joints[joint], at)
    by_skin = np.einsum("pk,pkcn->pcn", share, arrays.shapes[near])
    shapes = np.where(is_joint[:, None, None], arrays.joint_shapes[joint], by_skin)
    return _points(template, shapes, points.weights.numpy())
