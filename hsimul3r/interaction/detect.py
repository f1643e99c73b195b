"""Which body part touches what: distance below a threshold and a plausible configuration, never the overlap of 2D boxes.

Buttocks, thighs and the back touch what carries a sitting person, hands and forearms tops below the elbow, feet low tops or the
floor (DESIGN.md, "Contact").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.artifacts import ObjectAsset
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.cameras import transform_points
from hsimul3r.geometry.mesh import vertex_normals
from hsimul3r.interaction.kinematics import BodyChain, BodyState
from hsimul3r.interaction.patches import FloorPatch, Patch, PatchQuery, face_patch
from hsimul3r.losses.contact import non_contact_loss

FLOOR = -1
"""Target of a contact with the floor; others are indices of objects."""
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class ContactRule:
    """How near a part must be to a surface to touch it, and how deep inside it may have been put by error."""

    reach_m: float
    depth_m: float
    near_m: float
    """Distance up to which a part beside a surface is taken to belong on it."""
    coverage: float
    """Share of the part's vertices that must be over the surface."""
    height_m: tuple[float, float]


RULES: Mapping[str, ContactRule] = {
    "buttocks": ContactRule(reach_m=0.28, depth_m=0.15, near_m=0.25, coverage=0.25, height_m=(0.15, 1.0)),
    "thigh": ContactRule(reach_m=0.10, depth_m=0.15, near_m=0.0, coverage=0.25, height_m=(0.15, 1.0)),
    "back": ContactRule(reach_m=0.06, depth_m=0.12, near_m=0.0, coverage=0.25, height_m=(0.0, 2.0)),
    "hand": ContactRule(reach_m=0.08, depth_m=0.15, near_m=0.04, coverage=0.25, height_m=(0.2, 1.4)),
    "forearm": ContactRule(reach_m=0.04, depth_m=0.10, near_m=0.0, coverage=0.4, height_m=(0.2, 1.4)),
    "foot": ContactRule(reach_m=0.08, depth_m=0.15, near_m=0.04, coverage=0.4, height_m=(0.04, 0.8)),
}
FLOOR_REACH_M = 0.08
FLOOR_DEPTH_M = 0.15
STANDING_REACH_M = 0.25
"""Somebody who does not sit stands on the lower foot, up to this far above the floor."""
FEWEST_OVER = 3
"""Fewer vertices over a patch than this do not say how far the part is from it."""
THIGH_SLACK_M = 0.03
"""A sitter's thigh touches the seat where it is at most this much farther from it than the buttocks."""


@dataclass(frozen=True, kw_only=True)
class ContactPair:
    """A part to be brought into contact: its vertices, the surface (in the target's frame) and points on it near the part."""

    person: int
    part: str
    target: int
    vertices: Int[ndarray, "part"]
    patch: Patch
    samples: Float[ndarray, "samples 3"]


def part_gap(points: Float[ndarray, "points 3"], patch: Patch, samples: Float[ndarray, "samples 3"]) -> float:
    """Smallest signed distance of the part's vertices that are over the patch, negative where one is behind it; the Euclidean
    distance to the patch's samples where too few are over it."""
    query = patch.query(points)
    if query.is_over.sum() < FEWEST_OVER:
        return float(np.linalg.norm(points[:, None] - samples[None], axis=2).min())
    return float(query.distance[query.is_over].min())


def lowest(query: PatchQuery, count: int) -> Int[ndarray, "count"]:
    """Indices of the `count` points over a patch that are nearest to it or deepest behind it."""
    over = np.flatnonzero(query.is_over)
    return over[np.argsort(query.distance[over], kind="stable")[:count]]


def is_carried(part: str) -> bool:
    """Parts that touch a seat because the buttocks do."""
    return part == "back" or part.endswith("thigh")


def is_sitting(state: BodyState) -> bool:
    """Both thighs are raised by 30 degrees or more from hanging and the trunk is not lying."""
    thighs = [_direction(state, f"{side}_hip", f"{side}_knee")[2] for side in ("left", "right")]
    return min(thighs) > -np.cos(np.radians(30)) and _direction(state, "pelvis", "neck")[2] > 0.3


def decide_contacts(
    chains: Sequence[BodyChain],
    states: Sequence[BodyState],
    assets: Sequence[ObjectAsset],
    *,
    seed: int,
) -> tuple[ContactPair, ...]:
    """All contacts of all people with objects and floor, by `RULES`, each person being first set upright on the floor: by how
    much the body as a whole floats or sinks says nothing about what it touches."""
    pairs: list[ContactPair] = []
    for person, (chain, state) in enumerate(zip(chains, states)):
        scout = _Scout(person, chain, set_on_floor(chain, state), assets, seed)
        pairs += scout.carried()
        for target in range(len(assets)):
            pairs += [pair for side in ("left", "right") if (pair := scout.rested(f"{side}_hand", target))]
            pairs += [pair for side in ("left", "right") if (pair := scout.rested(f"{side}_forearm", target))]
        pairs += [pair for side in ("left", "right") if (pair := scout.stood(f"{side}_foot"))]
    return tuple(pairs)


