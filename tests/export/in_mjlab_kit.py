"""Run by the Python of an environment with mjlab 1.6: the kit's plain MuJoCo against mjlab's managers. Prints a line of JSON.

<python> in_mjlab_kit.py FOLDER: the folder `mjlab` of an export.
"""

import json
import os
import sys
from pathlib import Path

os.environ |= {"WANDB_MODE": "disabled"}
sys.path.insert(0, sys.argv[1])

import numpy as np
import torch
from mjlab.envs import ManagerBasedRlEnv
from mjlab_kit.plant import Plant
from mjlab_kit.task import task_env_cfg
from mjlab_kit.terms import object_errors

FRAMES = (0, 20, 40)


def main(folder: Path) -> dict:
    """Resets at some frames: the same state, what mjlab's actor sees, and what the plant says that it sees."""
    cfg = task_env_cfg(folder, play=True)
    cfg.scene.num_envs, cfg.scene.env_spacing, cfg.events = len(FRAMES), 0.0, {}
    cfg.commands["motion"].sampling_mode = "uniform"
    env = ManagerBasedRlEnv(cfg=cfg, device="cpu")
    command = env.command_manager.get_term("motion")
    command.start_frames = torch.tensor(FRAMES)
    seen, _ = env.reset()
    plant, gaps = Plant.of(env), []
    for i, frame in enumerate(FRAMES):
        plant.put(env.sim.data.qpos[i].numpy().astype(float), env.sim.data.qvel[i].numpy().astype(float))
        own = plant.observation(frame + 1, np.zeros(len(plant.joints)))
        gaps.append(float(np.abs(own - seen["actor"][i].numpy()).max()))
    command.time_steps[:] = torch.tensor(FRAMES)
    distance, _ = object_errors(command)
    rates = [plant.difference(plant.motion.qpos[t + 1], plant.motion.qvel[t], plant.motion.qpos[t - 1], plant.motion.qvel[t])
             for t in range(1, len(plant.motion) - 1)]  # fmt: skip
    robot = np.concatenate([plant.root_rates, plant.joint_rates])
    gap = np.array(rates)[:, robot] / 0.04 - plant.motion.qvel[1:-1, robot]
    return {
        "observation_gap": max(gaps),
        "objects_placed_m": float(distance.max()),
        "rate_gap": float(np.abs(gap[:, 6:]).max()),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))) + "\n")
