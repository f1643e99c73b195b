"""Anatomical angles become the limb directions that they name; the body looks along -Y."""

import numpy as np
import pytest

from hsimul3r.benchmark.posing.keyposes import Arm, KeyPose, Leg
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import SMPLX_JOINTS


def direction(key: KeyPose, start: str, end: str) -> np.ndarray:
    joints = embedded_body().joints(np.zeros(10), key.axis_angles(), np.zeros(3))
    bone = joints[SMPLX_JOINTS.index(end)] - joints[SMPLX_JOINTS.index(start)]
    return bone / np.linalg.norm(bone)


def test_standing_body_is_upright_and_left_is_at_plus_x():
    key = KeyPose(spine=0, head_down=0)
    assert direction(key, "pelvis", "neck")[2] > 0.99
    assert direction(key, "right_hip", "left_hip")[0] > 0.99


@pytest.mark.parametrize("side", ["left", "right"])
def test_flexed_hip_and_knee_make_a_seat(side):
    leg = Leg(hip=90, knee=90, abduct=0, turn=0)
    key = KeyPose(left_leg=leg, right_leg=leg)
    assert direction(key, f"{side}_hip", f"{side}_knee")[1] < -0.98
    assert direction(key, f"{side}_knee", f"{side}_ankle")[2] < -0.98


@pytest.mark.parametrize(("side", "sign"), [("left", 1), ("right", -1)])
def test_abduction_spreads_the_legs(side, sign):
    leg = Leg(abduct=30, turn=0, hip=0, knee=0)
    assert sign * direction(KeyPose(left_leg=leg, right_leg=leg), f"{side}_hip", f"{side}_knee")[0] > 0.4


@pytest.mark.parametrize("side", ["left", "right"])
def test_lowered_arm_hangs_and_bent_elbow_points_forward(side):
    arm = Arm(flex=0, lower=90, elbow=90, pronate=0)
    key = KeyPose(left_arm=arm, right_arm=arm, spine=0)
    assert direction(key, f"{side}_shoulder", f"{side}_elbow")[2] < -0.98
    assert direction(key, f"{side}_elbow", f"{side}_wrist")[1] < -0.95


@pytest.mark.parametrize("side", ["left", "right"])
def test_flexed_shoulder_raises_the_arm_forward(side):
    arm = Arm(flex=60, lower=90, elbow=0)
    assert direction(KeyPose(left_arm=arm, right_arm=arm, spine=0), f"{side}_shoulder", f"{side}_elbow")[1] < -0.8
