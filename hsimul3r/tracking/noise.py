"""Errors of a reconstruction put on a scene that is known exactly: what controllers are evaluated with.

`ErrorBank` holds errors measured on finished runs of the pipeline, each the whole of one run: errors of joints go together (a
knee that is bent too much and a hip that makes up for it), so they are drawn together. Where a body stands and an object stands
is not drawn: Eq. 3 and Eq. 4 have closed the contacts before a controller sees a scene, so people and objects are moved until
the labelled parts are where they touch, on average, and the gap that a run had left is added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.interpolate import CubicSpline
from scipy.optimize import root_scalar

from hsimul3r.artifacts import AlignedScene, BodySequence, Contact, ConvexPart, ObjectAsset
from hsimul3r.conventions import BODY_JOINTS, SMPLX_PARENTS
from hsimul3r.errors import NotPosable
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, rotation_about_z
from hsimul3r.tracking.bodies import body_named
from hsimul3r.tracking.problem import KEYPOINT_VERTICES

FLOOR = "floor"
MATCH_M = 1.0
"""An estimated object whose middle, seen from the pelvis, is farther than this from the true one's is another thing."""


@dataclass(frozen=True, kw_only=True)
class ObjectError:
    """An object's error: its turn about the vertical and the ratio of its footprint, right and back, to the true one."""

    yaw: float
    footprint: Float[ndarray, "2"]


@dataclass(frozen=True, kw_only=True)
class SceneError:
    """How far one run was from the truth of its case, apart from where in the room everything stands."""

    case: str
    kind: str
    joints: Float[ndarray, "22 3"]
    """Rotation vectors from the true to the estimated joint, in the joint's own frame; of the pelvis without the turn about the
    vertical, which no physics depends on."""
    betas: Float[ndarray, "10"]
    gap_m: float
    """Root mean square gap of the contacts after Eq. 4; what was left open was not closed by more than this."""
    objects: tuple[ObjectError, ...]


