# pyright: reportMissingImports=false
"""Makes the raw meshes of the shipped Infinigen furniture, in an interpreter of its own (README.md beside this file).

python hsimul3r/benchmark/objects/build/infinigen_soups.py <folder>     one <name>.npz an object: vertices [m], faces
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Recipe:
    name: str
    factory: str
    """module:class"""
    seed: int


CHAIRS, TABLES = "infinigen.assets.objects.seating", "infinigen.assets.objects.tables"
RECIPES = (
    *(Recipe(name=f"chair_{i}", factory=f"{CHAIRS}:ChairFactory", seed=10 + i) for i in range(8)),
    *(Recipe(name=f"office_chair_{i}", factory=f"{CHAIRS}:OfficeChairFactory", seed=20 + i) for i in range(4)),
    *(Recipe(name=f"armchair_{i}", factory=f"{CHAIRS}:ArmChairFactory", seed=30 + i) for i in range(3)),
    *(Recipe(name=f"sofa_{i}", factory=f"{CHAIRS}:SofaFactory", seed=40 + i) for i in range(4)),
    *(Recipe(name=f"bar_stool_{i}", factory=f"{CHAIRS}:BarChairFactory", seed=50 + i) for i in range(3)),
    *(Recipe(name=f"dining_table_{i}", factory=f"{TABLES}:TableDiningFactory", seed=60 + i) for i in range(4)),
    *(Recipe(name=f"coffee_table_{i}", factory=f"{TABLES}:CoffeeTableFactory", seed=70 + i) for i in range(3)),
    *(Recipe(name=f"side_table_{i}", factory=f"{TABLES}:SideTableFactory", seed=80 + i) for i in range(2)),
    *(Recipe(name=f"cocktail_table_{i}", factory=f"{TABLES}:TableCocktailFactory", seed=90 + i) for i in range(2)),
)


def soup(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Vertices [m], z up, and triangles of the object and all that hangs on it."""
    import bpy
    from infinigen.core.util.math import FixedSeed

    bpy.ops.wm.read_factory_settings(use_empty=True)
    with FixedSeed(recipe.seed):
        made = _asset(recipe)
    graph = bpy.context.evaluated_depsgraph_get()
    vertices, faces, count = [], [], 0
    for item in (made, *made.children_recursive):
        if item.type != "MESH":
            continue
        mesh = item.evaluated_get(graph).to_mesh()
        mesh.calc_loop_triangles()
        points, corners = np.empty(3 * len(mesh.vertices)), np.empty(3 * len(mesh.loop_triangles), np.int32)
        mesh.vertices.foreach_get("co", points)
        mesh.loop_triangles.foreach_get("vertices", corners)
        matrix = np.array(item.matrix_world)
        vertices.append(points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
        faces.append(corners.reshape(-1, 3) + count)
        count += len(mesh.vertices)
    return np.concatenate(vertices), np.concatenate(faces)


def _asset(recipe: Recipe):  # noqa: ANN202 (a Blender object)
    from importlib import import_module

    module, name = recipe.factory.split(":")
    factory = getattr(import_module(module), name)(recipe.seed)
    if name in ("SofaFactory", "ArmChairFactory"):
        return factory.create_asset(i=0, placeholder=factory.create_placeholder(), face_size=0.03)
    return factory.create_asset()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for recipe in RECIPES:
        target = folder / f"{recipe.name}.npz"
        if target.exists():
            continue
        vertices, faces = soup(recipe)
        np.savez_compressed(target, vertices=vertices.astype(np.float32), faces=faces.astype(np.int32))


if __name__ == "__main__":
    main()
