"""A subject's body as points that are linear in its joints' rotations and places, with derivatives, for all frames at once.

A skinned point is x = sum_k (R_k m_k + w_k t_k): weights w_k that sum to one and weighted rest places m_k = w_k x. Means of
vertices, differences of points and the centre of mass are of the same kind, so one derivative serves them all:
turning joint j by a world axis a moves x by a x (sum over the joints k below j of (R_k m_k + w_k t_k) - p_j sum w_k).
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.spatial import KDTree

from hsimul3r.body.anatomy import left_jacobian
from hsimul3r.body.derivatives import COUNT
from hsimul3r.body.model import SkinnedPoints, SmplxFormatBody, embedded_body
from hsimul3r.conventions import SMPLX_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.geometry.sdf import RayedMesh

GRID_M = 0.04
"""Spacing of the mass points in the body."""


@dataclass(frozen=True, kw_only=True)
class LinearPoints:
    """Points that follow the 22 body joints."""

    weights: Float[ndarray, "points 22"]
    moments: Float[ndarray, "points 22 3"]

    @classmethod
    def of(cls, rest: Float[ndarray, "points 3"], weights: Float[ndarray, "points 22"]) -> "LinearPoints":
        """Skinned points by their places in the T-pose."""
        return cls(weights=weights, moments=weights[..., None] * rest[:, None])

    def __getitem__(self, index: ndarray) -> "LinearPoints":
        return LinearPoints(weights=self.weights[index], moments=self.moments[index])

    def mean(self, index: Int[ndarray, "means k"], share: Float[ndarray, "means k"]) -> "LinearPoints":
        """Weighted means of some of the points."""
        return LinearPoints(
            weights=np.einsum("mk,mkj->mj", share, self.weights[index]),
            moments=np.einsum("mk,mkjc->mjc", share, self.moments[index]),
        )

    def mostly_on(self, joints: tuple[str, ...]) -> Bool[ndarray, "points"]:
        """Which points hang more on these joints than on the others."""
        return self.weights[:, [SMPLX_JOINTS.index(name) for name in joints]].sum(1) > 0.5

    def posed(self, chain: "Chain") -> Float[ndarray, "frames points 3"]:
        """World places in every frame."""
        flat = self.moments.reshape(len(self.moments), -1)
        turned = np.swapaxes(chain.R, 2, 3).reshape(len(chain.R), -1, 3)
        return flat @ turned + self.weights @ chain.t


@dataclass(frozen=True, kw_only=True)
class Chain:
    """World rotation R, place p and skin offset t of the body joints, and the world axes of their coordinates."""

    R: Float[ndarray, "frames 22 3 3"]
    p: Float[ndarray, "frames 22 3"]
    t: Float[ndarray, "frames 22 3"]
    axes: Float[ndarray, "frames 22 3 3"]


@dataclass(frozen=True, kw_only=True)
class MotionBody:
    """A subject with given fingers. `base` are the local rotations that the coordinates turn from the left."""

    betas: Float[ndarray, "10"]
    fingers: Float[ndarray, "33 3"]
    base: Float[ndarray, "22 3 3"]
    rest: Float[ndarray, "22 3"]
    skin: LinearPoints
    soles: LinearPoints
    mass: LinearPoints
    """Points of equal mass inside the body."""

    @property
    def model(self) -> SmplxFormatBody:
        return embedded_body()

    @property
    def centre(self) -> LinearPoints:
        """The centre of mass."""
        return LinearPoints(weights=self.mass.weights.mean(0)[None], moments=self.mass.moments.mean(0)[None])

    @functools.cached_property
    def thigh_radii(self) -> dict[str, Float[ndarray, "2"]]:
        """Radius of the front of each thigh at hip and knee, by a line through the T-pose's skin."""
        return {side: self._radii(side) for side in ("left", "right")}

    def _radii(self, side: str) -> Float[ndarray, "2"]:
        skin = self.skin.moments[self.model.parts[f"{side}_thigh"]].sum(1)
        hip, knee = (self.rest[SMPLX_JOINTS.index(f"{side}_{name}")] for name in ("hip", "knee"))
        along = (skin - hip) @ (knee - hip) / np.sum((knee - hip) ** 2)
        radius = np.linalg.norm(skin - hip - along[:, None] * (knee - hip), axis=1)
        is_front = (skin[:, 2] > hip[2]) & (along > 0.3)
        slope, start = np.polyfit(along[is_front], radius[is_front], 1)
        return np.array([start, start + slope])

    def chain(self, psi: Float[ndarray, "frames 22 3"], root: Float[ndarray, "frames 3"]) -> Chain:
        """Forward kinematics of local rotations exp(psi_j) base_j with the pelvis at `root`."""
        local = matrix_from_axis_angle(psi) @ self.base
        jacobian = left_jacobian(psi)
        R, p, axes = np.empty_like(local), np.empty((len(psi), COUNT, 3)), np.empty_like(local)
        R[:, 0], p[:, 0], axes[:, 0] = local[:, 0], root, jacobian[:, 0]
        for j in range(1, COUNT):
            parent = SMPLX_PARENTS[j]
            R[:, j] = R[:, parent] @ local[:, j]
            p[:, j] = p[:, parent] + R[:, parent] @ (self.rest[j] - self.rest[parent])
            axes[:, j] = R[:, parent] @ jacobian[:, j]
        return Chain(R=R, p=p, t=p - np.einsum("fjxy,jy->fjx", R, self.rest), axes=axes)