@dataclass(frozen=True, kw_only=True)
class ErrorBank:
    """Errors of finished runs."""

    errors: tuple[SceneError, ...]

    def draw(self, rng: np.random.Generator, kind: str) -> SceneError:
        """The error of a run of that kind, of any kind where there is none. Left and right are swapped half of the time."""
        pool = [error for error in self.errors if error.kind == kind] or list(self.errors)
        chosen = pool[rng.integers(len(pool))]
        return mirrored(chosen) if rng.random() < 0.5 else chosen

    def save(self, path: Path) -> None:
        """Write an npz."""
        owned = [(i, item) for i, error in enumerate(self.errors) for item in error.objects]
        np.savez_compressed(
            path,
            allow_pickle=False,
            case=np.array([error.case for error in self.errors]),
            kind=np.array([error.kind for error in self.errors]),
            joints=np.array([error.joints for error in self.errors]),
            betas=np.array([error.betas for error in self.errors]),
            gap_m=np.array([error.gap_m for error in self.errors]),
            object_owner=np.array([i for i, _ in owned], int),
            object_yaw=np.array([item.yaw for _, item in owned]),
            object_footprint=np.array([item.footprint for _, item in owned]).reshape(-1, 2),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as npz:
            table = {name: npz[name] for name in npz.files}
        objects = [
            ObjectError(yaw=float(yaw), footprint=footprint)
            for yaw, footprint in zip(table["object_yaw"], table["object_footprint"])
        ]
        columns = zip(table["case"], table["kind"], table["joints"], table["betas"], table["gap_m"])
        return cls(
            errors=tuple(
                SceneError(
                    case=str(case),
                    kind=str(kind),
                    joints=joints,
                    betas=betas,
                    gap_m=float(gap),
                    objects=tuple(item for item, owner in zip(objects, table["object_owner"]) if owner == i),
                )
                for i, (case, kind, joints, betas, gap) in enumerate(columns)
            )
        )


def mirrored(error: SceneError) -> SceneError:
    """The error of the same run seen in a mirror: left and right swapped."""
    swapped = [BODY_JOINTS.index(_other_side(name)) for name in BODY_JOINTS]
    objects = tuple(replace(item, yaw=-item.yaw) for item in error.objects)
    return replace(error, joints=error.joints[swapped] * (1, -1, -1), objects=objects)


def _other_side(name: str) -> str:
    for one, other in (("left_", "right_"), ("right_", "left_")):
        if name.startswith(one):
            return other + name.removeprefix(one)
    return name


def measured(estimated: AlignedScene, true: AlignedScene, *, case: str, kind: str) -> SceneError:
    """The error of a reconstruction of one person against the truth."""
    body, goal = estimated.bodies[0], true.bodies[0]
    R, R_true = (matrix_from_axis_angle(b.pose[0, : len(BODY_JOINTS)]) for b in (body, goal))
    turn = rotation_about_z(turn_about_z(R_true[0] @ R[0].T))
    joints = axis_angle_from_matrix(np.swapaxes(R_true, -1, -2) @ np.concatenate([(turn @ R[0])[None], R[1:]]))
    gaps = [contact.gap_m for contact in estimated.contacts] or [0.0]
    return SceneError(
        case=case,
        kind=kind,
        joints=joints,
        betas=body.betas - goal.betas,
        gap_m=float(np.sqrt(np.mean(np.square(gaps)))),
        objects=tuple(_object_errors(estimated, true, turn)),
    )


def turn_about_z(R: Float[ndarray, "3 3"]) -> float:
    """The angle about the vertical that is nearest to a rotation."""
    return float(np.arctan2(R[1, 0] - R[0, 1], R[0, 0] + R[1, 1]))


def _object_errors(estimated: AlignedScene, true: AlignedScene, turn: Float[ndarray, "3 3"]) -> list[ObjectError]:
    """Of every true object that has an estimated one near it, both seen from the pelvis."""
    found = []
    middles = [turn @ (_middle(asset) - estimated.bodies[0].transl[0]) for asset in estimated.assets]
    for item in true.assets:
        middle = _middle(item) - true.bodies[0].transl[0]
        distance = [float(np.linalg.norm((other - middle)[:2])) for other in middles]
        if distance and min(distance) < MATCH_M:
            asset = estimated.assets[int(np.argmin(distance))]
            found.append(_object_error(asset, item, turn))
    return found


def _object_error(asset: ObjectAsset, item: ObjectAsset, turn: Float[ndarray, "3 3"]) -> ObjectError:
    """Which side of a stool or a table is its front is nobody's error: the turn is the smallest that brings sides to sides."""
    yaw = turn_about_z(turn @ asset.T_world_object[:3, :3] @ item.T_world_object[:3, :3].T)
    quarters = round(yaw / (np.pi / 2))
    size = np.ptp(asset.vertices, axis=0)[:2]
    return ObjectError(
        yaw=yaw - quarters * np.pi / 2,
        footprint=(size[::-1] if quarters % 2 else size) / np.ptp(item.vertices, axis=0)[:2],
    )


def _middle(asset: ObjectAsset) -> Float[ndarray, "3"]:
    world = asset.vertices @ asset.T_world_object[:3, :3].T + asset.T_world_object[:3, 3]
    return (world.min(axis=0) + world.max(axis=0)) / 2


def erroneous(scene: AlignedScene, error: SceneError, rng: np.random.Generator, *, has_objects: bool) -> AlignedScene:
    """A scene of one moment as a run with that error would have it; without `has_objects` only the person is wrong."""
    body = _wrong_body(scene.bodies[0], error)
    moved = {i: _keypoint(scene, body, contact) - _keypoint(scene, scene.bodies[0], contact)
             for i, contact in enumerate(scene.contacts)}  # fmt: skip
    on_floor = [i for i in moved if scene.contacts[i].target == FLOOR]
    carrying = on_floor if has_objects and on_floor else list(moved)
    shift = -np.mean([moved[i] for i in carrying], axis=0) if carrying else np.zeros(3)
    shift += rng.normal(0.0, error.gap_m / np.sqrt(3), 3)
    body = replace(body, transl=body.transl + shift)
    assets, contacts = list(scene.assets), list(scene.contacts)
    if has_objects and error.objects:
        for place, asset in enumerate(scene.assets):
            mine = [i for i, contact in enumerate(scene.contacts) if contact.target == asset.name]
            step = np.mean([moved[i] + shift for i in mine], axis=0) if mine else np.zeros(3)
            about = np.mean([scene.contacts[i].point for i in mine], axis=0) if mine else asset.T_world_object[:3, 3]
            change = _Change.of(asset, error.objects[place % len(error.objects)], about, step)
            assets[place] = change.asset(asset)
            for i in mine:
                contacts[i] = replace(contacts[i], point=change.point(contacts[i].point))
    return replace(scene, bodies=(body,), assets=tuple(assets), contacts=tuple(contacts))


def _wrong_body(body: BodySequence, error: SceneError) -> BodySequence:
    pose = body.pose.copy()
    R = matrix_from_axis_angle(pose[:, : len(BODY_JOINTS)]) @ matrix_from_axis_angle(error.joints)
    pose[:, : len(BODY_JOINTS)] = axis_angle_from_matrix(R)
    return replace(body, pose=pose, betas=body.betas + error.betas)


def _keypoint(scene: AlignedScene, body: BodySequence, contact: Contact) -> Float[ndarray, "3"]:
    """Middle of the skin that touches in the true scene, on another body of it."""
    model, true = body_named(scene.body_model), scene.bodies[0]
    part = model.parts[contact.part]
    skin = model.vertices(true.betas, true.pose[0], true.transl[0])[part]
    near = np.argsort(((skin - contact.point) ** 2).sum(axis=1), kind="stable")[:KEYPOINT_VERTICES]
    return model.vertices(body.betas, body.pose[0], body.transl[0])[part[near]].mean(axis=0)


@dataclass(frozen=True, kw_only=True)
class _Change:
    """An object stretched in its own frame and turned about a vertical through `about`, which goes to `goal`."""

    stretch: Float[ndarray, "3"]
    T_old: Float[ndarray, "4 4"]
    T_new: Float[ndarray, "4 4"]

    @classmethod
    def of(cls, asset: ObjectAsset, error: ObjectError, about: Float[ndarray, "3"], step: Float[ndarray, "3"]) -> Self:
        """It stays on the floor and becomes higher by as much as `about` rises."""
        T = asset.T_world_object
        height = max(float(about[2]), 0.1)
        stretch = np.array([*error.footprint, max(height + step[2], 0.05) / height])
        R = rotation_about_z(error.yaw) @ T[:3, :3]
        local = stretch * ((about - T[:3, 3]) @ T[:3, :3])
        T_new = np.eye(4)
        T_new[:3, :3] = R
        T_new[:2, 3] = (about + step - R @ local)[:2]
        return cls(stretch=stretch, T_old=T, T_new=T_new)

    def asset(self, asset: ObjectAsset) -> ObjectAsset:
        parts = tuple(ConvexPart(vertices=part.vertices * self.stretch, faces=part.faces) for part in asset.parts)
        return replace(
            asset,
            parts=parts,
            vertices=asset.vertices * self.stretch,
            T_world_object=self.T_new,
            mass_kg=asset.mass_kg * float(self.stretch.prod()),
        )

    def point(self, world: Float[ndarray, "3"]) -> Float[ndarray, "3"]:
        local = (world - self.T_old[:3, 3]) @ self.T_old[:3, :3]
        return self.T_new[:3, :3] @ (self.stretch * local) + self.T_new[:3, 3]


@dataclass(frozen=True, kw_only=True)
class MotionNoise:
    """Standard deviations per axis of the errors of a reconstructed motion."""

    bias_deg: float = 4.6
    """Of every joint, over the whole motion."""
    drift_deg: float = 2.3
    """Of every joint, changing smoothly with knots `knot_s` apart."""
    tilt_deg: float = 2.3
    knot_s: float = 0.5


def drifting(scene: AlignedScene, noise: MotionNoise, rng: np.random.Generator) -> AlignedScene:
    """A motion as video shows it: joints off by a constant and a slow error, the whole tilted, soles on the floor."""
    body, moved = scene.bodies[0], len(BODY_JOINTS) - 1
    frames, pose = len(body.pose), body.pose.copy()
    knots = max(int((frames - 1) / body.fps / noise.knot_s), 1) + 2
    drift = CubicSpline(np.arange(knots), rng.normal(0, np.radians(noise.drift_deg), (knots, moved, 3)))
    pose[:, 1 : len(BODY_JOINTS)] += rng.normal(0, np.radians(noise.bias_deg), (moved, 3))
    pose[:, 1 : len(BODY_JOINTS)] += drift(np.linspace(0, knots - 1, frames))
    tilt = matrix_from_axis_angle(rng.normal(0, np.radians(noise.tilt_deg), 3) * (1, 1, 0))
    pose[:, 0] = axis_angle_from_matrix(tilt @ matrix_from_axis_angle(pose[:, 0]))
    model = body_named(scene.body_model)
    soles = [model.soles(body.betas, one[0], body.transl[0])[..., 2].min() for one in (pose, body.pose)]
    return replace(scene, bodies=(replace(body, pose=pose, transl=body.transl - (soles[0] - soles[1]) * np.eye(3)[2]),))


def with_hands_lifted(scene: AlignedScene, lift_m: float) -> AlignedScene:
    """The Type-3 trap: hands that hold or lean on something are in the air above it, their labels stay.

    The arms turn about the shoulders, forward and up. Raises `NotPosable` where no turn lifts a hand so far.
    """
    body = scene.bodies[0]
    pose = body.pose.copy()
    for side in sorted({c.part.split("_")[0] for c in scene.contacts if c.part.endswith("_hand") and c.target != FLOOR}):
        pose[0] = _arm_raised(scene, replace(body, pose=pose), side, lift_m)
    return replace(scene, bodies=(replace(body, pose=pose),))


def _arm_raised(scene: AlignedScene, body: BodySequence, side: str, lift_m: float) -> Float[ndarray, "55 3"]:
    model, pose = body_named(scene.body_model), body.pose[0]
    collar, shoulder, wrist = (BODY_JOINTS.index(f"{side}_{joint}") for joint in ("collar", "shoulder", "wrist"))
    bones = model.fk(body.betas, pose, body.transl[0])
    assert SMPLX_PARENTS[shoulder] == collar
    arm = bones[wrist, :3, 3] - bones[shoulder, :3, 3]
    axis = np.cross(arm, [0.0, 0.0, 1.0])
    axis /= np.linalg.norm(axis)

    def rise(angle: float) -> float:
        return float((matrix_from_axis_angle(angle * axis) @ arm)[2] - arm[2] - lift_m)

    highest = float(np.arccos(np.clip(arm[2] / np.linalg.norm(arm), -1.0, 1.0)))
    if rise(highest) < 0:
        raise NotPosable(side, f"the {side} hand cannot be {100 * lift_m:.0f} cm higher.")
    turn = matrix_from_axis_angle(root_scalar(rise, bracket=(0.0, highest)).root * axis)
    turned = pose.copy()
    R_world_collar = bones[collar, :3, :3]
    turned[shoulder] = axis_angle_from_matrix(R_world_collar.T @ turn @ bones[shoulder, :3, :3])
    return turned


def spread_deg(errors: Sequence[SceneError]) -> dict[str, float]:
    """Median angle of every joint's error [deg]."""
    angles = np.degrees(np.linalg.norm([error.joints for error in errors], axis=-1))
    return dict(zip(BODY_JOINTS, np.median(angles, axis=0).tolist()))
