"""Run by the Python of an environment with Pinocchio, yourdfpy and urchin: three readers of URDF on an exported scene. Prints
one line of JSON.

<python> in_urdf_readers.py SCENE
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pinocchio
import urchin
import yourdfpy

FLOATING = "_floating"


def by_pinocchio(file: Path) -> dict:
    """All objects of scene.urdf, on floating joints."""
    model = pinocchio.buildModelFromUrdf(str(file))
    shapes = pinocchio.buildGeomFromUrdf(model, str(file), pinocchio.GeometryType.COLLISION, [str(file.parent)])
    data = model.createData()
    pinocchio.forwardKinematics(model, data, pinocchio.neutral(model))
    owners = [shape.parentJoint for shape in shapes.geometryObjects]
    return {
        name.removesuffix(FLOATING): {
            "mass_kg": model.inertias[i].mass, "moments": moments(model.inertias[i].inertia), "pose": pose_of(data.oMi[i]),
            "shapes": owners.count(i),
        }
        for i, name in enumerate(model.names) if name.endswith(FLOATING)
    }  # fmt: skip


def pose_of(place: pinocchio.SE3) -> list[float]:
    quat = pinocchio.Quaternion(place.rotation)
    return [*place.translation.tolist(), quat.w, quat.x, quat.y, quat.z]


def by_yourdfpy(file: Path) -> dict:
    """The same file; meshes are loaded."""
    model = yourdfpy.URDF.load(
        str(file), build_collision_scene_graph=True, load_collision_meshes=True, mesh_dir=str(file.parent)
    )
    return {
        name: {
            "mass_kg": float(link.inertial.mass), "moments": moments(link.inertial.inertia),
            "pose": pose_of(pinocchio.SE3(model.get_transform(name, "world"))), "shapes": len(link.collisions),
        }
        for name, link in model.link_map.items() if name != "world"
    }  # fmt: skip


def by_urchin(file: Path) -> dict:
    """The same file once more."""
    model = urchin.URDF.load(str(file))
    places = model.link_fk(use_names=True)
    return {
        link.name: {
            "mass_kg": float(link.inertial.mass), "moments": moments(link.inertial.inertia),
            "pose": pose_of(pinocchio.SE3(places[link.name])), "shapes": len(link.collisions),
        }
        for link in model.links if link.name != "world"
    }  # fmt: skip


def moments(inertia: np.ndarray) -> list[float]:
    return np.linalg.eigvalsh(np.asarray(inertia, float)).tolist()


READERS = {"pin": by_pinocchio, "yourdfpy": by_yourdfpy, "urchin": by_urchin}


def main(scene: Path) -> dict:
    file = scene / "urdf" / "scene.urdf"
    return {name: {"version": f"{name} {version(name)}", "bodies": reader(file)} for name, reader in READERS.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]).resolve())) + "\n")
