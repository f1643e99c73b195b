"""An object as MJCF by itself, as loaders that compose scenes (mjlab, MjSpec.attach) want it.

    <object>.xml           one free body at the origin of its own frame
    assets/                its convex parts that are no boxes

Scenes as MJCF are written by sim_envs.scene_builder.
"""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import numpy as np

from hsimul3r.artifacts import ConvexPart, ObjectAsset
from hsimul3r.export.scene import write_obj
from hsimul3r.export.urdf import words
from hsimul3r.geometry.mesh import box_of, solid
from hsimul3r.geometry.overlay import Color
from hsimul3r.geometry.rotations import quaternion_from_matrix

ASSETS: Final = "assets"
TWIST_AND_ROLL: Final = (0.005, 0.0001)
"""MuJoCo's own torsional and rolling friction."""


def write_object_mjcf(asset: ObjectAsset, folder: Path, *, contact_time_s: float, color: Color, is_fixed: bool = False) -> Path:
    """Write `<object>.xml` and its meshes into `folder`; the parts weigh by their volume, as in our own simulation."""
    (folder / ASSETS).mkdir(parents=True, exist_ok=True)
    model = ET.Element("mujoco", model=asset.name)
    ET.SubElement(model, "compiler", angle="radian", meshdir=ASSETS)
    friction = np.array([asset.friction, *TWIST_AND_ROLL])
    defaults = {"solref": words(np.array([contact_time_s, 1.0])), "friction": words(friction), "rgba": _rgba(color)}
    ET.SubElement(ET.SubElement(model, "default"), "geom", defaults)
    meshes = ET.SubElement(model, "asset")
    body = ET.SubElement(ET.SubElement(model, "worldbody"), "body", name=asset.name)
    if not is_fixed:
        ET.SubElement(body, "freejoint", name=asset.name)
    volumes = np.array([solid(part.vertices, part.faces).volume_m3 for part in asset.parts])
    for i, (part, mass) in enumerate(zip(asset.parts, asset.mass_kg * volumes / volumes.sum())):
        geom = ET.SubElement(body, "geom", name=f"part{i}", mass=repr(float(mass)))
        if not _become_box(geom, part):
            file = f"{asset.name}_part{i}.obj"
            write_obj(folder / ASSETS / file, part.vertices, part.faces)
            ET.SubElement(meshes, "mesh", name=f"part{i}", file=file, inertia="convex")
            geom.attrib.update({"type": "mesh", "mesh": f"part{i}"})
    ET.indent(model)
    path = folder / f"{asset.name}.xml"
    path.write_text(ET.tostring(model, encoding="unicode") + "\n")
    return path


def _become_box(geom: ET.Element, part: ConvexPart) -> bool:
    box = box_of(part)
    if box is None:
        return False
    centre, R, half = box
    geom.attrib.update(type="box", pos=words(centre), quat=words(quaternion_from_matrix(R)), size=words(half))
    return True


def _rgba(color: Color) -> str:
    return words(np.array([*(channel / 255 for channel in color), 1.0]))
