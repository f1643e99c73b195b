"""The npz of whole-body tracking, at 50 frames a second, float32, world frame.

fps (1,), joint_pos and joint_vel (frames, joints), body_pos_w, body_lin_vel_w, body_ang_vel_w (frames, links, 3), body_quat_w
(frames, links, 4) wxyz. Two programs, one layout, two meanings:

    mjlab      links and joints depth-first; body_lin_vel_w is the velocity of the link's origin
    isaaclab   breadth-first (BeyondMimic's whole_body_tracking); body_lin_vel_w is the velocity of the centre of mass

Beside these, which such programs do not read: joint_names, body_names, scene_object_names, scene_object_pos_w (frames, objects,
3), scene_object_quat_w (frames, objects, 4).
"""

from pathlib import Path
from typing import Final, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.errors import BadRobotMotion
from hsimul3r.export.robot.checks import array_of, npz_table, rate_of, unit_quaternions
from hsimul3r.export.robot.clip import ObjectTrack, RobotClip, breadth_first, joints_of, link_motion
from hsimul3r.export.texts import texts
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.retarget.kinematics import chain_of, posed
from hsimul3r.retarget.robot import RobotDescription

FPS: Final = 50.0
Order = Literal["mjlab", "isaaclab"]
CHECKED_FRAMES: Final = 20
SAME_M: Final = 0.01
"""How far a link may be from where the joints put it, for the file to be of this robot."""


def write_tracking(clip: RobotClip, path: Path, order: Order) -> None:
    """Write the npz at the clip's own rate."""
    robot, links = clip.robot, links_in(clip.robot, order)
    joints = joints_of(robot, links)
    body = [robot.body_names.index(name) for name in links]
    joint = [robot.joint_names.index(name) for name in joints]
    moving = link_motion(clip)
    velocity = moving.velocity if order == "mjlab" else moving.centre_velocity
    arrays = {
        "fps": np.array([clip.fps]),
        "joint_pos": clip.joint_position[:, joint],
        "joint_vel": moving.joint_velocity[:, joint],
        "body_pos_w": moving.position[:, body],
        "body_quat_w": moving.quaternion[:, body],
        "body_lin_vel_w": velocity[:, body],
        "body_ang_vel_w": moving.turn_rate[:, body],
        "scene_object_pos_w": np.hstack([np.empty((len(clip), 0, 3)), *(o.position[:, None] for o in clip.objects)]),
        "scene_object_quat_w": np.hstack([np.empty((len(clip), 0, 4)), *(o.quaternion[:, None] for o in clip.objects)]),
    }
    names = {"joint_names": joints, "body_names": links, "scene_object_names": [o.name for o in clip.objects]}
    words = {name: texts(tuple(values)) for name, values in names.items()}
    np.savez(path, allow_pickle=False, **{k: v.astype(np.float32) for k, v in arrays.items()}, **words)


def links_in(robot: RobotDescription, order: Order) -> tuple[str, ...]:
    """Names of the links as a program orders them."""
    return robot.body_names if order == "mjlab" else breadth_first(robot)


def read_tracking(path: Path, robot: RobotDescription) -> RobotClip:
    """Read a file of either program; which it is, its names say, or where its joints put its links. Raises `BadRobotMotion`."""
    table = npz_table(path)
    frames = len(array_of(path, table, "joint_pos", (None, len(robot.joint_names))))
    links = len(robot.body_names)
    position = array_of(path, table, "body_pos_w", (frames, links, 3))
    quat = array_of(path, table, "body_quat_w", (frames, links, 4))
    joint_pos = array_of(path, table, "joint_pos", (frames, len(robot.joint_names)))
    order = order_of(path, table, robot)
    joints = joints_of(robot, links_in(robot, order))
    return RobotClip(
        robot=robot,
        fps=rate_of(path, table, FPS),
        root_position=position[:, 0],
        root_quaternion=unit_quaternions(path, quat[:, 0]),
        joint_position=joint_pos[:, [joints.index(name) for name in robot.joint_names]],
        objects=_objects(path, table, frames),
    )


def order_of(path: Path, table: dict[str, ndarray], robot: RobotDescription) -> Order:
    """Which program's order a file is in. Raises `BadRobotMotion` where it is of another robot."""
    misses = {order: _miss(table, robot, order) for order in ("mjlab", "isaaclab")}
    order: Order = "mjlab" if misses["mjlab"] <= misses["isaaclab"] else "isaaclab"
    if misses[order] > SAME_M:
        raise BadRobotMotion(
            path, f"its links are up to {misses[order]:.2f} m from where the joints of the robot '{robot.name}' put them"
        )
    return order


def _miss(table: dict[str, ndarray], robot: RobotDescription, order: Order) -> float:
    """Largest distance [m] of a link from where the joints put it, were the file in that order."""
    links = links_in(robot, order)
    joints = joints_of(robot, links)
    position = np.asarray(table["body_pos_w"][:CHECKED_FRAMES], float)
    turn = matrix_from_quaternion(table["body_quat_w"][:CHECKED_FRAMES, 0])
    angles = table["joint_pos"][:CHECKED_FRAMES, [joints.index(name) for name in robot.joint_names]]
    at = posed(chain_of(robot), position[:, 0], turn, angles)
    own = position[:, [links.index(name) for name in robot.body_names]]
    return float(np.linalg.norm(at.positions - own, axis=-1).max())


def _objects(path: Path, table: dict[str, ndarray], frames: int) -> tuple[ObjectTrack, ...]:
    names: list[str] = table.get("scene_object_names", np.empty(0)).tolist()
    if not names:
        return ()
    position: Float[ndarray, "frames objects 3"] = array_of(path, table, "scene_object_pos_w", (frames, len(names), 3))
    quat = array_of(path, table, "scene_object_quat_w", (frames, len(names), 4))
    return tuple(ObjectTrack(name=name, position=position[:, i], quaternion=quat[:, i]) for i, name in enumerate(names))
