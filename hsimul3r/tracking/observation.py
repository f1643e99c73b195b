"""What a policy observes, after PHC: the body in its own heading frame, its differences to the reference, objects and Eq. 5.

The heading frame stands upright in the pelvis and is turned about the vertical with it, so that a policy neither knows nor
needs to know where in the world it is. Rotations are given as their matrices' first two columns.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.losses.scene import patch_distance
from hsimul3r.tracking.layout import FREE_VELOCITIES, object_place, velocity_names
from hsimul3r.tracking.reference import ReferenceMotion
from hsimul3r.tracking.simulation import Simulation
from hsimul3r.tracking.skeleton import BodyMotion

JOINTS = len(BODY_JOINTS)


@dataclass(frozen=True, kw_only=True)
class ObservationLayout:
    """What is observed, by name: a policy fits every scene that has these objects and contacts."""

    fps: float
    """Of observations and commands."""
    lookahead: tuple[int, ...] = (1,)
    """Frames of the reference that the policy sees, from the present one on."""
    objects: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()

    def parts(self) -> dict[str, int]:
        """Names and lengths of the observation's parts, in order."""
        body = {"height": 1, "joints": 3 * (JOINTS - 1), "rotations": 6 * JOINTS, "velocities": 3 * JOINTS, "spins": 3 * JOINTS}
        ahead = {"off": 3, "turn": 6, "velocity_off": 3, "spin_off": 3, "joints": 3, "rotations": 6}
        future = {f"reference+{step}/{part}": size * JOINTS for step in self.lookahead for part, size in ahead.items()}
        things = {"position": 3, "rotation": 6, "velocity": 3, "spin": 3, "off": 3}
        objects = {f"{name}/{part}": size for name in self.objects for part, size in things.items()}
        contacts = {f"{name}/{part}": size for name in self.contacts for part, size in {"to_patch": 3, "is_held": 1}.items()}
        return {**{f"body/{part}": size for part, size in body.items()}, **future, **objects, **contacts}

    @property
    def size(self) -> int:
        return sum(self.parts().values())


@dataclass(frozen=True, kw_only=True)
class SceneMoment:
    """A person and the objects of many simulations at one time, world frame."""

    body: BodyMotion
    object_pos: Float[ndarray, "sims objects 3"]
    object_rotation: Float[ndarray, "sims objects 3 3"]
    object_velocity: Float[ndarray, "sims objects 3"]
    object_spin: Float[ndarray, "sims objects 3"]
    servo_speed: Float[ndarray, "sims 63"]
    """Of the ball joints about their servos' axes."""


def scene_moment(simulation: Simulation, reference: ReferenceMotion) -> SceneMoment:
    """Read a moment off the state of a simulation."""
    qpos, qvel = simulation.state()
    names = velocity_names(simulation.qpos_names)
    place = np.array([object_place(name, simulation.qpos_names) for name in reference.objects], int).reshape(-1, 7)
    speed = np.array([[names.index(f"{o}:{c}") for c in FREE_VELOCITIES] for o in reference.objects], int).reshape(-1, 6)
    rotation = matrix_from_quaternion(qpos[:, place[:, 3:]])
    return SceneMoment(
        body=reference.skeleton.motion(qpos, qvel),
        object_pos=qpos[:, place[:, :3]],
        object_rotation=rotation,
        object_velocity=qvel[:, speed[:, :3]],
        object_spin=np.einsum("noij,noj->noi", rotation, qvel[:, speed[:, 3:]]),
        servo_speed=qvel[:, reference.skeleton.balls.ravel()],
    )


