"""A policy trained in mjlab (docs/robots.md) follows a motion in the robot check: what it sees is computed by name, its actions
are servo targets. It sees no noise; its rate is `POLICY_FPS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.errors import PolicyMismatch
from hsimul3r.export.policy import PURPOSE, PolicyFacts, read_facts, require_fit
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.require import require
from hsimul3r.retarget.check.problem import ROBOT_NAME, RobotProblem
from hsimul3r.tracking.layout import FREE_VELOCITIES, HINGE_COMPONENTS, HINGE_VELOCITIES
from hsimul3r.tracking.recording import Execution, Plan, RecordConfig
from hsimul3r.tracking.simulation import Simulation

POLICY_FPS: Final = 50.0
STEPS: Final = 4
"""Steps of physics in one of the policy, as in mjlab."""
IMU_IN_ROOT: Final = np.array([0.04525, 0.0, -0.08339])
"""Where the G1's IMU is in the frame of its pelvis, turned as it (mjlab's g1.xml)."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """The present state, the reference of the next frame and the last action, from which observations are made."""

    root_turn: Float[ndarray, "3 3"]
    root_velocity: Float[ndarray, "6"]
    """Linear in the world, angular in the root's frame."""
    joint_position: Float[ndarray, "joints"]
    joint_velocity: Float[ndarray, "joints"]
    anchor: Float[ndarray, "4 4"]
    objects: Float[ndarray, "objects 4 4"]
    wanted_joint_position: Float[ndarray, "joints"]
    wanted_joint_velocity: Float[ndarray, "joints"]
    wanted_anchor: Float[ndarray, "4 4"]
    wanted_objects: Float[ndarray, "objects 4 4"]
    action: Float[ndarray, "joints"]
    home: Float[ndarray, "joints"]


def _imu_velocity(sight: Sight) -> ndarray:
    spin = sight.root_velocity[3:]
    return sight.root_turn.T @ sight.root_velocity[:3] + np.cross(spin, IMU_IN_ROOT)


def _in_anchor(sight: Sight, T: Float[ndarray, "4 4"]) -> Float[ndarray, "9"]:
    """Position, and the first two columns of the turn, row by row."""
    R = sight.anchor[:3, :3].T
    return np.concatenate([R @ (T[:3, 3] - sight.anchor[:3, 3]), (R @ T[:3, :3])[:, :2].ravel()])


def _poses(sight: Sight, poses: Float[ndarray, "objects 4 4"]) -> ndarray:
    return np.concatenate([np.zeros(0), *(_in_anchor(sight, T) for T in poses)])


SEES: Final[dict[str, Callable[[Sight], ndarray]]] = {
    "command": lambda s: np.concatenate([s.wanted_joint_position, s.wanted_joint_velocity]),
    "motion_anchor_pos_b": lambda s: _in_anchor(s, s.wanted_anchor)[:3],
    "motion_anchor_ori_b": lambda s: _in_anchor(s, s.wanted_anchor)[3:],
    "base_lin_vel": _imu_velocity,
    "base_ang_vel": lambda s: s.root_velocity[3:],
    "joint_pos": lambda s: s.joint_position - s.home,
    "joint_vel": lambda s: s.joint_velocity,
    "actions": lambda s: s.action,
    "object_pose_b": lambda s: _poses(s, s.objects),
    "object_reference_b": lambda s: _poses(s, s.wanted_objects),
}
"""Observations by their names in the metadata."""


