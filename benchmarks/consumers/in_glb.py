"""Run by the Python of an environment with trimesh and pygltflib: loads an exported GLB. Prints one line of JSON.

<python> in_glb.py SCENE
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import pygltflib
import trimesh


def main(scene: Path) -> dict:
    file = scene / "scene.glb"
    loaded = trimesh.load_scene(file)
    raw = pygltflib.GLTF2().load(str(file))
    meshes = {}
    for name in loaded.graph.nodes_geometry:
        T, geometry = loaded.graph[name]
        mesh = loaded.geometry[geometry].copy().apply_transform(T)
        meshes[name] = {
            "bounds": mesh.bounds.tolist(), "faces": len(mesh.faces), "is_watertight": bool(mesh.is_watertight),
            "color_linear": (mesh.visual.material.baseColorFactor[:3] / 255).tolist(),
            "metallic": mesh.visual.material.metallicFactor,
        }  # fmt: skip
    return {
        "version": f"trimesh {version('trimesh')}, pygltflib {version('pygltflib')}",
        "gltf": raw.asset.version,
        "nodes": sorted(node.name for node in raw.nodes if node.mesh is not None),
        "meshes": meshes,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))) + "\n")
