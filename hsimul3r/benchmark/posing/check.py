"""Is a staged case true: nobody stands inside a thing or the floor, and what shall touch does, in every frame?

Measured on the embedded body's skin (vertices, edge centres, face centres: about 2 cm apart) against the objects' watertight
surfaces; a held contact by the part's vertices, as the truth on disk does.
"""

import functools

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial import ConvexHull, QhullError

from hsimul3r.benchmark.posing.skin import SkinSamples
from hsimul3r.benchmark.scene import HeldContact, Staged, StagedObject
from hsimul3r.body.model import embedded_body
from hsimul3r.geometry.mesh import solid
from hsimul3r.geometry.sdf import ConvexUnion, RayedMesh, SignedDistanceField

ALLOWED_PENETRATION_MM = 5.0
ALLOWED_GAP_MM = 5.0
ALLOWED_SKATE_MM = 20.0
FEET = ("left_foot", "right_foot")
BEARING_M = 0.01
BEARING_SLOPE = 0.4


def check_staged(staged: Staged) -> dict[str, float]:
    """Figures of a staged case; `is_true` judges them.

    body_object_mm, body_floor_mm  deepest point of the skin inside an object, under the floor, over all frames (0: none)
    worst_frame                    the frame of the deeper of both
    gap_mm                         largest distance of a held contact's nearest vertex to its target, over the hold
    foot_skate_mm                  largest way of a held foot's sole from its mean place on its target
    off_balance_mm                 a pose: how far the centre of mass is outside the hull of what bears it (< 0: inside)
    """
    surfaces = tuple(surface_of(item) for item in staged.objects)
    skins = _skins(staged)
    inside = np.array([_depths(staged, surfaces, frame, skins[frame]) for frame in range(staged.frames)])
    deepest = inside.max(axis=0)
    return {
        "body_object_mm": 1000 * float(deepest[0]),
        "body_floor_mm": 1000 * float(deepest[1]),
        "worst_frame": float(inside.max(axis=1).argmax()),
        "gap_mm": 1000 * max((_gap(staged, surfaces, held, skins) for held in staged.contacts), default=0.0),
        "foot_skate_mm": 1000 * max((_skate(staged, held) for held in staged.contacts if held.part in FEET), default=0.0),
        "off_balance_mm": 1000 * off_balance(staged, surfaces, skins[0]) if staged.frames == 1 else -np.inf,
    }


def is_true(figures: dict[str, float]) -> bool:
    """Penetration and gaps under 5 mm, held feet within 20 mm of their place, and a pose's weight over its supports."""
    return (
        max(figures["body_object_mm"], figures["body_floor_mm"]) <= ALLOWED_PENETRATION_MM
        and figures["gap_mm"] <= ALLOWED_GAP_MM
        and figures["foot_skate_mm"] <= ALLOWED_SKATE_MM
        and figures["off_balance_mm"] <= 0.0
    )


def surface_of(item: StagedObject) -> SignedDistanceField:
    """The object's solid in its own frame."""
    furniture = item.furniture
    if furniture.mesh is not None:
        return RayedMesh(*furniture.mesh, name=item.name)
    return ConvexUnion([piece.shape for piece in furniture.pieces], name=item.name)


def off_balance(staged: Staged, surfaces: tuple[SignedDistanceField, ...], vertices: Float[ndarray, "vertices 3"]) -> float:
    """Horizontal distance [m] of the body's centre of mass from the hull of what bears it in frame 0, negative inside.

    The floor and surfaces that face up bear where the skin is at most 1 cm away; inf where nothing spans an area.
    """
    bearing = [vertices[vertices[:, 2] < BEARING_M]]
    for item, surface in zip(staged.objects, surfaces):
        found = surface.query(_local(item, 0, vertices))
        bearing.append(vertices[(found.distance < BEARING_M) & (found.gradient[:, 2] > BEARING_SLOPE)])
    try:
        hull = ConvexHull(np.concatenate(bearing)[:, :2])
    except (QhullError, ValueError):
        return np.inf
    centre = solid(vertices, embedded_body().faces).centroid[:2]
    return float((hull.equations[:, :2] @ centre + hull.equations[:, 2]).max())


def _skins(staged: Staged) -> Float[ndarray, "frames vertices 3"]:
    return embedded_body().vertices(staged.betas, staged.pose, staged.transl)


def _pose_of(item: StagedObject, frame: int) -> Float[ndarray, "4 4"]:
    return item.T_world_object[min(frame, len(item.T_world_object) - 1)]


def _local(item: StagedObject, frame: int, points: Float[ndarray, "points 3"]) -> Float[ndarray, "points 3"]:
    T = _pose_of(item, frame)
    return (points - T[:3, 3]) @ T[:3, :3]


@functools.cache
def _samples() -> SkinSamples:
    return SkinSamples.of(embedded_body().faces)


def _depths(staged: Staged, surfaces: tuple[SignedDistanceField, ...], frame: int, skin: ndarray) -> tuple[float, float]:
    """Deepest point in the objects and under the floor [m]."""
    points = _samples().points(skin)
    in_objects = (_depth_in(item, surface, _local(item, frame, points)) for item, surface in zip(staged.objects, surfaces))
    return max(in_objects, default=0.0), max(0.0, -float(points[:, 2].min()))


def _depth_in(item: StagedObject, surface: SignedDistanceField, local: Float[ndarray, "points 3"]) -> float:
    low, high = _box(item)
    near = local[((local > low) & (local < high)).all(axis=1)]
    return max(0.0, -float(surface.query(near).distance.min())) if len(near) else 0.0


def _box(item: StagedObject) -> tuple[ndarray, ndarray]:
    furniture = item.furniture
    corners = furniture.mesh[0] if furniture.mesh else np.concatenate([piece.shape.vertices for piece in furniture.pieces])
    return corners.min(axis=0), corners.max(axis=0)


def _gap(staged: Staged, surfaces: tuple[SignedDistanceField, ...], held: HeldContact, skins: ndarray) -> float:
    """Largest distance over the hold of the part's nearest vertex to its target; vertices inside count as touching."""
    part = embedded_body().parts[held.part]
    return max(_nearest(staged, surfaces, held.target, frame, skins[frame][part]) for frame in _span(held))


def _nearest(staged: Staged, surfaces: tuple[SignedDistanceField, ...], target: str, frame: int, points: ndarray) -> float:
    if target == "floor":
        return max(0.0, float(points[:, 2].min()))
    index = [item.name for item in staged.objects].index(target)
    local = _local(staged.objects[index], frame, points)
    return max(0.0, float(surfaces[index].query(local).distance.min()))


def _skate(staged: Staged, held: HeldContact) -> float:
    """Largest horizontal way of the sole's centre from its mean place in its target's frame, over the hold."""
    places = np.array([_sole_place(staged, held, frame)[:2] for frame in _span(held)])
    return float(np.linalg.norm(places - places.mean(axis=0), axis=1).max())


def _sole_place(staged: Staged, held: HeldContact, frame: int) -> Float[ndarray, "3"]:
    soles = embedded_body().soles(staged.betas, staged.pose[frame], staged.transl[frame])
    centre = soles[FEET.index(held.part)].mean(axis=0)
    item = next((item for item in staged.objects if item.name == held.target), None)
    return centre if item is None else _local(item, frame, centre[None])[0]


def _span(held: HeldContact) -> range:
    return range(held.first, held.last + 1)