@dataclass(frozen=True, kw_only=True)
class PolicyFollower:
    """A policy beside a simulation of one robot."""

    facts: PolicyFacts
    act: Callable[[Float[ndarray, "values"]], Float[ndarray, "joints"]]
    problem: RobotProblem
    simulation: Simulation
    root: Int[ndarray, "6"]
    """Places in qvel; the next two are of the joints, in qpos and qvel, the last in ctrl."""
    joints: Int[ndarray, "joints"]
    joint_rates: Int[ndarray, "joints"]
    servos: Int[ndarray, "joints"]

    @classmethod
    def of(cls, path: Path, problem: RobotProblem, simulation: Simulation) -> Self:
        """Raises `PolicyMismatch` where the file is not of this robot or sees what nobody here knows."""
        facts = read_facts(path)
        require_fit(path, facts, problem.robot)
        unknown = sorted({*facts.observation_names} - SEES.keys())
        if unknown or not facts.anchor_body_name:
            raise PolicyMismatch(
                path, f"it sees {', '.join(unknown) or 'no anchor_body_name'}, which the robot check cannot give"
            )
        qpos, qvel, ctrl = simulation.qpos_names, simulation.qvel_names, simulation.ctrl_names
        joints = [f"{ROBOT_NAME}/{name}" for name in problem.robot.joint_names]
        return cls(
            facts=facts,
            act=_network(path),
            problem=problem,
            simulation=simulation,
            root=np.array([qvel.index(f"{ROBOT_NAME}/root:{component}") for component in FREE_VELOCITIES]),
            joints=np.array([qpos.index(f"{name}:{HINGE_COMPONENTS[0]}") for name in joints]),
            joint_rates=np.array([qvel.index(f"{name}:{HINGE_VELOCITIES[0]}") for name in joints]),
            servos=np.array([ctrl.index(name) for name in joints]),
        )

    def plan(self, recording: RecordConfig) -> Plan:
        """What the policy asks of the servos, step by step, from the motion's first state."""
        problem, simulation = self.problem, self.simulation
        start = problem.qpos(simulation.qpos_names)[0], problem.qvel(simulation.qvel_names)[0]
        frames = round(recording.duration_s * recording.fps)
        ctrl, action = np.zeros((frames, len(simulation.ctrl_names))), np.zeros(len(self.servos))
        execution = Execution(simulation=simulation, cfg=recording)
        execution.start([Plan(qpos=start[0], qvel=start[1], ctrl=ctrl)])
        home, scale = np.array(self.facts.default_joint_pos), np.array(self.facts.action_scale)
        for frame in range(frames):
            sight = self._sight(min(frame + 1, problem.frames - 1), action, home)
            action = self.act(np.concatenate([SEES[name](sight) for name in self.facts.observation_names]))
            ctrl[frame, self.servos] = home + scale * action
            execution.advance(ctrl[[frame]])
        return Plan(qpos=start[0], qvel=start[1], ctrl=ctrl)

    def _sight(self, frame: int, action: ndarray, home: ndarray) -> Sight:
        problem, simulation = self.problem, self.simulation
        anchor = problem.link(self.facts.anchor_body_name)
        qpos, qvel = (values[0] for values in simulation.state())
        names = [f"{ROBOT_NAME}/{problem.robot.root}", f"{ROBOT_NAME}/{self.facts.anchor_body_name}"]
        T = _transforms(*(values[0] for values in simulation.body_poses([*names, *(o.name for o in problem.objects)])))
        motion = problem.motion
        wanted = _transforms(motion.position[frame, [anchor]], motion.quaternion[frame, [anchor]])[0]
        paths = [_transforms(o.position[[frame]], o.quat[[frame]])[0] for o in problem.objects]
        return Sight(
            root_turn=T[0, :3, :3],
            root_velocity=qvel[self.root],
            joint_position=qpos[self.joints],
            joint_velocity=qvel[self.joint_rates],
            anchor=T[1],
            objects=T[2:],
            wanted_joint_position=problem.clip.joint_position[frame],
            wanted_joint_velocity=motion.joint_velocity[frame],
            wanted_anchor=wanted,
            wanted_objects=np.array(paths).reshape(-1, 4, 4),
            action=action,
            home=home,
        )


def _network(path: Path) -> Callable[[Float[ndarray, "values"]], Float[ndarray, "joints"]]:
    """By ONNX's own reference implementation: a small network once a step."""
    require("onnx", PURPOSE)
    evaluator = require("onnx.reference", PURPOSE).ReferenceEvaluator(str(path))

    def act(seen: Float[ndarray, "values"]) -> Float[ndarray, "joints"]:
        feeds = {"obs": seen[None].astype(np.float32), "time_step": np.zeros((1, 1), np.float32)}
        return evaluator.run(["actions"], {name: feeds[name] for name in evaluator.input_names})[0][0]

    return act


def _transforms(position: Float[ndarray, "bodies 3"], quat: Float[ndarray, "bodies 4"]) -> Float[ndarray, "bodies 4 4"]:
    T = np.tile(np.eye(4), (len(position), 1, 1))
    T[:, :3, :3], T[:, :3, 3] = matrix_from_quaternion(quat), position
    return T
