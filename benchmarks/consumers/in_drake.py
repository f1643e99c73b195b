"""Run by the Python of an environment with Drake: loads the single URDFs of an exported scene. Prints one line of JSON.

<python> in_drake.py SCENE
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pydrake.geometry import SceneGraph
from pydrake.multibody.parsing import Parser
from pydrake.multibody.plant import MultibodyPlant


def main(scene: Path) -> dict:
    plant, graph = MultibodyPlant(time_step=1 / 240), SceneGraph()
    plant.RegisterAsSourceForSceneGraph(graph)
    parser = Parser(plant)
    facts = json.loads((scene / "urdf" / "scene.json").read_text())
    bodies = {}
    for entry in facts["objects"]:
        [model] = parser.AddModels(str(scene / "urdf" / entry["urdf"]))
        [index] = plant.GetBodyIndices(model)
        body = plant.get_body(index)
        inertia = body.default_spatial_inertia()
        about = inertia.CalcRotationalInertia().ShiftToCenterOfMass(inertia.get_mass(), inertia.get_com())
        bodies[entry["name"]] = {
            "mass_kg": body.default_mass(),
            "moments": sorted(np.linalg.eigvalsh(about.CopyToFullMatrix3()).tolist()),
            "shapes": len(plant.GetCollisionGeometriesForBody(body)),
        }
    plant.Finalize()
    return {"version": f"Drake {version('drake')}", "bodies": bodies}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]).resolve())) + "\n")
