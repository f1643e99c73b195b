"""Objects as URDF: one link each of boxes and convex meshes, with the mass, centre and inertia that the simulation here has.

`write_urdf` makes

    <object>.urdf     one free body at the origin of its own frame, for Isaac, PyBullet, Drake
    scene.urdf        all of them in the world, on floating joints (ROS, MuJoCo)
    scene.json        where they stand, mass and friction, for loaders that place the single URDFs
    meshes/           <object>.obj as it looks, <object>_part<i>.obj as it collides

A URDF has no word for friction: it is in scene.json and in Bullet's element `contact`.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

from hsimul3r.artifacts import ConvexPart, ObjectAsset
from hsimul3r.conventions import GRAVITY
from hsimul3r.export.scene import write_obj
from hsimul3r.geometry.mesh import box_of, combined
from hsimul3r.geometry.rotations import quaternion_from_matrix

MESHES = "meshes"
FLOATING = "_floating"


def write_urdf(assets: Sequence[ObjectAsset], floor_friction: float, folder: Path) -> tuple[Path, ...]:
    """Write the URDFs of `assets` into `folder`; gives back `scene.urdf` and one file per object."""
    (folder / MESHES).mkdir(parents=True, exist_ok=True)
    scene = ET.Element("robot", name="scene")
    ET.SubElement(scene, "link", name="world")
    files = []
    for asset in assets:
        robot = ET.Element("robot", name=asset.name)
        _add_object(robot, folder, asset)
        files.append(write_robot(robot, folder / f"{asset.name}.urdf"))
        _add_object(scene, folder, asset)
        _add_floating(scene, asset)
    (folder / "scene.json").write_text(json.dumps(_description(assets, floor_friction), indent=1) + "\n")
    return write_robot(scene, folder / "scene.urdf"), *files


def write_robot(robot: ET.Element, path: Path) -> Path:
    """Write a URDF."""
    ET.indent(robot)
    path.write_text(ET.tostring(robot, encoding="unicode") + "\n")
    return path


def add_link(robot: ET.Element, folder: Path, name: str, meshes: Mapping[str, ConvexPart], mass_kg: float) -> ET.Element:
    """A link that collides as convex parts of one density; parts that are no boxes become meshes of those names in `folder`."""
    link = ET.SubElement(robot, "link", name=name)
    body = combined(tuple(meshes.values()))
    add_inertial(link, mass_kg, body.centroid, body.inertia * mass_kg / body.volume_m3)
    for file, part in meshes.items():
        _add_shape(ET.SubElement(link, "collision"), folder, file, part)
    return link


def add_visuals(link: ET.Element) -> None:
    """Let a link look as it collides."""
    for collision in link.findall("collision"):
        ET.SubElement(link, "visual").extend(list(collision))


def add_inertial(link: ET.Element, mass_kg: float, centre: Float[ndarray, "3"], inertia: Float[ndarray, "3 3"]) -> None:
    """Mass, its centre, and the inertia about it along the link's axes."""
    inertial = ET.SubElement(link, "inertial")
    ET.SubElement(inertial, "origin", xyz=words(centre), rpy="0 0 0")
    ET.SubElement(inertial, "mass", value=repr(float(mass_kg)))
    entries = {f"i{'xyz'[i]}{'xyz'[j]}": repr(float(inertia[i, j])) for i in range(3) for j in range(i, 3)}
    ET.SubElement(inertial, "inertia", entries)


def words(values: Float[ndarray, "values"]) -> str:
    """Numbers as XML has them, exactly."""
    return " ".join(repr(float(value)) for value in values)


def _add_object(robot: ET.Element, folder: Path, asset: ObjectAsset) -> None:
    if robot.find("mujoco") is None:
        ET.SubElement(ET.SubElement(robot, "mujoco"), "compiler", strippath="false", discardvisual="true", fusestatic="false")
    parts = {f"{MESHES}/{asset.name}_part{i}.obj": part for i, part in enumerate(asset.parts)}
    link = add_link(robot, folder, asset.name, parts, asset.mass_kg)
    skin = f"{MESHES}/{asset.name}.obj"
    write_obj(folder / skin, asset.vertices, asset.faces)
    ET.SubElement(ET.SubElement(ET.SubElement(link, "visual"), "geometry"), "mesh", filename=skin)
    ET.SubElement(ET.SubElement(link, "contact"), "lateral_friction", value=repr(float(asset.friction)))


def _add_shape(element: ET.Element, folder: Path, file: str, part: ConvexPart) -> None:
    geometry = ET.SubElement(element, "geometry")
    box = box_of(part)
    if box is None:
        write_obj(folder / file, part.vertices, part.faces)
        ET.SubElement(geometry, "mesh", filename=file)
        return
    at, R, half = box[0], *_nearly_upright(box[1], box[2])
    ET.SubElement(element, "origin", xyz=words(at), rpy=words(Rotation.from_matrix(R).as_euler("xyz")))
    ET.SubElement(geometry, "box", size=words(2 * half))


def _nearly_upright(R: Float[ndarray, "3 3"], half: Float[ndarray, "3"]) -> tuple[Float[ndarray, "3 3"], Float[ndarray, "3"]]:
    """The same box with its sides renamed so that it is turned least, away from where roll, pitch and yaw are ambiguous."""
    sides = linear_sum_assignment(-np.abs(R))[1]
    turned = R[:, sides] * np.sign(np.diag(R[:, sides]))
    turned[:, 2] *= np.sign(np.linalg.det(turned))
    return turned, half[sides]


def _add_floating(scene: ET.Element, asset: ObjectAsset) -> None:
    T = asset.T_world_object
    joint = ET.SubElement(scene, "joint", name=asset.name + FLOATING, type="floating")
    ET.SubElement(joint, "parent", link="world")
    ET.SubElement(joint, "child", link=asset.name)
    rpy = Rotation.from_matrix(T[:3, :3]).as_euler("xyz")
    ET.SubElement(joint, "origin", xyz=words(T[:3, 3]), rpy=words(rpy))


def _description(assets: Sequence[ObjectAsset], floor_friction: float) -> dict[str, Any]:
    return {
        "gravity_m_s2": GRAVITY,
        "floor": {"height_m": 0.0, "friction": floor_friction},
        "objects": [placed(asset) | {"urdf": f"{asset.name}.urdf"} for asset in assets],
    }


def placed(asset: ObjectAsset) -> dict[str, Any]:
    """What a file of one object does not say, or programs want to know before they read it."""
    return {
        "name": asset.name,
        "category": asset.category,
        "position_m": asset.T_world_object[:3, 3].tolist(),
        "quaternion_wxyz": quaternion_from_matrix(asset.T_world_object[:3, :3]).tolist(),
        "mass_kg": asset.mass_kg,
        "friction": asset.friction,
    }
