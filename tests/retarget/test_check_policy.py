"""A policy in the robot check: what it sees in closed form, and that its file is asked and obeyed."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.errors import PolicyMismatch
from hsimul3r.export.policy import attach_facts, facts_of
from hsimul3r.progress import Progress
from hsimul3r.retarget.check.follow import FollowConfig
from hsimul3r.retarget.check.policy import IMU_IN_ROOT, SEES, PolicyFollower, Sight
from hsimul3r.retarget.check.problem import robot_problem
from hsimul3r.retarget.robot import robot_named
from hsimul3r.tracking.recording import RecordConfig
from sim_envs.contract import JUDGE
from sim_envs.robot_scene import load_robot
from stages import check_robot
from tests.retarget.test_check import G1, standing

SCALE = 0.25
SIZES = {"command": 58, "joint_pos": 29, "actions": 29}


def policy_file(path, *, sizes=SIZES, robot=None):
    """Asks for the command's joint angles: the reference of the next frame."""
    onnx = pytest.importorskip("onnx", reason="policies are ONNX files")
    helper, numpy_helper, kind = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT
    robot, size = robot or robot_named(G1), sum(sizes.values())
    count, home = len(robot.joints), np.array([joint.home for joint in robot.joints])
    weight = np.zeros((size, count), np.float32)
    weight[:count] = np.eye(count) / SCALE
    tensors = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array((-home / SCALE).astype(np.float32), "bias")]
    inputs = [helper.make_tensor_value_info(name, kind, [1, width]) for name, width in (("obs", size), ("time_step", 1))]
    output = helper.make_tensor_value_info("actions", kind, [1, count])
    node = helper.make_node("Gemm", ["obs", "weight", "bias"], ["actions"])
    graph = helper.make_graph([node], "policy", inputs, [output], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(path))
    facts = facts_of(robot, observations=sizes, action_scale=(SCALE,) * count, anchor_body_name="torso_link")
    attach_facts(path, facts)
    return path


def moving():
    """Standing, an elbow turning."""
    motion = standing(frames=31)
    angles = motion.joint_position.copy()
    angles[:, motion.joint_names.index("left_elbow_joint")] += np.linspace(0, 0.5, 31)
    return replace(motion, joint_position=angles)


def sight(**given):
    eye, empty, joints = np.eye(4), np.zeros((0, 4, 4)), np.zeros(29)
    plain = {"root_turn": np.eye(3), "root_velocity": np.zeros(6), "anchor": eye, "objects": empty, "wanted_anchor": eye,
             "wanted_objects": empty, "home": joints, "action": joints, "joint_position": joints, "joint_velocity": joints,
             "wanted_joint_position": joints, "wanted_joint_velocity": joints}  # fmt: skip
    return Sight(**plain | given)


def test_imu_sees_its_own_velocity():
    """Turning about Z at 2 rad/s, it moves at 2 rad/s times its distance, sideways; a pelvis that is turned sees it turned."""
    found = SEES["base_lin_vel"](sight(root_velocity=np.array([0, 0, 0, 0, 0, 2.0])))
    np.testing.assert_allclose(found, [0, 2 * IMU_IN_ROOT[0], 0], atol=1e-12)
    left = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    found = SEES["base_lin_vel"](sight(root_turn=left, root_velocity=np.array([0, 3.0, 0, 0, 0, 0])))
    np.testing.assert_allclose(found, [3, 0, 0], atol=1e-12)


def test_poses_are_in_the_frame_of_the_anchor():
    anchor, chair = np.eye(4), np.eye(4)
    anchor[:3, :3], anchor[:3, 3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]], [1, 1, 0]
    chair[:3, 3] = 1, 3, 0.5
    found = SEES["object_pose_b"](sight(anchor=anchor, objects=chair[None]))
    np.testing.assert_allclose(found[:3], [2, 0, 0.5], atol=1e-12)
    np.testing.assert_allclose(found[3:].reshape(3, 2), anchor[:3, :3].T[:, :2], atol=1e-12)
    assert SEES["object_pose_b"](sight()).shape == (0,)
    np.testing.assert_allclose(SEES["motion_anchor_pos_b"](sight(anchor=anchor, wanted_anchor=anchor)), 0, atol=1e-12)


def test_the_file_is_asked_with_the_next_frame_and_obeyed(tmp_path):
    problem = robot_problem(moving(), 50.0)
    judge = load_robot(problem.robot, (), count=1, timing=JUDGE, threads=1)
    plan = PolicyFollower.of(policy_file(tmp_path / "policy.onnx"), problem, judge).plan(RecordConfig(duration_s=0.4, fps=50.0))
    servos = [judge.ctrl_names.index(f"robot/{name}") for name in problem.robot.joint_names]
    np.testing.assert_allclose(plan.ctrl[:, servos], problem.clip.joint_position[1:21], atol=1e-5)


def test_the_check_judges_it_at_its_own_rate(tmp_path):
    follow = FollowConfig(controller="policy", policy=policy_file(tmp_path / "policy.onnx"), rest_s=0.0)
    check = check_robot.run(
        moving(), cfg=check_robot.CheckRobotConfig(follow=follow, threads=1), out=tmp_path, progress=Progress(None)
    )
    assert check.controller == "policy" and check.run.fps == 50.0 and len(check.run.qpos) == 51


@pytest.mark.parametrize(
    ("sizes", "robot", "says"),
    [
        ({**SIZES, "height_scan": 7}, None, "height_scan"),
        (SIZES, "unitree_h1", "joints"),
    ],
)
def test_a_policy_that_does_not_fit_says_why(tmp_path, sizes, robot, says):
    path = policy_file(tmp_path / "policy.onnx", sizes=sizes, robot=robot and robot_named(robot))
    problem = robot_problem(moving(), 50.0)
    judge = load_robot(problem.robot, (), count=1, timing=JUDGE, threads=1)
    with pytest.raises(PolicyMismatch, match=says):
        PolicyFollower.of(path, problem, judge)


def test_a_policy_must_be_given(tmp_path):
    cfg = check_robot.CheckRobotConfig(follow=FollowConfig(controller="policy"), threads=1)
    with pytest.raises(PolicyMismatch, match="--robot-check"):
        check_robot.run(moving(), cfg=cfg, out=tmp_path, progress=Progress(None))
