"""What a person's motion asks of a robot: places of pelvis and feet, the courses of limbs, turns of trunk, feet and hands.

The person is taken at the robot's size by one factor, the ratio of the legs (hip to sole). What remains, other proportions of
thigh and shin, arms and trunk, is met limb by limb: a limb's target is the person's limb as a vector, times the ratio of the
two limbs' lengths. So no limb is asked to reach farther, in its own lengths, than the person's did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.errors import RobotLacks
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.retarget.human import Human
from hsimul3r.retarget.kinematics import Chain, chain_of, posed
from hsimul3r.retarget.robot import KeyPoint, RobotDescription

SIDES: Final = ("left", "right")
LIMBS: Final = (
    *((f"{side}_{a}", f"{side}_{b}") for side in SIDES for a, b in (
        ("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "neck"),
    )),
    ("left_shoulder", "right_shoulder"),
)  # fmt: skip
"""Pairs of joints whose difference is a target, where the robot has both."""
TURNED: Final = ("pelvis", "spine3", "left_ankle", "right_ankle", "left_wrist", "right_wrist")
NEEDED: Final = ("pelvis", *(f"{side}_{joint}" for side in SIDES for joint in ("hip", "knee", "ankle")))
PELVIS_SIGMA_M: Final = 0.04
ANKLE_SIGMA_M: Final = 0.02
LIMB_SIGMA_M: Final[Mapping[str, float]] = {
    "hip_knee": 0.04, "knee_ankle": 0.04, "shoulder_elbow": 0.03, "elbow_wrist": 0.02, "hip_neck": 0.05,
    "shoulder_shoulder": 0.05,
}  # fmt: skip
TURN_SIGMA_RAD: Final[Mapping[str, float]] = {"pelvis": 0.2, "spine3": 0.3, "ankle": 0.15, "wrist": 0.6}
"""Standard deviations: how near each kind of target must be met."""


@dataclass(frozen=True, kw_only=True)
class PlaceTargets:
    """Points of the robot and where they should be; a weight is 1 / sigma, 0 in frames without target."""

    body: Int[ndarray, "points"]
    offset: Float[ndarray, "points 3"]
    target: Float[ndarray, "frames points 3"]
    weight: Float[ndarray, "frames points"]


@dataclass(frozen=True, kw_only=True)
class LimbTargets:
    """Pairs of points of the robot and how the second should lie from the first."""

    start: Int[ndarray, "limbs"]
    start_offset: Float[ndarray, "limbs 3"]
    end: Int[ndarray, "limbs"]
    end_offset: Float[ndarray, "limbs 3"]
    target: Float[ndarray, "frames limbs 3"]
    weight: Float[ndarray, "frames limbs"]


@dataclass(frozen=True, kw_only=True)
class TurnTargets:
    """Links and how they should be turned in the world."""

    body: Int[ndarray, "links"]
    target: Float[ndarray, "frames links 3 3"]
    weight: Float[ndarray, "frames links"]


@dataclass(frozen=True, kw_only=True)
class Targets:
    """All that a motion asks, contacts apart."""

    places: PlaceTargets
    limbs: LimbTargets
    turns: TurnTargets


def leg_ratio(human: Human, robot: RobotDescription) -> float:
    """The robot's leg over the person's, from hip to sole."""
    legs = []
    for side in SIDES:
        joints = tuple(f"{side}_{joint}" for joint in ("hip", "knee", "ankle"))
        own = human.length(*joints) + human.ankle_m
        legs.append((sum(_limb_lengths(robot, pair) for pair in pairwise(joints)) + ankle_height(robot, side)) / own)
    return float(np.mean(legs))


def ankle_height(robot: RobotDescription, side: str) -> float:
    """Of the ankle over the sole."""
    foot = robot.surface(f"{side}_foot")
    if foot is None or not len(foot.points):
        raise RobotLacks(robot.name, f"a surface '{side}_foot' with the sole's corners")
    return -float(foot.points[:, 2].mean())


def targets_of(human: Human, robot: RobotDescription) -> Targets:
    """What a person of the robot's size asks of it. Raises `RobotLacks`."""
    missing = [joint for joint in NEEDED if robot.key(joint) is None]
    if missing:
        raise RobotLacks(robot.name, f"key points for {', '.join(missing)}")
    return Targets(places=_places(human, robot), limbs=_limbs(human, robot), turns=_turns(human, robot))


def _places(human: Human, robot: RobotDescription) -> PlaceTargets:
    keys, targets, sigmas = [_key(robot, "pelvis")], [human.hips()], [PELVIS_SIGMA_M]
    for side in SIDES:
        up = human.turn(f"{side}_ankle")[:, :, 1]
        keys.append(_key(robot, f"{side}_ankle"))
        targets.append(human.place(f"{side}_ankle") + (ankle_height(robot, side) - human.ankle_m) * up)
        sigmas.append(ANKLE_SIGMA_M)
    return PlaceTargets(
        body=_bodies(robot, keys),
        offset=np.array([key.offset for key in keys]),
        target=np.stack(targets, axis=1),
        weight=_constant(human, sigmas),
    )


def _limbs(human: Human, robot: RobotDescription) -> LimbTargets:
    pairs = [pair for pair in LIMBS if all(robot.key(joint) is not None for joint in pair)]
    starts, ends = [_key(robot, a) for a, _ in pairs], [_key(robot, b) for _, b in pairs]
    ratios = [_limb_lengths(robot, pair) / human.length(*pair) for pair in pairs]
    return LimbTargets(
        start=_bodies(robot, starts),
        start_offset=np.array([key.offset for key in starts]),
        end=_bodies(robot, ends),
        end_offset=np.array([key.offset for key in ends]),
        target=np.stack([(human.place(b) - human.place(a)) * ratio for (a, b), ratio in zip(pairs, ratios)], axis=1),
        weight=_constant(human, [LIMB_SIGMA_M["_".join(joint.split("_")[-1] for joint in pair)] for pair in pairs]),
    )


def _turns(human: Human, robot: RobotDescription) -> TurnTargets:
    keys = [key for key in (robot.key(joint) for joint in TURNED) if key is not None]
    return TurnTargets(
        body=_bodies(robot, keys),
        target=np.stack([human.turn(key.joint) @ matrix_from_quaternion(key.quaternion) for key in keys], axis=1),
        weight=_constant(human, [TURN_SIGMA_RAD[key.joint.split("_")[-1]] for key in keys]),
    )


def _limb_lengths(robot: RobotDescription, pair: tuple[str, str]) -> float:
    """Distance of two key points at zero angles."""
    chain = chain_of(robot)
    start, end = (_key(robot, joint) for joint in pair)
    at = posed(chain, np.zeros((1, 3)), np.eye(3)[None], np.zeros((1, len(chain.joint_names))))
    places = at.places(_bodies(robot, [start, end]), np.array([start.offset, end.offset]))[0]
    return float(np.linalg.norm(places[1] - places[0]))


def _key(robot: RobotDescription, joint: str) -> KeyPoint:
    key = robot.key(joint)
    if key is None:
        raise RobotLacks(robot.name, f"a key point for {joint}")
    return key


def _bodies(robot: RobotDescription, keys: list[KeyPoint]) -> Int[ndarray, "keys"]:
    chain: Chain = chain_of(robot)
    return np.array([chain.body(key.body) for key in keys])


def _constant(human: Human, sigmas: list[float]) -> Float[ndarray, "frames kinds"]:
    return np.tile(1 / np.array(sigmas), (len(human), 1))
