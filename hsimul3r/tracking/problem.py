"""What a controller has to hold: the reconstructed state of people and objects, and the contacts between them."""

from dataclasses import dataclass, replace
from typing import Literal, assert_never

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import BodySequence, Contact, ObjectAsset, SimScene
from hsimul3r.body.model import BodyModel
from hsimul3r.conventions import BODY_JOINTS, CONTACT_PARTS
from hsimul3r.geometry.mesh import sample_surface
from hsimul3r.geometry.rotations import quaternion_from_matrix
from hsimul3r.losses.scene import local_patch, patch_moments
from hsimul3r.tracking.bodies import body_named

SURFACE_SAMPLES = 3000
"""Points spread over an object's surface, of which each contact takes the nearest few."""
PATCH_POINTS = 32
"""N_surf of Eq. 5."""
KEYPOINT_VERTICES = 8
"""The skin around a contact keypoint."""


SceneTerm = Literal["none", "center", "surface"]
"""What a search knows of contacts: nothing, the object that a keypoint belongs to (after CLoSD), or where on it (Eq. 5)."""


@dataclass(frozen=True, kw_only=True)
class PersonReference:
    """A person as reconstructed, in the order of BODY_JOINTS."""

    name: str
    mass_kg: float
    root: Float[ndarray, "3"]
    pose: Float[ndarray, "22 3"]
    joints: Float[ndarray, "22 3"]
    quats: Float[ndarray, "22 4"]


@dataclass(frozen=True, kw_only=True)
class ObjectReference:
    """An object as reconstructed."""

    name: str
    position: Float[ndarray, "3"]
    quat: Float[ndarray, "4"]
    centre: Float[ndarray, "3"]
    """Middle of its box, in its own frame."""


@dataclass(frozen=True, kw_only=True)
class ContactTarget:
    """A labelled contact between a body part and an object: the keypoint k_j of Eq. 5 and the surface patch it belongs on."""

    pair: str
    """Its name in `Simulation.contact_names`."""
    person: str
    body: str
    object: str
    keypoint: Float[ndarray, "3"]
    """Middle of the skin nearest to the contact, in the body's frame."""
    patch_centre: Float[ndarray, "3"]
    """In the object's frame."""
    patch_spread: float


@dataclass(frozen=True, kw_only=True)
class TrackingProblem:
    """The reference that controllers track and verdicts compare with."""

    qpos: Float[ndarray, "nq"]
    people: tuple[PersonReference, ...]
    objects: tuple[ObjectReference, ...]
    targets: tuple[ContactTarget, ...]


def tracking_problem(scene: SimScene) -> TrackingProblem:
    """Read the reference off a scene: first frames, object poses, and every contact whose target is an object."""
    model = body_named(scene.body_model)
    assets = {asset.name: asset for asset in scene.assets}
    bodies = {body.person: (human, body) for human, body in zip(scene.humans, scene.bodies)}
    people = tuple(
        _person(model, human, body, mass) for human, body, mass in zip(scene.humans, scene.bodies, scene.human_mass_kg)
    )
    targets = tuple(
        _target(model, *bodies[contact.person], assets[contact.target], contact)
        for contact in scene.contacts
        if contact.target in assets and contact.person in bodies
    )
    return TrackingProblem(
        qpos=scene.qpos, people=people, objects=tuple(_object(asset) for asset in scene.assets), targets=targets
    )


def searched(problem: TrackingProblem, term: SceneTerm) -> TrackingProblem:
    """The problem as a controller may see it under a scene term; verdicts always see `problem` itself.

    "surface" is Eq. 5. "center" has the object's centre in place of the surface patch. "none" has no contacts: neither a
    distance, nor a force that is missed, nor a certificate can then depend on them.
    """
    match term:
        case "surface":
            return problem
        case "center":
            centres = {reference.name: reference.centre for reference in problem.objects}
            at_centre = (replace(t, patch_centre=centres[t.object], patch_spread=0.0) for t in problem.targets)
            return replace(problem, targets=tuple(at_centre))
        case "none":
            return replace(problem, targets=())
    assert_never(term)


def _person(model: BodyModel, human: str, body: BodySequence, mass_kg: float) -> PersonReference:
    frames = model.fk(body.betas, body.pose[0], body.transl[0])[: len(BODY_JOINTS)]
    return PersonReference(
        name=human,
        mass_kg=mass_kg,
        root=frames[0, :3, 3],
        pose=body.pose[0, : len(BODY_JOINTS)],
        joints=frames[:, :3, 3],
        quats=quaternion_from_matrix(frames[:, :3, :3]),
    )


def _object(asset: ObjectAsset) -> ObjectReference:
    T = asset.T_world_object
    centre = (asset.vertices.min(axis=0) + asset.vertices.max(axis=0)) / 2
    return ObjectReference(name=asset.name, position=T[:3, 3], quat=quaternion_from_matrix(T[:3, :3]), centre=centre)


def _target(model: BodyModel, human: str, body: BodySequence, asset: ObjectAsset, contact: Contact) -> ContactTarget:
    skin = model.vertices(body.betas, body.pose[0], body.transl[0])[model.parts[contact.part]]
    near = np.argsort(((skin - contact.point) ** 2).sum(axis=1), kind="stable")[:KEYPOINT_VERTICES]
    keypoint = skin[near].mean(axis=0)
    frames = model.fk(body.betas, body.pose[0], body.transl[0])
    bones = [BODY_JOINTS.index(joint) for joint in CONTACT_PARTS[contact.part]]
    bone = min(bones, key=lambda j: float(((frames[j, :3, 3] - keypoint) ** 2).sum()))
    T = asset.T_world_object
    surface = sample_surface(asset.vertices, asset.faces, SURFACE_SAMPLES, np.random.default_rng(0))
    local_contact = (contact.point - T[:3, 3]) @ T[:3, :3]
    centre, spread = patch_moments(surface[local_patch(surface, local_contact, PATCH_POINTS)])
    return ContactTarget(
        pair=f"{human}/{contact.part}/{asset.name}",
        person=human,
        body=f"{human}/{BODY_JOINTS[bone]}",
        object=asset.name,
        keypoint=(keypoint - frames[bone, :3, 3]) @ frames[bone, :3, :3],
        patch_centre=centre,
        patch_spread=spread,
    )
