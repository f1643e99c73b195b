"""A scene as URDFs of boxes and convex meshes, and `scene.json` with what a URDF has no word for: gains, friction, names.

A person is one URDF: the bones' frames of `sim_envs.humanoid`, every ball joint three hinges with two light links between,
whose mass the bone gives up. An object is a URDF of one link. Both are free in the world.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from hsimul3r.artifacts import BodySequence, ObjectAsset, SimScene
from hsimul3r.conventions import BODY_JOINTS, CONTACT_PARTS, GRAVITY
from hsimul3r.export.urdf import add_inertial, add_link, add_visuals, words, write_robot
from hsimul3r.geometry.rotations import quaternion_from_axis_angle
from sim_envs.contract import contact_pairs
from sim_envs.humanoid import REFERENCE_MASS_KG, Bone, HumanoidConfig, bones_of, drive_of, torque_limit
from sim_envs.isaacgym.hinges import angles_of, order_of
from sim_envs.scene_builder import SceneParts, body_shape, parts_of

CARRIER_KG, CARRIER_INERTIA = 1e-3, 1e-6
"""Of the links between two hinges of one joint; the joint's armature is twenty thousand times that inertia."""
OUTER_LIMIT, MIDDLE_LIMIT = np.pi, np.radians(88.0)


def write_urdf_scene(scene: SimScene, folder: Path) -> dict[str, Any]:
    """Write all actors' URDFs, their meshes and scene.json into `folder`; the description is also given back."""
    parts = parts_of(scene)
    actors = [
        _write_person(folder, human, body, parts, sum(scene.human_mass_kg[i : i + 1]))
        for i, (human, body) in enumerate(zip(scene.humans, scene.bodies))
    ]
    actors += [_write_object(folder, asset) for asset in scene.assets]
    objects = tuple(asset.name for asset in scene.assets)
    description = {
        "gravity_m_s2": GRAVITY,
        "floor_friction": parts.world.floor_friction,
        "actors": actors,
        "pairs": [
            {"bodies": [f"{pair.human}/{joint}" for joint in CONTACT_PARTS[pair.part]], "object": pair.object}
            for pair in contact_pairs(scene.humans, objects)
        ],
    }
    (folder / "scene.json").write_text(json.dumps(description))
    return description


def _write_person(folder: Path, human: str, body: BodySequence, parts: SceneParts, mass_kg: float) -> dict[str, Any]:
    cfg = parts.humanoid
    bones = bones_of(body_shape(parts.body_model, body.betas), cfg)
    robot, dofs = ET.Element("robot", name=human), []
    for bone in bones:
        if bone.parent >= 0:
            dofs += _add_hinges(robot, human, bone, bones[bone.parent].name, body.pose, mass_kg, cfg)
        carried = 2 * CARRIER_KG if bone.parent >= 0 else 0.0
        add_visuals(add_link(robot, folder, bone.name, {f"{human}_{bone.name}.obj": bone.hull}, bone.mass_kg - carried))
    return _written(folder, human, robot, {bone.name: f"{human}/{bone.name}" for bone in bones}, cfg.friction, dofs)


def _write_object(folder: Path, asset: ObjectAsset) -> dict[str, Any]:
    robot = ET.Element("robot", name=asset.name)
    meshes = {f"{asset.name}_part{i}.obj": part for i, part in enumerate(asset.parts)}
    add_visuals(add_link(robot, folder, asset.name, meshes, asset.mass_kg))
    return _written(folder, asset.name, robot, {asset.name: asset.name}, asset.friction, [])


def _written(
    folder: Path, name: str, robot: ET.Element, links: Mapping[str, str], friction: float, dofs: list[dict[str, Any]]
) -> dict[str, Any]:
    write_robot(robot, folder / f"{name}.urdf")
    return {
        "name": name,
        "urdf": f"{name}.urdf",
        "is_human": bool(dofs),
        "friction": friction,
        "links": dict(links),
        "bodies": list(links.values()),
        "dofs": dofs,
    }


def _add_hinges(
    robot: ET.Element, human: str, bone: Bone, parent: str, pose: ndarray, mass_kg: float, cfg: HumanoidConfig
) -> list[dict[str, Any]]:
    drive, scale, order = drive_of(bone.name), mass_kg / REFERENCE_MASS_KG, order_of(bone.name)
    posed = angles_of(quaternion_from_axis_angle(pose[:, BODY_JOINTS.index(bone.name)]), order)
    posed = np.abs(posed).max(axis=0) + np.radians(cfg.limit_margin_deg)
    effort = torque_limit(bone.name, cfg.torques, mass_kg)
    origin, dofs = bone.offset, []
    for i, axis in enumerate(order):
        joint = f"{bone.name}_{axis}"
        child = bone.name if i == 2 else f"{joint}_carrier"
        limit = min(max(np.radians(drive.limit_deg), posed[i]), MIDDLE_LIMIT if i == 1 else OUTER_LIMIT)
        _add_joint(robot, joint, (parent, child), origin, axis, limit=limit, effort=effort, damping=cfg.joint_damping)
        if i < 2:
            add_inertial(ET.SubElement(robot, "link", name=child), CARRIER_KG, np.zeros(3), CARRIER_INERTIA * np.eye(3))
        dofs.append(
            {
                "name": f"{human}/{bone.name}/{axis}",
                "joint": joint,
                "stiffness": drive.stiffness * scale,
                "damping": 0.1 * drive.stiffness * scale,
                "passive": cfg.joint_damping,
                "effort": effort,
                "limit": limit,
                "armature": cfg.armature,
            }
        )
        parent, origin = child, np.zeros(3)
    return dofs


def _add_joint(robot: ET.Element, name: str, links: tuple[str, str], origin: ndarray, axis: str, **numbers: float) -> None:
    joint = ET.SubElement(robot, "joint", name=name, type="revolute")
    ET.SubElement(joint, "parent", link=links[0])
    ET.SubElement(joint, "child", link=links[1])
    ET.SubElement(joint, "origin", xyz=words(origin), rpy="0 0 0")
    ET.SubElement(joint, "axis", xyz=words(np.eye(3)["xyz".index(axis)]))
    limit = repr(float(numbers["limit"]))
    ET.SubElement(joint, "limit", lower="-" + limit, upper=limit, effort=repr(float(numbers["effort"])), velocity="100")
    ET.SubElement(joint, "dynamics", damping=repr(float(numbers["damping"])), friction="0")
