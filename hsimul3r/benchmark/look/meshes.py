"""Textured meshes of things: one mesh for all that shares group, material and shading."""

from collections.abc import Sequence

import numpy as np

from hsimul3r.artifacts import ConvexPart
from hsimul3r.benchmark.camera.shot import TexturedMesh, box_mapped
from hsimul3r.benchmark.objects.pieces import Furniture

IMAGE_M = 0.9
"""A texture of an object spans this much of it."""


def merged(meshes: Sequence[TexturedMesh]) -> list[TexturedMesh]:
    """One mesh a group, material and smoothness, in the order in which they first come."""
    parts: dict[tuple[str, str, bool], list[TexturedMesh]] = {}
    for mesh in meshes:
        parts.setdefault((mesh.group, mesh.material, mesh.is_smooth), []).append(mesh)
    return [_joined(*key, same) for key, same in parts.items()]


def _joined(group: str, material: str, is_smooth: bool, parts: list[TexturedMesh]) -> TexturedMesh:
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    return TexturedMesh(
        name=f"{group}_{material}{'_smooth' * is_smooth}",
        group=group,
        material=material,
        vertices=np.concatenate([part.vertices for part in parts]),
        faces=np.concatenate([part.faces + start for part, start in zip(parts, starts)]),
        uv=np.concatenate([part.uv for part in parts]),
        is_smooth=is_smooth,
    )


def object_meshes(name: str, furniture: Furniture, rng: np.random.Generator) -> list[TexturedMesh]:
    """An object in its own frame, in its pieces or in the surface that it has of its own; materials are `<name>_<material>`."""
    if furniture.mesh is not None:
        vertices, faces = furniture.mesh
        shapes = [("surface", furniture.pieces[0].material, ConvexPart(vertices=vertices, faces=faces))]
    else:
        shapes = [(piece.name, piece.material, piece.shape) for piece in furniture.pieces]
    return merged([
        box_mapped(part, f"{name}_{material}", shape, rng=rng, group=name, image_m=IMAGE_M, is_smooth=True)
        for part, material, shape in shapes
    ])  # fmt: skip
