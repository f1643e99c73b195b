"""What a controller has to hold: the reconstructed people and objects over time, and the contacts between them.

A single moment is a motion of one frame: beyond the last frame everything keeps its last state.
"""

from dataclasses import dataclass, replace
from typing import Literal, assert_never

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.interpolate import interp1d
from scipy.spatial.transform import Rotation, Slerp

from hsimul3r.artifacts import BodySequence, Contact, ObjectAsset, SimScene
from hsimul3r.body.model import BodyModel
from hsimul3r.conventions import BODY_JOINTS, CONTACT_PARTS
from hsimul3r.geometry.mesh import sample_surface
from hsimul3r.geometry.rotations import (
    axis_angle_from_quaternion,
    matrix_from_quaternion,
    quaternion_from_axis_angle,
    quaternion_from_matrix,
)
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
    pose: Float[ndarray, "frames 22 3"]
    joints: Float[ndarray, "frames 22 3"]
    quats: Float[ndarray, "frames 22 4"]


@dataclass(frozen=True, kw_only=True)
class ObjectReference:
    """An object as reconstructed."""

    name: str
    position: Float[ndarray, "frames 3"]
    quat: Float[ndarray, "frames 4"]
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
    is_held: Bool[ndarray, "frames"]
    """When: the schedule of Eq. 5."""


@dataclass(frozen=True, kw_only=True)
class TrackingProblem:
    """The reference that controllers track and verdicts compare with, `fps` frames a second."""

    qpos: Float[ndarray, "nq"]
    """The first frame in the engine's order."""
    fps: float
    frames: int
    people: tuple[PersonReference, ...]
    objects: tuple[ObjectReference, ...]
    targets: tuple[ContactTarget, ...]


def tracking_problem(scene: SimScene) -> TrackingProblem:
    """Read the reference off a scene: people, objects, and every contact whose target is an object."""
    model = body_named(scene.body_model)
    frames = max((len(body.pose) for body in scene.bodies), default=1)
    objects = {asset.name: _object(asset, scene, frames) for asset in scene.assets}
    assets = {asset.name: asset for asset in scene.assets}
    bodies = {body.person: (human, body) for human, body in zip(scene.humans, scene.bodies)}
    people = tuple(
        _person(model, human, body, mass) for human, body, mass in zip(scene.humans, scene.bodies, scene.human_mass_kg)
    )
    targets = tuple(
        _target(model, *bodies[contact.person], assets[contact.target], objects[contact.target], contact)
        for contact in scene.contacts
        if contact.target in assets and contact.person in bodies
    )
    fps = scene.bodies[0].fps if scene.bodies else 1.0
    return TrackingProblem(
        qpos=scene.qpos, fps=fps, frames=frames, people=people, objects=tuple(objects.values()), targets=targets
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
    frames = model.fk(body.betas, body.pose, body.transl)[:, : len(BODY_JOINTS)]
    return PersonReference(
        name=human,
        mass_kg=mass_kg,
        pose=body.pose[:, : len(BODY_JOINTS)],
        joints=frames[..., :3, 3],
        quats=quaternion_from_matrix(frames[..., :3, :3]),
    )


def _object(asset: ObjectAsset, scene: SimScene, frames: int) -> ObjectReference:
    T = scene.object_paths.get(asset.name, np.repeat(asset.T_world_object[None], frames, axis=0))
    centre = (asset.vertices.min(axis=0) + asset.vertices.max(axis=0)) / 2
    return ObjectReference(name=asset.name, position=T[:, :3, 3], quat=quaternion_from_matrix(T[:, :3, :3]), centre=centre)


def _target(
    model: BodyModel,
    human: str,
    body: BodySequence,
    asset: ObjectAsset,
    reference: ObjectReference,
    contact: Contact,
) -> ContactTarget:
    frames = len(reference.position)
    first, last = contact.first, frames - 1 if contact.last is None else contact.last
    pose, transl = body.pose[first], body.transl[first]
    skin = model.vertices(body.betas, pose, transl)[model.parts[contact.part]]
    near = np.argsort(((skin - contact.point) ** 2).sum(axis=1), kind="stable")[:KEYPOINT_VERTICES]
    keypoint = skin[near].mean(axis=0)
    T_world_bone = model.fk(body.betas, pose, transl)
    bones = [BODY_JOINTS.index(joint) for joint in CONTACT_PARTS[contact.part]]
    bone = min(bones, key=lambda j: float(((T_world_bone[j, :3, 3] - keypoint) ** 2).sum()))
    surface = sample_surface(asset.vertices, asset.faces, SURFACE_SAMPLES, np.random.default_rng(0))
    local_contact = (contact.point - reference.position[first]) @ matrix_from_quaternion(reference.quat[first])
    centre, spread = patch_moments(surface[local_patch(surface, local_contact, PATCH_POINTS)])
    return ContactTarget(
        pair=f"{human}/{contact.part}/{asset.name}",
        person=human,
        body=f"{human}/{BODY_JOINTS[bone]}",
        object=asset.name,
        keypoint=(keypoint - T_world_bone[bone, :3, 3]) @ T_world_bone[bone, :3, :3],
        patch_centre=centre,
        patch_spread=spread,
        is_held=(np.arange(frames) >= first) & (np.arange(frames) <= last),
    )


def at_rate(problem: TrackingProblem, fps: float) -> TrackingProblem:
    """The same motion at another frame rate: positions linear, rotations on great arcs, contacts as in the frame before.

    A single moment only takes over the rate.
    """
    if problem.frames == 1:
        return replace(problem, fps=fps)
    time = np.arange(round((problem.frames - 1) / problem.fps * fps) + 1) / fps
    place = np.minimum(time * problem.fps, problem.frames - 1)
    before = np.floor(place + 1e-9).astype(int)

    def moved(points: ndarray) -> ndarray:
        return interp1d(np.arange(problem.frames), points, axis=0)(place)

    def turned(quats: ndarray) -> ndarray:
        joints = quats.reshape(problem.frames, -1, 4)
        arcs = [Slerp(np.arange(problem.frames), Rotation.from_quat(q, scalar_first=True)) for q in joints.swapaxes(0, 1)]
        turned = np.stack([arc(place).as_quat(canonical=True, scalar_first=True) for arc in arcs], axis=1)
        return turned.reshape(len(place), *quats.shape[1:])

    people = (
        replace(
            person,
            pose=axis_angle_from_quaternion(turned(quaternion_from_axis_angle(person.pose))),
            joints=moved(person.joints),
            quats=turned(person.quats),
        )
        for person in problem.people
    )
    return TrackingProblem(
        qpos=problem.qpos,
        fps=fps,
        frames=len(place),
        people=tuple(people),
        objects=tuple(replace(o, position=moved(o.position), quat=turned(o.quat)) for o in problem.objects),
        targets=tuple(replace(target, is_held=target.is_held[before]) for target in problem.targets),
    )
