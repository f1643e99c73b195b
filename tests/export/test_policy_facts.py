"""A policy's ONNX file says how to connect it, in the words of mjlab's deployment, and only fits the robot that it is for."""

from dataclasses import replace

import numpy as np
import pytest
from export.robot_clips import G1

from hsimul3r.errors import PolicyMismatch
from hsimul3r.export.policy import attach_facts, facts_from, facts_of, metadata_of, read_facts, require_fit
from hsimul3r.retarget.robot import robot_named

OBSERVATIONS = {"command": 58, "joint_pos": 29, "actions": 29}


@pytest.fixture
def facts():
    return facts_of(robot_named(G1), observations=OBSERVATIONS, action_scale=(0.25,) * 29, command_names=("motion",),
                    anchor_body_name="torso_link", body_names=("pelvis", "torso_link"))  # fmt: skip


@pytest.fixture
def policy(tmp_path):
    onnx = pytest.importorskip("onnx", reason="policies are ONNX files")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(name, kind, [1, 29]) for name in ("obs", "actions")]
    graph = helper.make_graph([helper.make_node("Identity", ["obs"], ["actions"])], "policy", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"ours": "kept"})
    onnx.save(model, str(tmp_path / "policy.onnx"))
    return tmp_path / "policy.onnx"


def test_facts_come_back_from_the_file_and_other_entries_stay(policy, facts):
    import onnx

    attach_facts(policy, facts)
    attach_facts(policy, facts)
    found = read_facts(policy)
    assert found.joint_names == facts.joint_names and found.observation_sizes == (58, 29, 29)
    np.testing.assert_allclose(found.joint_stiffness, facts.joint_stiffness, rtol=1e-8)
    assert (found.anchor_body_name, found.body_names, found.command_names) == ("torso_link", facts.body_names, ("motion",))
    properties = [(entry.key, entry.value) for entry in onnx.load(str(policy)).metadata_props]
    assert ("ours", "kept") in properties and len(dict(properties)) == len(properties)
    require_fit(policy, found, robot_named(G1))


def test_entries_are_those_of_mjlab(facts):
    entries = metadata_of(facts)
    assert set(entries) >= {"run_path", "joint_names", "joint_stiffness", "joint_damping", "default_joint_pos", "command_names",
                            "observation_names", "action_scale", "anchor_body_name", "body_names"}  # fmt: skip
    assert entries["joint_names"].split(",")[0] == "left_hip_pitch_joint"
    assert float(entries["default_joint_pos"].split(",")[0]) == pytest.approx(-0.312)


def test_mjlab_s_three_decimals_and_single_scale_are_read(tmp_path, facts):
    entries = metadata_of(facts)
    for name in ("joint_stiffness", "joint_damping", "default_joint_pos"):
        entries[name] = ",".join(f"{float(word):.3f}" for word in entries[name].split(","))
    entries["action_scale"] = "0.5"
    found = facts_from(tmp_path, entries)
    assert found.action_scale == (0.5,) * 29
    require_fit(tmp_path, found, robot_named(G1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: replace(f, joint_names=f.joint_names[::-1]), "another order"),
        (lambda f: replace(f, joint_names=("tail", *f.joint_names[1:])), "tail"),
        (lambda f: replace(f, joint_stiffness=(1.0,) * 29), "joint_stiffness"),
        (lambda f: replace(f, default_joint_pos=()), "default_joint_pos"),
    ],
)
def test_a_policy_of_another_robot_does_not_fit(tmp_path, facts, change, message):
    with pytest.raises(PolicyMismatch, match=message):
        require_fit(tmp_path, change(facts), robot_named(G1))


def test_what_is_missing_or_no_number_is_said(tmp_path, facts):
    entries = metadata_of(facts)
    with pytest.raises(PolicyMismatch, match="no joint_damping"):
        facts_from(tmp_path, {name: text for name, text in entries.items() if name != "joint_damping"})
    with pytest.raises(PolicyMismatch, match="28 values for 29 joints"):
        facts_from(tmp_path, entries | {"joint_damping": ",".join(["1"] * 28)})
    with pytest.raises(PolicyMismatch, match="no numbers"):
        facts_from(tmp_path, entries | {"joint_damping": "soft"})


def test_a_file_that_is_no_onnx_is_refused(tmp_path):
    pytest.importorskip("onnx", reason="policies are ONNX files")
    (tmp_path / "policy.onnx").write_bytes(b"no model")
    with pytest.raises(PolicyMismatch, match="no ONNX file"):
        read_facts(tmp_path / "policy.onnx")
