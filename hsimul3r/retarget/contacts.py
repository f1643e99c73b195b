"""Contacts of a person as the robot's: where soles and palms must stay, and which links must touch what.

A contact's place is kept in the frame of its target, so it travels with an object that is moved. Feet lie flat where the
person's do: corners under a raised heel or toe are free. Hands touch, and their palms stay near where the person's were. Seat,
thighs, back and forearms touch, wherever they come to lie.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Contact
from hsimul3r.retarget.distance import Floor, Solid, samples_of
from hsimul3r.retarget.human import Human
from hsimul3r.retarget.kinematics import chain_of
from hsimul3r.retarget.motion import RobotContact
from hsimul3r.retarget.robot import ContactSurface, RobotDescription
from hsimul3r.retarget.targets import SIDES, PlaceTargets

SOLE_SIGMA_M: Final = 0.003
PALM_SIGMA_M: Final = 0.015
RAISED_M: Final = (0.02, 0.04)
"""A heel or toe of a person of 1.70 m this far over what the foot stands on begins to be free, and is."""
REFERENCE_LEG_M: Final = 0.88
"""Of that person, hip to sole."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """Points that must be at places of a target in some frames."""

    body: Int[ndarray, "points"]
    offset: Float[ndarray, "points 3"]
    local: Float[ndarray, "points 3"]
    """In the target's frame."""
    target: int
    """Of the surroundings."""
    frames: Int[ndarray, "held"]
    weight: Float[ndarray, "held points"]


@dataclass(frozen=True, kw_only=True)
class Touch:
    """A group of samples whose nearest must be on the surface of a target in some frames."""

    samples: Int[ndarray, "samples"]
    target: int
    frames: Int[ndarray, "held"]


@dataclass(frozen=True, kw_only=True)
class RobotContacts:
    """All contacts of a motion."""

    held: tuple[Held, ...]
    touches: tuple[Touch, ...]
    planted: Mapping[str, Bool[ndarray, "frames"]]
    """Frames in which each foot or hand is held."""
    listed: tuple[RobotContact, ...]
    left_out: int = field(default=0)
    """Contacts of parts that the robot has not, or with targets that are not there."""


@dataclass(frozen=True, kw_only=True)
class Scales:
    """How the person's scene becomes the robot's: everything times `scene`, objects along their own axes otherwise."""

    scene: float
    objects: Mapping[str, Float[ndarray, "3"]]

    def of(self, target: str) -> Float[ndarray, "3"]:
        return self.objects.get(target, np.full(3, self.scene))


def contacts_of(
    contacts: Sequence[Contact],
    human: Human,
    robot: RobotDescription,
    surroundings: Sequence[Solid | Floor],
    scales: Scales,
    paths: Mapping[str, Float[ndarray, "poses 4 4"]],
) -> RobotContacts:
    """`human` is of the robot's size; `paths` are the person's T_world_object, before scaling."""
    names = [solid.name for solid in surroundings]
    held: list[Held] = []
    touches: list[Touch] = []
    listed: list[RobotContact] = []
    planted = {f"{side}_{end}": np.zeros(len(human), bool) for side in SIDES for end in ("foot", "hand")}
    for contact in contacts:
        surface = robot.surface(contact.part)
        if surface is None or contact.target not in names:
            continue
        target = names.index(contact.target)
        last = len(human) - 1 if contact.last is None else min(contact.last, len(human) - 1)
        frames = np.arange(contact.first, last + 1)
        if not len(frames):
            continue
        point = _local_point(contact, surroundings[target], scales, paths)
        if contact.part.endswith("_foot"):
            held.append(_standing(contact, human, robot, surface, surroundings[target], target, frames, point))
        elif contact.part.endswith("_hand"):
            held.append(_gripping(contact, human, robot, surface, surroundings[target], target, frames, scales))
        if not contact.part.endswith("_foot"):
            touches.append(Touch(samples=samples_of(robot).of(surface.capsules), target=target, frames=frames))
        if contact.part in planted:
            planted[contact.part][frames] = True
            point = held[-1].local.mean(axis=0)
        listed.append(
            RobotContact(
                part=contact.part, body=surface.body, target=contact.target, point=point, first=contact.first, last=last
            )
        )
    return RobotContacts(
        held=tuple(held), touches=tuple(touches), planted=planted, listed=tuple(listed), left_out=len(contacts) - len(listed)
    )


def _local_point(
    contact: Contact, solid: Solid | Floor, scales: Scales, paths: Mapping[str, Float[ndarray, "poses 4 4"]]
) -> Float[ndarray, "3"]:
    """The contact's place on its target, both at the robot's size, in the target's frame."""
    poses = paths.get(contact.target)
    if poses is None:
        return contact.point * scales.of(contact.target)
    T = poses[contact.first] if len(poses) > 1 else poses[0]
    return T[:3, :3].T @ (contact.point - T[:3, 3]) * scales.of(contact.target)


