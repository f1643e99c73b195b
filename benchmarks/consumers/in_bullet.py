"""Run by the Python of an environment with PyBullet: loads the single URDFs of an exported scene and drops them, one by one.
Prints one line of JSON.

<python> in_bullet.py SCENE DROP_M TILT_RAD DROP_S
"""

import json
import sys
from pathlib import Path

import numpy as np
import pybullet as bullet

STEP_S = 1 / 240


def loaded(folder: Path, entry: dict) -> int:
    """The object by itself over the floor, its link frame where scene.json says."""
    bullet.resetSimulation()
    bullet.setGravity(0, 0, -9.81)
    bullet.setTimeStep(STEP_S)
    bullet.createMultiBody(0, bullet.createCollisionShape(bullet.GEOM_PLANE))
    body = bullet.loadURDF(str(folder / entry["urdf"]), flags=bullet.URDF_USE_INERTIA_FROM_FILE)
    place(body, entry["position_m"], xyzw(entry["quaternion_wxyz"]))
    return body


def place(body: int, position: list[float], quat: list[float]) -> None:
    """Put the link frame somewhere; Bullet counts from the centre of mass."""
    info = bullet.getDynamicsInfo(body, -1)
    at = bullet.multiplyTransforms(position, quat, info[3], info[4])
    bullet.resetBasePositionAndOrientation(body, *at)


def link_pose(body: int) -> list[float]:
    """Position and quaternion wxyz of the link frame."""
    info = bullet.getDynamicsInfo(body, -1)
    position, quat = bullet.multiplyTransforms(
        *bullet.getBasePositionAndOrientation(body), *bullet.invertTransform(info[3], info[4])
    )
    return [*position, quat[3], *quat[:3]]


def dropped(body: int, drop_m: float, tilt_rad: float, drop_s: float) -> dict:
    start = link_pose(body)
    tilt = bullet.getQuaternionFromAxisAngle([1, 0, 0], tilt_rad)
    _, quat = bullet.multiplyTransforms([0, 0, 0], tilt, [0, 0, 0], xyzw(start[3:]))
    place(body, [start[0], start[1], start[2] + drop_m], list(quat))
    for _ in range(round(drop_s / STEP_S)):
        bullet.stepSimulation()
    points = np.array([contact[6] for contact in bullet.getContactPoints(body, 0)])
    speed = float(np.linalg.norm(bullet.getBaseVelocity(body)[0]))
    return {"dropped": link_pose(body), "points": points.tolist(), "contacts": len(points), "speed_m_s": speed}


def xyzw(quat: list[float]) -> list[float]:
    return [*quat[1:], quat[0]]


def main(folder: Path, drop_m: float, tilt_rad: float, drop_s: float) -> dict:
    bullet.connect(bullet.DIRECT)
    facts, bodies = json.loads((folder / "urdf" / "scene.json").read_text()), {}
    for entry in facts["objects"]:
        body = loaded(folder / "urdf", entry)
        bullet.changeDynamics(0, -1, lateralFriction=1.0)
        info = bullet.getDynamicsInfo(body, -1)
        bodies[entry["name"]] = {
            "mass_kg": info[0], "moments": sorted(info[2]), "pose": link_pose(body), "friction": info[1],
            "shapes": len(bullet.getCollisionShapeData(body, -1)), **dropped(body, drop_m, tilt_rad, drop_s),
        }  # fmt: skip
    return {"version": f"PyBullet {bullet.getAPIVersion()}", "bodies": bodies}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), *(float(word) for word in sys.argv[2:5]))) + "\n")
