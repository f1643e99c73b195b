"""A scene as files for other programs: the MJCF with its meshes, and a GLB for the eye."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float, Int
from numpy import ndarray
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from hsimul3r.benchmark.camera.lighting import linear_from_srgb
from hsimul3r.geometry.overlay import PaintedMesh

R_GLTF_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""glTF has +Y up."""
ROUGHNESS = 0.8
"""Of surfaces in glTF, from a mirror's 0 to 1."""


def copy_mjcf(sim_folder: Path, mjcf: str, out: Path) -> Path:
    """Copy the model and the meshes it names into `out`; it opens there with `python -m mujoco.viewer --mjcf=<file>`."""
    out.mkdir(exist_ok=True)
    if (sim_folder / "assets").is_dir():
        shutil.copytree(sim_folder / "assets", out / "assets", dirs_exist_ok=True)
    return Path(shutil.copy(sim_folder / mjcf, out / mjcf))


def write_glb(meshes: Sequence[PaintedMesh], path: Path) -> None:
    """Write named, coloured, matt surfaces as one GLB."""
    scene = trimesh.Scene()
    for mesh in meshes:
        surface = trimesh.Trimesh(mesh.vertices @ R_GLTF_WORLD.T, mesh.faces, process=False)
        surface.visual = TextureVisuals(material=_matt(mesh))
        scene.add_geometry(surface, node_name=mesh.name, geom_name=mesh.name)
    scene.export(path)


def _matt(mesh: PaintedMesh) -> PBRMaterial:
    """glTF's colours are linear in light, ours are as screens have them (sRGB); without a material it shows bare metal."""
    light = linear_from_srgb(np.array(mesh.color) / 255)
    return PBRMaterial(name=mesh.name, baseColorFactor=np.array([*light, 1.0]), metallicFactor=0.0, roughnessFactor=ROUGHNESS)


def write_obj(path: Path, vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"]) -> None:
    """Write a mesh."""
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in np.asarray(faces) + 1]
    path.write_text("\n".join(lines) + "\n")
