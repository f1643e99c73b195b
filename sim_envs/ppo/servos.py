"""The servos' law in numbers, for what they spend (PHC's power term) and for the policy's description."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from sim_envs.humanoid import REFERENCE_MASS_KG, drive_of


@dataclass(frozen=True, kw_only=True)
class ServoGains:
    """Stiffness, damping and greatest torque of every servo, joints in the order of BODY_JOINTS, three axes each."""

    stiffness: Float[ndarray, "63"]
    damping: Float[ndarray, "63"]
    limit_n_m: Float[ndarray, "63"]

    def torque(
        self, target: Float[ndarray, "sims 63"], angle: Float[ndarray, "sims 63"], speed: Float[ndarray, "sims 63"]
    ) -> Float[ndarray, "sims 63"]:
        """What the servos exert [N m]."""
        return np.clip(self.stiffness * (target - angle) - self.damping * speed, -self.limit_n_m, self.limit_n_m)


def servo_gains(mass_kg: float) -> ServoGains:
    """The servos of a person of that mass."""
    scale = mass_kg / REFERENCE_MASS_KG
    drives = [drive_of(joint) for joint in BODY_JOINTS[1:]]
    stiffness = scale * np.repeat([drive.stiffness for drive in drives], 3)
    return ServoGains(
        stiffness=stiffness, damping=0.1 * stiffness, limit_n_m=scale * np.repeat([drive.torque for drive in drives], 3)
    )
