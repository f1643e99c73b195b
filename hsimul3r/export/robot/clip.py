"""What all files of robot motions have in common: root, joints, objects beside them, and the motion of every link.

Velocities are central differences in time (one-sided in the first and last frame) of root and joints, from which those of
the links follow exactly by their chain, as a simulator would give them for that state.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation, Slerp

from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_quaternion, quaternion_from_matrix
from hsimul3r.retarget.kinematics import chain_of, posed
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.retarget.robot import RobotDescription, robot_named

WXYZ_TO_XYZW = [1, 2, 3, 0]
XYZW_TO_WXYZ = [3, 0, 1, 2]


@dataclass(frozen=True, kw_only=True)
class ObjectTrack:
    """An object in every frame of a motion."""

    name: str
    position: Float[ndarray, "frames 3"]
    quaternion: Float[ndarray, "frames 4"]
    """wxyz, unit."""


@dataclass(frozen=True, kw_only=True)
class RobotClip:
    """A robot's motion, world frame, +Z up; frame i is at i / fps seconds."""

    robot: RobotDescription
    fps: float
    root_position: Float[ndarray, "frames 3"]
    root_quaternion: Float[ndarray, "frames 4"]
    """wxyz, unit."""
    joint_position: Float[ndarray, "frames joints"]
    """[rad], in the order of `robot.joint_names`."""
    objects: tuple[ObjectTrack, ...] = ()

    def __len__(self) -> int:
        return len(self.root_position)


def clip_of(motion: RobotMotion) -> RobotClip:
    """A retargeted motion and its objects, which stand where they are not moved."""
    robot = robot_named(motion.robot)
    columns = [motion.joint_names.index(name) for name in robot.joint_names]
    frames = len(motion.root_position)
    paths = {asset.name: np.broadcast_to(asset.T_world_object, (frames, 4, 4)) for asset in motion.assets}
    tracks = [_track(name, T) for name, T in (paths | motion.object_paths).items()]
    return RobotClip(
        robot=robot,
        fps=motion.fps,
        root_position=motion.root_position,
        root_quaternion=motion.root_quaternion,
        joint_position=motion.joint_position[:, columns],
        objects=tuple(tracks),
    )


def _track(name: str, T: Float[ndarray, "frames 4 4"]) -> ObjectTrack:
    return ObjectTrack(name=name, position=np.array(T[:, :3, 3]), quaternion=quaternion_from_matrix(T[:, :3, :3]))


def resampled(clip: RobotClip, fps: float | None) -> RobotClip:
    """The same motion at another rate: turns by the shortest way, all else straight; it ends at its last whole frame."""
    if fps is None or fps == clip.fps or len(clip) < 2:
        return clip
    last = (len(clip) - 1) / clip.fps
    times = np.arange(int(np.floor(last * fps + 1e-6)) + 1) / fps
    known = np.arange(len(clip)) / clip.fps
    times = np.minimum(times, known[-1])

    def straight(values: Float[ndarray, "frames values"]) -> Float[ndarray, "times values"]:
        return np.stack([np.interp(times, known, column) for column in values.T], axis=1)

    def turned(quat: Float[ndarray, "frames 4"]) -> Float[ndarray, "times 4"]:
        return Slerp(known, Rotation.from_quat(quat, scalar_first=True))(times).as_quat(scalar_first=True)

    tracks = (replace(o, position=straight(o.position), quaternion=turned(o.quaternion)) for o in clip.objects)
    return replace(
        clip,
        fps=float(fps),
        root_position=straight(clip.root_position),
        root_quaternion=turned(clip.root_quaternion),
        joint_position=straight(clip.joint_position),
        objects=tuple(tracks),
    )


@dataclass(frozen=True, kw_only=True)
class LinkMotion:
    """How every link moves, in the world frame; links in the order of the robot's description, which is depth-first."""

    position: Float[ndarray, "frames links 3"]
    """Of the link's origin."""
    quaternion: Float[ndarray, "frames links 4"]
    """wxyz."""
    velocity: Float[ndarray, "frames links 3"]
    """Of the link's origin."""
    centre_velocity: Float[ndarray, "frames links 3"]
    """Of the link's centre of mass."""
    turn_rate: Float[ndarray, "frames links 3"]
    root_turn_rate_own: Float[ndarray, "frames 3"]
    """Of the root, in its own frame."""
    joint_velocity: Float[ndarray, "frames joints"]


def link_motion(clip: RobotClip) -> LinkMotion:
    """Positions, turns and velocities of all links."""
    chain = chain_of(clip.robot)
    turn = matrix_from_quaternion(clip.root_quaternion)
    at = posed(chain, clip.root_position, turn, clip.joint_position)
    joint_rate = rates(clip.joint_position, clip.fps)
    velocity, turn_rate = np.zeros_like(at.positions), np.zeros_like(at.positions)
    velocity[:, 0], turn_rate[:, 0] = rates(clip.root_position, clip.fps), turn_rates(turn, clip.fps)
    for body in range(1, len(chain.body_names)):
        above, joint = chain.parent[body], chain.joint[body]
        arm = at.positions[:, body] - at.positions[:, above]
        velocity[:, body] = velocity[:, above] + np.cross(turn_rate[:, above], arm)
        own = at.axes[:, joint] * joint_rate[:, joint, None] if joint >= 0 else 0.0
        turn_rate[:, body] = turn_rate[:, above] + own
    centres = np.einsum("tbij,bj->tbi", at.rotations, np.array([body.centre for body in clip.robot.bodies]))
    return LinkMotion(
        position=at.positions,
        quaternion=quaternion_from_matrix(at.rotations),
        velocity=velocity,
        centre_velocity=velocity + np.cross(turn_rate, centres),
        turn_rate=turn_rate,
        root_turn_rate_own=np.einsum("tji,tj->ti", turn, turn_rate[:, 0]),
        joint_velocity=joint_rate,
    )


def rates(values: Float[ndarray, "frames values"], fps: float) -> Float[ndarray, "frames values"]:
    """Derivative in time; zero of a single frame."""
    return np.gradient(values, 1 / fps, axis=0) if len(values) > 1 else np.zeros_like(values)


def turn_rates(R: Float[ndarray, "frames 3 3"], fps: float) -> Float[ndarray, "frames 3"]:
    """Angular velocity in the world [rad/s] of a turning frame; zero of a single one."""
    frame = np.arange(len(R))
    before, after = np.maximum(frame - 1, 0), np.minimum(frame + 1, len(R) - 1)
    turn = axis_angle_from_matrix(R[after] @ np.swapaxes(R[before], -1, -2))
    return turn * fps / np.maximum(after - before, 1)[:, None]


def breadth_first(robot: RobotDescription) -> tuple[str, ...]:
    """Names of the links as Isaac orders them: level by level from the root, each level in the order of its parents."""
    level, found = [robot.root], []
    while level:
        found += level
        level = [body.name for above in level for body in robot.bodies if body.parent == above]
    return tuple(found)


def joints_of(robot: RobotDescription, links: Sequence[str]) -> tuple[str, ...]:
    """Names of the joints that move these links, in their order."""
    joints = {body.name: body.joint.name for body in robot.bodies if body.joint is not None}
    return tuple(joints[link] for link in links if link in joints)
