"""The folder that mjlab loads: contacts in frames of its motion, Eq. 5 as the losses have it, a kit that needs nothing of ours.

What only mjlab can say is asked of the Python that HSIMUL3R_MJLAB_PYTHON names, where it is set.
"""

import ast
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from export.robot_clips import G1, moving_clip
from interaction import toys

from hsimul3r.artifacts import Provenance
from hsimul3r.export.mjlab import write_mjlab
from hsimul3r.export.policy import read_facts, require_fit
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.losses.scene import patch_distance as patch_distance_of_losses
from hsimul3r.retarget.check.lead import servo_lead
from hsimul3r.retarget.check.problem import robot_problem
from hsimul3r.retarget.motion import RobotContact, RobotMotion
from hsimul3r.retarget.robot import robot_named
from sim_envs import mjlab_kit
from sim_envs.mjlab_kit.labels import Labels, borne_share, patch_distance, place_error
from sim_envs.mjlab_kit.layout import observation_sizes
from sim_envs.mjlab_kit.scene import folder_of, scene_facts
from sim_envs.mjlab_kit.train import last_checkpoint

KIT = Path(mjlab_kit.__path__[0])
MJLAB_PYTHON = os.environ.get("HSIMUL3R_MJLAB_PYTHON")


@pytest.fixture(scope="module")
def motion():
    clip = moving_clip(seconds=1.0, fps=30.0)
    frames = len(clip)
    path = np.tile(np.eye(4), (frames, 1, 1))
    path[:, :3, 3] = clip.objects[1].position
    contacts = (
        RobotContact(part="left_foot", body="left_ankle_roll_link", target="floor", point=np.array([0.1, 0.2, 0.0]),
                     first=0, last=frames - 1),
        RobotContact(part="right_hand", body="right_wrist_yaw_link", target="box", point=np.array([0.0, 0.1, 0.15]),
                     first=6, last=15),
    )  # fmt: skip
    return RobotMotion(
        provenance=Provenance(adapter="test", scale_source="stature"), robot=G1, fps=30.0, root_position=clip.root_position,
        root_quaternion=clip.root_quaternion, joint_names=clip.robot.joint_names, joint_position=clip.joint_position,
        contacts=contacts, assets=(toys.chair(0.45), toys.block(0.3, name="box")), object_paths={"box": path}, scene_scale=0.7,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(motion, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "mjlab"
    write_mjlab(motion, out, floor_friction=0.5, contact_time_s=0.01)
    return out


def test_contacts_are_in_the_frames_and_places_of_the_motion(folder):
    """At its first frame a label's place on the link is where its place on the target is."""
    contacts, table = scene_facts(folder)["contacts"], np.load(folder / "motion.npz")
    assert [(c["link"], c["target"]) for c in contacts] == [("left_ankle_roll_link", "floor"), ("right_wrist_yaw_link", "box")]
    assert (contacts[0]["first"], contacts[0]["last"]) == (0, len(table["joint_pos"]) - 1)
    assert (contacts[1]["first"], contacts[1]["last"]) == (10, 25), "frames 6 to 15 of 30 a second, of 50 a second"
    for contact in contacts:
        t, link = contact["first"], table["body_names"].tolist().index(contact["link"])
        turn = matrix_from_quaternion(table["body_quat_w"][t, link].astype(float))
        on_link = table["body_pos_w"][t, link] + turn @ contact["keypoint_m"]
        on_target = np.array(contact["place_m"])
        if contact["target"] == "box":
            which = table["scene_object_names"].tolist().index("box")
            box = matrix_from_quaternion(table["scene_object_quat_w"][t, which].astype(float))
            on_target = table["scene_object_pos_w"][t, which] + box @ on_target
        np.testing.assert_allclose(on_link, on_target, atol=1e-5)


def test_labels_are_held_in_their_frames(folder):
    labels = Labels.of(scene_facts(folder), 51, "cpu")
    assert labels.is_held.shape == (51, 2) and labels.is_held[:, 0].all()
    assert torch.nonzero(labels.is_held[:, 1]).ravel().tolist() == list(range(10, 26))
    assert labels.pairs == (("left_ankle_roll_link", "floor"), ("right_wrist_yaw_link", "box"))


def test_a_motion_without_contacts_has_no_labels(motion, tmp_path):
    write_mjlab(replace(motion, contacts=()), tmp_path, floor_friction=0.5, contact_time_s=0.01)
    labels = Labels.of(scene_facts(tmp_path), 51, "cpu")
    assert labels.is_held.shape == (51, 0) and labels.keypoint.shape == (0, 3)
    empty = torch.zeros(4, 0, 3)
    held = torch.zeros(4, 0, dtype=torch.bool)
    assert patch_distance(empty, empty, held).tolist() == [0.0] * 4 and borne_share(held, held).tolist() == [1.0] * 4


def test_eq_5_is_that_of_the_losses():
    rng = np.random.default_rng(0)
    keypoint, place, held = rng.normal(size=(5, 3, 3)), rng.normal(size=(5, 3, 3)), rng.random((5, 3)) < 0.5
    held[0] = False
    known = patch_distance_of_losses(keypoint, place, np.zeros(3), held)
    found = patch_distance(torch.tensor(keypoint), torch.tensor(place), torch.tensor(held))
    np.testing.assert_allclose(found.numpy(), known, rtol=1e-12)
    assert found[0] == 0


def test_borne_share_counts_held_labels_only():
    held = torch.tensor([[True, True, False], [False, False, False]])
    touched = torch.tensor([[True, False, True], [True, True, True]])
    assert borne_share(touched, held).tolist() == [0.5, 1.0]


def test_place_error_is_distance_and_turn():
    half = np.radians(40) / 2
    dot = torch.tensor([-np.cos(half)])
    distance, angle = place_error(torch.tensor([[0.3, 0.4, 0.0]]), torch.zeros(1, 3), dot)
    assert distance.item() == pytest.approx(0.5) and np.degrees(angle.item()) == pytest.approx(40)


def test_observation_is_mjlab_s_own_and_two_poses_of_every_object():
    assert sum(observation_sizes(29, 0).values()) == 160 and "object_pose_b" not in observation_sizes(29, 0)
    sizes = observation_sizes(29, 2)
    assert list(sizes)[-2:] == ["object_pose_b", "object_reference_b"] and sum(sizes.values()) == 160 + 36


def test_leads_are_those_of_the_robot_check(folder, motion):
    leads, problem = np.load(folder / "servo_leads.npz"), robot_problem(motion, 50.0)
    assert tuple(leads["joint_names"]) == problem.robot.joint_names
    np.testing.assert_allclose(leads["lead"], servo_lead(problem), atol=1e-5)


@pytest.mark.parametrize("path", sorted(KIT.glob("*.py")), ids=lambda path: path.stem)
def test_the_kit_needs_nothing_of_ours(path, folder):
    tree = ast.parse(path.read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    assert not {name.split(".")[0] for name in names} & {"hsimul3r", "stages", "sim_envs"}
    assert (folder / "mjlab_kit" / path.name).read_text() == path.read_text()


def test_an_export_is_found_by_either_folder_and_missed_with_a_next_step(folder, tmp_path):
    assert folder_of(folder.parent) == folder_of(folder) == folder.resolve()
    with pytest.raises(SystemExit, match="export-g1"):
        folder_of(tmp_path)


def test_the_last_checkpoint_is_that_of_most_iterations(tmp_path):
    assert last_checkpoint(tmp_path) is None
    for count in (2, 10, 9):
        (tmp_path / f"model_{count}.pt").touch()
    assert last_checkpoint(tmp_path) == tmp_path / "model_10.pt"


@pytest.mark.slow
@pytest.mark.skipif(MJLAB_PYTHON is None, reason="HSIMUL3R_MJLAB_PYTHON names no Python with mjlab 1.6")
def test_mjlab_trains_and_resumes_and_its_policy_fits_the_robot(folder, tmp_path):
    """One iteration, one more, the ONNX file against torch (in `write_policy`), our observation against mjlab's managers."""
    run = [MJLAB_PYTHON, "-m", "mjlab_kit.train", "--envs", "2", "--iterations", "1", "--device", "cpu", "--out", str(tmp_path)]
    for words in (run, [*run, "--resume"]):
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
    assert last_checkpoint(tmp_path) == tmp_path / "model_1.pt"
    assert len((tmp_path / "curve.csv").read_text().splitlines()) == 3
    facts = read_facts(tmp_path / "policy.onnx")
    require_fit(tmp_path / "policy.onnx", facts, robot_named(G1))
    assert dict(zip(facts.observation_names, facts.observation_sizes)) == observation_sizes(29, 2)
    script = Path(__file__).with_name("in_mjlab_kit.py")
    done = subprocess.run([MJLAB_PYTHON, str(script), str(folder)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["observation_gap"] < 2e-4 and found["objects_placed_m"] < 1e-6 and found["rate_gap"] < 1e-5
