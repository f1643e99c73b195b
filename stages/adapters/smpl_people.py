"""People as SMPL, as HMR2, SAT-HMR and MA-HMR see them: in a camera's frame, and on the embedded body."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.body.conversion import ConvertedBody, convert_body
from hsimul3r.body.licensed import JOINT_NAMES, STAND_INS, LicensedBody
from hsimul3r.body.model import SmplxFormatBody, embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.rotations import shortest_rotation
from hsimul3r.geometry.skeletons import HIPS

IMAGE_MEAN: Final = (0.485, 0.456, 0.406)
IMAGE_STD: Final = (0.229, 0.224, 0.225)
SMPL_JOINTS: Final = JOINT_NAMES[24]


@dataclass(frozen=True, kw_only=True)
class SmplPerson:
    """One person in one photograph, in the frame of its camera (OpenCV's axes)."""

    pose: Float[ndarray, "24 3"]
    """Axis-angle per SMPL joint; the root's turns SMPL's template into the camera's frame."""
    betas: Float[ndarray, "10"]
    """Of the licensed SMPL model, not of the embedded body."""
    transl: Float[ndarray, "3"]
    """Moves SMPL's template [m], as far as `focal_px` is right."""
    focal_px: float
    """Of the photograph, with the principal point in its middle."""
    box_px: Float[ndarray, "4"]
    score: float

    @property
    def smplx_pose(self) -> Float[ndarray, "55 3"]:
        """The pose by SMPL-X's joints; fingers, jaw and eyes are at rest."""
        pose = np.zeros((len(SMPLX_JOINTS), 3))
        pose[[SMPLX_JOINTS.index(STAND_INS.get(name, name)) for name in SMPL_JOINTS]] = self.pose
        return pose


def skeleton_of(person: SmplPerson, *, is_ray_aligned: bool) -> Float[ndarray, "21 3"]:
    """Keypoints of the embedded body in the person's pose, as `PersonView.skeleton_m` has them: from the middle of the hips, in
    the axes of a camera that looks straight at the person. No licensed body is needed; its proportions are the average.

    `is_ray_aligned`: the pose is already in these axes (seen in a crop) rather than in the photograph's.
    """
    points = skeleton_of_pose(person.smplx_pose)
    if is_ray_aligned:
        return points
    return points @ shortest_rotation(np.array([0.0, 0, 1]), person.transl / np.linalg.norm(person.transl))


def skeleton_of_pose(pose: Float[ndarray, "55 3"]) -> Float[ndarray, "21 3"]:
    """Keypoints of the embedded body of average shape in a pose, from the middle of the hips."""
    points = embedded_body().keypoints(np.zeros(10), pose, np.zeros(3))
    return points - points[list(HIPS)].mean(axis=0)


def on_embedded_body(person: SmplPerson, smpl: LicensedBody, target: SmplxFormatBody | None = None) -> ConvertedBody:
    """The person on the embedded body, in the camera's frame; needs the user's SMPL, to which the betas belong."""
    return convert_body(smpl, person.betas, person.smplx_pose, person.transl, target or embedded_body())
