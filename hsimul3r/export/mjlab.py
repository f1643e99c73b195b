"""One folder that mjlab loads: the floor as terrain, the objects as entities, the motion, and the file that puts them together.

mjlab_scene.py   sim_envs/mjlab_scene.py, whose functions give mjlab's configurations
scene.json       floor and objects
<object>.xml     each object as MJCF, free, with its meshes in assets/
motion.npz       the robot's motion as mjlab's tracking task reads it
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from hsimul3r.artifacts import ObjectAsset
from hsimul3r.export.mjcf import write_object_mjcf
from hsimul3r.export.robot.clip import RobotClip, resampled
from hsimul3r.export.robot.tracking_npz import FPS, write_tracking
from hsimul3r.export.urdf import placed
from hsimul3r.geometry.overlay import object_color
from sim_envs import mjlab_scene


def write_mjlab(
    clip: RobotClip, assets: Sequence[ObjectAsset], folder: Path, *, floor_friction: float, contact_time_s: float
) -> None:
    """Write the folder; objects stand where they are in the motion's first frame."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for i, asset in enumerate(assets):
        path = write_object_mjcf(asset, folder, contact_time_s=contact_time_s, color=object_color(i))
        entries.append(placed(asset) | {"mjcf": path.name})
    facts = {"floor": {"friction": floor_friction}, "objects": entries, "robot": clip.robot.name}
    (folder / "scene.json").write_text(json.dumps(facts, indent=1) + "\n")
    write_tracking(resampled(clip, FPS), folder / "motion.npz", "mjlab")
    shutil.copyfile(mjlab_scene.__file__, folder / "mjlab_scene.py")
