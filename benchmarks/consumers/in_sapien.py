"""Run by the Python of an environment with SAPIEN (PhysX 5, the engine under Isaac Sim, on the CPU): loads the single URDFs of
an exported scene and drops them, one by one. Prints one line of JSON.

<python> in_sapien.py SCENE DROP_M TILT_RAD DROP_S
"""

import json
import sys
from pathlib import Path

import numpy as np
import sapien
from sapien.wrapper.urdf_loader import URDFLoader

STEP_S = 1 / 240


def loaded(folder: Path, entry: dict, floor_friction: float) -> tuple[sapien.Scene, sapien.Entity]:
    """The object by itself over the floor, where scene.json says, with the friction that stands there."""
    scene = sapien.Scene([sapien.physx.PhysxCpuSystem()])
    scene.set_timestep(STEP_S)
    scene.add_ground(0, render=False, material=scene.create_physical_material(floor_friction, floor_friction, 0))
    loader = URDFLoader()
    loader.set_scene(scene)
    loader.set_material(entry["friction"], entry["friction"], 0)
    loader.fix_root_link = False
    robots, actors = loader.parse(str(folder / entry["urdf"]))[:2]
    builder = (actors or robots)[0]
    for link in getattr(builder, "link_builders", [builder]):
        link.visual_records.clear()  # drawing wants Vulkan
    builder.initial_pose = sapien.Pose(entry["position_m"], entry["quaternion_wxyz"])
    entity = builder.build()
    return scene, entity if isinstance(entity, sapien.Entity) else entity.links[0].entity


def part_of(entity: sapien.Entity) -> sapien.physx.PhysxRigidBodyComponent:
    return next(part for part in entity.components if isinstance(part, sapien.physx.PhysxRigidBodyComponent))


def dropped(scene: sapien.Scene, entity: sapien.Entity, drop_m: float, tilt_rad: float, drop_s: float) -> dict:
    start = entity.pose
    tilt = sapien.Pose([0, 0, 0], [np.cos(tilt_rad / 2), np.sin(tilt_rad / 2), 0, 0])
    entity.set_pose(sapien.Pose(start.p + np.array([0, 0, drop_m]), (tilt * sapien.Pose([0, 0, 0], start.q)).q))
    for _ in range(round(drop_s / STEP_S)):
        scene.step()
    points = [
        point.position.tolist() for contact in scene.get_contacts() for point in contact.points if point.separation < 1e-3
    ]
    speed = float(np.linalg.norm(part_of(entity).linear_velocity))
    return {"dropped": pose_of(entity), "points": points, "contacts": len(points), "speed_m_s": speed}


def pose_of(entity: sapien.Entity) -> list[float]:
    return [*(float(v) for v in entity.pose.p), *(float(v) for v in entity.pose.q)]


def main(scene: Path, drop_m: float, tilt_rad: float, drop_s: float) -> dict:
    folder, bodies = scene / "urdf", {}
    facts = json.loads((folder / "scene.json").read_text())
    for entry in facts["objects"]:
        world, entity = loaded(folder, entry, facts["floor"]["friction"])
        part = part_of(entity)
        bodies[entry["name"]] = {
            "mass_kg": float(part.mass), "moments": sorted(float(v) for v in part.inertia), "pose": pose_of(entity),
            "shapes": len(part.collision_shapes),
            "friction": float(part.collision_shapes[0].physical_material.dynamic_friction),
            **dropped(world, entity, drop_m, tilt_rad, drop_s),
        }  # fmt: skip
    return {"version": f"SAPIEN {sapien.__version__}", "bodies": bodies}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), *(float(word) for word in sys.argv[2:5]))) + "\n")
