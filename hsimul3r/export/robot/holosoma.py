"""holosoma's npz for whole-body tracking with an object, 50 frames a second, world frame; links and joints are found by name.

fps (1,), joint_pos (frames, 7 + joints): root xyz, root wxyz, joints; joint_vel (frames, 6 + joints): the root's velocity in
the world and its turn rate in its own frame, as MuJoCo's qvel, then the joints'; joint_names; body_names, "world" first;
body_pos_w, body_quat_w wxyz, body_ang_vel_w, body_lin_vel_w (of the centres of mass). With an object: object_pos_w,
object_quat_w wxyz, object_lin_vel_w, object_ang_vel_w of one of them; beside these, not read there, its object_name.
"""

from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.errors import BadRobotMotion
from hsimul3r.export.robot.checks import array_of, npz_table, rate_of, unit_quaternions
from hsimul3r.export.robot.clip import ObjectTrack, RobotClip, link_motion, rates, turn_rates
from hsimul3r.export.texts import texts
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.retarget.robot import RobotDescription

FPS: Final = 50.0
WORLD: Final = "world"


def write_holosoma(clip: RobotClip, path: Path, object_name: str | None = None) -> None:
    """Write the npz at the clip's own rate, with the object of that name, else the one that moves most."""
    moving = link_motion(clip)
    followed = _followed(clip, object_name)

    def with_world(values: Float[ndarray, "frames links n"], first: ndarray) -> Float[ndarray, "frames bodies n"]:
        return np.concatenate([np.broadcast_to(first, (len(clip), 1, values.shape[-1])), values], axis=1)

    root = [clip.root_position, clip.root_quaternion, clip.joint_position]
    arrays = {
        "joint_pos": np.hstack(root),
        "joint_vel": np.hstack([moving.velocity[:, 0], moving.root_turn_rate_own, moving.joint_velocity]),
        "body_pos_w": with_world(moving.position, np.zeros(3)),
        "body_quat_w": with_world(moving.quaternion, np.array([1.0, 0, 0, 0])),
        "body_lin_vel_w": with_world(moving.centre_velocity, np.zeros(3)),
        "body_ang_vel_w": with_world(moving.turn_rate, np.zeros(3)),
        **({} if followed is None else _object_arrays(followed, clip.fps)),
    }
    names = {"joint_names": texts(clip.robot.joint_names), "body_names": texts((WORLD, *clip.robot.body_names))}
    if followed is not None:
        names["object_name"] = np.array(followed.name)
    np.savez(
        path, allow_pickle=False, fps=np.array([clip.fps]), **{k: v.astype(np.float32) for k, v in arrays.items()}, **names
    )


def read_holosoma(path: Path, robot: RobotDescription) -> RobotClip:
    """Joints by name. Raises `BadRobotMotion`."""
    table = npz_table(path)
    names: list[str] = table.get("joint_names", np.empty(0)).tolist()
    missing = sorted(set(robot.joint_names) - set(names))
    if missing:
        raise BadRobotMotion(path, f"it has no joint {', '.join(missing[:3])}, which the robot '{robot.name}' has")
    state = array_of(path, table, "joint_pos", (None, 7 + len(names)))
    return RobotClip(
        robot=robot,
        fps=rate_of(path, table),
        root_position=state[:, :3],
        root_quaternion=unit_quaternions(path, state[:, 3:7]),
        joint_position=state[:, [7 + names.index(name) for name in robot.joint_names]],
        objects=_read_object(path, table, len(state)),
    )


def _followed(clip: RobotClip, name: str | None) -> ObjectTrack | None:
    if name is not None:
        return next(track for track in clip.objects if track.name == name)
    return max(clip.objects, key=lambda track: float(np.ptp(track.position, axis=0).sum()), default=None)


def _object_arrays(track: ObjectTrack, fps: float) -> dict[str, ndarray]:
    return {
        "object_pos_w": track.position,
        "object_quat_w": track.quaternion,
        "object_lin_vel_w": rates(track.position, fps),
        "object_ang_vel_w": turn_rates(matrix_from_quaternion(track.quaternion), fps),
    }


def _read_object(path: Path, table: dict[str, ndarray], frames: int) -> tuple[ObjectTrack, ...]:
    if "object_pos_w" not in table:
        return ()
    position = array_of(path, table, "object_pos_w", (frames, 3))
    quat = unit_quaternions(path, array_of(path, table, "object_quat_w", (frames, 4)))
    return (ObjectTrack(name=str(table.get("object_name", "object")), position=position, quaternion=quat),)
