"""Points spread over a triangle mesh as fixed averages of its vertices: denser than the vertices, and they move with them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray


@dataclass(frozen=True, kw_only=True)
class SkinSamples:
    """Each sample is a mean of three vertices (weights sum to one): the vertices first, then edges' and faces' centres."""

    index: Int[ndarray, "samples 3"]
    weight: Float[ndarray, "samples 3"]

    @classmethod
    def of(cls, faces: Int[ndarray, "faces 3"]) -> "SkinSamples":
        """Vertices, edge centres and face centres of a mesh whose every vertex is used."""
        vertices = np.arange(faces.max() + 1)
        edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)
        index = np.concatenate([np.tile(vertices[:, None], 3), edges[:, [0, 1, 1]], faces])
        shares = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]])
        return cls(index=index, weight=np.repeat(shares, (len(vertices), len(edges), len(faces)), axis=0))

    def points(self, vertices: Float[ndarray, "vertices 3"]) -> Float[ndarray, "samples 3"]:
        """Where the samples are for given places of the vertices."""
        return np.einsum("sk,skc->sc", self.weight, vertices[self.index])
