"""Run by the Python of an environment with Newton and usd-core: loads an exported USD. Prints one line of JSON.

<python> in_newton.py SCENE.usda
"""

import json
import sys

import newton
import numpy as np
import warp as wp

wp.config.quiet = True


def main(path: str) -> dict:
    builder = newton.ModelBuilder()
    builder.add_usd(path)
    labels = getattr(builder, "body_label", None) or builder.body_key
    owners, flags = np.array(builder.shape_body), np.array(builder.shape_flags)
    owners = np.where(flags & int(newton.ShapeFlags.COLLIDE_SHAPES), owners, -2)
    return {
        "newton": newton.__version__,
        "up": str(builder.up_axis),
        "bodies": {
            str(label).rsplit("/", 1)[-1]: {
                "mass_kg": float(builder.body_mass[i]),
                "pose": [float(v) for v in builder.body_q[i]],
                "moments": sorted(float(v) for v in np.linalg.eigvalsh(np.array(builder.body_inertia[i]).reshape(3, 3))),
                "shapes": int((owners == i).sum()),
                "friction": sorted({round(float(builder.shape_material_mu[s]), 6) for s in np.flatnonzero(owners == i)}),
            }
            for i, label in enumerate(labels)
        },
        "static_shapes": int((owners == -1).sum()),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1])) + "\n")
