"""A robot's motion for tests: smooth, within the limits of its joints, with two objects."""

import numpy as np

from hsimul3r.export.robot.clip import ObjectTrack, RobotClip
from hsimul3r.geometry.rotations import quaternion_from_axis_angle
from hsimul3r.retarget.robot import robot_named

G1 = "unitree_g1_29dof"


def moving_clip(*, seconds=1.0, fps=30.0, seed=0) -> RobotClip:
    robot, rng = robot_named(G1), np.random.default_rng(seed)
    t = np.arange(round(seconds * fps) + 1) / fps
    phase = rng.uniform(0, 2 * np.pi, len(robot.joints))
    low, high = (np.array([getattr(joint, end) for joint in robot.joints]) for end in ("low", "high"))
    angles = (low + high) / 2 + 0.2 * (high - low) * np.sin(2 * np.pi * 0.4 * t[:, None] + phase)
    root = np.stack([0.3 * np.sin(2 * t), 0.2 * t, 0.75 + 0.05 * np.cos(3 * t)], axis=1)
    turn = quaternion_from_axis_angle(np.stack([0.2 * np.sin(t), 0.1 * t, 0.5 + 0.4 * t], axis=1))
    still = np.tile([1.0, 0.5, 0.0], (len(t), 1))
    box = ObjectTrack(name="box", position=np.stack([0.5 + 0.3 * t, 0 * t, 0.9 + 0 * t], axis=1),
                      quaternion=quaternion_from_axis_angle(np.stack([0 * t, 0 * t, t], axis=1)))  # fmt: skip
    chair = ObjectTrack(name="chair", position=still, quaternion=np.tile([1.0, 0, 0, 0], (len(t), 1)))
    return RobotClip(
        robot=robot, fps=fps, root_position=root, root_quaternion=turn, joint_position=angles, objects=(chair, box)
    )
