"""People and objects of an artifact as painted surfaces in the world: what overlays, report and viewer draw."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import BodySequence, ObjectAsset
from hsimul3r.body.model import embedded_body
from hsimul3r.geometry.cameras import transform_points
from hsimul3r.geometry.overlay import PaintedMesh, object_color, person_color


def body_surfaces(bodies: Sequence[BodySequence], frame: int = 0) -> list[PaintedMesh]:
    """The skin of every person in one frame."""
    model = embedded_body()
    return [
        PaintedMesh(
            name=f"person {body.person}",
            vertices=model.vertices(body.betas, body.pose[frame], body.transl[frame]),
            faces=model.faces,
            color=person_color(body.person),
        )
        for body in bodies
    ]


def body_vertices(body: BodySequence, frames: ndarray) -> Float[ndarray, "frames vertices 3"]:
    """The skin of one person in several frames."""
    betas = np.broadcast_to(body.betas, (len(frames), len(body.betas)))
    return embedded_body().vertices(betas, body.pose[frames], body.transl[frames])


def object_surfaces(assets: Sequence[ObjectAsset]) -> list[PaintedMesh]:
    """The objects where they were reconstructed."""
    return [
        PaintedMesh(
            name=asset.name,
            vertices=transform_points(asset.T_world_object, asset.vertices),
            faces=asset.faces,
            color=object_color(i),
        )
        for i, asset in enumerate(assets)
    ]