def set_on_floor(chain: BodyChain, state: BodyState) -> BodyState:
    """The body raised or lowered so that its lower foot touches the floor, where that foot carries it or nearly does."""
    gap = min(float(np.sort(state.vertices[chain.parts[f"{side}_foot"], 2])[:3].mean()) for side in ("left", "right"))
    reach = FLOOR_REACH_M if is_sitting(state) else STANDING_REACH_M
    return chain.state(state.pose, state.transl - gap * UP) if -FLOOR_DEPTH_M < gap < reach else state


class _Scout:
    """Looks for the contacts of one person."""

    def __init__(self, person: int, chain: BodyChain, state: BodyState, assets: Sequence[ObjectAsset], seed: int):
        self.person, self.chain, self.state, self.assets, self.seed = person, chain, state, assets, seed
        self.normals = vertex_normals(state.vertices, chain.faces)

    def carried(self) -> list[ContactPair]:
        """Buttocks, thighs and back of a sitting person on one object: the seat that Eq. 3 has nearest to the buttocks."""
        if not is_sitting(self.state):
            return []
        seats = [pair for target in range(len(self.assets)) if (pair := self._pair("buttocks", target, UP))]
        if not seats:
            return []
        seat = min(seats, key=lambda pair: non_contact_loss(self._points(pair), pair.samples).value)
        thighs = [pair for side in ("left", "right") if (pair := self._pair(f"{side}_thigh", seat.target, UP))]
        thighs = [pair for pair in thighs if self._gap(pair) < self._gap(seat) + THIGH_SLACK_M]
        backward = self.normals[self.chain.parts["back"]].mean(axis=0) * [1, 1, 0]
        back = self._pair("back", seat.target, -backward / np.linalg.norm(backward))
        return [seat, *thighs, *([back] if back else [])]

    def rested(self, part: str, target: int) -> ContactPair | None:
        """A hand or forearm on a top that is not above the elbow."""
        side = part.split("_")[0]
        elbow, wrist = (self.state.joints[SMPLX_JOINTS.index(f"{side}_{joint}")][2] for joint in ("elbow", "wrist"))
        return self._pair(part, target, UP) if wrist < elbow + 0.05 else None

    def stood(self, part: str) -> ContactPair | None:
        """A foot on the nearest of the low tops and the floor."""
        ids = self.chain.parts[part]
        points, floor = self.state.vertices[ids], FloorPatch()
        on_floor = ContactPair(
            person=self.person, part=part, target=FLOOR, vertices=ids, patch=floor, samples=floor.samples_near(points)
        )
        options = [pair for target in range(len(self.assets)) if (pair := self._pair(part, target, UP))]
        if -FLOOR_DEPTH_M < self._gap(on_floor) < FLOOR_REACH_M:
            options.append(on_floor)
        return min(options, key=lambda pair: abs(self._gap(pair)), default=None)

    def _pair(self, part: str, target: int, direction: Float[ndarray, "3"]) -> ContactPair | None:
        rule, asset = RULES[part.split("_")[-1]], self.assets[target]
        ids = self._facing(part, direction)
        local = _to_object(asset, self.state.vertices[ids])
        patch = face_patch(
            asset.vertices, asset.faces, local, direction=direction @ asset.T_world_object[:3, :3],
            reach_m=rule.reach_m, depth_m=rule.depth_m, near_m=rule.near_m, seed=self.seed,
        )  # fmt: skip
        if patch is None:
            return None
        samples = patch.samples_near(local)
        height = float(transform_points(asset.T_world_object, samples)[:, 2].mean())
        is_over = patch.query(local).is_over.mean() >= rule.coverage
        is_near = np.linalg.norm(local[:, None] - samples[None], axis=2).min() < rule.near_m
        if not (is_over or is_near) or not rule.height_m[0] < height < rule.height_m[1]:
            return None
        pair = ContactPair(person=self.person, part=part, target=target, vertices=ids, patch=patch, samples=samples)
        return pair if self._gap(pair) < rule.reach_m else None

    def _facing(self, part: str, direction: Float[ndarray, "3"]) -> Int[ndarray, "part"]:
        ids = self.chain.parts[part]
        if part.endswith(("hand", "foot", "forearm")):
            return ids
        faces_it = self.normals[ids] @ direction < -0.2
        return ids[faces_it] if faces_it.sum() >= 5 else ids

    def _gap(self, pair: ContactPair) -> float:
        return part_gap(self._points(pair), pair.patch, pair.samples)

    def _points(self, pair: ContactPair) -> Float[ndarray, "part 3"]:
        """The pair's vertices in the frame of its target."""
        points = self.state.vertices[pair.vertices]
        return points if pair.target == FLOOR else _to_object(self.assets[pair.target], points)


def _to_object(asset: ObjectAsset, points: Float[ndarray, "points 3"]) -> Float[ndarray, "points 3"]:
    return (points - asset.T_world_object[:3, 3]) @ asset.T_world_object[:3, :3]


def _direction(state: BodyState, start: str, end: str) -> Float[ndarray, "3"]:
    along = state.joints[SMPLX_JOINTS.index(end)] - state.joints[SMPLX_JOINTS.index(start)]
    return along / np.linalg.norm(along)
