"""The body: SMPL-X parameters to joints, keypoints and skin. Arrays in, arrays out; torch inside, for gradients."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from hsimul3r.conventions import CONTACT_PARTS, SMPLX_JOINTS, SMPLX_PARENTS

EMBEDDED = "hsimul3r-tpose"
"""Name of the shipped body (data/NOTICE.md)."""


class BodyModel(Protocol):
    """A body in SMPL-X parameters: betas (*b, 10), pose (*b, 55, 3) axis-angle [rad], transl (*b, 3) [m]; world frame."""

    @property
    def name(self) -> str: ...
    @property
    def faces(self) -> Int[ndarray, "faces 3"]: ...
    @property
    def weights(self) -> Float[ndarray, "vertices 55"]: ...
    @property
    def parts(self) -> Mapping[str, Int[ndarray, "part"]]: ...
    def fk(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch 55 4 4"]: ...
    def joints(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch 55 3"]: ...
    def keypoints(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch 21 3"]: ...
    def soles(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch 2 4 3"]: ...
    def vertices(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch vertices 3"]: ...
    def stature(self, betas: ndarray) -> Float[ndarray, "*batch"]: ...


def rodrigues(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrices with finite gradients everywhere, at zero too."""
    square = (axis_angle**2).sum(-1)
    is_small = square < 1e-12
    angle = torch.sqrt(torch.where(is_small, torch.ones_like(square), square))
    sine = torch.where(is_small, 1 - square / 6, torch.sin(angle) / angle)
    cosine = torch.where(is_small, 0.5 - square / 24, (1 - torch.cos(angle)) / angle**2)
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*axis_angle.shape, 3)
    identity = torch.eye(3, dtype=axis_angle.dtype)
    return identity + sine[..., None, None] * skew + cosine[..., None, None] * (skew @ skew)


@dataclass(frozen=True, kw_only=True)
class SkinnedPoints:
    """Points of the T-pose, linear in betas, that follow the joints by fixed weights (which sum to one)."""

    template: Float[Tensor, "points 3"]
    shapes: Float[Tensor, "points 3 betas"]
    weights: Float[Tensor, "points joints"]

    def shaped(self, betas: Float[Tensor, "*batch betas"]) -> Float[Tensor, "*batch points 3"]:
        """Positions in the T-pose."""
        return self.template + torch.einsum("pcn,...n->...pc", self.shapes, betas)

    def posed(self, betas: Tensor, rotations: Tensor, offsets: Tensor) -> Float[Tensor, "*batch points 3"]:
        """The points of a shape in a pose, with R (*b, J, 3, 3) and t (*b, J, 3) of `Skeleton.transforms`."""
        return self.blended(self.shaped(betas), rotations, offsets)

    def blended(self, places: Tensor, rotations: Tensor, offsets: Tensor) -> Float[Tensor, "*batch points 3"]:
        """Linear blend skinning of places in the T-pose: sum_j w_j (R_j x + t_j)."""
        blended = torch.einsum("pj,...jxy->...pxy", self.weights, rotations)
        moved = torch.einsum("...pxy,...py->...px", blended, places)
        return moved + torch.einsum("pj,...jx->...px", self.weights, offsets)

    def on_body_joints(self, count: int) -> "SkinnedPoints":
        """The same points where only the first `count` joints move: weights of the others go to their nearest moving parent."""
        weights = self.weights.clone()
        for joint in range(len(SMPLX_PARENTS) - 1, count - 1, -1):
            weights[:, SMPLX_PARENTS[joint]] += weights[:, joint]
        return SkinnedPoints(template=self.template, shapes=self.shapes, weights=weights[:, :count])


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """Joint positions in the T-pose, linear in betas, and the tree."""

    template: Float[Tensor, "joints 3"]
    shapes: Float[Tensor, "joints 3 betas"]

    def transforms(
        self,
        betas: Float[Tensor, "*batch betas"],
        rotations: Float[Tensor, "*batch joints 3 3"],
        transl: Float[Tensor, "*batch 3"],
    ) -> tuple[Float[Tensor, "*batch joints 3 3"], Float[Tensor, "*batch joints 3"], Float[Tensor, "*batch joints 3"]]:
        """World rotation R_j, joint position p_j and skin offset t_j = p_j - R_j J_j per joint.

        `rotations` are local (parent to child). Root: p_0 = J_0(betas) + transl. Only as many joints as given are moved.
        """
        count = rotations.shape[-3]
        rest = self.template[:count] + torch.einsum("jcn,...n->...jc", self.shapes[:count], betas)
        world, places = [rotations[..., 0, :, :]], [rest[..., 0, :] + transl]
        for joint in range(1, count):
            parent = SMPLX_PARENTS[joint]
            step = (world[parent] @ (rest[..., joint, :] - rest[..., parent, :]).unsqueeze(-1)).squeeze(-1)
            world.append(world[parent] @ rotations[..., joint, :, :])
            places.append(places[parent] + step)
        R, p = torch.stack(world, -3), torch.stack(places, -2)
        return R, p, p - (R @ rest.unsqueeze(-1)).squeeze(-1)


