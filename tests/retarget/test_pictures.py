"""Pictures of a robot's motion show the robot."""

import numpy as np
import pytest
from PIL import Image

from hsimul3r.artifacts import Provenance
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.retarget.robot import robot_named
from tests.retarget.people import box


def test_a_strip_has_both_sides_of_the_robot(tmp_path):
    pytest.importorskip("mujoco.egl", reason="no EGL")
    from sim_envs.robot_pictures import SIDES_DEG, SIZE_PX, strip

    robot = robot_named("unitree_g1_29dof")
    root = robot.bodies[0]
    motion = RobotMotion(
        provenance=Provenance(adapter="test"), robot=robot.name, fps=30.0, root_position=root.position[None],
        root_quaternion=root.quaternion[None], joint_names=robot.joint_names,
        joint_position=np.array([[joint.home for joint in robot.joints]]), contacts=(),
        assets=(box("b", [0.5, 0.5, 0], [0.8, 0.8, 0.3]),), scene_scale=1.0,
    )  # fmt: skip
    strip(motion, robot, tmp_path / "strip.png", moments=1)
    picture = np.asarray(Image.open(tmp_path / "strip.png"), float)
    assert picture.shape == (SIZE_PX * len(SIDES_DEG), SIZE_PX, 3)
    assert (picture[..., 0] > picture[..., 2] + 50).mean() > 0.002, "the left side is orange"
    assert (picture[..., 2] > picture[..., 0] + 50).mean() > 0.002, "the right side is blue"
