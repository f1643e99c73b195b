"""The masses of a body: each of its 22 bones' share of the weight and the middle of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.body.model import BodyModel
from hsimul3r.conventions import BODY_JOINTS, SMPLX_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.mesh import convex_part, solid


@dataclass(frozen=True, kw_only=True)
class Segments:
    """Bones in the order of BODY_JOINTS, in the axes of the T-pose."""

    offset: Float[ndarray, "22 3"]
    """Each joint from its parent's; the pelvis's place."""
    share: Float[ndarray, "22"]
    """Of the body's mass."""
    centre: Float[ndarray, "22 3"]
    """Of mass, from the joint."""


def segments(model: BodyModel, betas: Float[ndarray, "10"]) -> Segments:
    """Bones as convex hulls of the skin that they move most, all of one density."""
    rest, origin = np.zeros((len(SMPLX_JOINTS), 3)), np.zeros(3)
    skin, joints = model.vertices(betas, rest, origin), model.joints(betas, rest, origin)[: len(BODY_JOINTS)]
    label = bone_of_vertex(model.weights)
    hulls = [convex_part(skin[label == j] - joints[j], name=name) for j, name in enumerate(BODY_JOINTS)]
    solids = [solid(hull.vertices, hull.faces) for hull in hulls]
    volume = np.array([one.volume_m3 for one in solids])
    parents = np.array(SMPLX_PARENTS[: len(BODY_JOINTS)])
    return Segments(
        offset=joints - np.where(parents[:, None] >= 0, joints[parents], 0.0),
        share=volume / volume.sum(),
        centre=np.array([one.centroid for one in solids]),
    )


def bone_of_vertex(weights: Float[ndarray, "vertices 55"]) -> Int[ndarray, "vertices"]:
    """Index into BODY_JOINTS of the bone that moves a vertex most, fingers and face counted to their bone."""
    owner = list(range(len(SMPLX_PARENTS)))
    for joint in range(len(BODY_JOINTS), len(owner)):
        owner[joint] = owner[SMPLX_PARENTS[joint]]
    total = np.zeros((len(weights), len(BODY_JOINTS)))
    np.add.at(total.T, owner, weights.T)
    return total.argmax(axis=1)
