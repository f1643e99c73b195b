"""A robot under its motors' limits: torques in closed form and against the engine's, a pose held, one that cannot be."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.artifacts import Provenance
from hsimul3r.conventions import GRAVITY
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.progress import Progress
from hsimul3r.retarget.check.cost import RobotMoment
from hsimul3r.retarget.check.follow import FollowConfig
from hsimul3r.retarget.check.lead import joint_torques, servo_lead
from hsimul3r.retarget.check.problem import excerpt, robot_problem
from hsimul3r.retarget.check.space import RobotSpace
from hsimul3r.retarget.check.verdict import executed
from hsimul3r.retarget.kinematics import chain_of, posed
from hsimul3r.retarget.motion import RobotContact, RobotMotion
from hsimul3r.retarget.robot import robot_named, write_robot
from hsimul3r.tracking.costs import CostWeights
from hsimul3r.tracking.window import WindowConfig
from sim_envs.contract import JUDGE
from sim_envs.engine import mujoco
from sim_envs.robot_scene import load_robot, robot_model
from stages import check_robot
from tests.retarget.robots import two_links

G1 = "unitree_g1_29dof"


def motion_of(name, robot, angles, root, *, fps=30.0, contacts=()):
    frames = len(angles)
    return RobotMotion(
        provenance=Provenance(adapter="test"), robot=str(name), fps=fps, root_position=np.tile(root, (frames, 1)),
        root_quaternion=np.tile([1.0, 0, 0, 0], (frames, 1)), joint_names=robot.joint_names,
        joint_position=np.array(angles, float), contacts=contacts, assets=(), scene_scale=1.0,
    )  # fmt: skip


def standing(frames=1, name=G1):
    """At home, soles on the floor."""
    robot = robot_named(str(name))
    chain = chain_of(robot)
    home = np.array([joint.home for joint in robot.joints])
    at = posed(chain, np.zeros((1, 3)), np.eye(3)[None], home[None])
    soles = {side: robot.surface(f"{side}_foot") for side in ("left", "right")}
    places = {side: at.places(np.full(len(sole.points), chain.body(sole.body)), sole.points)[0] for side, sole in soles.items()}
    lowest = min(place[:, 2].min() for place in places.values())
    contacts = tuple(
        RobotContact(
            part=f"{side}_foot", body=soles[side].body, target="floor", point=places[side].mean(axis=0) * [1, 1, 0],
            first=0, last=frames - 1,
        )
        for side in soles
    )  # fmt: skip
    return motion_of(name, robot, np.tile(home, (frames, 1)), np.array([0, 0, -lowest]), contacts=contacts)


@pytest.fixture
def arm(tmp_path):
    write_robot(two_links(), tmp_path / "arm.json")
    return tmp_path / "arm.json"


def test_a_level_arm_is_held_by_its_weight_times_its_length(arm):
    motion = motion_of(arm, two_links(), [[np.pi / 2, 0.0]], np.zeros(3))
    assert joint_torques(robot_problem(motion, 60.0)) == pytest.approx(np.array([[-1.0 * GRAVITY * 1.0, 0.0]]), abs=1e-9)


def test_servos_are_asked_for_no_more_than_their_motors_give(arm):
    robot = two_links()
    heavy = replace(robot, bodies=tuple(replace(body, mass_kg=50.0) for body in robot.bodies))
    write_robot(heavy, arm)
    robot_named.cache_clear()
    motion = motion_of(arm, heavy, [[np.pi / 2, 0.0]], np.zeros(3))
    assert servo_lead(robot_problem(motion, 60.0))[0] == pytest.approx([-10.0 / 10.0, 0.0])


def test_torques_are_the_engines_inverse_dynamics():
    robot = robot_named(G1)
    t = np.arange(120)[:, None] / 60
    rng = np.random.default_rng(0)
    home = np.array([joint.home for joint in robot.joints])
    angles = home + 0.2 * np.sin(2 * np.pi * 0.5 * t + rng.uniform(0, 6, len(home)))
    problem = robot_problem(motion_of(G1, robot, angles, np.array([0, 0, 2.0]), fps=60.0), 60.0)
    mj, model = mujoco(), robot_model(robot, (), JUDGE)
    data = mj.MjData(model)
    simulation = load_robot(robot, (), count=1, timing=JUDGE, threads=1)
    qvel = problem.qvel(simulation.qvel_names)
    data.qpos[:], data.qvel[:] = problem.qpos(simulation.qpos_names)[60], qvel[60]
    data.qacc[:] = np.gradient(qvel, 1 / 60, axis=0)[60]
    model.opt.disableflags |= int(mj.mjtDisableBit.mjDSBL_CONSTRAINT)
    mj.mj_inverse(model, data)
    place = [simulation.qvel_names.index(f"robot/{joint}:rate") for joint in robot.joint_names]
    assert np.abs(joint_torques(problem)[60] - data.qfrc_inverse[place]).max() < 0.15
    assert np.abs(data.qfrc_inverse[place]).max() > 5.0


def test_the_engines_robot_is_the_description():
    robot, motion = robot_named(G1), standing()
    simulation = load_robot(robot, (), count=1, timing=JUDGE, threads=1)
    simulation.reset(robot_problem(motion, 60.0).qpos(simulation.qpos_names))
    position, quat = simulation.body_poses([f"robot/{name}" for name in robot.body_names])
    at = posed(chain_of(robot), motion.root_position, np.eye(3)[None], motion.joint_position)
    assert position[0] == pytest.approx(at.positions[0], abs=1e-9)
    assert matrix_from_quaternion(quat[0]) == pytest.approx(at.rotations[0], abs=1e-6)
    assert simulation.total_mass_kg() == pytest.approx(robot.mass_kg)
    model = robot_model(robot, (), JUDGE)
    for joint in robot.joints:
        servo = model.actuator(f"robot/{joint.name}")
        assert servo.forcerange == pytest.approx([-joint.torque_n_m, joint.torque_n_m])
        assert [servo.gainprm[0], -servo.biasprm[2]] == pytest.approx([joint.stiffness, joint.damping])


def test_a_moment_as_in_the_motion_costs_only_what_is_not_borne_yet():
    motion = standing()
    simulation = load_robot(robot_named(G1), (), count=2, timing=JUDGE, threads=1)
    problem = robot_problem(motion, 60.0)
    qpos = np.repeat(problem.qpos(simulation.qpos_names), 2, axis=0)
    qpos[1, simulation.qpos_names.index("robot/root:x")] += 0.1
    simulation.reset(qpos)
    weights = CostWeights(missing_contact=0.0)
    cost = RobotMoment.of(problem, simulation, weights)(simulation)[:, 0]
    assert cost[0] == pytest.approx(0.0, abs=1e-9)
    assert cost[1] == pytest.approx((weights.position + weights.root + weights.scene) * 0.1**2, rel=1e-6)


def test_leans_are_about_ankles_and_hips_only():
    robot = robot_named(G1)
    simulation = load_robot(robot, (), count=1, timing=JUDGE, threads=1)
    lean = RobotSpace.of(robot_problem(standing(), 60.0), simulation, WindowConfig()).leans(0)[0]
    moved = {name for name, column in zip(robot.joint_names, lean.T) if np.abs(column).max() > 0}
    assert {name.split("_")[1] for name in moved} == {"ankle", "hip"}
    pitch = lean[1, robot.joint_names.index("left_ankle_pitch_joint")]
    assert pitch == pytest.approx(1.0)


def test_an_excerpt_keeps_the_contacts_of_its_frames():
    motion = standing(10)
    motion = replace(motion, contacts=(replace(motion.contacts[0], last=4), replace(motion.contacts[1], first=5)))
    (contact,) = excerpt(motion, 7, 7).contacts
    assert (contact.part, contact.first, contact.last) == ("right_foot", 0, 0)
    assert [(c.first, c.last) for c in excerpt(motion, 3, 8).contacts] == [(0, 1), (2, 5)]
    assert len(excerpt(motion, 3, 8).joint_position) == 6


def check(motion, tmp_path, **follow):
    cfg = check_robot.CheckRobotConfig(follow=FollowConfig(hold_s=0.6, **follow), threads=1)
    return check_robot.run(motion, cfg=cfg, out=tmp_path, progress=Progress())


def test_a_standing_robot_holds_its_pose(tmp_path):
    motion = standing()
    found = check(motion, tmp_path, controller="window")
    done = executed(motion, found)
    assert len(done.joint_position) == 1 + round(0.6 * 60)
    assert done.joint_position[-1] == pytest.approx(motion.joint_position[0], abs=0.1)
    assert found.is_feasible, found.reason
    assert found.report["labels kept [share]"] == 1.0
    assert 0.05 < found.report["peak torque, left_knee_joint [share of limit]"] < 1.0


def test_a_robot_with_weak_motors_falls(tmp_path):
    robot = robot_named(G1)
    weak = replace(
        robot,
        bodies=tuple(b if b.joint is None else replace(b, joint=replace(b.joint, torque_n_m=2.0)) for b in robot.bodies),
    )
    write_robot(weak, tmp_path / "weak.json")
    found = check(standing(name=tmp_path / "weak.json"), tmp_path, controller="lead")
    failed = {criterion.name for criterion in found.criteria if not criterion.holds}
    assert not found.is_feasible
    assert {"drop of the root [m]", "time at a motor's limit [share]"} <= failed
