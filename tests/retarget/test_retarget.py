"""A person's contacts become the robot's: known seats, floors, platforms that move, limits that hold."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.artifacts import Provenance
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.errors import RobotLacks
from hsimul3r.retarget.human import Human
from hsimul3r.retarget.kinematics import chain_of
from hsimul3r.retarget.measure import faults_of, postures_of
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.retarget.retarget import RetargetConfig, retarget, scene_of
from hsimul3r.retarget.robot import robot_named
from hsimul3r.retarget.targets import leg_ratio
from tests.retarget.people import box, contact, person, standing_contacts
from tests.retarget.robots import two_links

G1 = "unitree_g1_29dof"


def retargeted(body, assets=(), contacts=(), paths=None, cfg=None):
    scene = scene_of(embedded_body(), body, assets, contacts, paths or {})
    return retarget(scene, robot_named(G1), cfg=cfg or RetargetConfig(), name=G1, provenance=Provenance(adapter="test"))


def corners(motion, side):
    robot = robot_named(G1)
    foot = robot.surface(f"{side}_foot")
    return postures_of(motion, robot).places(np.full(4, chain_of(robot).body(foot.body)), foot.points)


def test_who_stands_stands_flat_and_still():
    body = person(12)
    motion = retargeted(body, contacts=standing_contacts(body))
    for side in ("left", "right"):
        assert np.abs(corners(motion, side)[..., 2]).max() < 0.003
        assert np.ptp(corners(motion, side), axis=0).max() < 0.001


def test_who_sits_sits_on_the_seat_at_the_robots_size():
    body = person(12, sits=True)
    skin = embedded_body().vertices(body.betas, body.pose[0], body.transl[0])[embedded_body().parts["buttocks"]]
    top = skin[:, 2].min()
    seat = box("seat", [skin[:, 0].min() - 0.1, -0.3, 0.0], [skin[:, 0].max(), 0.3, top])
    touch = contact("buttocks", "seat", [*skin.mean(axis=0)[:2], top])
    motion = retargeted(body, [seat], [*standing_contacts(body), touch])
    faults = faults_of(motion, robot_named(G1), motion.contacts)
    assert faults.seat_gap_mm < 2
    assert faults.deepest_mm < 3
    scale = motion.object_scales["seat"]
    assert scale[:2] == pytest.approx(motion.scene_scale)
    assert motion.assets[0].vertices[:, 2].max() == pytest.approx(top * scale[2])
    assert motion.assets[0].mass_kg == pytest.approx(seat.mass_kg * np.prod(scale))


def test_heights_stay_as_wide_where_they_are_not_to_be_fitted():
    body = person(6, sits=True)
    seat = box("seat", [-0.4, -0.3, 0.0], [0.1, 0.3, 0.3])
    touch = contact("buttocks", "seat", [0.0, 0.0, 0.3])
    motion = retargeted(body, [seat], [touch], cfg=RetargetConfig(fits_heights=False, scene_scale=0.7))
    assert motion.object_scales["seat"] == pytest.approx(0.7)


def test_feet_travel_with_what_they_stand_on():
    body, frames = person(30), 30
    way = np.linspace(0, 0.6, frames)
    body = replace(body, transl=body.transl + np.stack([way, np.zeros(frames), np.full(frames, 0.2)], axis=1))
    platform = box("platform", [-0.4, -0.4, 0.0], [0.4, 0.4, 0.2])
    path = np.tile(platform.T_world_object, (frames, 1, 1))
    path[:, 0, 3] += way
    motion = retargeted(body, [platform], standing_contacts(body, "platform", 0.2), {"platform": path})
    assert motion.object_paths["platform"][-1, 0, 3] == pytest.approx(0.6 * motion.scene_scale)
    height = motion.assets[0].vertices[:, 2].max()
    for side in ("left", "right"):
        local = corners(motion, side) - motion.object_paths["platform"][:, None, :3, 3]
        assert np.ptp(local, axis=0).max() < 0.002
        assert local[..., 2] == pytest.approx(height, abs=0.003)


def test_limits_of_angles_and_speeds_hold_whatever_the_person_does():
    body = person(40)
    rng, pose = np.random.default_rng(0), body.pose.copy()
    pose[:, 1 : SMPLX_JOINTS.index("jaw")] += rng.normal(scale=1.5, size=(40, SMPLX_JOINTS.index("jaw") - 1, 3))
    motion, chain = retargeted(replace(body, pose=pose)), chain_of(robot_named(G1))
    assert (motion.joint_position >= chain.low).all()
    assert (motion.joint_position <= chain.high).all()
    assert (np.abs(np.diff(motion.joint_position, axis=0)) * motion.fps <= chain.speed_rad_s + 1e-9).all()
    assert np.linalg.norm(motion.root_quaternion, axis=1) == pytest.approx(1)


def test_one_moment_is_a_motion_too():
    body = person(1)
    motion = retargeted(body, contacts=standing_contacts(body))
    assert motion.joint_position.shape == (1, 29)
    assert np.abs(corners(motion, "left")[..., 2]).max() < 0.003


def test_the_leg_ratio_brings_hips_to_the_robots_height():
    robot, body = robot_named(G1), person(1)
    human = Human.of(embedded_body(), body)
    legs = human.length("left_hip", "left_knee", "left_ankle") + human.ankle_m
    hip_over_sole = 0.793 - 0.1027 - 0.0305
    assert leg_ratio(human, robot) * legs == pytest.approx(hip_over_sole, rel=0.01)


def test_parts_that_the_robot_has_not_are_counted():
    body = person(4)
    motion = retargeted(body, contacts=[contact("left_foot", "nothing", [0, 0, 0])])
    assert motion.contacts == ()
    assert motion.report["contacts_left_out"] == 1


def test_a_robot_without_legs_is_refused():
    scene = scene_of(embedded_body(), person(2), (), (), {})
    with pytest.raises(RobotLacks, match="two_links"):
        retarget(scene, two_links(), cfg=RetargetConfig(), name="two_links", provenance=Provenance(adapter="test"))


def test_a_motion_is_read_as_it_was_written(tmp_path):
    body = person(3)
    motion = retargeted(body, [box("seat", [1, 1, 0], [2, 2, 0.4])], standing_contacts(body))
    motion.save(tmp_path)
    again = RobotMotion.load(tmp_path)
    assert (again.joint_position == motion.joint_position).all()
    assert again.contacts[0].target == "floor"
    assert (again.object_scales["seat"] == motion.object_scales["seat"]).all()
