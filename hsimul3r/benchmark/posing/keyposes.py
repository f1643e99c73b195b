"""Key poses by anatomical angles, as SMPL-X axis-angles for the world frame (the body looks along -Y).

In the T-pose the left arm lies along +X with the palm down; +X rotations of the hips extend, of the knees flex.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.conventions import SMPLX_JOINTS


@dataclass(frozen=True, kw_only=True)
class Leg:
    """Degrees: hip flexion, abduction, outward turn; knee flexion; ankle flexion (toes up)."""

    hip: float = 0.0
    abduct: float = 3.0
    turn: float = 6.0
    knee: float = 3.0
    ankle: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Degrees: shoulder flexion, lowering from T-pose, inward turn; elbow flexion, pronation; hand bent back; finger curl."""

    flex: float = 5.0
    lower: float = 78.0
    turn: float = 0.0
    elbow: float = 12.0
    pronate: float = 15.0
    extend: float = 0.0
    curl: float = 18.0


@dataclass(frozen=True, kw_only=True)
class KeyPose:
    """Degrees: trunk pitched forward at the root, yaw of the body, spine flexion and twist, head down and left."""

    left_leg: Leg = field(default_factory=Leg)
    right_leg: Leg = field(default_factory=Leg)
    left_arm: Arm = field(default_factory=Arm)
    right_arm: Arm = field(default_factory=Arm)
    pitch: float = 0.0
    yaw: float = 0.0
    spine: float = 4.0
    twist: float = 0.0
    head_down: float = 5.0
    head_left: float = 0.0

    def axis_angles(self) -> Float[ndarray, "55 3"]:
        """SMPL-X pose."""
        turns: dict[str, Rotation] = {"pelvis": _euler("xxz", 90, self.pitch, self.yaw)}
        turns |= {f"spine{i}": _euler("xy", self.spine / 3, self.twist / 3) for i in (1, 2, 3)}
        turns |= {
            "neck": _euler("xy", self.head_down / 2, self.head_left / 2),
            "head": _euler("xy", self.head_down / 2, self.head_left / 2),
        }
        for side, sign, leg, arm in (("left", 1, self.left_leg, self.left_arm), ("right", -1, self.right_leg, self.right_arm)):
            turns |= _leg(side, sign, leg) | _arm(side, sign, arm)
        pose = np.zeros((55, 3))
        for name, turn in turns.items():
            pose[SMPLX_JOINTS.index(name)] = turn.as_rotvec()
        return pose


def _leg(side: str, sign: int, leg: Leg) -> dict[str, Rotation]:
    return {
        f"{side}_hip": _euler("yzx", sign * leg.turn, sign * leg.abduct, -leg.hip),
        f"{side}_knee": _euler("x", leg.knee),
        f"{side}_ankle": _euler("x", -leg.ankle),
    }


def _arm(side: str, sign: int, arm: Arm) -> dict[str, Rotation]:
    turns = {
        f"{side}_shoulder": _euler("xzyx", 0.0, -sign * arm.lower, -sign * arm.turn, -arm.flex),
        f"{side}_elbow": _euler("xy", 0.6 * arm.pronate, -sign * arm.elbow),
        f"{side}_wrist": _euler("xz", 0.4 * arm.pronate, sign * arm.extend),
    }
    for finger, share in (("index", 0.8), ("middle", 1.0), ("ring", 1.1), ("pinky", 1.2)):
        turns |= {f"{side}_{finger}{i}": _euler("z", -sign * arm.curl * share) for i in (1, 2, 3)}
    return turns


def _euler(axes: str, *degrees: float) -> Rotation:
    """Rotations about fixed axes, the first applied first."""
    turn = Rotation.identity()
    for axis, angle in zip(axes, degrees):
        turn = Rotation.from_euler(axis, angle, degrees=True) * turn
    return turn
