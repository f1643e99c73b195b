"""How well a robot's motion keeps its contacts, stays out of things and within its limits."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.retarget.distance import Floor, Solid, along
from hsimul3r.retarget.kinematics import Postures, chain_of, posed
from hsimul3r.retarget.motion import RobotContact, RobotMotion
from hsimul3r.retarget.robot import RobotDescription

SPACING_M: Final = 0.01
"""Of the balls that a capsule is measured by: finer than what the solver uses, all capsules of the soles among them."""
FAR_M: Final = 1.0
SEAT: Final = ("buttocks", "left_thigh", "right_thigh")


@dataclass(frozen=True, kw_only=True)
class MotionFaults:
    """Over all frames; nan where there is no contact of a kind."""

    seat_gap_mm: float
    """Mean distance, either way, of the nearest of what the robot sits with to what it sits on, while it should."""
    seat_gap_p95_mm: float
    hand_gap_mm: float
    """The same of hands."""
    deepest_mm: float
    """Of any capsule in any object or in the floor."""
    deepest_frame: int
    skate_mm_s: float
    """Mean horizontal speed of the sole's middle, against what it stands on, in frames in which it should stand."""
    speed_rad_s: float
    speed_share: float
    """Greatest, over the joint's limit."""
    outside_rad: float
    """Farthest of any angle outside its limits."""


@dataclass(frozen=True, kw_only=True)
class _Balls:
    capsule: tuple[str, ...]
    places: Float[ndarray, "frames balls 3"]
    radius: Float[ndarray, "balls"]

    def of(self, names: Iterable[str]) -> Int[ndarray, "chosen"]:
        wanted = set(names)
        return np.array([i for i, name in enumerate(self.capsule) if name in wanted], int)


def postures_of(motion: RobotMotion, robot: RobotDescription) -> Postures:
    """Where a motion has the robot's bodies."""
    return posed(chain_of(robot), motion.root_position, matrix_from_quaternion(motion.root_quaternion), motion.joint_position)


def surroundings_of(motion: RobotMotion) -> dict[str, Solid | Floor]:
    """Floor and objects of a motion, by name."""
    objects = {a.name: Solid.of(a, motion.object_paths.get(a.name, a.T_world_object[None])) for a in motion.assets}
    return {"floor": Floor(), **objects}


def faults_of(motion: RobotMotion, robot: RobotDescription, contacts: Iterable[RobotContact]) -> MotionFaults:
    """Faults against contacts that should be: those of the motion, or better ones where they are known."""
    contacts, at, solids = tuple(contacts), postures_of(motion, robot), surroundings_of(motion)
    balls, chain = _balls_of(robot, at), chain_of(robot)
    seat = [name for part in SEAT if (surface := robot.surface(part)) for name in surface.capsules]
    gaps = _gaps(balls, solids, [(c, seat) for c in contacts if c.part == "buttocks"])
    hands = [(c, surface.capsules) for c in contacts if c.part.endswith("_hand") and (surface := robot.surface(c.part))]
    depth = np.zeros(len(at))
    for solid in solids.values():
        hits = solid.near(balls.places, balls.radius, 0.0)
        np.maximum.at(depth, hits.frame, -hits.distance)
    speed = np.abs(np.diff(motion.joint_position, axis=0)) * motion.fps
    outside = np.maximum(chain.low - motion.joint_position, motion.joint_position - chain.high)
    return MotionFaults(
        seat_gap_mm=1e3 * _mean(gaps),
        seat_gap_p95_mm=1e3 * float(np.percentile(gaps, 95)) if len(gaps) else float("nan"),
        hand_gap_mm=1e3 * _mean(_gaps(balls, solids, hands)),
        deepest_mm=1e3 * float(depth.max()),
        deepest_frame=int(depth.argmax()),
        skate_mm_s=1e3 * _mean(_skate(robot, at, solids, contacts, motion.fps)),
        speed_rad_s=float(speed.max(initial=0.0)),
        speed_share=float((speed / chain.speed_rad_s).max(initial=0.0)),
        outside_rad=max(float(outside.max(initial=0.0)), 0.0),
    )


def _mean(values: Float[ndarray, "values"]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _balls_of(robot: RobotDescription, at: Postures) -> _Balls:
    chain = chain_of(robot)
    rows = [(capsule, point) for capsule in robot.capsules for point in along(capsule, SPACING_M)]
    bodies = np.array([chain.body(capsule.body) for capsule, _ in rows])
    return _Balls(
        capsule=tuple(capsule.name for capsule, _ in rows),
        places=at.places(bodies, np.array([point for _, point in rows])),
        radius=np.array([capsule.radius_m for capsule, _ in rows]),
    )


def _gaps(
    balls: _Balls, solids: dict[str, Solid | Floor], contacts: Iterable[tuple[RobotContact, Iterable[str]]]
) -> Float[ndarray, "frames"]:
    """Of each frame of each contact, the distance of the nearest of its capsules."""
    found = [np.zeros(0)]
    for contact, capsules in contacts:
        frames, chosen = np.arange(contact.first, contact.last + 1), balls.of(capsules)
        solid = solids[contact.target].thinned(frames)
        hits = solid.near(balls.places[frames][:, chosen], balls.radius[chosen], FAR_M)
        gap = np.full(len(frames), FAR_M)
        np.minimum.at(gap, hits.frame, hits.distance)
        found.append(np.abs(gap))
    return np.concatenate(found)


def _skate(
    robot: RobotDescription, at: Postures, solids: dict[str, Solid | Floor], contacts: Iterable[RobotContact], fps: float
) -> Float[ndarray, "steps"]:
    found = [np.zeros(0)]
    for contact in contacts:
        surface = robot.surface(contact.part)
        if surface is None or not contact.part.endswith("_foot"):
            continue
        frames = np.arange(contact.first, contact.last + 1)
        middle = at.places(np.array([chain_of(robot).body(surface.body)]), surface.points.mean(axis=0)[None])[frames, 0]
        poses = solids[contact.target].at(frames)
        local = np.einsum("tji,tj->ti", poses[:, :3, :3], middle - poses[:, :3, 3])
        found.append(np.linalg.norm(np.diff(local[:, :2], axis=0), axis=1) * fps)
    return np.concatenate(found)
