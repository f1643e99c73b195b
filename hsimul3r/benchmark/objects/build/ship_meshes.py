"""Gates raw meshes and packs those that are furniture into the one file that is shipped (README.md beside this file).

python -m hsimul3r.benchmark.objects.build.ship_meshes <folder of raw .npz>
"""

import logging
import sys
from pathlib import Path

import numpy as np
from numpy import ndarray

from hsimul3r.benchmark.objects.meshes import SHIPPED_FILE, Soup, gated_furniture
from hsimul3r.benchmark.objects.pieces import Furniture

STEP_M = 2.5e-4
"""Coordinates are whole numbers of this."""
SHIPPED = {
    **{f"chair_{i}": "chair" for i in range(5)},
    **{f"office_chair_{i}": "chair" for i in range(2)},
    **{f"sofa_{i}": "sofa" for i in range(3)},
    **{f"bar_stool_{i}": "stool" for i in range(2)},
    **{f"{kind}_table_{i}": "table" for kind, i in (("dining", 0), ("dining", 3), ("coffee", 1), ("side", 1), ("cocktail", 1))},
}
"""Raw name and category, looked at one by one."""

log = logging.getLogger("ship_meshes")


def packed(furniture: Furniture) -> dict[str, ndarray]:
    """Arrays of one object: mesh and points of its pieces in whole steps."""
    assert furniture.mesh is not None
    vertices, faces = furniture.mesh
    points = [piece.shape.vertices for piece in furniture.pieces]
    assert max(len(vertices), *(len(p) for p in points)) <= np.iinfo(np.uint16).max
    return {
        "category": np.array(furniture.category),
        "vertices": np.round(vertices / STEP_M).astype(np.int16),
        "faces": faces.astype(np.uint16),
        "pieces": np.round(np.concatenate(points) / STEP_M).astype(np.int16),
        "piece_sizes": np.array([len(p) for p in points], np.uint16),
    }


def main() -> None:
    folder, arrays = Path(sys.argv[1]), {"step_m": np.array(STEP_M)}
    for raw, category in SHIPPED.items():
        with np.load(folder / f"{raw}.npz") as file:
            soup = Soup(vertices=file["vertices"], faces=file["faces"])
        name = f"infinigen_{raw}"
        log.info("%s: %d triangles", name, len(soup.faces))
        arrays |= {f"{name}.{key}": value for key, value in packed(gated_furniture(name, category, soup)).items()}
    np.savez_compressed(SHIPPED_FILE, allow_pickle=False, **arrays)
    log.info("%s: %.2f MB", SHIPPED_FILE.name, SHIPPED_FILE.stat().st_size / 1e6)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
