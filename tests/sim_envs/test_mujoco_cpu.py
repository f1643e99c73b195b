import numpy as np

from sim_envs.conformance import seated_scene
from sim_envs.contract import JUDGE
from sim_envs.mujoco_cpu import MujocoBatch
from sim_envs.scene_builder import load_model


def test_a_capped_solver_is_counted_where_there_are_contacts():
    scene = seated_scene()
    model = load_model(scene, JUDGE)
    model.opt.iterations = 3
    batch = MujocoBatch(model, scene.humans, ("chair",), count=2, threads=1)
    qpos = np.tile(scene.qpos, (2, 1))
    qpos[1] += [2.0 if name.endswith(":z") else 0.0 for name in scene.qpos_names]
    batch.reset(qpos)
    ctrl = np.tile(model.key_ctrl, (2, 1))
    batch.step(ctrl, 10)
    seated, hovering = batch.capped_steps()
    assert 5 <= seated <= 10 and hovering <= 1
    batch.reset(qpos[:1], only=np.array([0]))
    assert batch.capped_steps().tolist() == [0, hovering]
