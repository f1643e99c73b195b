"""A posed body and how its skin and joints move when joints turn: exact derivatives of linear blend skinning."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.body.model import BodyModel
from hsimul3r.conventions import SMPLX_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle


@dataclass(frozen=True, kw_only=True)
class BodyState:
    """One person in one pose. `skin_arms[m, v] x` and `joint_arms[m, j] x` are the levers of the m-th movable joint:
    turning it by a small world rotation w moves vertex v by cross(w, skin_arms[m, v])."""

    pose: Float[ndarray, "55 3"]
    transl: Float[ndarray, "3"]
    rotations: Float[ndarray, "55 3 3"]
    vertices: Float[ndarray, "vertices 3"]
    joints: Float[ndarray, "55 3"]
    skin_arms: Float[ndarray, "movable vertices 3"]
    joint_arms: Float[ndarray, "movable 55 3"]


class BodyChain:
    """A person of fixed shape whose root and named joints may move."""

    def __init__(self, model: BodyModel, betas: Float[ndarray, "10"], movable: tuple[str, ...]):
        rest = (betas, np.zeros((len(SMPLX_JOINTS), 3)), np.zeros(3))
        self._model, self._betas = model, betas
        self._skin, self._joints = model.vertices(*rest), model.joints(*rest)
        self.movable = np.array([SMPLX_JOINTS.index(name) for name in movable])
        self.carries = _descendants()[self.movable].astype(float)
        self.faces: Int[ndarray, "faces 3"] = model.faces
        self.parts = model.parts

    def state(self, pose: Float[ndarray, "55 3"], transl: Float[ndarray, "3"]) -> BodyState:
        """Pose the body."""
        frames = self._model.fk(self._betas, pose, transl)
        R, p = frames[:, :3, :3], frames[:, :3, 3]
        weights = self._model.weights
        offsets = p - np.einsum("jxy,jy->jx", R, self._joints)
        by_joint = weights.T[:, :, None] * (self._skin @ np.swapaxes(R, 1, 2) + offsets[:, None])
        carried = (self.carries @ by_joint.reshape(len(p), -1)).reshape(len(self.movable), -1, 3)
        share = self.carries @ weights.T
        pivot = p[self.movable]
        return BodyState(
            pose=pose,
            transl=transl,
            rotations=R,
            vertices=by_joint.sum(axis=0),
            joints=p,
            skin_arms=carried - share[:, :, None] * pivot[:, None],
            joint_arms=self.carries[:, :, None] * (p[None] - pivot[:, None]),
        )

    def moved(self, state: BodyState, shift: Float[ndarray, "3"], turns: Float[ndarray, "movable 3"]) -> BodyState:
        """Shift the root and turn every movable joint by a rotation vector in the world frame."""
        pose = state.pose.copy()
        for joint, turn in zip(self.movable, turns):
            parent = np.eye(3) if joint == 0 else state.rotations[SMPLX_PARENTS[joint]]
            local = parent.T @ matrix_from_axis_angle(turn) @ parent @ matrix_from_axis_angle(pose[joint])
            pose[joint] = axis_angle_from_matrix(local)
        return self.state(pose, state.transl + shift)

    def corrections(self, state: BodyState, fitted: BodyState) -> Float[ndarray, "movable 3"]:
        """Turn of every movable joint against the fitted pose, as rotation vectors in the world frame."""
        local = np.swapaxes(matrix_from_axis_angle(fitted.pose[self.movable]), -1, -2) @ matrix_from_axis_angle(
            state.pose[self.movable]
        )
        return np.einsum("mxy,my->mx", state.rotations[self.movable], axis_angle_from_matrix(local))


def _descendants() -> ndarray:
    """Row j marks joint j and everything below it in the tree."""
    carries = np.eye(len(SMPLX_JOINTS), dtype=bool)
    for joint in range(len(SMPLX_JOINTS) - 1, 0, -1):
        carries[SMPLX_PARENTS[joint]] |= carries[joint]
    return carries
