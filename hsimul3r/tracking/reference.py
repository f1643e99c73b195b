"""A tracking problem as a policy sees it: every frame's body motion, state, commands, objects and contacts at control rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.errors import NotOnePerson
from hsimul3r.tracking.layout import HumanLayout, object_place, velocity_names
from hsimul3r.tracking.motion import velocities
from hsimul3r.tracking.pd import follow_reconstruction
from hsimul3r.tracking.problem import ContactTarget, TrackingProblem, at_rate
from hsimul3r.tracking.skeleton import BodyMotion, Skeleton


@dataclass(frozen=True, kw_only=True)
class ContactGeometry:
    """The contacts of Eq. 5, one row each in the order of `pairs`; a pair that this scene does not have is never held."""

    pairs: tuple[str, ...]
    bone: tuple[int, ...]
    """Index into BODY_JOINTS."""
    object: tuple[int, ...]
    keypoint: Float[ndarray, "contacts 3"]
    patch_centre: Float[ndarray, "contacts 3"]
    patch_spread: Float[ndarray, "contacts"]
    is_held: Bool[ndarray, "frames contacts"]


@dataclass(frozen=True, kw_only=True)
class ReferenceMotion:
    """One person's reference, `fps` frames a second; beyond the last frame everything stays as it is there."""

    fps: float
    skeleton: Skeleton
    body: BodyMotion
    ctrl: Float[ndarray, "frames nu"]
    """Servo targets that ask for each frame's pose."""
    qpos: Float[ndarray, "frames nq"]
    qvel: Float[ndarray, "frames nv"]
    objects: tuple[str, ...]
    object_pos: Float[ndarray, "frames objects 3"]
    contacts: ContactGeometry

    @property
    def frames(self) -> int:
        return len(self.qpos)

    @classmethod
    def of(
        cls,
        problem: TrackingProblem,
        qpos_names: Sequence[str],
        ctrl_names: Sequence[str],
        *,
        fps: float,
        pairs: Sequence[str] | None = None,
    ) -> Self:
        """`pairs` are the contacts to list, in their order; by default those of the problem. Raises `NotOnePerson`."""
        if len(problem.people) != 1:
            raise NotOnePerson(len(problem.people))
        timed = at_rate(problem, fps)
        person = timed.people[0]
        skeleton = Skeleton.of(person, qpos_names, ctrl_names)
        qpos = _states(timed, qpos_names, ctrl_names)
        qvel = velocities(timed, velocity_names(qpos_names))
        return cls(
            fps=fps,
            skeleton=skeleton,
            body=skeleton.motion(qpos, qvel),
            ctrl=follow_reconstruction(timed, qpos_names, ctrl_names).ctrl,
            qpos=qpos,
            qvel=qvel,
            objects=tuple(o.name for o in timed.objects),
            object_pos=np.stack([o.position for o in timed.objects], axis=1) if timed.objects else np.zeros((len(qpos), 0, 3)),
            contacts=_contacts(timed, tuple(named_contacts(timed)) if pairs is None else tuple(pairs)),
        )


def named_contacts(problem: TrackingProblem) -> dict[str, ContactTarget]:
    """The contacts of a problem by name: the pair's, with '#2' and so on where a pair comes into contact again."""
    named: dict[str, ContactTarget] = {}
    for target in problem.targets:
        again = sum(name.split("#")[0] == target.pair for name in named)
        named[f"{target.pair}#{again + 1}" if again else target.pair] = target
    return named


def disturbed(
    qpos: Float[ndarray, "sims nq"], layout: HumanLayout, joints: Float[ndarray, "sims 21 3"], root: Float[ndarray, "sims 3"]
) -> Float[ndarray, "sims nq"]:
    """States whose person is moved by `root` [m] and whose joints are turned by `joints` [rad, in the bone's frame]."""
    moved = qpos.copy()
    moved[:, layout.root[:3]] += root
    turned = Rotation.from_quat(qpos[:, layout.balls].reshape(-1, 4), scalar_first=True) * Rotation.from_rotvec(
        joints.reshape(-1, 3)
    )
    moved[:, layout.balls] = turned.as_quat(scalar_first=True).reshape(len(qpos), -1, 4)
    return moved


def _states(problem: TrackingProblem, qpos_names: Sequence[str], ctrl_names: Sequence[str]) -> Float[ndarray, "frames nq"]:
    qpos = np.tile(problem.qpos, (problem.frames, 1))
    for person in problem.people:
        HumanLayout.of(person.name, qpos_names, ctrl_names).write_pose(qpos, person.joints[:, 0], person.pose)
    for reference in problem.objects:
        qpos[:, object_place(reference.name, qpos_names)] = np.concatenate([reference.position, reference.quat], axis=1)
    return qpos


def _contacts(problem: TrackingProblem, pairs: tuple[str, ...]) -> ContactGeometry:
    targets, objects = named_contacts(problem), [o.name for o in problem.objects]
    known = [targets.get(pair) for pair in pairs]
    never = np.zeros(problem.frames, bool)
    return ContactGeometry(
        pairs=pairs,
        bone=tuple(BODY_JOINTS.index(t.body.split("/")[1]) if t else 0 for t in known),
        object=tuple(objects.index(t.object) if t else 0 for t in known),
        keypoint=np.array([t.keypoint if t else np.zeros(3) for t in known]).reshape(-1, 3),
        patch_centre=np.array([t.patch_centre if t else np.zeros(3) for t in known]).reshape(-1, 3),
        patch_spread=np.array([t.patch_spread if t else 0.0 for t in known]),
        is_held=np.stack([t.is_held if t else never for t in known], axis=1) if known else np.zeros((problem.frames, 0), bool),
    )
