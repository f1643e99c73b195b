"""Run by the Python of an environment with Newton and usd-core: loads an exported USD. Prints one line of JSON.

<python> in_newton.py SCENE
"""

import json
import sys
from pathlib import Path

import newton
import numpy as np
import warp as wp

wp.config.quiet = True


def main(scene: Path) -> dict:
    builder = newton.ModelBuilder()
    builder.add_usd(str(scene / "scene.usda"))
    labels = getattr(builder, "body_label", None) or builder.body_key
    owners, flags = np.array(builder.shape_body), np.array(builder.shape_flags)
    owners = np.where(flags & int(newton.ShapeFlags.COLLIDE_SHAPES), owners, -2)
    return {
        "version": f"Newton {newton.__version__}",
        "up": str(builder.up_axis),
        "bodies": {str(label).rsplit("/", 1)[-1]: body_of(builder, i, owners) for i, label in enumerate(labels)},
        "static_shapes": int((owners == -1).sum()),
    }


def body_of(builder: newton.ModelBuilder, i: int, owners: np.ndarray) -> dict:
    x, y, z, *xyzw = (float(v) for v in builder.body_q[i])
    return {
        "mass_kg": float(builder.body_mass[i]),
        "pose": [x, y, z, xyzw[3], *xyzw[:3]],
        "moments": sorted(float(v) for v in np.linalg.eigvalsh(np.array(builder.body_inertia[i]).reshape(3, 3))),
        "shapes": int((owners == i).sum()),
        "friction": max(float(builder.shape_material_mu[s]) for s in np.flatnonzero(owners == i)),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))) + "\n")
