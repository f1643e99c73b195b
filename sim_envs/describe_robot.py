"""An MJCF and a short recipe to a robot's description file.

    python -m sim_envs.describe_robot g1.xml configs/robots/unitree_g1_29dof.yaml hsimul3r/retarget/robots/unitree_g1_29dof.json

The engine reads the MJCF: bodies, joints, limits, masses and collision shapes are its; motors, the standing pose and what
answers to which part of a person are the recipe's (docs/robots.md). Shapes other than capsules and spheres become capsules: a
cylinder that of its radius and length, a box a row of them along its longest side. Meshes are only read where a link has no
other shape and the recipe asks for a fit.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import tyro
import yaml
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.geometry.rotations import matrix_from_quaternion, quaternion_from_matrix
from hsimul3r.retarget.robot import (
    Capsule,
    ContactSurface,
    KeyPoint,
    RobotBody,
    RobotDescription,
    RobotJoint,
    write_robot,
)
from sim_envs.engine import MjModel, mujoco

T_POSE: Final[Mapping[str, tuple[float, float, float]]] = {
    "left": (1, 0, 0), "right": (-1, 0, 0), "up": (0, 1, 0), "down": (0, -1, 0), "front": (0, 0, 1), "back": (0, 0, -1),
}  # fmt: skip
"""Directions of the T-pose (conventions.py, Body)."""
MIRRORED: Final = {"left": "right", "right": "left", "up": "down", "down": "up", "front": "front", "back": "back"}
TRUNK_AXES: Final = "front left up"


@dataclass(frozen=True, kw_only=True)
class Args:
    """What to read and write."""

    mjcf: tyro.conf.Positional[Path]
    recipe: tyro.conf.Positional[Path]
    out: tyro.conf.Positional[Path]


def main(args: Args) -> None:
    write_robot(describe(args.mjcf, yaml.safe_load(args.recipe.read_text())), args.out)


def describe(mjcf: Path, recipe: Mapping[str, Any]) -> RobotDescription:
    """The description of the robot in an MJCF."""
    model = compiled(mjcf, keeps_meshes=bool(recipe.get("fit")))
    capsules = tuple(_capsules(model, recipe.get("fit", ())))
    return RobotDescription(
        name=recipe["name"],
        source=recipe["source"],
        licence=recipe["licence"],
        bodies=tuple(_body(model, i, recipe) for i in range(1, model.nbody)),
        capsules=capsules,
        surfaces=tuple(_surface(part, entry, side, capsules) for part, entry, side in _sided(recipe["surfaces"])),
        key_points=tuple(_key_point(joint, entry, side) for joint, entry, side in _sided(recipe["key_points"])),
        apart=tuple(
            (a.name, b.name)
            for one, other in recipe.get("apart", ())
            for a, b in product(_matching(one, capsules), _matching(other, capsules))
        ),
    )


def compiled(mjcf: Path, *, keeps_meshes: bool) -> MjModel:
    """The engine's model; without meshes their files need not be there."""
    spec = mujoco().MjSpec.from_file(str(mjcf))
    if not keeps_meshes:
        for geom in [g for g in spec.geoms if g.type == mujoco().mjtGeom.mjGEOM_MESH]:
            spec.delete(geom)
        for mesh in list(spec.meshes):
            spec.delete(mesh)
    return spec.compile()


