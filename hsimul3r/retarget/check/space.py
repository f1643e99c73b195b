"""Where the sampling controller searches: offsets of a robot's servo targets around those that the motion asks for."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.retarget.check.lead import carried_by, servo_lead
from hsimul3r.retarget.check.problem import ROBOT_NAME, RobotProblem
from hsimul3r.retarget.kinematics import chain_of
from hsimul3r.tracking.recording import Plan
from hsimul3r.tracking.simulation import Simulation
from hsimul3r.tracking.window import Horizon, WindowConfig

TORQUE_SHARE = 0.05
"""Of its greatest torque by which a motor's first samples differ, times the search's `support_share` or `other_share`."""


@dataclass(frozen=True, kw_only=True)
class RobotSpace:
    """Offsets (1, knots, joints) of servo targets; a `hsimul3r.tracking.window.SearchSpace`."""

    problem: RobotProblem
    servos: Int[ndarray, "joints"]
    """Places of the joints' servos in ctrl."""
    reference: Plan
    scale: Float[ndarray, "joints"]
    lean: Float[ndarray, "frames 4 joints"]

    @classmethod
    def of(cls, problem: RobotProblem, simulation: Simulation, cfg: WindowConfig) -> Self:
        """Find everything by name, once."""
        robot = problem.robot
        place = {name: i for i, name in enumerate(simulation.ctrl_names)}
        ankles, hips = _legs(problem)
        share = np.where(ankles | hips, cfg.support_share, cfg.other_share)
        reach = np.array([joint.torque_n_m / joint.stiffness for joint in robot.joints])
        return cls(
            problem=problem,
            servos=np.array([place[f"{ROBOT_NAME}/{joint}"] for joint in robot.joint_names]),
            reference=reference_plan(problem, simulation, leads=True),
            scale=TORQUE_SHARE * share * reach,
            lean=_leans(problem, ankles, hips),
        )

    @property
    def frames(self) -> int:
        return self.problem.frames

    def offsets_of(self, ctrl: Float[ndarray, "nu"], frame: int, knots: int) -> Float[ndarray, "1 knots joints"]:
        """What turns the reference's targets of a frame into `ctrl`, kept over all knots."""
        return np.tile((ctrl - self.reference.ctrl[frame])[self.servos], (1, knots, 1))

    def leans(self, frame: int) -> Float[ndarray, "1 4 joints"]:
        """Offsets that turn the robot about its ankles, and its trunk about its hips, each about the world's X and Y."""
        return self.lean[None, min(frame, self.problem.frames - 1)]

    def commands(self, samples: Float[ndarray, "sims 1 knots joints"], horizon: Horizon) -> Float[ndarray, "steps sims nu"]:
        """Servo targets of samples over a horizon."""
        frames = [horizon.reference_frame(step) for step in range(len(horizon.basis))]
        ctrl = np.repeat(self.reference.ctrl[np.minimum(frames, self.problem.frames - 1)][:, None], len(samples), axis=1)
        ctrl[:, :, self.servos] += np.einsum("tk,nkd->tnd", horizon.basis, samples[:, 0])
        return ctrl


def reference_plan(problem: RobotProblem, simulation: Simulation, *, leads: bool) -> Plan:
    """Start as the motion does and follow its angles, with or without what servos must be asked beyond them."""
    place = {name: i for i, name in enumerate(simulation.ctrl_names)}
    servos = [place[f"{ROBOT_NAME}/{joint}"] for joint in problem.robot.joint_names]
    ctrl = np.zeros((problem.frames, len(place)))
    ctrl[:, servos] = problem.clip.joint_position + (servo_lead(problem) if leads else 0.0)
    qpos, qvel = problem.qpos(simulation.qpos_names), problem.qvel(simulation.qvel_names)
    return Plan(qpos=qpos[0], qvel=qvel[0], ctrl=ctrl)


def _legs(problem: RobotProblem) -> tuple[ndarray, ndarray]:
    """Joints between shin and sole, and between root and shin but for the knee."""
    robot, chain = problem.robot, chain_of(problem.robot)
    ankles, hips = np.zeros(len(robot.joint_names), bool), np.zeros(len(robot.joint_names), bool)
    for side in ("left", "right"):
        sole, knee = robot.surface(f"{side}_foot"), robot.key(f"{side}_knee")
        if sole is None or knee is None:
            continue
        ankles |= carried_by(chain, [knee.body], sole.body)
        parent = next(body.parent for body in robot.bodies if body.name == knee.body)
        hips |= carried_by(chain, [robot.root], parent or robot.root)
    return ankles, hips


def _leans(problem: RobotProblem, ankles: ndarray, hips: ndarray) -> Float[ndarray, "frames 4 joints"]:
    chain = chain_of(problem.robot)
    R = matrix_from_quaternion(problem.motion.quaternion)
    axes = np.einsum("tjxy,jy->tjx", R[:, chain.carrier], chain.axis[chain.carrier])
    found = np.zeros((problem.frames, 4, len(chain.joint_names)))
    for first, joints in ((0, ankles), (2, hips)):
        for side in range(2):
            found[:, first + side] = axes[:, :, side] * joints
    return found