def observe(
    moment: SceneMoment, reference: ReferenceMotion, frame: Int[ndarray, "sims"], layout: ObservationLayout
) -> Float32[ndarray, "sims size"]:
    """The observation of every simulation, each at its own frame of the reference, in the order of `layout.parts()`."""
    body, root = moment.body, moment.body.position[:, 0]
    R_heading_world = heading(body.rotation[:, 0])
    columns = [
        root[:, 2:],
        _seen(R_heading_world, body.position[:, 1:] - root[:, None]),
        _turns(R_heading_world, body.rotation),
        _seen(R_heading_world, body.velocity),
        _seen(R_heading_world, body.spin),
    ]
    for step in layout.lookahead:
        ahead = reference.body.at(np.minimum(frame + step, reference.frames - 1))
        turn = ahead.rotation @ np.swapaxes(body.rotation, -1, -2) @ np.swapaxes(R_heading_world, -1, -2)[:, None]
        columns += [
            _seen(R_heading_world, ahead.position - body.position),
            _turns(R_heading_world, turn),
            _seen(R_heading_world, ahead.velocity - body.velocity),
            _seen(R_heading_world, ahead.spin - body.spin),
            _seen(R_heading_world, ahead.position - root[:, None]),
            _turns(R_heading_world, ahead.rotation),
        ]
    columns += _objects(moment, reference, frame, R_heading_world)
    columns += _contacts(moment, reference, frame, R_heading_world)
    return np.concatenate([column.reshape(len(root), -1) for column in columns], axis=1).astype(np.float32)


def heading(R_world_root: Float[ndarray, "sims 3 3"]) -> Float[ndarray, "sims 3 3"]:
    """R_heading_world: about the vertical, by the direction of the pelvis' left side, which is level also of who lies down."""
    left = R_world_root[:, :2, 0]
    x, y = (left / np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-9)).T
    zero, one = np.zeros_like(x), np.ones_like(x)
    return np.stack([x, y, zero, -y, x, zero, zero, zero, one], axis=-1).reshape(-1, 3, 3)


def contact_vectors(
    moment: SceneMoment, reference: ReferenceMotion
) -> tuple[Float[ndarray, "sims contacts 3"], Float[ndarray, "sims contacts 3"]]:
    """World positions of the contact keypoints and of the middles of the patches they belong on."""
    contacts = reference.contacts
    bone, thing = list(contacts.bone), list(contacts.object)
    if not bone:
        return np.zeros((len(moment.object_pos), 0, 3)), np.zeros((len(moment.object_pos), 0, 3))
    turned = np.einsum("ncij,cj->nci", moment.body.rotation[:, bone], contacts.keypoint)
    centre = np.einsum("ncij,cj->nci", moment.object_rotation[:, thing], contacts.patch_centre)
    return moment.body.position[:, bone] + turned, moment.object_pos[:, thing] + centre


def scene_distance(moment: SceneMoment, reference: ReferenceMotion, frame: Int[ndarray, "sims"]) -> Float[ndarray, "sims"]:
    """Eq. 5 over the contacts that are held at the time [m^2]."""
    keypoints, centres = contact_vectors(moment, reference)
    is_held = reference.contacts.is_held[np.minimum(frame, reference.frames - 1)]
    return patch_distance(keypoints, centres, reference.contacts.patch_spread, is_held)


def _objects(moment: SceneMoment, reference: ReferenceMotion, frame: ndarray, R: ndarray) -> list[ndarray]:
    root = moment.body.position[:, :1]
    wanted = reference.object_pos[np.minimum(frame, reference.frames - 1)]
    parts = [
        _seen(R, moment.object_pos - root),
        _turns(R, moment.object_rotation),
        _seen(R, moment.object_velocity),
        _seen(R, moment.object_spin),
        _seen(R, wanted - moment.object_pos),
    ]
    return [np.concatenate([part[:, i].reshape(len(root), -1) for part in parts], axis=1) for i in range(wanted.shape[1])]


def _contacts(moment: SceneMoment, reference: ReferenceMotion, frame: ndarray, R: ndarray) -> list[ndarray]:
    keypoints, centres = contact_vectors(moment, reference)
    is_held = reference.contacts.is_held[np.minimum(frame, reference.frames - 1)]
    return [np.concatenate([_seen(R, centres - keypoints) * is_held[..., None], is_held[..., None]], axis=-1)]


def _seen(R: Float[ndarray, "sims 3 3"], vectors: Float[ndarray, "sims some 3"]) -> Float[ndarray, "sims some 3"]:
    return vectors @ np.swapaxes(R, -1, -2)


def _turns(R: Float[ndarray, "sims 3 3"], rotations: Float[ndarray, "sims some 3 3"]) -> Float[ndarray, "sims some 3 2"]:
    return (R[:, None] @ rotations)[..., :2]
