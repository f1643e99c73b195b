"""Gates raw meshes and packs those that are furniture into the one file that is shipped (README.md beside this file).

python -m hsimul3r.benchmark.objects.build.ship_meshes <folder of raw .npz>
"""

import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy import ndarray

from hsimul3r.benchmark.objects.meshes import SHIPPED_FILE, Soup, gated_furniture
from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.errors import GateRefused

WORKERS = 4
STEP_M = 1e-4
"""Coordinates are whole numbers of this."""
SHIPPED = {
    **{f"chair_{i}": "chair" for i in range(5)},
    **{f"office_chair_{i}": "chair" for i in range(2)},
    **{f"sofa_{i}": "sofa" for i in (1, 2)},
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


def gated(raw: Path, category: str) -> tuple[str, dict[str, ndarray]]:
    """Name and arrays of one object; none where the gate refuses it."""
    name = f"infinigen_{raw.stem}"
    with np.load(raw) as file:
        soup = Soup(vertices=file["vertices"], faces=file["faces"])
    try:
        return name, packed(gated_furniture(name, category, soup))
    except GateRefused as error:
        log.warning("%s", error)
        return name, {}


def main() -> None:
    raw = [Path(sys.argv[1]) / f"{name}.npz" for name in SHIPPED]
    with ProcessPoolExecutor(max_workers=WORKERS) as pool:
        made = list(pool.map(gated, raw, SHIPPED.values()))
    arrays = {f"{name}.{key}": value for name, one in made for key, value in one.items()}
    np.savez_compressed(SHIPPED_FILE, allow_pickle=False, step_m=np.array(STEP_M), **arrays)
    log.info("%s: %.2f MB", SHIPPED_FILE.name, SHIPPED_FILE.stat().st_size / 1e6)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
