"""Points of a body and their derivatives by its unknowns, in closed form.

A turn of a joint by a world axis w moves every point x that hangs on it by w x (x - p), p the joint's place; so a skinned point
moves by w x (sum_i w_i x_i - p sum_i w_i) over the joints i below. Ten to twenty times faster than automatic differentiation
for the few points that a fit needs.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.body.anatomy import anatomy, left_jacobian
from hsimul3r.body.model import SkinnedPoints, SmplxFormatBody
from hsimul3r.conventions import BODY_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import matrix_from_axis_angle

ROOT, BETAS = 6, 10
COUNT = len(BODY_JOINTS)


@dataclass(frozen=True, kw_only=True)
class Unknowns:
    """One person's unknowns: root turn (on `root`, from the left), translation, anatomical coordinates, betas."""

    turn: Float[ndarray, "3"]
    transl: Float[ndarray, "3"]
    dofs: Float[ndarray, "dofs"]
    betas: Float[ndarray, "10"]

    @classmethod
    def of(cls, own: Float[ndarray, "own"]) -> "Unknowns":
        """From one vector, which may hold more behind these."""
        count = anatomy().count
        return cls(
            turn=own[:3], transl=own[3:ROOT], dofs=own[ROOT : ROOT + count], betas=own[ROOT + count : ROOT + count + BETAS]
        )  # fmt: skip

    def rotations(self, root: Float[ndarray, "3 3"]) -> Float[ndarray, "22 3 3"]:
        """Local rotations of the body joints."""
        local = anatomy().rotations(self.dofs)
        local[0] = matrix_from_axis_angle(self.turn) @ root
        return local


@dataclass(frozen=True, kw_only=True)
class PointTable:
    """`SkinnedPoints` that follow the body joints only, as arrays."""

    template: Float[ndarray, "points 3"]
    shapes: Float[ndarray, "points 3 10"]
    weights: Float[ndarray, "points 22"]

    @classmethod
    def of(cls, points: SkinnedPoints) -> "PointTable":
        """Fingers and face rest: their skin follows the wrists and the head."""
        moving = points.on_body_joints(COUNT)
        return cls(template=moving.template.numpy(), shapes=moving.shapes.numpy(), weights=moving.weights.numpy())

    def subset(self, index: ndarray) -> "PointTable":
        """Some of the points."""
        return PointTable(template=self.template[index], shapes=self.shapes[index], weights=self.weights[index])

    def joined(self, other: "PointTable") -> "PointTable":
        """These points, then the others."""
        return PointTable(
            template=np.concatenate([self.template, other.template]),
            shapes=np.concatenate([self.shapes, other.shapes]),
            weights=np.concatenate([self.weights, other.weights]),
        )


@dataclass(frozen=True, kw_only=True)
class _Chain:
    """World rotation R, place p and rest place J of the body joints, and the derivative of p by betas."""

    R: Float[ndarray, "22 3 3"]
    p: Float[ndarray, "22 3"]
    J: Float[ndarray, "22 3"]
    J_by: Float[ndarray, "22 3 10"]
    p_by: Float[ndarray, "22 3 10"]


def pose_points(
    body: SmplxFormatBody, points: PointTable, own: Float[ndarray, "own"], root: Float[ndarray, "3 3"], *, with_jacobian: bool
) -> tuple[Float[ndarray, "points 3"], Float[ndarray, "points 3 own"] | None]:
    """Points in the world and, where asked for, their derivatives by `own` (the vector of `Unknowns`)."""
    unknowns = Unknowns.of(own)
    chain = _chain(body, unknowns, root)
    rest = points.template + points.shapes @ unknowns.betas
    carried = np.einsum("jxy,ny->njx", chain.R, rest) + chain.p - np.einsum("jxy,jy->jx", chain.R, chain.J)
    shares = points.weights[..., None] * carried
    posed = shares.sum(1)
    if not with_jacobian:
        return posed, None
    moved = np.einsum("ji,nix->njx", _below(), shares)
    arm = moved - (points.weights @ _below().T)[..., None] * chain.p
    by = np.zeros((len(posed), 3, len(own)))
    by[..., :3] = np.cross(left_jacobian(unknowns.turn).T[None], arm[:, :1]).swapaxes(1, 2)
    by[..., 3:ROOT] = np.eye(3)
    joint = anatomy().index // 3
    parent = np.array(SMPLX_PARENTS)[joint]
    axes = np.einsum("dxy,dy->dx", chain.R[parent], anatomy().axes(unknowns.dofs))
    by[..., ROOT : ROOT + len(axes)] = np.cross(axes[None], arm[:, joint]).swapaxes(1, 2)
    by[..., ROOT + len(axes) : ROOT + len(axes) + BETAS] = _by_betas(points, chain)
    return posed, by


def _chain(body: SmplxFormatBody, unknowns: Unknowns, root: ndarray) -> _Chain:
    J_by = body.skeleton.shapes[:COUNT].numpy()
    J = body.skeleton.template[:COUNT].numpy() + J_by @ unknowns.betas
    local = unknowns.rotations(root)
    R, p, p_by = np.empty((COUNT, 3, 3)), np.empty((COUNT, 3)), np.empty((COUNT, 3, BETAS))
    R[0], p[0], p_by[0] = local[0], J[0] + unknowns.transl, J_by[0]
    for j in range(1, COUNT):
        parent = SMPLX_PARENTS[j]
        R[j] = R[parent] @ local[j]
        p[j] = p[parent] + R[parent] @ (J[j] - J[parent])
        p_by[j] = p_by[parent] + R[parent] @ (J_by[j] - J_by[parent])
    return _Chain(R=R, p=p, J=J, J_by=J_by, p_by=p_by)


def _by_betas(points: PointTable, chain: _Chain) -> Float[ndarray, "points 3 10"]:
    blended = np.einsum("nj,jxy->nxy", points.weights, chain.R)
    offset_by = chain.p_by - chain.R @ chain.J_by
    return blended @ points.shapes + np.einsum("nj,jxb->nxb", points.weights, offset_by)


@functools.cache
def _below() -> Float[ndarray, "22 22"]:
    """One where the second joint is the first or hangs on it."""
    below = np.eye(COUNT)
    for j in range(COUNT - 1, 0, -1):
        below[SMPLX_PARENTS[j]] += below[j]
    return below
