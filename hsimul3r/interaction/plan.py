"""Drawings of a scene without perspective: from the front, the side and above."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.geometry.overlay import PaintedMesh, Picture, contact_sheet, draw_mesh_overlay

SIZE_PX = 520
AXES = {
    "front": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    "side": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0)),
    "above": ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)),
}
"""World directions of the picture's right, its down and the gaze."""
FAR = 200.0
"""Distance of the eye in units of the scene's size, so that perspective vanishes."""
PAPER = (238, 238, 234)
FLOOR_SHADE = (205, 203, 196)


def plan_sheet(states: Mapping[str, Sequence[PaintedMesh]]) -> Picture:
    """One row per named state of the scene, with the three drawings at one common scale."""
    everything = np.concatenate([mesh.vertices for meshes in states.values() for mesh in meshes])
    centre, size = (everything.min(axis=0) + everything.max(axis=0)) / 2, 1.1 * float(np.ptp(everything, axis=0).max())
    pictures = [_drawing(meshes, axes, centre, size) for meshes in states.values() for axes in AXES.values()]
    return contact_sheet(pictures, [f"{state}, {axes}" for state in states for axes in AXES], columns=len(AXES))


def _drawing(
    meshes: Sequence[PaintedMesh], axes: tuple[tuple[float, float, float], ...], centre: Float[ndarray, "3"], size: float
) -> Picture:
    R = np.array(axes)
    paper = np.full((SIZE_PX, SIZE_PX, 3), PAPER, np.uint8)
    if R[1, 2] < 0:
        floor_row = int(SIZE_PX / 2 + centre[2] / size * SIZE_PX)
        paper[max(floor_row, 0) :] = FLOOR_SHADE
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, FAR * size * np.array([0.0, 0.0, 1.0]) - R @ centre
    cameras = Cameras(
        size_px=np.array([[SIZE_PX, SIZE_PX]]),
        focal_px=np.array([FAR * SIZE_PX]),
        principal_px=np.array([[SIZE_PX / 2, SIZE_PX / 2]]),
        k1=np.zeros(1),
        T_cam_world=T[None],
        is_registered=np.ones(1, bool),
    )
    return draw_mesh_overlay(paper, meshes, cameras, 0, alpha=0.8, legend=False)
