"""A body of fixed shape and fixed fingers whose points know their derivatives by posture in closed form.

A posture is the pelvis' turn and place and the anatomical coordinates of body/anatomy.py, so limits are bounds. A turn about
a world axis a at joint j moves a point by a x arm, arm = sum_i w_i x_i - p_j sum_i w_i over the joints i at or below j; all
derivatives here are made of these arms. Unlike body/derivatives.py the shape is a constant and fingers are bent.
"""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_array
from scipy.spatial.transform import Rotation

from hsimul3r.benchmark.scene import PosedBody
from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import embedded_body, rodrigues
from hsimul3r.conventions import BODY_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle

JOINTS = len(BODY_JOINTS)
ROOT = 6
PARENTS = np.array(SMPLX_PARENTS[:JOINTS])
ELBOWS = tuple(BODY_JOINTS.index(f"{side}_elbow") for side in ("left", "right"))


def parameters() -> int:
    """Length of a step: turn (3) and place (3) of the pelvis, then the anatomical coordinates."""
    return ROOT + anatomy().count


@dataclass(frozen=True, kw_only=True)
class Posture:
    """World turn and place of the pelvis joint, and the anatomical coordinates [rad]."""

    turn: Float[ndarray, "3 3"]
    place: Float[ndarray, "3"]
    dofs: Float[ndarray, "dofs"]

    def moved(self, step: Float[ndarray, "parameters"]) -> "Posture":
        """The posture after a step."""
        turn = matrix_from_axis_angle(step[:3]) @ self.turn
        return Posture(turn=turn, place=self.place + step[3:ROOT], dofs=self.dofs + step[ROOT:])


