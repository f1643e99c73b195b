"""Run by the Python of an environment with usd-core alone: loads an exported USD. Prints one line of JSON.

<python> in_usd.py SCENE
"""

import json
import sys
from pathlib import Path

from pxr import Gf, Usd, UsdGeom, UsdPhysics, UsdValidation


def main(scene: Path) -> dict:
    stage = Usd.Stage.Open(str(scene / "scene.usda"))
    found = {kind: rows for kind, (_, rows) in UsdPhysics.LoadUsdPhysicsFromRange(stage, ["/"]).items()}
    kinds = UsdPhysics.ObjectType
    shapes = [*found.get(kinds.CubeShape, ()), *found.get(kinds.MeshShape, ())]
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    return {
        "version": "OpenUSD " + ".".join(str(part) for part in Usd.GetVersion()),
        "up": UsdGeom.GetStageUpAxis(stage),
        "metres_per_unit": UsdGeom.GetStageMetersPerUnit(stage),
        "faults": [fault.GetMessage() for fault in UsdValidation.ValidationContext(validators).Validate(stage)],
        "bodies": {name_of(stage, row): body_of(stage, row, shapes) for row in found[kinds.RigidBody]},
    }


def name_of(stage: Usd.Stage, row: UsdPhysics.RigidBodyDesc) -> str:
    prim = stage.GetPrimAtPath(row.primPath)
    return prim.GetDisplayName() or prim.GetName()


def body_of(stage: Usd.Stage, row: UsdPhysics.RigidBodyDesc, shapes: list) -> dict:
    mass = UsdPhysics.MassAPI(stage.GetPrimAtPath(row.primPath))
    own = [shape for shape in shapes if shape.rigidBody == row.primPath]
    materials = {stage.GetPrimAtPath(material) for shape in own for material in shape.materials}
    rotation: Gf.Quatf = row.rotation
    return {
        "mass_kg": mass.GetMassAttr().Get(),
        "moments": sorted(mass.GetDiagonalInertiaAttr().Get()),
        "pose": [*row.position, rotation.GetReal(), *rotation.GetImaginary()],
        "shapes": len(own),
        "friction": max(UsdPhysics.MaterialAPI(prim).GetDynamicFrictionAttr().Get() for prim in materials),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))) + "\n")
