"""Robots as files: what is written is read, what does not fit together is refused, an MJCF becomes a description."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.errors import BadRobot
from hsimul3r.retarget.robot import read_robot, robot_named, robot_names, write_robot
from tests.retarget.robots import two_links

RECIPE = {
    "name": "toy", "source": "a test", "licence": "none", "home_height_m": 0.7, "home": {"left_.*": 0.3},
    "motors": {".*": {"armature": 0.01, "velocity_rad_s": 20.0, "torque_n_m": 88.0}},
    "servo_hz": 10.0, "servo_damping_ratio": 2.0,
    "surfaces": {
        "{side}_foot": {
            "body": "{side}_leg", "capsules": "{side}_shin", "points": [[0.1, 0.02, -0.4], [0.1, -0.01, -0.4]],
        },
    },
    "key_points": {"{side}_knee": {"body": "{side}_leg", "offset": [0, 0.1, 0], "axes": "left up front"}},
    "apart": [["left_shin", "right_shin"]],
}  # fmt: skip
MJCF = """<mujoco><worldbody><body name="trunk"><freejoint/>
<geom name="chest" type="box" size="0.07 0.1 0.22"/>
<geom name="waist" type="cylinder" size="0.05 0.2" quat="1 0 1 0"/>
<body name="left_leg" pos="0 0.1 0"><joint name="left_hip" axis="0 1 0" range="-57.29577951308232 114.59155902616465"/>
<geom name="left_shin" type="capsule" size="0.04" fromto="0 0 0 0 0 -0.4"/></body>
<body name="right_leg" pos="0 -0.1 0"><joint name="right_hip" axis="0 1 0" range="-57.29577951308232 114.59155902616465"/>
<geom name="right_shin" type="sphere" size="0.04"/></body>
</body></worldbody></mujoco>"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    pytest.importorskip("mujoco")
    from sim_envs.describe_robot import describe

    path = tmp_path_factory.mktemp("toy") / "toy.xml"
    path.write_text(MJCF)
    return describe(path, RECIPE)


def test_shipped_robots_are_whole():
    assert "unitree_g1_29dof" in robot_names()
    for name in robot_names():
        robot = robot_named(name)
        assert robot.name == name
        assert {surface.part for surface in robot.surfaces} >= {"buttocks", "back", "left_foot", "right_hand"}


def test_the_g1_has_the_order_of_its_sdk():
    joints = robot_named("unitree_g1_29dof").joint_names
    leg = ["hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll"]
    arm = ["shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw"]
    legs = [f"{side}_{joint}_joint" for side in ("left", "right") for joint in leg]
    arms = [f"{side}_{joint}_joint" for side in ("left", "right") for joint in arm]
    assert joints == (*legs, *(f"waist_{axis}_joint" for axis in ("yaw", "roll", "pitch")), *arms)
    assert robot_named("unitree_g1_29dof").mass_kg == pytest.approx(33.34, abs=0.01)


def test_a_description_is_read_as_it_was_written(tmp_path):
    write_robot(two_links(), tmp_path / "robot.json")
    robot = read_robot(tmp_path / "robot.json")
    assert robot.joint_names == ("first", "second")
    assert robot.bodies[2].position == pytest.approx([0, 0, 1])
    assert robot.bodies[0].joint is None
    assert robot.capsules[0].end == pytest.approx([0, 0, 0.3])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda plain: plain.pop("bodies"), "missing"),
        (lambda plain: plain["bodies"].reverse(), "before its parent"),
        (lambda plain: plain["capsules"][0].update(body="tail"), "tail"),
        (lambda plain: plain["bodies"][1]["joint"].update(home=9.0), "home"),
        (lambda plain: plain.update(colour="red"), "colour"),
    ],
)
def test_what_does_not_fit_together_is_said(tmp_path, change, word):
    path = tmp_path / "robot.json"
    write_robot(two_links(), path)
    plain = json.loads(path.read_text())
    change(plain)
    path.write_text(json.dumps(plain))
    with pytest.raises(BadRobot, match=word):
        read_robot(path)


def test_an_unknown_robot_says_which_there_are():
    with pytest.raises(BadRobot, match="unitree_g1_29dof"):
        robot_named("unitree_g9")


def test_an_mjcf_gives_tree_limits_and_servos(toy):
    left = toy.bodies[1]
    assert (left.name, left.parent, toy.root) == ("left_leg", "trunk", "trunk")
    assert (left.joint.low, left.joint.high) == pytest.approx((-1.0, 2.0))
    assert (left.joint.home, toy.bodies[2].joint.home) == (0.3, 0.0)
    assert left.joint.stiffness == pytest.approx(0.01 * (20 * np.pi) ** 2)
    assert left.joint.damping == pytest.approx(4 * 0.01 * 20 * np.pi)
    assert toy.bodies[0].position[2] == 0.7


def test_shapes_become_capsules(toy):
    chest = [capsule for capsule in toy.capsules if capsule.name.startswith("chest")]
    assert [capsule.radius_m for capsule in chest] == [0.07, 0.07]
    assert sorted(capsule.start[1] for capsule in chest) == pytest.approx([-0.03, 0.03])
    assert all(np.ptp([c.start[2], c.end[2]]) == pytest.approx(0.3) for c in chest)
    waist = next(capsule for capsule in toy.capsules if capsule.name == "waist")
    assert np.abs(waist.end - waist.start) == pytest.approx([0.3, 0, 0], abs=1e-9)
    ball = next(capsule for capsule in toy.capsules if capsule.name == "right_shin")
    assert (ball.start == ball.end).all()


def test_sides_are_mirror_images(toy):
    left, right = (toy.key(f"{side}_knee") for side in ("left", "right"))
    assert (left.offset[1], right.offset[1]) == (0.1, -0.1)
    assert left.quaternion == pytest.approx([1, 0, 0, 0])
    assert right.quaternion == pytest.approx([0, 0, 0, 1])
    assert toy.surface("right_foot").points == pytest.approx(np.array([[0.1, 0.01, -0.4], [0.1, -0.02, -0.4]]))
    assert toy.apart == (("left_shin", "right_shin"),)


def test_a_joint_without_a_motor_is_named(tmp_path):
    pytest.importorskip("mujoco")
    from sim_envs.describe_robot import describe

    (tmp_path / "toy.xml").write_text(MJCF)
    with pytest.raises(KeyError, match="right_hip"):
        describe(tmp_path / "toy.xml", {**RECIPE, "motors": {"left_.*": RECIPE["motors"][".*"]}})


def test_masses_add_up():
    light = replace(two_links(), bodies=two_links().bodies[:2])
    assert light.mass_kg == 2.0