def motion_body(betas: Float[ndarray, "10"], fingers: Float[ndarray, "33 3"], base: Float[ndarray, "22 3 3"]) -> MotionBody:
    """The embedded body of a subject. Fingers bend in the T-pose and then follow the wrist; jaw and eyes follow the head."""
    model, betas = embedded_body(), np.asarray(betas, float)
    pose = np.concatenate([np.zeros((COUNT, 3)), fingers])
    still = np.zeros(3)
    weights = _body_weights(model.skin)
    return MotionBody(
        betas=betas,
        fingers=fingers,
        base=base,
        rest=model.joints(betas, np.zeros((55, 3)), still)[:COUNT],
        skin=LinearPoints.of(model.vertices(betas, pose, still), weights),
        soles=LinearPoints.of(model.soles(betas, pose, still).reshape(8, 3), _body_weights(model.sole_points)),
        mass=_mass_points(model.vertices(betas, np.zeros((55, 3)), still), weights),
    )


def point_jacobian(
    chain: Chain,
    frame: Int[ndarray, "rows"],
    points: LinearPoints,
    direction: Float[ndarray, "rows 3"],
) -> Float[ndarray, "rows 69"]:
    """Derivative of direction . point by the coordinates (22 x 3) and the pelvis' place (3) of the point's frame."""
    shares = np.einsum("njxy,njy->njx", chain.R[frame], points.moments) + points.weights[..., None] * chain.t[frame]
    below = _below()
    arm = below @ shares - (points.weights @ below.T)[..., None] * chain.p[frame]
    turn = np.einsum("njxa,njx->nja", chain.axes[frame], np.cross(arm, direction[:, None]))
    return np.concatenate([turn.reshape(len(frame), 3 * COUNT), direction * points.weights.sum(1, keepdims=True)], axis=1)


def _body_weights(points: SkinnedPoints) -> Float[ndarray, "points 22"]:
    return points.on_body_joints(COUNT).weights.numpy()


def _mass_points(skin: Float[ndarray, "vertices 3"], weights: Float[ndarray, "vertices 22"]) -> LinearPoints:
    """A grid inside the T-pose; a point moves like the three vertices next to it."""
    low, high = skin.min(0), skin.max(0)
    axes = [np.arange(a + GRID_M / 2, b, GRID_M) for a, b in zip(low, high)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    distance, near = (np.asarray(found) for found in KDTree(skin).query(grid, k=3))
    candidate = distance[:, 0] < 0.2
    grid, distance, near = grid[candidate], distance[candidate], near[candidate]
    inside = RayedMesh(skin, embedded_body().faces, name="body").query(grid).distance < 0
    share = 1 / np.maximum(distance[inside], 1e-3)
    share /= share.sum(1, keepdims=True)
    return LinearPoints.of(grid[inside], np.einsum("pk,pkj->pj", share, weights[near[inside]]))


@functools.cache
def _below() -> Float[ndarray, "22 22"]:
    """One where the second joint is the first or hangs on it."""
    below = np.eye(COUNT)
    for j in range(COUNT - 1, 0, -1):
        below[SMPLX_PARENTS[j]] += below[j]
    return below


def joint_point(body: MotionBody, name: str) -> LinearPoints:
    """The place of a joint."""
    j = SMPLX_JOINTS.index(name)
    return LinearPoints.of(body.rest[j][None], np.eye(COUNT)[j][None])
