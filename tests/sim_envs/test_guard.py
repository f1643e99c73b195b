import numpy as np
import pytest

from hsimul3r.cli import main
from hsimul3r.errors import BadRecording
from hsimul3r.tracking.layout import HumanLayout, human_name
from sim_envs import backend
from sim_envs.conformance import blocks_scene, seated_scene
from sim_envs.contract import JUDGE
from sim_envs.guard import GuardConfig, guarded, replay


def open_guarded(scene, folder, count=2, **cfg):
    batch = backend("mujoco_cpu").load(scene, count=count, timing=JUDGE, threads=1)
    return guarded(batch, scene, JUDGE, folder, GuardConfig(**cfg))


def test_a_pulled_wrist_is_named_with_what_it_presses_on(tmp_path):
    scene = seated_scene()
    batch = open_guarded(scene, tmp_path)
    ctrl = np.zeros((2, len(batch.ctrl_names)))
    HumanLayout.of(human_name(0), batch.qpos_names, batch.ctrl_names).write_targets(ctrl, scene.bodies[0].pose[:1, :22])
    batch.reset(np.tile(scene.qpos, (2, 1)))
    for _ in range(5):
        batch.step(ctrl, 4)
    pull = np.zeros((2, 3))
    pull[1, 2] = 1e13
    batch.set_parameter("force_n", pull, body=f"{human_name(0)}/left_wrist")
    batch.step(ctrl, 4)
    assert batch.has_diverged().tolist() == [False, True]
    (folder,) = tmp_path.iterdir()
    assert folder.name == "00_simulation1"
    found = replay(folder)
    assert found.is_reproduced and found.step in (21, 22) and found.drift == 0.0
    assert found.joint.startswith(f"{human_name(0)}/") and found.acceleration > 1e6
    assert found.contacts and {"chair", "world"} & {body for contact in found.contacts for body in contact.bodies}
    assert f"step {found.step}" in found.in_words() and "Contact of" in found.in_words()


def shove(batch, force_n):
    batch.set_parameter("force_n", np.tile([force_n, 0.0, 0.0], (batch.count, 1)), body="block0")


def test_the_ring_begins_with_a_reset_and_keeps_the_last_calls(tmp_path):
    batch = open_guarded(blocks_scene(2.0), tmp_path, length=3, most=1)
    idle = np.zeros((2, 0))
    for _ in range(5):
        batch.step(idle)
    qpos, qvel = batch.state()
    batch.reset(qpos, qvel, only=np.arange(2))
    batch.step(idle)
    shove(batch, 1e14)
    batch.step(idle)
    assert batch.has_diverged().all()
    (folder,) = tmp_path.iterdir()
    with np.load(folder / "ring.npz", allow_pickle=False) as ring:
        assert ring["qpos"].shape == (2, 7) and np.array_equal(ring["qpos"][0], qpos[0])
        assert np.isnan(ring["force_n|block0"][0]).all() and ring["force_n|block0"][1, 0] == 1e14
    found = replay(folder)
    assert (found.is_reproduced, found.step, found.drift, found.contacts) == (True, 2, 0.0, ())
    assert found.joint == "block0:vx" and found.acceleration == pytest.approx(1e14 / 4.0)


def test_a_recording_that_holds_still_says_so(tmp_path):
    batch = open_guarded(blocks_scene(2.0), tmp_path, count=1)
    shove(batch, 1e14)
    batch.step(np.zeros((1, 0)))
    (folder,) = tmp_path.iterdir()
    with np.load(folder / "ring.npz") as ring:
        tamed = {**ring, "force_n|block0": np.zeros((1, 3))}
    np.savez(folder / "ring.npz", **tamed)
    found = replay(folder)
    assert not found.is_reproduced and "does not diverge" in found.in_words()


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(BadRecording, match="divergence"):
        replay(tmp_path)


def test_the_command_replays_a_folder(tmp_path, capsys):
    batch = open_guarded(blocks_scene(2.0), tmp_path, count=1)
    shove(batch, 1e14)
    batch.step(np.zeros((1, 0)))
    assert main(["replay-divergence", str(tmp_path / "00_simulation0")]) == 0
    said = capsys.readouterr().out
    assert "Diverges at step 1" in said and "block0:vx" in said
    assert main(["replay-divergence", str(tmp_path)]) == 2
