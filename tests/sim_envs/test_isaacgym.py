"""The worker protocol, the URDFs and the hinges; the calls of isaacgym_engine.py are not tested: it cannot be run here."""

import ast
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import sim_envs.isaacgym
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.errors import WorkerFailed
from hsimul3r.geometry.rotations import axis_angle_from_quaternion, quaternion_from_axis_angle
from hsimul3r.tracking.layout import HumanLayout, human_name
from sim_envs import backend
from sim_envs.conformance import blocks_scene, seated_scene
from sim_envs.contract import JUDGE, PLAN
from sim_envs.isaacgym.client import INTERPRETER, WorkerBackend, WorkerConfig
from sim_envs.isaacgym.hinges import angles_of, order_of, quaternion_of, rate_map, rates_of
from sim_envs.isaacgym.urdf import write_urdf_scene
from sim_envs.scene_builder import load_model

FOLDER = Path(sim_envs.isaacgym.__file__).parent
WORKER_FILES = ("wire.py", "worker.py", "mujoco_engine.py", "isaacgym_engine.py")


@pytest.fixture(scope="module")
def seated():
    return seated_scene()


@pytest.mark.parametrize("name", WORKER_FILES)
def test_the_worker_s_files_are_python_38_with_numpy_alone(name):
    tree = ast.parse((FOLDER / name).read_text(), feature_version=(3, 8))
    top = {alias.name.split(".")[0] for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    top |= {str(node.module).split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert top <= {"numpy", "wire", "__future__", *sys.stdlib_module_names}


@pytest.mark.parametrize("joint", ["left_hip", "spine2", "right_shoulder"])
def test_hinges_turn_as_their_ball_joint(joint):
    rng, order = np.random.default_rng(0), order_of(joint)
    vector = rng.normal(0.0, 0.5, (20, 3))
    angles = angles_of(quaternion_from_axis_angle(vector), order)
    np.testing.assert_allclose(axis_angle_from_quaternion(quaternion_of(angles, order)), vector, atol=1e-12)
    rate, step = rng.normal(0.0, 1.0, (20, 3)), 1e-6
    before, after = quaternion_of(angles, order), quaternion_of(angles + step * rate, order)
    conjugate = before * [1.0, -1.0, -1.0, -1.0]
    turned = conjugate[:, :1] * after[:, 1:] + after[:, :1] * conjugate[:, 1:] + np.cross(conjugate[:, 1:], after[:, 1:])
    angular = np.einsum("sij,sj->si", rate_map(angles, order), rate)
    np.testing.assert_allclose(2.0 * turned / step, angular, atol=1e-5)
    np.testing.assert_allclose(rates_of(angular, angles, order), rate, atol=1e-9)


def test_mujoco_s_own_reader_finds_the_person_in_the_urdf(seated, tmp_path):
    import mujoco

    write_urdf_scene(seated, tmp_path)
    urdf = (tmp_path / "person0.urdf").read_text()
    fixed = '<mujoco><compiler fusestatic="false" discardvisual="true" strippath="false"/></mujoco>'
    (tmp_path / "read.urdf").write_text(urdf.replace('<robot name="person0">', f'<robot name="person0">{fixed}'))
    read, ours = mujoco.MjModel.from_xml_path(str(tmp_path / "read.urdf")), load_model(seated)
    assert read.njnt == 63 and not read.body_mass[0] > 0
    for joint in BODY_JOINTS[1:]:
        there, here = read.body(joint), ours.body(f"person0/{joint}")
        assert there.mass[0] == pytest.approx(here.mass[0] - 2e-3)
        np.testing.assert_allclose(there.ipos, here.ipos, atol=1e-6)
        np.testing.assert_allclose(np.sort(there.inertia) / there.mass, np.sort(here.inertia) / here.mass, rtol=1e-4)
    still, posed = mujoco.MjData(read), mujoco.MjData(ours)
    posed.qpos[:] = ours.qpos0
    for model, data in ((read, still), (ours, posed)):
        mujoco.mj_kinematics(model, data)
    for joint in ("left_wrist", "right_foot", "head"):
        away = posed.body(f"person0/{joint}").xpos - posed.body("person0/pelvis").xpos
        np.testing.assert_allclose(still.body(joint).xpos, away, atol=1e-9)


def test_a_sitter_of_hinges_sits_as_one_of_ball_joints(seated):
    ends = []
    for engine in (backend("mujoco_cpu"), WorkerBackend("mujoco")):
        batch = engine.load(seated, count=1, timing=PLAN, threads=1)
        layout = HumanLayout.of(human_name(0), batch.qpos_names, batch.ctrl_names)
        ctrl = np.zeros((1, len(batch.ctrl_names)))
        layout.write_targets(ctrl, seated.bodies[0].pose[:1, :22])
        for _ in range(30):
            batch.step(ctrl, is_exact=True)
        ends.append((batch.body_poses(layout.body_names())[0][0], batch.contacts().force_n.sum()))
    assert np.linalg.norm(ends[1][0] - ends[0][0], axis=1).max() < 0.01
    assert ends[1][1] == pytest.approx(ends[0][1], rel=0.1)


def test_without_an_interpreter_the_error_says_how_to_name_one(monkeypatch):
    monkeypatch.delenv(INTERPRETER, raising=False)
    with pytest.raises(WorkerFailed, match=INTERPRETER):
        backend("isaacgym").load(blocks_scene(1.0), count=1, timing=JUDGE)


def test_a_path_that_is_no_interpreter(tmp_path):
    with pytest.raises(WorkerFailed, match="cannot be started"):
        WorkerBackend("isaacgym", WorkerConfig(python=tmp_path / "python")).load(blocks_scene(1.0), count=1, timing=JUDGE)


def test_an_interpreter_without_the_engine():
    with pytest.raises(WorkerFailed, match="No module named 'isaacgym'"):
        WorkerBackend("isaacgym", WorkerConfig(python=Path(sys.executable))).load(blocks_scene(1.0), count=1, timing=JUDGE)


def test_a_worker_that_dies_is_one_clear_error():
    batch = WorkerBackend("mujoco").load(blocks_scene(1.0), count=1, timing=JUDGE)
    os.kill(batch.process_id, signal.SIGKILL)
    with pytest.raises(WorkerFailed, match="ended with exit code -9"):
        batch.step(np.zeros((1, 0)))


def test_a_worker_that_hangs_is_given_up():
    batch = WorkerBackend("mujoco", WorkerConfig(timeout_s=2.0)).load(blocks_scene(1.0), count=1, timing=JUDGE)
    os.kill(batch.process_id, signal.SIGSTOP)
    with pytest.raises(WorkerFailed, match="did not answer for 2 s"):
        batch.step(np.zeros((1, 0)))
    with pytest.raises(ProcessLookupError):
        os.kill(batch.process_id, 0)


def test_a_request_that_fails_is_told_with_its_reason(seated):
    batch = WorkerBackend("mujoco").load(seated, count=1, timing=JUDGE)
    with pytest.raises(WorkerFailed, match="nobody"):
        batch.set_parameter("friction", np.ones(1), body="nobody")


def test_the_worker_s_folder_goes_with_the_batch(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    batch = WorkerBackend("mujoco").load(blocks_scene(1.0), count=1, timing=JUDGE)
    assert list(tmp_path.iterdir())
    batch.close()
    assert not list(tmp_path.iterdir())
