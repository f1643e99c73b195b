"""Run by the Python of an environment with mjlab 1.6: loads an exported folder and plays it. Prints one line of JSON.

<python> in_mjlab.py EXPORT CONVERTED STEPS: EXPORT is a folder of `hsimul3r export-g1`, CONVERTED its CSV as our own mjlab npz.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ |= {"WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1"}

import mujoco
import numpy as np
import torch
from mjlab.envs import ManagerBasedRlEnv
from mjlab.scene import Scene
from mjlab.scripts import csv_to_npz
from mjlab.sim.sim import Simulation, SimulationCfg
from mjlab.tasks.tracking.config.g1.env_cfgs import unitree_g1_flat_tracking_env_cfg

FIELDS = ("joint_pos", "joint_vel", "body_pos_w", "body_quat_w", "body_lin_vel_w", "body_ang_vel_w")
THEIR_RESULT = Path("/tmp/motion.npz")
"""Where mjlab's csv_to_npz always writes."""


def objects_in(model: mujoco.MjModel, facts: dict) -> dict:
    """Masses of the compiled scene against scene.json."""
    found = {entry["name"]: float(model.body(f"{entry['name']}/{entry['name']}").mass[0]) for entry in facts["objects"]}
    return {"mass_error": max((abs(found[e["name"]] / e["mass_kg"] - 1) for e in facts["objects"]), default=0.0)}


def replayed(env: ManagerBasedRlEnv, motion: dict) -> dict:
    """Root and joints of every tenth frame written into the simulation: where mjlab then has the links, against the npz."""
    robot, worst = env.scene["robot"], dict.fromkeys(FIELDS[2:], 0.0)
    for t in range(0, len(motion["joint_pos"]), 10):
        root = [motion[name][t, 0] for name in ("body_pos_w", "body_quat_w", "body_lin_vel_w", "body_ang_vel_w")]
        robot.write_root_state_to_sim(torch.tensor(np.concatenate(root))[None])
        robot.write_joint_state_to_sim(torch.tensor(motion["joint_pos"][t])[None], torch.tensor(motion["joint_vel"][t])[None])
        env.sim.forward()
        data = robot.data
        found = {
            "body_pos_w": data.body_link_pos_w, "body_quat_w": data.body_link_quat_w,
            "body_lin_vel_w": data.body_link_lin_vel_w, "body_ang_vel_w": data.body_link_ang_vel_w,
        }  # fmt: skip
        for name, values in found.items():
            own, theirs = motion[name][t], values[0].cpu().numpy()
            if name == "body_quat_w":
                own = own * np.sign((own * theirs).sum(-1, keepdims=True))
            worst[name] = max(worst[name], float(np.abs(own - theirs).max()))
    return worst


def played(env: ManagerBasedRlEnv, facts: dict, steps: int) -> dict:
    """mjlab's task with the reference's joint angles as targets of its servos."""
    env.reset()
    command, robot = env.command_manager.get_term("motion"), env.scene["robot"]
    action = env.action_manager.get_term("joint_pos")
    start = {e["name"]: env.scene[e["name"]].data.root_link_pos_w[0].clone() for e in facts["objects"]}
    placed = max((float((start[e["name"]] - torch.tensor(e["position_m"])).abs().max()) for e in facts["objects"]), default=0.0)
    errors, rewards, ended = [], [], 0
    for _ in range(steps):
        target = (command.joint_pos - robot.data.default_joint_pos) / action._scale
        _, reward, terminated, _, _ = env.step(target)
        errors.append(float(command.metrics["error_body_pos"][0]))
        rewards.append(float(reward[0]))
        ended += int(terminated.sum())
    moved = [float((env.scene[name].data.root_link_pos_w[0] - pos).norm()) for name, pos in start.items()]
    return {
        "steps": steps, "body_error_m": [errors[0], float(np.mean(errors)), errors[-1]], "reward": float(np.mean(rewards)),
        "terminations": ended, "object_placed_error_m": placed, "object_moved_m": max(moved, default=0.0),
        "all_finite": bool(np.isfinite([*errors, *rewards]).all()),
    }  # fmt: skip


def converted(csv: Path, own: dict) -> dict:
    """mjlab's csv_to_npz on our CSV, against our own conversion; the first and last frame are differenced otherwise there."""
    scene = Scene(unitree_g1_flat_tracking_env_cfg().scene, device="cpu")
    cfg = SimulationCfg()
    cfg.mujoco.timestep = 1 / 50
    sim = Simulation(num_envs=1, cfg=cfg, model=scene.compile(), device="cpu")
    scene.initialize(sim.mj_model, sim.model, sim.data)
    joints = list(scene["robot"].joint_names)
    THEIR_RESULT.unlink(missing_ok=True)
    try:
        csv_to_npz.run_sim(sim, scene, joints, str(csv), 30.0, 50.0, "motion", False, None)
    except Exception as error:  # it uploads its result
        sys.stderr.write(f"csv_to_npz ended with {type(error).__name__}: {error}\n")
    theirs = dict(np.load(THEIR_RESULT))
    frames = min(len(theirs["joint_pos"]), len(own["joint_pos"])) - 1
    worst = {}
    for name in FIELDS:
        a, b = theirs[name][1:frames], own[name][1:frames]
        if name == "body_quat_w":
            b = b * np.sign((a * b).sum(-1, keepdims=True))
        worst[name] = float(np.abs(a - b).max())
    return {"frames": [len(theirs["joint_pos"]), len(own["joint_pos"])], **worst}


def main(export: Path, conversion: Path, steps: int) -> dict:
    sys.path.insert(0, str(export / "mjlab"))
    from mjlab_kit import scene

    started, facts = time.process_time(), scene.scene_facts()
    motion = dict(np.load(export / "mjlab" / "motion.npz"))
    cfg = scene.tracking_env_cfg(play=True)
    env = ManagerBasedRlEnv(cfg, device="cpu")
    loaded = env.command_manager.get_term("motion").motion
    result = {
        "mujoco": mujoco.__version__,
        "frames": [loaded.time_step_total, len(motion["joint_pos"])],
        "loaded_error": float(np.abs(loaded.joint_pos.numpy() - motion["joint_pos"]).max()),
        "terrain_friction": float(env.sim.mj_model.geom("terrain").friction[0]),
        "entities": sorted(env.scene.entities),
        **objects_in(env.sim.mj_model, facts),
        "played": played(env, facts, steps),
        "replayed": replayed(env, motion),
        "csv_to_npz": converted(export / "motion" / "unitree-csv.csv", dict(np.load(conversion))),
    }
    return {**result, "cpu_s": time.process_time() - started}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int(sys.argv[3]))) + "\n")
