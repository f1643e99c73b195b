"""People who stand or sit, and boxes."""

import numpy as np

from hsimul3r.artifacts import BodySequence, Contact, ObjectAsset
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.mesh import convex_part
from hsimul3r.geometry.rotations import axis_angle_from_matrix

UPRIGHT = axis_angle_from_matrix(np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]))
"""Turns the T-pose to look along +X of the world, +Z up."""


def person(frames, *, sits=False, fps=30.0):
    """Arms hanging, soles at z = 0 below the pelvis or before it."""
    pose = np.zeros((frames, 55, 3))
    pose[:, 0] = UPRIGHT
    for side, sign in (("left", 1), ("right", -1)):
        pose[:, SMPLX_JOINTS.index(f"{side}_shoulder"), 2] = -sign * np.radians(70)
        if sits:
            pose[:, SMPLX_JOINTS.index(f"{side}_hip"), 0] = -np.radians(85)
            pose[:, SMPLX_JOINTS.index(f"{side}_knee"), 0] = np.radians(85)
    betas = embedded_body().betas_of_stature(1.70)
    lowest = embedded_body().soles(betas, pose[0], np.zeros(3))[..., 2].min()
    transl = np.tile([0.0, 0.0, -lowest], (frames, 1))
    return BodySequence(person=0, betas=betas, pose=pose, transl=transl, fps=fps, stature_m=1.70)


def box(name, low, high):
    """From one corner to the other; its own frame is on the floor below its middle."""
    low, high = np.array(low, float), np.array(high, float)
    T = np.eye(4)
    T[:2, 3] = (low + high)[:2] / 2
    pick = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, 8).T
    part = convex_part(np.where(pick == 0, low, high) - T[:3, 3], name)
    return ObjectAsset(
        name=name, category="box", family="test", parameters={}, parts=(part,), vertices=part.vertices, faces=part.faces,
        T_world_object=T, mass_kg=10.0, density_kg_m3=400.0, friction=0.9,
    )  # fmt: skip


def contact(part, target, point, *, first=0, last=None):
    return Contact(person=0, part=part, target=target, gap_m=0.0, point=np.array(point, float), first=first, last=last)


def standing_contacts(body, target="floor", height=0.0):
    """Both feet, all the time."""
    soles = embedded_body().soles(body.betas, body.pose[0], body.transl[0]).mean(axis=1)
    return [contact(f"{side}_foot", target, [*soles[k, :2], height]) for k, side in enumerate(("left", "right"))]
