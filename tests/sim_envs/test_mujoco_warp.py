"""mujoco_warp on warp's CPU device (or the GPU where there is one) against MuJoCo; kernels compile on first use, 40 CPU s."""

import numpy as np
import pytest

from hsimul3r.errors import UnsupportedParameter
from hsimul3r.tracking.layout import HumanLayout, human_name
from sim_envs import backend
from sim_envs.conformance import blocks_scene, seated_scene
from sim_envs.contract import JUDGE, PLAN
from sim_envs.mujoco_warp import MujocoWarp, WarpBatch, WarpLimits
from sim_envs.scene_builder import load_model

pytest.importorskip("mujoco_warp", reason="mujoco_warp is not installed: pip install -e '.[warp]'")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seated():
    return seated_scene()


def servo_targets(batch, scene) -> np.ndarray:
    ctrl = np.zeros((batch.count, len(batch.ctrl_names)))
    HumanLayout.of(human_name(0), batch.qpos_names, batch.ctrl_names).write_targets(ctrl, scene.bodies[0].pose[:1, :22])
    return ctrl


@pytest.mark.parametrize(("timing", "noise"), [(PLAN, 0.0), (JUDGE, 0.1)], ids=["plan", "judge"])
def test_a_sitter_moves_as_in_mujoco(seated, timing, noise):
    """Single precision parts from double by chance where a contact is made a step earlier: at 1/60 s, disturbed, up to 1e-3."""
    batches = [backend(name).load(seated, count=3, timing=timing, threads=1) for name in ("mujoco_cpu", "mujoco_warp")]
    ctrl = servo_targets(batches[0], seated)
    ctrl += np.random.default_rng(0).normal(0.0, noise, ctrl.shape)
    for batch in batches:
        batch.step(ctrl, 60, is_exact=True)
    (there, force), (here, same_force) = ((b.state()[0], b.contacts().force_n) for b in batches)
    assert np.abs(there - seated.qpos).max() > 0.01 and force.sum() > 1000.0, "nothing moves or touches"
    assert np.abs(here - there).max() < 1e-4
    np.testing.assert_allclose(same_force, force, atol=5.0)
    joints = [f"{human_name(0)}/left_wrist", "chair"]
    np.testing.assert_allclose(batches[1].body_poses(joints)[0], batches[0].body_poses(joints)[0], atol=1e-4)


def test_contacts_that_do_not_fit_are_reported(seated):
    batch = MujocoWarp(limits=WarpLimits(contacts=8, constraints=24)).load(seated, count=1, timing=JUDGE)
    batch.step(servo_targets(batch, seated), 20)
    assert batch.has_diverged().all()


def test_a_capped_solver_is_counted(seated):
    model = load_model(seated, JUDGE)
    model.opt.iterations = 2
    batch = WarpBatch(model, seated.humans, ("chair",), count=1, limits=WarpLimits())
    batch.reset(seated.qpos[None])
    batch.step(servo_targets(batch, seated), 5)
    assert 0 < batch.capped_steps()[0] <= 5
    batch.reset(seated.qpos[None])
    assert batch.capped_steps()[0] == 0


def test_unknown_parameter_raises():
    batch = backend("mujoco_warp").load(blocks_scene(0.1), count=1, timing=JUDGE)
    with pytest.raises(UnsupportedParameter, match="viscosity"):
        batch.set_parameter("viscosity", [1.0])
