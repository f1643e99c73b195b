"""A simulated motion for the retargeter: fewer frames, contacts read off the forces that the simulator recorded.

It records those with objects; a foot stands on the floor where it rests there (interaction/contacts_from_motion.py).
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import BodySequence, Contact, ObjectAsset, Rollout, SimScene
from hsimul3r.body.model import BodyModel
from hsimul3r.conventions import CONTACT_PARTS, GRAVITY
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.interaction.contacts_from_motion import Moves, Rest, rests_of, runs
from hsimul3r.retarget.distance import FLOOR
from hsimul3r.retarget.retarget import HumanScene

FORCE_SHARE = 0.02
"""Of the person's weight: a part that bears more is in contact."""
PAUSE_S = 0.2
"""Shorter pauses are none."""
LEAST_S = 0.25
"""Shorter contacts are left out."""
MOVED_M = 0.005
"""Objects that come no farther from where they were stand still."""
FLOOR_M = 0.01
"""A resting foot's skin that is higher over the floor hangs."""


def recorded_scene(model: BodyModel, scene: SimScene, rollout: Rollout, person: int, *, fps: float) -> HumanScene:
    """One person of a rollout, at about `fps` frames a second."""
    step = max(round(rollout.fps / fps), 1)
    frames = np.arange(0, len(rollout.qpos), step)
    k = next(i for i, body in enumerate(rollout.bodies) if body.person == person)
    body = rollout.bodies[k]
    body = replace(body, pose=body.pose[frames], transl=body.transl[frames], fps=rollout.fps / step)
    poses = _object_poses(rollout, frames)
    moved = {name: T for name, T in poses.items() if np.linalg.norm(T[:, :3, 3] - T[0, :3, 3], axis=1).max() > MOVED_M}
    assets = tuple(_standing(asset, poses) for asset in scene.assets)
    weight = scene.human_mass_kg[k] * GRAVITY
    contacts = _contacts(rollout, frames, scene.humans[k], body, least_n=FORCE_SHARE * weight)
    return HumanScene(model=model, body=body, assets=assets, contacts=(*contacts, *_standing_feet(model, body)), paths=moved)


def _object_poses(rollout: Rollout, frames: Int[ndarray, "chosen"]) -> dict[str, Float[ndarray, "chosen 4 4"]]:
    poses = {}
    for i, name in enumerate(rollout.object_names):
        T = np.tile(np.eye(4), (len(frames), 1, 1))
        T[:, :3, :3] = matrix_from_quaternion(rollout.object_quat[frames, i])
        T[:, :3, 3] = rollout.object_pos[frames, i]
        poses[name] = T
    return poses


def _standing(asset: ObjectAsset, poses: dict[str, Float[ndarray, "chosen 4 4"]]) -> ObjectAsset:
    return replace(asset, T_world_object=poses[asset.name][0]) if asset.name in poses else asset


def _contacts(
    rollout: Rollout, frames: Int[ndarray, "chosen"], human: str, body: BodySequence, *, least_n: float
) -> tuple[Contact, ...]:
    """Intervals in which a part bears a force, and where on the mean of their first quarter second."""
    found = []
    for i, name in enumerate(rollout.contact_names):
        owner, part, target = name.split("/")
        if owner != human or part not in CONTACT_PARTS:
            continue
        force = rollout.contact_force_n[frames, i]
        for first, last in intervals_of(force > least_n, round(PAUSE_S * body.fps), round(LEAST_S * body.fps)):
            early = slice(first, min(first + max(round(LEAST_S * body.fps), 1), last + 1))
            bears = force[early] > least_n
            point = rollout.contact_point[frames[early], i][bears].mean(axis=0)
            found.append(Contact(person=body.person, part=part, target=target, gap_m=0.0, point=point, first=first, last=last))
    return tuple(found)


def _standing_feet(model: BodyModel, body: BodySequence) -> list[Contact]:
    found = [on_floor(body.person, rest) for rest in rests_of(Moves.of(model, body)) if rest.is_on_floor]
    return [contact for contact in found if contact.gap_m < FLOOR_M]


def on_floor(person: int, rest: Rest) -> Contact:
    """A foot's contact with the floor, under its lowest skin."""
    lowest = rest.skin[rest.skin[:, 2].argmin()]
    return Contact(
        person=person, part=rest.part, target=FLOOR, gap_m=float(lowest[2]), point=lowest * [1, 1, 0], first=rest.first,
        last=rest.last,
    )  # fmt: skip


def intervals_of(is_on: Bool[ndarray, "frames"], pause: int, least: int) -> list[tuple[int, int]]:
    """(first, last) of runs of true, short pauses and then short runs left out."""
    joined: list[tuple[int, int]] = []
    for first, last in runs(is_on):
        if joined and first - joined[-1][1] - 1 < pause:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return [(first, last) for first, last in joined if last - first + 1 >= min(least, len(is_on))]
