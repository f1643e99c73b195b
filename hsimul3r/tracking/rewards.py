"""What reinforcement learning maximises: PHC's tracking reward, Eq. 5 and objects that stay, as pure functions of one moment.

PHC (Luo et al. 2023): r = .5 e^(-100 p) + .3 e^(-10 q) + .1 e^(-.1 v) + .1 e^(-.1 w) - .0005 P with the mean squared errors
p, q, v, w of all bodies' positions, rotations, velocities and angular velocities, and P the power of the servos.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.tracking.skeleton import BodyMotion


@dataclass(frozen=True, kw_only=True)
class Term:
    """weight * exp(-sharpness * error)."""

    weight: float
    sharpness: float

    def __call__(self, error: Float[ndarray, "sims"]) -> Float[ndarray, "sims"]:
        return self.weight * np.exp(-self.sharpness * error)


@dataclass(frozen=True, kw_only=True)
class RewardWeights:
    """PHC's terms, and two for the scene; errors in m^2, rad^2, (m/s)^2, (rad/s)^2."""

    position: Term = field(default_factory=lambda: Term(weight=0.5, sharpness=100.0))
    rotation: Term = field(default_factory=lambda: Term(weight=0.3, sharpness=10.0))
    velocity: Term = field(default_factory=lambda: Term(weight=0.1, sharpness=0.1))
    spin: Term = field(default_factory=lambda: Term(weight=0.1, sharpness=0.1))
    scene: Term = field(default_factory=lambda: Term(weight=0.2, sharpness=20.0))
    """Of Eq. 5 [m^2]; counts only while a contact is to be held."""
    objects: Term = field(default_factory=lambda: Term(weight=0.2, sharpness=40.0))
    """Of the squared distance of the objects from where they should be [m^2]."""
    power: float = 0.0005
    """Per watt."""
    power_cap: float = 0.2
    """Most that power may cost: the servos of a fall would drown the rest."""


def tracking_reward(body: BodyMotion, reference: BodyMotion, weights: RewardWeights) -> Float[ndarray, "sims"]:
    """PHC's four terms; 1 where the body is the reference and moves as it does."""
    return (
        weights.position(_mean_square(body.position - reference.position))
        + weights.rotation((rotation_angle(body.rotation, reference.rotation) ** 2).mean(axis=-1))
        + weights.velocity(_mean_square(body.velocity - reference.velocity))
        + weights.spin(_mean_square(body.spin - reference.spin))
    )


def scene_reward(
    distance: Float[ndarray, "sims"], is_held: Bool[ndarray, "sims contacts"], weights: RewardWeights
) -> Float[ndarray, "sims"]:
    """Eq. 5 as a reward, `distance` being its value [m^2]; zero while nothing is to be touched."""
    return weights.scene(distance) * is_held.any(axis=-1)


def object_reward(
    position: Float[ndarray, "sims objects 3"], reference: Float[ndarray, "sims objects 3"], weights: RewardWeights
) -> Float[ndarray, "sims"]:
    """How well objects are where they should be; zero without objects."""
    if position.shape[-2] == 0:
        return np.zeros(len(position))
    return weights.objects(_mean_square(position - reference))


def power_penalty(
    torque: Float[ndarray, "sims servos"], speed: Float[ndarray, "sims servos"], weights: RewardWeights
) -> Float[ndarray, "sims"]:
    """PHC's power term, capped: what the servos spend, braking counted like driving."""
    return np.minimum(weights.power * np.abs(torque * speed).sum(axis=-1), weights.power_cap)


def body_deviation(body: BodyMotion, reference: BodyMotion) -> Float[ndarray, "sims joints"]:
    """Distance of every joint from the reference [m]: what ends an episode early."""
    return np.linalg.norm(body.position - reference.position, axis=-1)


def rotation_angle(a: Float[ndarray, "*batch 3 3"], b: Float[ndarray, "*batch 3 3"]) -> Float[ndarray, "*batch"]:
    """Angle between rotations [rad], from the trace of a^T b: quick, exact to 1e-8 rad^2 near zero."""
    cosine = ((a * b).sum(axis=(-1, -2)) - 1.0) / 2.0
    return np.arccos(np.clip(cosine, -1.0, 1.0))


def _mean_square(difference: Float[ndarray, "sims bodies 3"]) -> Float[ndarray, "sims"]:
    return (difference**2).sum(axis=-1).mean(axis=-1)
