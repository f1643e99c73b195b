"""Unitree's CSV, which BeyondMimic's and mjlab's csv_to_npz read: no header, root xyz [m], root quaternion xyzw, joints [rad].

Joints stand in the order of the robot's description (Unitree's SDK). The rate is not in the file: 30 frames a second.
"""

from pathlib import Path
from typing import Final

import numpy as np

from hsimul3r.errors import BadRobotMotion
from hsimul3r.export.robot.checks import unit_quaternions
from hsimul3r.export.robot.clip import WXYZ_TO_XYZW, XYZW_TO_WXYZ, RobotClip
from hsimul3r.retarget.robot import RobotDescription

FPS: Final = 30.0
ROOT_COLUMNS: Final = 7


def write_csv(clip: RobotClip, path: Path) -> None:
    """Write one line a frame; objects have no place in it."""
    rows = np.hstack([clip.root_position, clip.root_quaternion[:, WXYZ_TO_XYZW], clip.joint_position])
    path.write_text("".join(",".join(f"{value:.9g}" for value in row) + "\n" for row in rows))


def read_csv(path: Path, robot: RobotDescription, fps: float | None) -> RobotClip:
    """Raises `BadRobotMotion`."""
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise BadRobotMotion(path, f"it cannot be read as numbers between commas ({error})") from error
    columns = ROOT_COLUMNS + len(robot.joint_names)
    if rows.shape[1] != columns or not len(rows):
        raise BadRobotMotion(path, f"it has {rows.shape[1]} columns, the robot '{robot.name}' {columns}")
    return RobotClip(
        robot=robot,
        fps=fps or FPS,
        root_position=rows[:, :3],
        root_quaternion=unit_quaternions(path, rows[:, 3:ROOT_COLUMNS][:, XYZW_TO_WXYZ]),
        joint_position=rows[:, ROOT_COLUMNS:],
    )
