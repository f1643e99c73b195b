"""One folder that mjlab loads: the floor as terrain, the objects as entities, the motion, and the file that puts them together.

mjlab_kit/       sim_envs/mjlab_kit: configurations, training, ONNX and judgement; needs mjlab and nothing else of ours
scene.json       floor, objects, and the motion's contacts in frames of motion.npz
<object>.xml     each object as MJCF, free, with its meshes in assets/
motion.npz       the robot's motion as mjlab's tracking task reads it
servo_leads.npz  what its servos must be asked for beyond its angles, for a warm start
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from hsimul3r.export.mjcf import write_object_mjcf
from hsimul3r.export.robot.tracking_npz import FPS, write_tracking
from hsimul3r.export.texts import texts
from hsimul3r.export.urdf import placed
from hsimul3r.geometry.overlay import object_color
from hsimul3r.retarget.check.lead import servo_lead
from hsimul3r.retarget.check.problem import RobotTarget, robot_problem
from hsimul3r.retarget.motion import RobotMotion
from sim_envs import mjlab_kit


def write_mjlab(motion: RobotMotion, folder: Path, *, floor_friction: float, contact_time_s: float) -> None:
    """Write the folder; objects stand where they are in the motion's first frame."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for i, asset in enumerate(motion.assets):
        path = write_object_mjcf(asset, folder, contact_time_s=contact_time_s, color=object_color(i))
        entries.append(placed(asset) | {"mjcf": path.name})
    problem = robot_problem(motion, FPS)
    facts = {
        "floor": {"friction": floor_friction},
        "objects": entries,
        "robot": problem.robot.name,
        "contacts": [contact_facts(target) for target in problem.targets],
    }
    (folder / "scene.json").write_text(json.dumps(facts, indent=1) + "\n")
    write_tracking(problem.clip, folder / "motion.npz", "mjlab")
    names = texts(problem.robot.joint_names)
    np.savez(folder / "servo_leads.npz", allow_pickle=False, joint_names=names, lead=servo_lead(problem).astype(np.float32))
    kit = mjlab_kit.__name__.rpartition(".")[2]
    (folder / kit).mkdir(exist_ok=True)
    for source in sorted(Path(mjlab_kit.__path__[0]).glob("*.py")):
        shutil.copyfile(source, folder / kit / source.name)


def contact_facts(target: RobotTarget) -> dict[str, Any]:
    """A labelled contact: where on the link, where on the object (in the world for the floor), from which frame to which."""
    held = np.flatnonzero(target.is_held)
    return {
        "part": target.part,
        "link": target.link,
        "target": target.target,
        "keypoint_m": target.keypoint.tolist(),
        "place_m": target.place.tolist(),
        "first": int(held[0]),
        "last": int(held[-1]),
    }
