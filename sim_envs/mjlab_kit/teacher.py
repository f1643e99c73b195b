"""Servo targets that carry a motion out, and how to correct them: a linear-quadratic regulator along the motion.

The targets are the motion's angles and their leads (servo_leads.npz, by hsimul3r's inverse dynamics). The gains are of the
dynamics linearised along the motion by differences in MuJoCo, sunk a little, so that contacts bear; the cost is quadratic in
the distance from the motion (positions in the tangent space) and in shares of the motors' torques. No search: CPU seconds.
"""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy import ndarray

from .plant import Plant

LEADS = "servo_leads.npz"
SUNK_M = 0.003
"""How deep a contact of mjlab's must be to bear a robot, about; at the surface the linearised robot would float."""
DIFFERENCE, RATE_DIFFERENCE = 2e-3, 2e-2
"""Of positions and rates: a contact that begins or ends within is part of it, not all of it."""


@dataclass(frozen=True, kw_only=True)
class TeacherWeights:
    """Of squared metres and radians, of their rates (times that of the position), and of squared shares of greatest torques."""

    root: float = 20.0
    joint: float = 2.0
    rate: float = 0.05
    torque: float = 20.0


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """Targets in any state near the motion."""

    plant: Plant
    qpos: ndarray
    """(frames, nq)."""
    targets: ndarray
    """(frames, joints) [rad]."""
    gain: ndarray
    """(frames, joints, 2 nv)."""
    reach: ndarray
    """(joints,) The most that is corrected [rad]: what takes a motor from rest to its limit."""

    @classmethod
    def of(cls, plant: Plant, folder: Path, weights: TeacherWeights) -> Self:
        """Of an export's folder `mjlab`."""
        leads = np.load(folder / LEADS)
        order = leads["joint_names"].tolist()
        targets = plant.motion.joint_pos + leads["lead"][:, [order.index(name) for name in plant.joints]]
        stiffness, limit = _motors(plant)
        qpos = plant.motion.qpos.copy()
        qpos[:, plant.root_place + 2] -= SUNK_M
        gain = gains(plant, qpos, targets, weights.torque * (stiffness / limit) ** 2, weights)
        return cls(plant=plant, qpos=qpos, targets=targets, gain=gain, reach=limit / stiffness)

    def act(self, frame: int, qpos: ndarray, qvel: ndarray) -> ndarray:
        """Targets (joints,) in a state that should be the motion's of that frame."""
        off = self.plant.difference(qpos, qvel, self.qpos[frame], self.plant.motion.qvel[frame])
        return self.targets[frame] + np.clip(self.gain[frame] @ off, -self.reach, self.reach)


def gains(plant: Plant, qpos: ndarray, targets: ndarray, effort: ndarray, weights: TeacherWeights) -> ndarray:
    """Riccati's recursion from the last frame (frames, joints, 2 nv); of objects nothing is known or wanted."""
    cost, size = _state_cost(plant, weights), 2 * plant.model.nv
    found, curvature = np.zeros((len(qpos), len(effort), size)), np.zeros((size, size))
    for t in range(len(qpos) - 1, -1, -1):
        A, B = linearised(plant, qpos[t], plant.motion.qvel[t], targets[t])
        q_uu, q_ux = np.diag(effort) + B.T @ curvature @ B, B.T @ curvature @ A
        found[t] = -np.linalg.solve(q_uu, q_ux)
        curvature = np.diag(cost) + A.T @ curvature @ A + found[t].T @ q_ux
        curvature = (curvature + curvature.T) / 2
    return found


def linearised(plant: Plant, qpos: ndarray, qvel: ndarray, targets: ndarray) -> tuple[ndarray, ndarray]:
    """A (2 nv, 2 nv) and B (2 nv, joints) of a policy's step for the robot, by central differences."""
    nv, joints = plant.model.nv, len(targets)
    A, B = np.zeros((2 * nv, 2 * nv)), np.zeros((2 * nv, joints))
    for i in (*plant.root_rates.tolist(), *plant.joint_rates.tolist()):
        one = np.eye(1, nv, i)[0]
        A[:, i] = _slope(plant, qpos, qvel, targets, (DIFFERENCE * one, 0.0 * one, 0.0), DIFFERENCE)
        A[:, nv + i] = _slope(plant, qpos, qvel, targets, (0.0 * one, RATE_DIFFERENCE * one, 0.0), RATE_DIFFERENCE)
    for i in range(joints):
        asked = DIFFERENCE * np.eye(1, joints, i)[0]
        B[:, i] = _slope(plant, qpos, qvel, targets, (np.zeros(nv), np.zeros(nv), asked), DIFFERENCE)
    robot = np.concatenate([plant.root_rates, plant.joint_rates])
    others = np.setdiff1d(np.arange(2 * nv), np.concatenate([robot, nv + robot]))
    A[others], B[others] = 0.0, 0.0
    return A, B


def _slope(plant: Plant, qpos: ndarray, qvel: ndarray, targets: ndarray, moved: tuple, size: float) -> ndarray:
    import mujoco

    ends = []
    for sign in (1.0, -1.0):
        shift, rate, asked = (sign * part for part in moved)
        start = qpos.copy()
        mujoco.mj_integratePos(plant.model, start, shift, 1.0)
        plant.put(start, qvel + rate)
        plant.advance(targets + asked)
        ends.append(plant.state())
    return plant.difference(*ends[0], *ends[1]) / (2 * size)


def _state_cost(plant: Plant, weights: TeacherWeights) -> ndarray:
    position = np.zeros(plant.model.nv)
    position[plant.root_rates], position[plant.joint_rates] = weights.root, weights.joint
    return np.concatenate([position, weights.rate * position])


def _motors(plant: Plant) -> tuple[ndarray, ndarray]:
    """Stiffness [N m / rad] and greatest torque [N m] of each joint."""
    servos = plant.servos
    return plant.model.actuator_gainprm[servos, 0], plant.model.actuator_forcerange[servos, 1]
