"""What sampling control minimises: small pure functions of one moment of many simulations, weighted by `CostWeights`.

A reference is one for all simulations or one for each.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.conventions import GRAVITY
from hsimul3r.geometry.rotations import matrix_from_quaternion


@dataclass(frozen=True, kw_only=True)
class CostWeights:
    """Weights of the terms; positions in m, angles in rad, velocities in m/s and rad/s."""

    position: float = 10.0
    rotation: float = 1.0
    root: float = 10.0
    velocity: float = 0.05
    """Of all degrees of freedom of a person and the objects, against the reference's."""
    object_drift: float = 20.0
    object_tilt: float = 5.0
    scene: float = 2.0
    """Eq. 5."""
    missing_contact: float = 0.3
    penetration: float = 0.3
    squeeze: float = 0.0
    effort: float = 0.02
    end_velocity: float = 5.0


def position_error(
    joints: Float[ndarray, "sims joints 3"], reference: Float[ndarray, "*sims joints 3"]
) -> Float[ndarray, "sims"]:
    """Mean squared distance of the joints from the reference (PHC's position term)."""
    return ((joints - reference) ** 2).sum(axis=-1).mean(axis=-1)


def rotation_error(
    quats: Float[ndarray, "sims joints 4"], reference: Float[ndarray, "*sims joints 4"]
) -> Float[ndarray, "sims"]:
    """Mean squared angle between the bones and the reference (PHC's rotation term)."""
    cosine = np.clip(np.abs((quats * reference).sum(axis=-1)), 0.0, 1.0)
    return (4 * np.arccos(cosine) ** 2).mean(axis=-1)


def root_error(root: Float[ndarray, "sims 3"], reference: Float[ndarray, "*sims 3"]) -> Float[ndarray, "sims"]:
    """Squared distance of the pelvis from the reference."""
    return ((root - reference) ** 2).sum(axis=-1)


def speed(qvel: Float[ndarray, "sims dofs"]) -> Float[ndarray, "sims"]:
    """Mean squared velocity."""
    return (qvel**2).mean(axis=-1)


def velocity_error(qvel: Float[ndarray, "sims dofs"], reference: Float[ndarray, "*sims dofs"]) -> Float[ndarray, "sims"]:
    """Mean squared difference from the reference's velocity."""
    return speed(qvel - reference)


def tipping(
    away: Float[ndarray, "*sims 2"], velocity: Float[ndarray, "*sims 2"], height_m: float = 0.9
) -> Float[ndarray, "*sims"]:
    """Squared distance of where a pendulum that high would have to be caught, away + velocity sqrt(height / g): the capture
    point of a root that is away from its reference and moves otherwise."""
    return ((away + velocity * np.sqrt(height_m / GRAVITY)) ** 2).sum(axis=-1)


def object_drift(position: Float[ndarray, "sims 3"], reference: Float[ndarray, "*sims 3"]) -> Float[ndarray, "sims"]:
    """Squared distance of an object from where it was found."""
    return ((position - reference) ** 2).sum(axis=-1)


def object_tilt(quat: Float[ndarray, "sims 4"], reference: Float[ndarray, "*sims 4"]) -> Float[ndarray, "sims"]:
    """1 - cos of the angle between an object's up axis and its reference."""
    return 1.0 - (up_axis(quat) * up_axis(reference)).sum(axis=-1)


def up_axis(quat: Float[ndarray, "*batch 4"]) -> Float[ndarray, "*batch 3"]:
    """World direction of a frame's +Z."""
    w, x, y, z = np.moveaxis(quat, -1, 0)
    return np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=-1)


def missing_contact(
    force_n: Float[ndarray, "sims objects"], is_held: Bool[ndarray, "#sims objects"], mass_kg: float, share: float = 0.05
) -> Float[ndarray, "sims"]:
    """Mean lack of force over the objects to be touched at the time: 1 where one bears nothing, 0 from `share` of the body's
    weight on."""
    lack = np.clip(1.0 - force_n / (share * mass_kg * GRAVITY), 0.0, 1.0)
    return (lack * is_held).sum(axis=-1) / np.maximum(is_held.sum(axis=-1), 1)


def squeeze(force_n: Float[ndarray, "sims pairs"], mass_kg: float, body_weights: float = 5.0) -> Float[ndarray, "sims"]:
    """Square of the force between a person and all objects, in units of so many body weights: far above what anybody needs to
    sit or lean, and what a body between two armrests bears."""
    return (force_n.sum(axis=-1) / (body_weights * mass_kg * GRAVITY)) ** 2


def penetration(depth_m: Float[ndarray, "sims"], allowed_m: float = 0.02) -> Float[ndarray, "sims"]:
    """Depth beyond what is allowed, in units of it, at most 1."""
    return np.clip(depth_m / allowed_m - 1.0, 0.0, 1.0)


def effort(sample: Float[ndarray, "*sims size"], scale: Float[ndarray, "size"]) -> Float[ndarray, "*sims"]:
    """Mean squared change of the reconstruction, in units of the expected error."""
    return ((sample / scale) ** 2).mean(axis=-1)


def points_of(
    position: Float[ndarray, "sims points 3"], quat: Float[ndarray, "sims points 4"], local: Float[ndarray, "points 3"]
) -> Float[ndarray, "sims points 3"]:
    """World points that are fixed in moving frames, one per frame."""
    return position + np.einsum("nkij,kj->nki", matrix_from_quaternion(quat), local)
