from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.tracking.rewards import (
    RewardWeights,
    Term,
    body_deviation,
    object_reward,
    power_penalty,
    rotation_angle,
    scene_reward,
    tracking_reward,
)
from hsimul3r.tracking.skeleton import BodyMotion

PHC = RewardWeights()


def bodies(sims: int = 2) -> BodyMotion:
    position, velocity, spin = np.zeros((3, sims, 22, 3))
    return BodyMotion(position=position, rotation=np.tile(np.eye(3), (sims, 22, 1, 1)), velocity=velocity, spin=spin)


def test_the_reference_itself_earns_one():
    np.testing.assert_allclose(tracking_reward(bodies(), bodies(), PHC), 1.0)


def test_each_term_falls_as_phc_says():
    ten_cm = replace(bodies(), position=np.full((2, 22, 3), [0.1, 0.0, 0.0]))
    turned = replace(bodies(), rotation=np.tile(matrix_from_axis_angle(np.array([0.0, 0.3, 0.0])), (2, 22, 1, 1)))
    fast = replace(bodies(), velocity=np.full((2, 22, 3), [0.0, 2.0, 0.0]))
    spinning = replace(bodies(), spin=np.full((2, 22, 3), [0.0, 0.0, 3.0]))
    expected = [
        0.5 * np.exp(-100 * 0.01) + 0.5,
        0.3 * np.exp(-10 * 0.09) + 0.7,
        0.1 * np.exp(-0.1 * 4.0) + 0.9,
        0.1 * np.exp(-0.1 * 9.0) + 0.9,
    ]
    for body, value in zip((ten_cm, turned, fast, spinning), expected):
        np.testing.assert_allclose(tracking_reward(body, bodies(), PHC), value)


def test_one_wrong_joint_counts_a_twenty_second():
    moved = bodies(1)
    moved.position[0, 5] = [0.0, 0.0, 0.2]
    assert tracking_reward(moved, bodies(1), PHC)[0] == pytest.approx(0.5 * np.exp(-100 * 0.04 / 22) + 0.5)
    assert body_deviation(moved, bodies(1))[0].max() == pytest.approx(0.2)


@pytest.mark.parametrize("angle", [0.0, 1e-3, 1.0, 3.1])
def test_rotation_angle(angle):
    R = matrix_from_axis_angle(angle * np.array([0.6, 0.0, 0.8]))
    assert rotation_angle(np.eye(3), R) == pytest.approx(angle, abs=1e-7)


def test_eq_5_counts_while_a_contact_is_held():
    weights = replace(PHC, scene=Term(weight=2.0, sharpness=10.0))
    held = np.array([[True, False], [False, False]])
    np.testing.assert_allclose(scene_reward(np.array([0.01, 0.01]), held, weights), [2.0 * np.exp(-0.1), 0.0])


def test_objects_that_stay_are_rewarded():
    position, reference = np.array([[[0.3, 0.0, 0.4]]]), np.zeros((1, 1, 3))
    assert object_reward(position, reference, PHC)[0] == pytest.approx(0.2 * np.exp(-40 * 0.25))
    assert object_reward(np.zeros((1, 0, 3)), np.zeros((1, 0, 3)), PHC)[0] == 0.0


def test_power_counts_driving_and_braking_up_to_a_cap():
    torque, speed = np.array([[10.0, 20.0], [1e4, 0.0]]), np.array([[1.0, -2.0], [1.0, 0.0]])
    np.testing.assert_allclose(power_penalty(torque, speed, PHC), [0.0005 * 50.0, 0.2])