@dataclass(frozen=True, kw_only=True)
class Puppet:
    """Rest points: skin vertices, four points under each foot, then the joints; they hang on the body joints by weights."""

    betas: Float[ndarray, "10"]
    fingers: Float[ndarray, "33 3"]
    forearm_twist: Float[ndarray, "22 3 3"]
    """Turns about the forearms' own axes (identity elsewhere), which the anatomical coordinates leave to the wrist."""
    joints: Float[ndarray, "22 3"]
    rest: Float[ndarray, "points 3"]
    weights: Float[ndarray, "points 22"]

    @classmethod
    def of(cls, betas: Float[ndarray, "10"], key: Float[ndarray, "55 3"]) -> "Puppet":
        """The embedded body with the fingers and the twist of the forearms of a key pose."""
        body = embedded_body()
        bent = np.zeros((55, 3))
        bent[JOINTS:] = key[JOINTS:]
        shape = torch.as_tensor(betas, dtype=torch.float64)
        R, joints, offsets = body.skeleton.transforms(
            shape, rodrigues(torch.as_tensor(bent)), torch.zeros(3, dtype=torch.float64)
        )
        tables = [body.skin, body.sole_points]
        rest = [points.posed(shape, R, offsets).numpy() for points in tables]
        weights = [points.on_body_joints(JOINTS).weights.numpy() for points in tables]
        places = joints.numpy()[:JOINTS]
        hangs_on = np.eye(JOINTS)[np.maximum(PARENTS, 0)]
        twist = np.tile(np.eye(3), (JOINTS, 1, 1))
        for elbow in ELBOWS:
            twist[elbow] = _swing_twist(key[elbow], axis=0)[1].as_matrix()
        return cls(
            betas=np.asarray(betas, float), fingers=key[JOINTS:], forearm_twist=twist, joints=places,
            rest=np.concatenate([*rest, places]), weights=np.concatenate([*weights, hangs_on]),
        )  # fmt: skip

    @property
    def skin_count(self) -> int:
        return len(embedded_body().weights)

    def sole_index(self, side: str) -> Int[ndarray, "4"]:
        """Points under a foot: heel, ball inside, ball outside, toe tip."""
        return self.skin_count + 4 * ("left", "right").index(side) + np.arange(4)

    def joint_index(self, name: str) -> int:
        return self.skin_count + 8 + BODY_JOINTS.index(name)

    def posture(self, key: Float[ndarray, "55 3"], place: Float[ndarray, "3"]) -> Posture:
        """The posture of a key pose with the pelvis joint at a place; coordinates are kept inside their limits."""
        return Posture(turn=matrix_from_axis_angle(key[0]), place=np.asarray(place, float), dofs=anatomical(key))

    def posed_body(self, posture: Posture) -> PosedBody:
        """SMPL-X parameters."""
        local = self.local_turns(posture)
        pose = np.concatenate([axis_angle_from_matrix(local), self.fingers])
        return PosedBody(betas=self.betas, pose=pose, transl=posture.place - self.joints[0])

    def local_turns(self, posture: Posture) -> Float[ndarray, "22 3 3"]:
        """Turn of each joint against its parent; the pelvis' against the world."""
        local = anatomy().rotations(posture.dofs) @ self.forearm_twist
        local[0] = posture.turn
        return local

    def pose(self, posture: Posture) -> "Figure":
        """All points in a posture."""
        local = self.local_turns(posture)
        R, p = np.empty((JOINTS, 3, 3)), np.empty((JOINTS, 3))
        R[0], p[0] = local[0], posture.place
        for j in range(1, JOINTS):
            parent = PARENTS[j]
            R[j] = R[parent] @ local[j]
            p[j] = p[parent] + R[parent] @ (self.joints[j] - self.joints[parent])
        offsets = p - np.einsum("jxy,jy->jx", R, self.joints)
        carried = (self.rest @ R.reshape(-1, 3).T).reshape(len(self.rest), JOINTS, 3) + offsets
        shares = self.weights[..., None] * carried
        return Figure(puppet=self, posture=posture, R=R, p=p, shares=shares, points=shares.sum(axis=1))


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A puppet in a posture: world turns and places of its joints, and all its points."""

    puppet: Puppet
    posture: Posture
    R: Float[ndarray, "22 3 3"]
    p: Float[ndarray, "22 3"]
    shares: Float[ndarray, "points 22 3"]
    points: Float[ndarray, "points 3"]

    @property
    def skin(self) -> Float[ndarray, "vertices 3"]:
        return self.points[: self.puppet.skin_count]

    def joint(self, name: str) -> Float[ndarray, "3"]:
        return self.p[BODY_JOINTS.index(name)]

    @functools.cached_property
    def axes(self) -> Float[ndarray, "turns 3"]:
        """World axes of the turns: three of the pelvis, then the anatomical coordinates."""
        dofs = np.einsum("dxy,dy->dx", self.R[PARENTS[_joint_of_dof()]], anatomy().axes(self.posture.dofs))
        return np.concatenate([np.eye(3), dofs])

    @functools.cached_property
    def arms(self) -> Float[ndarray, "points 22 3"]:
        """The arm of each point at each joint, as in the module's docstring."""
        below = _below()
        reach = np.einsum("ji,nix->njx", below, self.shares, optimize=True)
        return reach - (self.puppet.weights @ below.T)[..., None] * self.p

    def along(
        self, index: ndarray, normals: Float[ndarray, "rows 3"], weight: ndarray | None = None
    ) -> Float[ndarray, "rows parameters"]:
        """Derivative of normal @ point; points are `index` (rows,), or means of (rows, k) by `weight` (rows, k)."""
        arms = self.arms[index] if weight is None else np.einsum("rk,rkjx->rjx", weight, self.arms[index])
        turned = np.cross(arms, normals[:, None])[:, _turn_joints()]
        return _with_place(np.einsum("dx,rdx->rd", self.axes, turned), normals)

    def place_by(self, index: int) -> Float[ndarray, "3 parameters"]:
        """Derivative of one point."""
        return self.along(np.full(3, index), np.eye(3))

    def direction_by(self, joint: str, direction: Float[ndarray, "3"]) -> Float[ndarray, "3 parameters"]:
        """Derivative of a world direction that is fixed to a joint's bone."""
        moves = _below()[:, BODY_JOINTS.index(joint)][_turn_joints()]
        turns = np.cross(self.axes, direction).T * moves
        return _with_place(turns, np.zeros((3, 3)))

    def centre_of_mass(self) -> tuple[Float[ndarray, "3"], Float[ndarray, "3 parameters"]]:
        """Centroid of the volume inside the skin, and its derivative."""
        faces = embedded_body().faces
        a, b, c = (self.skin[faces[:, k]] for k in range(3))
        volume, total = np.einsum("fx,fx->f", a, np.cross(b, c)), a + b + c
        whole = volume.sum()
        centre = (volume[:, None] * total).sum(axis=0) / (4 * whole)
        rows = []
        for axis in range(3):
            lever = (total[:, axis] / 4 - centre[axis]) / whole
            by = [lever[:, None] * np.cross(x, y) for x, y in ((b, c), (c, a), (a, b))]
            push = np.sum([_corner_sums()[k] @ by[k] for k in range(3)], axis=0)
            push[:, axis] += sum(_corner_sums()) @ (volume / (4 * whole))
            turned = np.cross(self.arms[: len(push)], push[:, None]).sum(axis=0)[_turn_joints()]
            rows.append(_with_place((self.axes * turned).sum(axis=1)[None], push.sum(axis=0)[None]))
        return centre, np.concatenate(rows)

    @functools.cached_property
    def normals(self) -> Float[ndarray, "vertices 3"]:
        """Unit normals of the skin, outwards."""
        faces = embedded_body().faces
        a, b, c = (self.skin[faces[:, k]] for k in range(3))
        area = np.cross(b - a, c - a)
        blended = np.sum([sums @ area for sums in _corner_sums()], axis=0)
        return blended / np.linalg.norm(blended, axis=1, keepdims=True)


