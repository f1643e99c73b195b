"""Run by the Python of an environment with holosoma and MuJoCo: its loader reads an exported motion, its own model of the G1 is
put as the motion says. Prints one line of JSON.

<python> in_holosoma.py EXPORT
"""

import json
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import mujoco
import numpy as np
from holosoma.config_values.robot import g1_29dof
from holosoma.managers.command.terms.wbt import FAKE_BODY_NAME_ALIASES, MotionLoader

THEIR_CLIP = "data/motions/g1_29dof/whole_body_tracking/sub3_largebox_003_mj_w_obj.npz"


def main(export: Path) -> dict:
    file = export / "motion" / "holosoma.npz"
    links = [FAKE_BODY_NAME_ALIASES.get(name, name) for name in g1_29dof.body_names]
    loaded = MotionLoader(str(file), links, list(g1_29dof.dof_names))
    root = np.load(file)["joint_pos"][:, :7]
    return {
        "version": f"holosoma {version('holosoma')}",
        "frames": loaded.time_step_total,
        "links": len(links),
        "has_object": loaded.has_object,
        "links_off_m": links_off(loaded, links, root),
        "their_clip": str(files("holosoma") / THEIR_CLIP),
    }


def links_off(loaded: MotionLoader, links: list[str], root: np.ndarray) -> dict:
    """Of every tenth frame: largest distance of a link in the file from where holosoma's G1 has it, by link."""
    model = mujoco.MjModel.from_xml_path(str(files("holosoma") / "data/robots/g1/scenes/scene_g1_29dof_wbt_plane.xml"))
    data, worst = mujoco.MjData(model), dict.fromkeys(links, 0.0)
    for t in range(0, loaded.time_step_total, 10):
        data.qpos[:7] = root[t]
        for name, angle in zip(g1_29dof.dof_names, loaded.joint_pos[t].tolist()):
            data.joint(name).qpos[0] = angle
        mujoco.mj_kinematics(model, data)
        for i, name in enumerate(links):
            gap = float(np.linalg.norm(data.body(name).xpos - loaded.body_pos_w[t, i].numpy()))
            worst[name] = max(worst[name], gap)
    return worst


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]).resolve())) + "\n")
