"""By how far a robot's servos must be asked beyond a motion so that it comes about: torques by inverse dynamics.

A servo of stiffness k and damping d gives k (target - angle) - d rate. For a torque tau at a joint that turns at `rate` the
target is angle + (d / k) rate + tau / k. A G1's hip servo has 40 N m / rad: bent knees alone ask for leads of 20 degrees.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d

from hsimul3r.conventions import GRAVITY
from hsimul3r.export.robot.clip import rates
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.retarget.check.problem import RobotProblem, RobotTarget
from hsimul3r.retarget.kinematics import Chain, chain_of
from hsimul3r.tracking.feedforward import HAND_SHARE, SAMPLE_S, bearing_forces

SMOOTH_S = 0.04
"""Of accelerations, and of torques, which jump where a contact begins."""


def servo_lead(problem: RobotProblem) -> Float[ndarray, "frames joints"]:
    """What is added to the joints' angles as targets; torques beyond what a motor gives are not asked for."""
    joints = problem.robot.joints
    stiffness, damping = np.array([j.stiffness for j in joints]), np.array([j.damping for j in joints])
    limit = np.array([j.torque_n_m for j in joints])
    torque = np.clip(joint_torques(problem), -limit, limit)
    return (damping * problem.motion.joint_velocity + torque) / stiffness


def joint_torques(problem: RobotProblem) -> Float[ndarray, "frames joints"]:
    """What the motors must give for the motion, its weight carried by the contacts that are held [N m].

    About a joint's axis: what the links beyond it need, less what contacts give them, and the rotor's own inertia.
    """
    chain, motion = chain_of(problem.robot), problem.motion
    R = matrix_from_quaternion(motion.quaternion)
    centres = motion.position + np.einsum("tbij,bj->tbi", R, np.array([b.centre for b in problem.robot.bodies]))
    loads, turning = _loads(problem, R)
    beyond = _beyond(chain)
    frames = np.arange(problem.frames)
    found = np.zeros((problem.frames, len(chain.joint_names)))
    axes = _axes(chain, R)
    pivots = motion.position[:, chain.carrier]
    samples = frames[:: max(round(SAMPLE_S * problem.fps), 1)]
    forces = {int(t): _contact_forces(problem, chain, R[t], int(t), centres[t], loads[t]) for t in samples}
    for t in samples.tolist():
        arms = centres[t][None] - pivots[t][:, None]
        moment = (beyond[..., None] * (np.cross(arms, loads[t][None]) + turning[t][None])).sum(axis=1)
        links, places, force = forces[t]
        if len(links):
            arms = places[None] - pivots[t][:, None]
            moment -= (beyond[:, links, None] * np.cross(arms, force[None])).sum(axis=1)
        found[t] = (axes[t] * moment).sum(axis=1)
    between = np.stack([np.interp(frames, samples, column) for column in found[samples].T], axis=1)
    rotor = np.array([joint.armature for joint in problem.robot.joints])
    return _smooth(between + rotor * _smooth(rates(motion.joint_velocity, problem.fps), problem.fps), problem.fps)


def _loads(
    problem: RobotProblem, R: Float[ndarray, "frames links 3 3"]
) -> tuple[Float[ndarray, "frames links 3"], Float[ndarray, "frames links 3"]]:
    """The force and the moment about its centre of mass that each link needs, gravity carried [N, N m]."""
    motion, bodies = problem.motion, problem.robot.bodies
    mass, inertia = np.array([b.mass_kg for b in bodies]), np.array([b.inertia for b in bodies])
    shape = motion.position.shape

    def rate(values: Float[ndarray, "frames links 3"]) -> Float[ndarray, "frames links 3"]:
        return _smooth(rates(values.reshape(shape[0], -1), problem.fps), problem.fps).reshape(shape)

    loads = mass[:, None] * (rate(motion.centre_velocity) + np.array([0.0, 0.0, GRAVITY]))
    spin = np.einsum("tbij,bjk,tblk,tbl->tbi", R, inertia, R, motion.turn_rate)
    return loads, rate(spin)


def _contact_forces(
    problem: RobotProblem,
    chain: Chain,
    R: Float[ndarray, "links 3 3"],
    frame: int,
    centres: Float[ndarray, "links 3"],
    loads: Float[ndarray, "links 3"],
) -> tuple[list[int], Float[ndarray, "points 3"], Float[ndarray, "points 3"]]:
    """Links, places and forces of what bears the robot in a frame."""
    held = [target for target in problem.targets if target.is_held[frame] and not _moves(target, problem)]
    links = [chain.body(target.link) for target in held for _ in target.bears]
    if not links:
        return links, np.zeros((0, 3)), np.zeros((0, 3))
    local = np.concatenate([target.bears for target in held])
    places = problem.motion.position[frame, links] + np.einsum("pij,pj->pi", R[links], local)
    cost = np.array([HAND_SHARE if t.part.endswith(("_hand", "_forearm")) else 1.0 for t in held for _ in t.bears])
    return links, places, bearing_forces(places, cost, centres, loads)


def _moves(target: RobotTarget, problem: RobotProblem) -> bool:
    """A thing that is moved bears nobody."""
    return any(item.name == target.target and np.ptp(item.position, axis=0).max() > 1e-6 for item in problem.objects)


def _beyond(chain: Chain) -> Bool[ndarray, "joints links"]:
    """Whether a joint moves a link."""
    moved = np.zeros((len(chain.joint_names), len(chain.body_names)), bool)
    for link, path in enumerate(chain.moved_by):
        moved[path[path >= 0], link] = True
    return moved


def _axes(chain: Chain, R: Float[ndarray, "frames links 3 3"]) -> Float[ndarray, "frames joints 3"]:
    """Of the joints in the world; a hinge's axis is the same before and after it turns."""
    return np.einsum("tjxy,jy->tjx", R[:, chain.carrier], chain.axis[chain.carrier])


def _smooth(values: Float[ndarray, "frames size"], fps: float) -> Float[ndarray, "frames size"]:
    return gaussian_filter1d(values, SMOOTH_S * fps, axis=0, mode="nearest") if len(values) > 1 else values


def carried_by(chain: Chain, above: Sequence[str], below: str) -> Bool[ndarray, "joints"]:
    """Joints that move the link `below` but none of the links `above`."""
    joints = np.zeros(len(chain.joint_names), bool)
    path = chain.moved_by[chain.body(below)]
    joints[path[path >= 0]] = True
    for name in above:
        path = chain.moved_by[chain.body(name)]
        joints[path[path >= 0]] = False
    return joints