def _sided(table: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:
    """Entries with `{side}` in their names, once for each side."""
    for name, entry in table.items():
        for side in ("left", "right") if "{side}" in name else (None,):
            sides = {key: value.replace("{side}", side or "") for key, value in entry.items() if isinstance(value, str)}
            yield name.replace("{side}", side or ""), {**entry, **sides}, side


def _body(model: MjModel, i: int, recipe: Mapping[str, Any]) -> RobotBody:
    body = model.body(i)
    turn = matrix_from_quaternion(body.iquat)
    is_root = body.parentid[0] == 0
    return RobotBody(
        name=body.name,
        parent=None if is_root else model.body(body.parentid[0]).name,
        position=np.array([*body.pos[:2], recipe["home_height_m"]]) if is_root else body.pos.copy(),
        quaternion=body.quat.copy(),
        mass_kg=float(body.mass[0]),
        centre=body.ipos.copy(),
        inertia=turn @ np.diag(body.inertia) @ turn.T,
        joint=next((_joint(model, j, recipe) for j in range(model.njnt) if _is_hinge_of(model, j, i)), None),
    )


def _is_hinge_of(model: MjModel, j: int, body: int) -> bool:
    return model.jnt_bodyid[j] == body and model.jnt_type[j] == mujoco().mjtJoint.mjJNT_HINGE


def _joint(model: MjModel, j: int, recipe: Mapping[str, Any]) -> RobotJoint:
    name = model.joint(j).name
    motor = _of_pattern(recipe["motors"], name)
    rate = 2 * np.pi * recipe.get("servo_hz", 0.0)
    stiffness = motor.get("stiffness", motor["armature"] * rate**2)
    damping = motor.get("damping", 2 * recipe.get("servo_damping_ratio", 0.0) * motor["armature"] * rate)
    low, high = (float(bound) for bound in model.jnt_range[j])
    if np.abs(model.jnt_pos[j]).max() > 1e-9:
        raise ValueError(f"joint '{name}' is not at the origin of its body")
    return RobotJoint(
        name=name, axis=model.jnt_axis[j].copy(), low=low, high=high, velocity_rad_s=motor["velocity_rad_s"],
        torque_n_m=motor["torque_n_m"], armature=motor["armature"], stiffness=float(stiffness), damping=float(damping),
        home=float(np.clip(_of_pattern(recipe["home"], name, 0.0), low, high)),
    )  # fmt: skip


def _of_pattern(table: Mapping[str, Any], name: str, otherwise: Any = None) -> Any:
    found = [value for pattern, value in table.items() if re.fullmatch(pattern, name)]
    if not found and otherwise is None:
        raise KeyError(f"no pattern of the recipe fits '{name}'")
    return found[-1] if found else otherwise


def _capsules(model: MjModel, fitted: Sequence[str]) -> Iterator[Capsule]:
    """Of every geom that collides, then of the meshes of links that should be fitted."""
    kind = mujoco().mjtGeom
    for i in range(model.ngeom):
        geom, body = model.geom(i), model.body(model.geom_bodyid[i]).name
        if int(geom.type[0]) in (int(kind.mjGEOM_MESH), int(kind.mjGEOM_PLANE)) or not (geom.contype[0] or geom.conaffinity[0]):
            continue
        name = geom.name or f"{body}_{i - model.body_geomadr[model.geom_bodyid[i]]}"
        pieces = list(_segments(int(geom.type[0]), geom.size))
        turn = matrix_from_quaternion(geom.quat)
        for k, (start, end, radius) in enumerate(pieces):
            yield Capsule(
                name=name if len(pieces) == 1 else f"{name}_{k}", body=body, start=turn @ start + geom.pos,
                end=turn @ end + geom.pos, radius_m=float(radius),
            )  # fmt: skip
    for name in fitted:
        yield _fitted(model, name)


def _segments(kind: int, size: Float[ndarray, "3"]) -> Iterator[tuple[ndarray, ndarray, float]]:
    """Lines and radii that stand for a shape in its own frame."""
    geom = mujoco().mjtGeom
    if kind == geom.mjGEOM_SPHERE:
        yield np.zeros(3), np.zeros(3), float(size[0])
    elif kind in (geom.mjGEOM_CAPSULE, geom.mjGEOM_CYLINDER):
        half = size[1] if kind == geom.mjGEOM_CAPSULE else max(size[1] - size[0], 0.0)
        yield np.array([0, 0, -half]), np.array([0, 0, half]), float(size[0])
    elif kind == geom.mjGEOM_BOX:
        thin, middle, longest = np.argsort(size)
        along, across = (size[longest] - size[thin]) * np.eye(3)[longest], np.eye(3)[middle]
        room = size[middle] - size[thin]
        for shift in np.linspace(-room, room, int(np.ceil(room / size[thin])) + 1 if room > 0 else 1):
            yield shift * across - along, shift * across + along, float(size[thin])
    else:
        raise ValueError(f"a shape of kind {kind} cannot become capsules")


def _fitted(model: MjModel, name: str) -> Capsule:
    """The capsule about the longest axis of a link's meshes that holds nine in ten of their vertices."""
    body = model.body(name)
    points = []
    for i in range(model.ngeom):
        if model.geom_bodyid[i] == body.id and model.geom_type[i] == mujoco().mjtGeom.mjGEOM_MESH:
            mesh = model.mesh(model.geom_dataid[i])
            vertices = model.mesh_vert[mesh.vertadr[0] : mesh.vertadr[0] + mesh.vertnum[0]]
            points.append(vertices @ matrix_from_quaternion(model.geom_quat[i]).T + model.geom_pos[i])
    skin = np.concatenate(points)
    middle = (skin.min(axis=0) + skin.max(axis=0)) / 2
    axis = np.linalg.svd(skin - skin.mean(axis=0), full_matrices=False)[2][0]
    along = (skin - middle) @ axis
    radius = float(np.percentile(np.linalg.norm(skin - middle - along[:, None] * axis, axis=1), 90))
    low, high = min(along.min() + radius, 0.0), max(along.max() - radius, 0.0)
    return Capsule(name=f"{name}_fitted", body=name, start=middle + low * axis, end=middle + high * axis, radius_m=radius)


def _surface(part: str, entry: Mapping[str, Any], side: str | None, capsules: Sequence[Capsule]) -> ContactSurface:
    points = np.array(entry.get("points", ()), float).reshape(-1, 3)
    return ContactSurface(
        part=part,
        body=entry["body"],
        capsules=tuple(capsule.name for capsule in _matching(entry["capsules"], capsules)),
        points=_ordered(points * [1, -1, 1]) if side == "right" else points,
    )


def _ordered(points: Float[ndarray, "points 3"]) -> Float[ndarray, "points 3"]:
    """Mirrored pairs with the left one first again."""
    return points.reshape(-1, 2, 3)[:, ::-1].reshape(-1, 3) if len(points) % 2 == 0 else points


def _matching(pattern: str, capsules: Sequence[Capsule]) -> tuple[Capsule, ...]:
    return tuple(capsule for capsule in capsules if re.fullmatch(pattern, capsule.name))


def _key_point(joint: str, entry: Mapping[str, Any], side: str | None) -> KeyPoint:
    """The link's axes in the T-pose are its rotation there, where the person's joints have none."""
    axes = entry.get("axes", TRUNK_AXES).split()
    if side == "right" and " ".join(axes) != TRUNK_AXES:
        axes = [MIRRORED[axis] for axis in axes]
    offset = np.array(entry.get("offset", (0, 0, 0)), float)
    return KeyPoint(
        joint=joint,
        body=entry["body"],
        offset=offset * [1, -1, 1] if side == "right" else offset,
        quaternion=quaternion_from_matrix(np.array([T_POSE[axis] for axis in axes], float).T),
    )


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