def anatomical(key: Float[ndarray, "55 3"]) -> Float[ndarray, "dofs"]:
    """Anatomical coordinates of a key pose, inside their limits; turns that a joint cannot make are dropped."""
    table, limits = np.zeros((JOINTS, 3)), anatomy()
    for j in range(1, JOINTS):
        axis = int(limits.is_twist[j].argmax())
        swing, twist = _swing_twist(key[j], axis=axis)
        table[j] = swing.as_rotvec() * (1 - limits.is_twist[j]) + twist.as_rotvec() * limits.is_twist[j]
    return np.clip(table.ravel()[limits.index], limits.low, limits.high)


def _swing_twist(axis_angle: Float[ndarray, "3"], *, axis: int) -> tuple[Rotation, Rotation]:
    """R = swing twist, the twist about a coordinate axis."""
    turn = Rotation.from_rotvec(axis_angle)
    x = turn.as_quat()
    twist = np.zeros(4)
    twist[[axis, 3]] = x[[axis, 3]]
    about = Rotation.from_quat(twist) if np.linalg.norm(twist) > 1e-9 else Rotation.identity()
    return turn * about.inv(), about


def _with_place(turns: Float[ndarray, "rows turns"], shift: Float[ndarray, "rows 3"]) -> Float[ndarray, "rows parameters"]:
    return np.concatenate([turns[:, :3], shift, turns[:, 3:]], axis=1)


@functools.cache
def _joint_of_dof() -> Int[ndarray, "dofs"]:
    return anatomy().index // 3


@functools.cache
def _turn_joints() -> Int[ndarray, "turns"]:
    return np.concatenate([np.zeros(3, int), _joint_of_dof()])


@functools.cache
def _below() -> Float[ndarray, "22 22"]:
    """One where the second joint is the first or hangs on it."""
    below = np.eye(JOINTS)
    for j in range(JOINTS - 1, 0, -1):
        below[PARENTS[j]] += below[j]
    return below


@functools.cache
def _corner_sums() -> tuple[csr_array, csr_array, csr_array]:
    """Sums of faces' values at their first, second and third corners: (vertices, faces) each."""
    faces = embedded_body().faces
    shape, ones, column = (int(faces.max()) + 1, len(faces)), np.ones(len(faces)), np.arange(len(faces))
    first, second, third = (csr_array((ones, (faces[:, k], column)), shape=shape) for k in range(3))
    return first, second, third