def _standing(
    contact: Contact,
    human: Human,
    robot: RobotDescription,
    surface: ContactSurface,
    solid: Solid | Floor,
    target: int,
    frames: Int[ndarray, "held"],
    point: Float[ndarray, "3"],
) -> Held:
    """A sole flat at the height of the contact's place, where and as the person's foot is turned on the mean."""
    side = contact.part.split("_")[0]
    raised = _raised(human, side, frames, solid)
    flat = raised.max(axis=1) < RAISED_M[0] * _size(human)
    chosen = frames[flat] if flat.any() else frames
    poses = solid.at(chosen)
    ankle = np.einsum("tji,tj->ti", poses[:, :3, :3], human.place(f"{side}_ankle")[chosen] - poses[:, :3, 3]).mean(axis=0)
    ahead = np.einsum("tji,tj->ti", poses[:, :3, :3], human.turn(f"{side}_ankle")[chosen, :, 2]).mean(axis=0)
    x, y = ahead[:2] / np.linalg.norm(ahead[:2])
    corners = surface.points @ np.array([[x, y, 0.0], [-y, x, 0.0], [0.0, 0.0, 1.0]])
    low, high = (bound * _size(human) for bound in RAISED_M)
    weight = np.clip((high - raised) / (high - low), 0, 1)[:, [0, 0, 1, 1]] / SOLE_SIGMA_M
    return Held(
        body=np.full(len(corners), chain_of(robot).body(surface.body)),
        offset=surface.points,
        local=np.column_stack([ankle[:2] + corners[:, :2], np.full(len(corners), point[2])]),
        target=target,
        frames=frames,
        weight=weight,
    )


def _size(human: Human) -> float:
    """Over that of a person of 1.70 m."""
    return (human.length("left_hip", "left_knee", "left_ankle") + human.ankle_m) / REFERENCE_LEG_M


def _raised(human: Human, side: str, frames: Int[ndarray, "held"], solid: Solid | Floor) -> Float[ndarray, "held 2"]:
    """Heights of a person's heel and ball or toe over what the foot stands on."""
    soles = human.soles[frames, SIDES.index(side)]
    height = np.einsum("ti,tpi->tp", solid.at(frames)[:, :3, 2], soles)
    height = height - np.percentile(height.min(axis=1), 10)
    return np.stack([height[:, 0], height[:, 1:].min(axis=1)], axis=1)


def _gripping(
    contact: Contact,
    human: Human,
    robot: RobotDescription,
    surface: ContactSurface,
    solid: Solid | Floor,
    target: int,
    frames: Int[ndarray, "held"],
    scales: Scales,
) -> Held:
    """A palm on the target where the person's is on the mean."""
    poses = solid.at(frames)
    palm = human.palm(contact.part.split("_")[0])[frames]
    local = np.einsum("tji,tj->ti", poses[:, :3, :3], palm - poses[:, :3, 3]).mean(axis=0)
    local = solid.closest((local * scales.of(contact.target) / scales.scene)[None])
    points = surface.points[:1]
    return Held(
        body=np.full(len(points), chain_of(robot).body(surface.body)),
        offset=points,
        local=local[: len(points)],
        target=target,
        frames=frames,
        weight=np.full((len(frames), len(points)), 1 / PALM_SIGMA_M),
    )


def place_targets(held: Sequence[Held], surroundings: Sequence[Solid | Floor], frames: int) -> PlaceTargets:
    """Held points as targets in the world, frame by frame."""
    bodies, offsets, targets, weights = [], [], [], []
    for group in held:
        poses = surroundings[group.target].at(group.frames)
        target = np.zeros((frames, len(group.body), 3))
        weight = np.zeros((frames, len(group.body)))
        target[group.frames] = np.einsum("tij,pj->tpi", poses[:, :3, :3], group.local) + poses[:, None, :3, 3]
        weight[group.frames] = group.weight
        bodies.append(group.body)
        offsets.append(group.offset)
        targets.append(target)
        weights.append(weight)
    if not held:
        return PlaceTargets(
            body=np.zeros(0, int), offset=np.zeros((0, 3)), target=np.zeros((frames, 0, 3)), weight=np.zeros((frames, 0))
        )
    return PlaceTargets(
        body=np.concatenate(bodies), offset=np.concatenate(offsets), target=np.concatenate(targets, 1),
        weight=np.concatenate(weights, 1),
    )  # fmt: skip
