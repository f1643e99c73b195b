"""A person's bones over many frames, and how points on them move when joints turn a little."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import matrix_from_quaternion, skew
from hsimul3r.tracking.problem import PersonReference

JOINTS = len(BODY_JOINTS)
COORDINATES = 3 + 3 * JOINTS
"""A shift of the root [m], then a turn of every joint about its own axes [rad]."""


def _carriers() -> Bool[ndarray, "22 22"]:
    carries = np.eye(JOINTS, dtype=bool)
    for joint in range(JOINTS - 1, 0, -1):
        carries[SMPLX_PARENTS[joint]] |= carries[joint]
    return carries


CARRIES = _carriers()
"""[j, b]: joint j is bone b's own or one above it."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """World orientations and places of the joints in the order of BODY_JOINTS."""

    R: Float[ndarray, "frames 22 3 3"]
    p: Float[ndarray, "frames 22 3"]

    @classmethod
    def of(cls, person: PersonReference) -> "Chain":
        """As the person moves."""
        return cls(R=matrix_from_quaternion(person.quats), p=person.joints)

    @classmethod
    def posed(
        cls, local: Float[ndarray, "frames 22 3 3"], root: Float[ndarray, "frames 3"], offset: Float[ndarray, "22 3"]
    ) -> "Chain":
        """From rotations in the parents' frames, the pelvis's place and the joints' places in their parents' frames."""
        R, p = [local[:, 0]], [root]
        for joint in range(1, JOINTS):
            parent = SMPLX_PARENTS[joint]
            R.append(R[parent] @ local[:, joint])
            p.append(p[parent] + R[parent] @ offset[joint])
        return cls(R=np.stack(R, axis=1), p=np.stack(p, axis=1))

    def at(self, frames: Int[ndarray, "some"]) -> "Chain":
        """Some of the frames."""
        return Chain(R=self.R[frames], p=self.p[frames])

    def points(self, bones: Int[ndarray, "points"], local: Float[ndarray, "points 3"]) -> Float[ndarray, "frames points 3"]:
        """World places of points that are fixed in bones."""
        return self.p[:, bones] + np.einsum("fbxy,by->fbx", self.R[:, bones], local)

    def derivative(
        self, x: Float[ndarray, "frames points 3"], bones: Int[ndarray, "points"]
    ) -> Float[ndarray, "frames points 3 69"]:
        """Of such points by the coordinates, where all turns are zero."""
        arm = x[:, :, None] - self.p[:, None]
        turned = -np.einsum("fpjxy,fjyz->fpjxz", skew(arm), self.R) * CARRIES[:, bones].T[None, :, :, None, None]
        by = np.empty((*x.shape, COORDINATES))
        by[..., :3] = np.eye(3)
        by[..., 3:] = np.moveaxis(turned, 3, 2).reshape(*x.shape, -1)
        return by