@dataclass(frozen=True, kw_only=True)
class SmplxFormatBody:
    """A body loaded from an npz in SMPL-X format with stored joint shapes; satisfies `BodyModel`."""

    name: str
    faces: Int[ndarray, "faces 3"]
    weights: Float[ndarray, "vertices 55"]
    parts: Mapping[str, Int[ndarray, "part"]]
    skeleton: Skeleton
    skin: SkinnedPoints
    keypoint_points: SkinnedPoints
    sole_points: SkinnedPoints
    stature_row: Float[ndarray, "11"]
    """Stature = stature_row[0] + stature_row[1:] @ betas, crown to sole in the T-pose."""

    def fk(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch 55 4 4"]:
        """World frames of the joints."""
        R, p, _ = self._transforms(betas, pose, transl)
        T = np.broadcast_to(np.eye(4), (*p.shape[:-1], 4, 4)).copy()
        T[..., :3, :3], T[..., :3, 3] = R.numpy(), p.numpy()
        return T

    def joints(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch 55 3"]:
        """World positions of the joints."""
        return self._transforms(betas, pose, transl)[1].numpy()

    def keypoints(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch 21 3"]:
        """World positions of conventions.KEYPOINTS, without skinning the mesh."""
        return self._posed(self.keypoint_points, betas, pose, transl)

    def soles(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch 2 4 3"]:
        """World positions under the feet (left, right): heel, ball inside, ball outside, toe tip."""
        points = self._posed(self.sole_points, betas, pose, transl)
        return points.reshape(*points.shape[:-2], 2, 4, 3)

    def vertices(self, betas: ndarray, pose: ndarray, transl: ndarray) -> Float[ndarray, "*batch vertices 3"]:
        """World positions of the skin by linear blend skinning."""
        return self._posed(self.skin, betas, pose, transl)

    def stature(self, betas: ndarray) -> Float[ndarray, "*batch"]:
        """Standing height [m]."""
        return self.stature_row[0] + np.asarray(betas) @ self.stature_row[1:]

    def betas_of_stature(self, stature_m: float) -> Float[ndarray, "10"]:
        """The most common body of a standing height: the shortest betas that give it."""
        gradient = self.stature_row[1:]
        return gradient * (stature_m - self.stature_row[0]) / (gradient @ gradient)

    def betas_with(self, stature_m: float, *others: float) -> Float[ndarray, "10"]:
        """The body of a standing height whose second and further betas are `others`, then zeros; the first carries it."""
        row, betas = self.stature_row, np.zeros(10)
        betas[1 : 1 + len(others)] = others
        betas[0] = (stature_m - row[0] - row[1:] @ betas) / row[1]
        return betas

    def _transforms(self, betas: ndarray, pose: ndarray, transl: ndarray) -> tuple[Tensor, Tensor, Tensor]:
        batch = np.broadcast_shapes(np.shape(betas)[:-1], np.shape(pose)[:-2], np.shape(transl)[:-1])
        shape = torch.as_tensor(np.broadcast_to(betas, (*batch, 10)).copy(), dtype=torch.float64)
        turn = rodrigues(torch.as_tensor(np.broadcast_to(pose, (*batch, 55, 3)).copy(), dtype=torch.float64))
        move = torch.as_tensor(np.broadcast_to(transl, (*batch, 3)).copy(), dtype=torch.float64)
        return self.skeleton.transforms(shape, turn, move)

    def _posed(self, points: SkinnedPoints, betas: ndarray, pose: ndarray, transl: ndarray) -> ndarray:
        R, p, offsets = self._transforms(betas, pose, transl)
        shape = torch.as_tensor(np.broadcast_to(betas, (*p.shape[:-2], 10)).copy(), dtype=torch.float64)
        return points.posed(shape, R, offsets).numpy()


def contact_part_vertices(
    template: Float[ndarray, "vertices 3"], joints: Float[ndarray, "55 3"], weights: Float[ndarray, "vertices 55"]
) -> dict[str, Int[ndarray, "part"]]:
    """Vertices of each of CONTACT_PARTS: the skin of its joints (fingers count as the hand).

    Of the pelvis only what is behind or below its centre counts as buttocks, of the spine only what is behind it as back.
    """
    owner = weights.argmax(1)
    for joint in range(54, 24, -1):
        owner[owner == joint] = SMPLX_PARENTS[joint]
    parts = {}
    for part, names in CONTACT_PARTS.items():
        index = [SMPLX_JOINTS.index(name) for name in names]
        belongs = np.isin(owner, index)
        behind = template[:, 2] < joints[index, 2].mean()
        if part == "back":
            belongs &= behind
        elif part == "buttocks":
            belongs &= (behind & (template[:, 1] < joints[SMPLX_JOINTS.index("spine1"), 1])) | (template[:, 1] < joints[1, 1])
        parts[part] = np.flatnonzero(belongs)
    return parts


def load_body(path: Path, name: str) -> SmplxFormatBody:
    """Read a body written by `build_body.py` (keys as there; integers count steps of `<key>_step`), in float64."""
    with np.load(path, allow_pickle=False) as npz:
        table = {key: npz[key].astype(np.int64 if key == "f" else np.float64) for key in npz.files}
    table |= {key: table[key] * table[f"{key}_step"] for key in table if f"{key}_step" in table}
    weights = table["weights"] / table["weights"].sum(1, keepdims=True)

    def points(key: str, rows: ndarray) -> SkinnedPoints:
        return SkinnedPoints(
            template=torch.as_tensor(table[key]),
            shapes=torch.as_tensor(table["shapedirs" if key == "v_template" else f"{key}_shapedirs"]),
            weights=torch.as_tensor(rows),
        )

    return SmplxFormatBody(
        name=name,
        faces=table["f"],
        weights=weights,
        parts=contact_part_vertices(table["v_template"], table["J"], weights),
        skeleton=Skeleton(template=torch.as_tensor(table["J"]), shapes=torch.as_tensor(table["J_shapedirs"])),
        skin=points("v_template", weights),
        keypoint_points=points("keypoints", table["keypoints_weights"]),
        sole_points=points("soles", table["soles_weights"] / table["soles_weights"].sum(1, keepdims=True)),
        stature_row=table["stature"],
    )


@functools.cache
def embedded_body() -> SmplxFormatBody:
    """The shipped body: 55 joints, 10 betas, 1,229 vertices."""
    return load_body(Path(__file__).parent / "data" / "body.npz", EMBEDDED)


@functools.cache
def fine_body() -> SmplxFormatBody:
    """The embedded body on the full mesh, for pictures: the same joints and betas, 13,718 vertices."""
    return load_body(Path(__file__).parent / "data" / "fine_body.npz", f"{EMBEDDED}-fine")
