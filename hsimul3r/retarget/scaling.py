"""The scene at the robot's size: everything by the ratio of the legs, heights of objects so that its contacts are in reach.

A person's seat is as high as the person's legs are long; a robot's pelvis is another shape. So the factor of an object's height
is fitted: the robot first moves as asked without surroundings, and where a part should touch the object its height then is
what the contact's place should have. The factor k minimises the mean over frames of (k z - height)^2, plus
(PRIOR_M (k / scene - 1))^2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Contact, ConvexPart, ObjectAsset
from hsimul3r.retarget.distance import samples_of
from hsimul3r.retarget.kinematics import Postures
from hsimul3r.retarget.robot import RobotDescription

PRIOR_M: Final = 0.3
"""A height by so much share wrong counts as a contact by so many metres."""
BEARING: Final = ("buttocks", "hand", "forearm")
"""Parts whose height says how high what they touch should be: thighs slope, backs touch sideways, feet are where the legs end.
Of what is sat on only the seat counts."""
LEAST_M: Final = 0.1
"""Contacts below this say nothing of an object's height."""
LARGEST: Final = 1.3
"""No height is scaled by more than this, or its inverse, against the scene."""


def fitted_scales(
    contacts: Sequence[Contact],
    paths: Mapping[str, Float[ndarray, "poses 4 4"]],
    robot: RobotDescription,
    at: Postures,
    scene: float,
) -> dict[str, Float[ndarray, "3"]]:
    """Factors along each object's own axes. `at` are the robot's postures without surroundings, `paths` the person's."""
    scales = {}
    for name, poses in paths.items():
        touched = [contact for contact in contacts if contact.target == name]
        touched = [contact for contact in touched if contact.part == "buttocks"] or touched
        pairs = [pair for contact in touched for pair in _heights(contact, poses, robot, at, scene)]
        factor = scene
        if pairs:
            own, wanted, weight = np.array(pairs).T
            prior = (PRIOR_M / scene) ** 2
            factor = ((weight * own * wanted).sum() + prior * scene) / ((weight * own**2).sum() + prior)
        scales[name] = np.array([scene, scene, np.clip(factor, scene / LARGEST, scene * LARGEST)])
    return scales


def _heights(
    contact: Contact, poses: Float[ndarray, "poses 4 4"], robot: RobotDescription, at: Postures, scene: float
) -> list[tuple[float, float, float]]:
    """(height of the contact's place in its object, height at which the robot has the part, weight) of a contact."""
    T = poses[contact.first] if len(poses) > 1 else poses[0]
    own = float((T[:3, :3].T @ (contact.point - T[:3, 3]))[2])
    surface = robot.surface(contact.part)
    if surface is None or own < LEAST_M or contact.part.split("_")[-1] not in BEARING:
        return []
    samples = samples_of(robot)
    chosen = samples.of(surface.capsules)
    last = len(at) - 1 if contact.last is None else min(contact.last, len(at) - 1)
    places = at.places(samples.body[chosen], samples.offset[chosen])[contact.first : last + 1]
    lowest = (places[..., 2] - samples.radius[chosen]).min(axis=1)
    return [(own, float(np.median(lowest)) - scene * float(T[2, 3]), (last - contact.first + 1) / len(at))]


def scaled_asset(asset: ObjectAsset, scale: Float[ndarray, "3"], T_world_object: Float[ndarray, "4 4"]) -> ObjectAsset:
    """An object of another size, of the same density, in another place."""
    return replace(
        asset,
        parts=tuple(ConvexPart(vertices=part.vertices * scale, faces=part.faces) for part in asset.parts),
        vertices=asset.vertices * scale,
        T_world_object=T_world_object,
        mass_kg=asset.mass_kg * float(np.prod(scale)),
    )


def scaled_poses(poses: Float[ndarray, "poses 4 4"], scene: float) -> Float[ndarray, "poses 4 4"]:
    """Places times the factor of the scene."""
    scaled = poses.copy()
    scaled[:, :3, 3] *= scene
    return scaled
