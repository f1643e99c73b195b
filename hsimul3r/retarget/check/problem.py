"""What the sampling controller follows when a robot tries a retargeted motion: links, contacts and objects in every frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.conventions import GRAVITY
from hsimul3r.export.robot.clip import LinkMotion, RobotClip, clip_of, link_motion, rates, resampled, turn_rates
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.retarget.motion import RobotContact, RobotMotion
from hsimul3r.retarget.robot import RobotDescription
from hsimul3r.tracking.layout import FREE_COMPONENTS, FREE_VELOCITIES, HINGE_COMPONENTS, HINGE_VELOCITIES
from hsimul3r.tracking.problem import ObjectReference

ROBOT_NAME = "robot"
FLOOR_NAME = "floor"
REST_S = 0.2
"""Length of the last part of a motion that is looked at."""
REST_SPEED_M_S = 0.15
"""A robot whose links are slower than this on average rests; a person's limit at the size of a robot."""


@dataclass(frozen=True, kw_only=True)
class RobotTarget:
    """A labelled contact: a place on a link, the place on its target where it belongs, and when it is held."""

    part: str
    link: str
    target: str
    """An object, or the floor."""
    keypoint: Float[ndarray, "3"]
    """In the link's frame."""
    place: Float[ndarray, "3"]
    """In the target's frame, the floor's is the world's."""
    bears: Float[ndarray, "points 3"]
    """Where the link's weight may lie on the target, in the link's frame: a sole's corners, else the keypoint."""
    is_held: Bool[ndarray, "frames"]

    @property
    def pair(self) -> str:
        """Its name in `Simulation.contact_names`."""
        return f"{ROBOT_NAME}/{self.part}/{self.target}"


@dataclass(frozen=True, kw_only=True)
class RobotProblem:
    """The reference at the controller's rate."""

    clip: RobotClip
    motion: LinkMotion
    objects: tuple[ObjectReference, ...]
    targets: tuple[RobotTarget, ...]

    @property
    def robot(self) -> RobotDescription:
        return self.clip.robot

    @property
    def fps(self) -> float:
        return self.clip.fps

    @property
    def frames(self) -> int:
        return len(self.clip)

    @property
    def weight_n(self) -> float:
        return self.robot.mass_kg * GRAVITY

    def link(self, name: str) -> int:
        """Column of a link in `motion`."""
        return self.robot.body_names.index(name)

    def rests_at_end(self) -> bool:
        """True where the robot moves no more; a single moment rests."""
        span = min(max(round(REST_S * self.fps), 1), self.frames - 1)
        if not span:
            return True
        shift = np.linalg.norm(self.motion.position[-1] - self.motion.position[-1 - span], axis=-1).mean()
        return bool(shift * self.fps / span < REST_SPEED_M_S)

    def qpos(self, names: Sequence[str]) -> Float[ndarray, "frames nq"]:
        """Positions in an engine's order."""
        table = _named(f"{ROBOT_NAME}/root", FREE_COMPONENTS, np.hstack([self.clip.root_position, self.clip.root_quaternion]))
        for i, joint in enumerate(self.robot.joint_names):
            table |= _named(f"{ROBOT_NAME}/{joint}", HINGE_COMPONENTS, self.clip.joint_position[:, [i]])
        for item in self.objects:
            table |= _named(item.name, FREE_COMPONENTS, np.hstack([item.position, item.quat]))
        return np.stack([table[name] for name in names], axis=1)

    def qvel(self, names: Sequence[str]) -> Float[ndarray, "frames nv"]:
        """Velocities in an engine's order."""
        root = np.hstack([self.motion.velocity[:, 0], self.motion.root_turn_rate_own])
        table = _named(f"{ROBOT_NAME}/root", FREE_VELOCITIES, root)
        for i, joint in enumerate(self.robot.joint_names):
            table |= _named(f"{ROBOT_NAME}/{joint}", HINGE_VELOCITIES, self.motion.joint_velocity[:, [i]])
        for item in self.objects:
            table |= _named(item.name, FREE_VELOCITIES, _object_velocity(item, self.fps))
        return np.stack([table[name] for name in names], axis=1)


def robot_problem(motion: RobotMotion, fps: float) -> RobotProblem:
    """A retargeted motion at another rate."""
    clip = resampled(clip_of(motion), fps)
    links = link_motion(clip)
    objects = tuple(
        ObjectReference(name=track.name, position=track.position, quat=track.quaternion, centre=np.zeros(3))
        for track in clip.objects
    )
    frame = np.minimum(np.round(np.arange(len(clip)) * motion.fps / fps), len(motion.root_position) - 1)
    targets = tuple(_target(contact, clip.robot, links, objects, frame) for contact in motion.contacts)
    return RobotProblem(clip=clip, motion=links, objects=objects, targets=tuple(t for t in targets if t.is_held.any()))


def excerpt(motion: RobotMotion, first: int, last: int) -> RobotMotion:
    """Some frames of a motion, both ends among them; a single one is a pose to be held."""
    frames = slice(first, last + 1)
    paths = {name: T[frames] for name, T in motion.object_paths.items()}
    contacts = (
        replace(contact, first=max(contact.first, first) - first, last=min(contact.last, last) - first)
        for contact in motion.contacts
        if contact.first <= last and contact.last >= first
    )
    assets = (replace(a, T_world_object=paths[a.name][0]) if a.name in paths else a for a in motion.assets)
    return replace(
        motion,
        root_position=motion.root_position[frames],
        root_quaternion=motion.root_quaternion[frames],
        joint_position=motion.joint_position[frames],
        contacts=tuple(contacts),
        assets=tuple(assets),
        object_paths=paths,
    )


def _target(
    contact: RobotContact,
    robot: RobotDescription,
    links: LinkMotion,
    objects: Sequence[ObjectReference],
    frame: Float[ndarray, "frames"],
) -> RobotTarget:
    """The keypoint is what of the link is at the contact's place when the contact begins."""
    is_held = (frame >= contact.first) & (frame <= contact.last)
    first = int(np.flatnonzero(is_held)[0]) if is_held.any() else 0
    place = contact.point
    for item in objects:
        if item.name == contact.target:
            place = matrix_from_quaternion(item.quat[first]) @ contact.point + item.position[first]
    link = robot.body_names.index(contact.body)
    keypoint = matrix_from_quaternion(links.quaternion[first, link]).T @ (place - links.position[first, link])
    surface = robot.surface(contact.part)
    has_sole = surface is not None and surface.body == contact.body and len(surface.points) > 1
    return RobotTarget(
        part=contact.part,
        link=contact.body,
        target=contact.target,
        keypoint=keypoint,
        place=contact.point,
        bears=surface.points if has_sole and surface is not None else keypoint[None],
        is_held=is_held,
    )


def _named(joint: str, components: Sequence[str], values: Float[ndarray, "frames size"]) -> dict[str, Float[ndarray, "frames"]]:
    return {f"{joint}:{component}": column for component, column in zip(components, values.T)}


def _object_velocity(item: ObjectReference, fps: float) -> Float[ndarray, "frames 6"]:
    """Linear in the world, angular in the object's frame."""
    R = matrix_from_quaternion(item.quat)
    return np.hstack([rates(item.position, fps), np.einsum("tji,tj->ti", R, turn_rates(R, fps))])
