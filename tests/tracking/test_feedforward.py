"""What servos are asked for beyond the pose: gains as measured, forces that carry a weight, and less giving way."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.conventions import BODY_JOINTS, GRAVITY
from hsimul3r.tracking.feedforward import Gains, accelerations, bearing_forces, servo_lead, turning
from hsimul3r.tracking.layout import HumanLayout
from hsimul3r.tracking.pd import follow_reconstruction
from hsimul3r.tracking.problem import at_rate, tracking_problem
from hsimul3r.tracking.supports import footings
from sim_envs import backend
from sim_envs.contract import JUDGE
from sim_envs.humanoid import REFERENCE_MASS_KG, drive_of


@pytest.fixture(scope="module")
def judge(standing):
    return backend("mujoco_cpu").load(standing, count=3, timing=JUDGE, threads=1)


def layout_of(simulation):
    return HumanLayout.of("person0", simulation.qpos_names, simulation.ctrl_names)


def test_gains_are_those_that_the_servos_were_given(standing, judge):
    gains, servos = Gains.measured(judge, ("person0",)), layout_of(judge).servos
    scale = standing.human_mass_kg[0] / REFERENCE_MASS_KG
    expected = np.array([drive_of(joint).stiffness for joint in BODY_JOINTS[1:]]) * scale
    np.testing.assert_allclose(gains.stiffness[servos], np.repeat(expected[:, None], 3, axis=1), rtol=1e-3)
    np.testing.assert_allclose(gains.damping[servos], 0.1 * gains.stiffness[servos], rtol=1e-3)


def test_two_feet_share_a_weight_between_them_and_one_bears_what_is_above_it():
    places = np.array([[-0.2, 0.0, 0.0], [0.2, 0.0, 0.0]])
    load = np.array([[0.0, 0.0, 700.0]])
    even = bearing_forces(places, np.ones(2), np.array([[0.0, 0.0, 1.0]]), load)
    np.testing.assert_allclose(even[:, 2], 350.0, rtol=0.01)
    aside = bearing_forces(places, np.ones(2), np.array([[0.2, 0.0, 1.0]]), load)
    np.testing.assert_allclose(aside[:, 2], [0.0, 700.0], atol=15.0)
    costly = bearing_forces(np.zeros((2, 3)), np.array([1.0, 3.0]), np.array([[0.0, 0.0, 1.0]]), load)
    np.testing.assert_allclose(costly[0, 2] / costly[1, 2], 9.0, rtol=0.01)


def test_a_joint_that_turns_evenly_has_one_velocity(standing):
    person = tracking_problem(standing).people[0]
    elbow, frames = BODY_JOINTS.index("left_elbow"), len(person.pose)
    pose = np.zeros_like(person.pose)
    pose[:, elbow, 1] = 1.5 * np.arange(frames) / 30.0
    rate = turning(replace(person, pose=pose), 30.0)
    np.testing.assert_allclose(rate[:, elbow], np.tile([0.0, 1.5, 0.0], (frames, 1)), atol=1e-9)
    assert np.abs(np.delete(rate, elbow, axis=1)).max() < 1e-12


def test_a_fall_accelerates_by_gravity():
    time = np.arange(41) / 60
    parts = np.zeros((41, 22, 3))
    parts[..., 2] = -0.5 * GRAVITY * time[:, None] ** 2
    found = accelerations(parts, np.array([0, 8, 20, 40]), 60.0)
    np.testing.assert_allclose(found[1:3, :, 2], -GRAVITY)
    assert not found[[0, 3]].any()


def test_servos_that_lead_give_way_less_under_the_weight(standing, judge):
    problem, layout = at_rate(tracking_problem(standing), 60.0), layout_of(judge)
    person, footing = problem.people[0], footings(standing, problem)[0]
    lead = servo_lead(person, footing, layout, Gains.measured(judge, ("person0",)), 60.0)
    assert not servo_lead(person, None, layout, Gains.measured(judge, ("person0",)), 60.0).any()
    ctrl = np.repeat(follow_reconstruction(problem, judge.qpos_names, judge.ctrl_names).ctrl[:1], 3, axis=0)
    ctrl[1, layout.servos.reshape(-1)] += lead[0]
    judge.reset(np.repeat(problem.qpos[None], 3, axis=0))
    judge.step(ctrl, 60)
    _, pose = layout.read_pose(judge.state()[0])
    carried = [BODY_JOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist")]
    given_way = np.abs(pose[:, carried] - person.pose[0, carried]).max(axis=(1, 2))
    assert given_way[1] < 0.5 * given_way[0]
