"""The servos in numbers, for a policy's description: torque = stiffness (target - angle) - damping speed, up to a limit."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from sim_envs.humanoid import REFERENCE_MASS_KG, TorquePreset, drive_of, torque_limit


@dataclass(frozen=True, kw_only=True)
class ServoGains:
    """Of every servo, joints in the order of BODY_JOINTS, three axes each."""

    stiffness: Float[ndarray, "63"]
    damping: Float[ndarray, "63"]
    limit_n_m: Float[ndarray, "63"]


def servo_gains(mass_kg: float, preset: TorquePreset) -> ServoGains:
    """The servos of a person of that mass."""
    joints = BODY_JOINTS[1:]
    stiffness = mass_kg / REFERENCE_MASS_KG * np.repeat([drive_of(joint).stiffness for joint in joints], 3)
    limit = np.repeat([torque_limit(joint, preset, mass_kg) for joint in joints], 3)
    return ServoGains(stiffness=stiffness, damping=0.1 * stiffness, limit_n_m=limit)
