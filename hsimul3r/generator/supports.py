"""What people's bodies say about the furniture below them: seats below pelves, tops below hands, steps below feet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.artifacts import BodySequence
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.generator.families import families, family
from hsimul3r.generator.objective import Weights, box_centre
from hsimul3r.generator.protocol import FLESH_STEP_M, Candidate, Observation, Support
from hsimul3r.geometry.convex_sets import ConvexSet
from hsimul3r.geometry.frusta import frustum_parts
from hsimul3r.geometry.rotations import rotation_about_z
from hsimul3r.geometry.sdf import RayedMesh

SEAT_HEIGHTS_M = (0.2, 0.95)
HAND_HEIGHTS_M = (0.25, 1.15)
MIN_FOOT_HEIGHT_M = 0.12
MAX_THIGH_COS = 0.75
"""A person sits where both thighs point down less than this."""
SKIN_QUANTILE = 0.05
FLESH_DEPTH_M = 0.02
"""What is less deep may be soft, or an error of the body's shape."""
CARRY_REACH_M, CARRY_HEIGHT_M = 0.12, 0.07


@dataclass(frozen=True, kw_only=True)
class Posture:
    """One posed body in the world: skin, joints, and the vertices of conventions.CONTACT_PARTS."""

    person: int
    vertices: Float[ndarray, "vertices 3"]
    joints: Float[ndarray, "55 3"]
    parts: Mapping[str, Int[ndarray, "part"]]


def posture(body: BodySequence, frame: int = 0) -> Posture:
    """The body in one frame."""
    model = embedded_body()
    placed = body.betas, body.pose[frame], body.transl[frame]
    return Posture(person=body.person, vertices=model.vertices(*placed), joints=model.joints(*placed), parts=model.parts)


@dataclass(frozen=True, kw_only=True)
class PersonSupports:
    """All that may carry one person."""

    person: int
    supports: tuple[Support, ...]
    facing: float | None
    """Yaw of a chair (conventions.py) whose sitter looks where this person does; None where the person does not sit."""
    flesh: Float[ndarray, "flesh 3"]
    """As `Observation.flesh`."""


def person_supports(posture: Posture) -> PersonSupports:
    """Places where something may carry the body, whether or not anything is there."""
    seat = _seat(posture)
    found = [
        *([seat] if seat is not None else []),
        *_parts(posture, "foot", MIN_FOOT_HEIGHT_M, np.inf),
        *_parts(posture, "hand", *HAND_HEIGHTS_M),
    ]
    facing = _facing(posture) if seat is not None else None
    return PersonSupports(person=posture.person, supports=tuple(found), facing=facing, flesh=_flesh(posture.vertices))


def with_people(observation: Observation, people: Sequence[PersonSupports], reach_m: float) -> Observation:
    """The observation with everybody's supports and flesh; the nearest sitter within `reach_m` says where the front is."""
    place = box_centre(observation)
    facing, nearest = None, reach_m
    for person in people:
        for support in person.supports:
            distance = float(np.linalg.norm(support.point[:2] - place))
            if support.kind == "seat" and distance < nearest:
                facing, nearest = person.facing, distance
    supports = tuple(support for person in people for support in person.supports)
    flesh = np.concatenate([person.flesh for person in people]) if people else observation.flesh
    return replace(observation, supports=supports, facing=facing, flesh=flesh)


def carries(candidate: Candidate, support: Support) -> bool:
    """True where the object's seat or top is below the body part, at its height."""
    local = candidate.T_world_object[:3, :3].T @ (support.point - candidate.T_world_object[:3, 3])
    kind = next((one for one in families() if one.name == candidate.family), None)
    if kind is None:
        return _has_surface(candidate, local)
    half = 0.5 * np.array([candidate.parameters["width"], candidate.parameters["depth"]])
    is_above = (np.abs(local[:2]) < half + CARRY_REACH_M).all()
    return bool(is_above and abs(candidate.parameters[kind.support] - support.point[2]) < CARRY_HEIGHT_M)


def _has_surface(candidate: Candidate, point: Float[ndarray, "3"]) -> bool:
    """True where a part without named measures has its upper side at this point of the object's frame, or near it."""
    about = point[:2] + CARRY_REACH_M * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    tops = ConvexSet.of(candidate.parts).tops(about, np.full(len(about), point[2]))
    return bool((np.abs(tops - point[2]) < CARRY_HEIGHT_M).any())


def usual_seat(category: str, support: Support, facing: float) -> Candidate:
    """The seat that a sitter's posture alone suggests: the middle of the family's prior, at the sitter's height and place."""
    kind = family("sofa" if category == "sofa" else "club" if category == "armchair" else "chair")
    values = {p.name: 0.5 * (p.low + p.high) for p in kind.parameters} | {kind.support: float(support.point[2])}
    T = np.eye(4)
    T[:3, :3] = rotation_about_z(facing)
    T[:3, 3] = [*support.point[:2], 0.0]
    T[:3, 3] -= T[:3, :3] @ np.array([0.0, Weights().sitter_back_m, 0.0])
    rows = kind.rows(np.array([list(values.values())]))[0]
    return Candidate(
        family=kind.name, parameters=values, parts=frustum_parts(np.unique(rows, axis=0)), T_world_object=T, energy=0.0,
        density_kg_m3=kind.density_kg_m3, friction=kind.friction,
    )  # fmt: skip


def _flesh(skin: Float[ndarray, "vertices 3"]) -> Float[ndarray, "flesh 3"]:
    """A grid of points at least `FLESH_DEPTH_M` below the skin."""
    axes = [np.arange(low, high, FLESH_STEP_M) for low, high in zip(skin.min(0), skin.max(0))]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[RayedMesh(skin, embedded_body().faces, name="body").query(grid).distance < -FLESH_DEPTH_M]


def _seat(posture: Posture) -> Support | None:
    joint = {name: posture.joints[i] for i, name in enumerate(SMPLX_JOINTS)}
    thighs = np.array([joint[f"{side}_knee"] - joint[f"{side}_hip"] for side in ("left", "right")])
    uprightness = -thighs[:, 2] / np.linalg.norm(thighs, axis=1)
    point = _lowest(posture.vertices[posture.parts["buttocks"]])
    is_sitting = uprightness.max() < MAX_THIGH_COS and SEAT_HEIGHTS_M[0] < point[2] < SEAT_HEIGHTS_M[1]
    return Support(kind="seat", point=point) if is_sitting else None


def _parts(posture: Posture, kind: str, low: float, high: float) -> list[Support]:
    points = [_lowest(posture.vertices[posture.parts[f"{side}_{kind}"]]) for side in ("left", "right")]
    return [Support(kind="foot" if kind == "foot" else "hand", point=p) for p in points if low < p[2] < high]


def _lowest(skin: Float[ndarray, "vertices 3"]) -> Float[ndarray, "3"]:
    """Middle of the lowest part of some skin, at the height it stands on."""
    height = np.quantile(skin[:, 2], SKIN_QUANTILE)
    lowest = skin[skin[:, 2] <= np.quantile(skin[:, 2], 4 * SKIN_QUANTILE)]
    return np.array([*lowest[:, :2].mean(0), height])


def _facing(posture: Posture) -> float:
    """The sitter looks along -Y of the chair: from the hips' line, left to right, a quarter turn."""
    right = posture.joints[SMPLX_JOINTS.index("right_hip")] - posture.joints[SMPLX_JOINTS.index("left_hip")]
    return float(np.arctan2(-right[1], -right[0]))
