"""What a robot did under its motors' limits, and whether it kept its contacts and did not fall."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Artifact, Criterion
from hsimul3r.geometry.rotations import angle_between, matrix_from_quaternion
from hsimul3r.retarget.check.problem import ROBOT_NAME, RobotProblem, RobotTarget
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.tracking.costs import up_axis
from hsimul3r.tracking.criteria import at_least, at_most
from hsimul3r.tracking.layout import FREE_COMPONENTS, HINGE_COMPONENTS
from hsimul3r.tracking.recording import Execution, Plan
from hsimul3r.tracking.simulation import Simulation

SATURATED = 0.999
"""Share of a motor's greatest torque from which on it is at its limit."""
DIVERGED = "break-downs of the simulation"


@dataclass(frozen=True, kw_only=True)
class RobotLimits:
    """When a robot has followed a motion: a person's criteria (`tracking.criteria`), lengths at the robot's size."""

    contact_share: float = 0.8
    """Of the time in which an object or the floor should be touched, with at least `least_force`."""
    least_force: float = 0.02
    """Weights of the robot."""
    end_s: float = 0.5
    """Final part, in which everything that should be touched at the end must be, as often."""
    drop_m: float = 0.15
    """Of the root below the motion's."""
    lean_deg: float = 30.0
    """Of the root's up axis from the motion's."""
    deviation_m: float = 0.2
    """Mean distance of the links from the motion, at every time."""
    drift_m: float = 0.15
    turn_deg: float = 15.0
    """Of an object from its path."""
    saturated_share: float = 0.25
    """Of the time that the motor that is most often at its limit is there."""
    penetration_m: float = 0.03
    """Between robot and objects, after `start_s`."""
    start_s: float = 0.5


@dataclass(frozen=True, kw_only=True)
class RobotRun:
    """A robot in simulation, frame by frame, the first before any step."""

    fps: float
    qpos_names: tuple[str, ...]
    qpos: Float[ndarray, "frames nq"]
    ctrl_names: tuple[str, ...]
    ctrl: Float[ndarray, "frames nu"]
    """What the servos are given from that frame on [rad]."""
    torque_n_m: Float[ndarray, "frames nu"]
    """What the motors give at the end of the frame before."""
    link_position: Float[ndarray, "frames links 3"]
    link_quaternion: Float[ndarray, "frames links 4"]
    contact_names: tuple[str, ...]
    contact_force_n: Float[ndarray, "frames pairs"]
    penetration_m: Float[ndarray, "frames"]
    has_diverged: bool


@dataclass(frozen=True, kw_only=True)
class RobotCheck(Artifact):
    """The verdict on a retargeted motion: `is_feasible` where all criteria hold."""

    robot: str
    controller: str
    is_feasible: bool
    criteria: tuple[Criterion, ...]
    reason: str
    run: RobotRun
    report: dict[str, float]
    """Shares of time that each label is borne, and that each motor spends at its limit; peak torques over their limits."""


def run_plan(problem: RobotProblem, simulation: Simulation, plan: Plan, execution: Execution) -> RobotRun:
    """Execute commands in the fine simulation; `execution` runs `simulation`."""
    frames = round(execution.cfg.duration_s * execution.cfg.fps)
    ctrl = plan.ctrl[np.minimum(np.arange(frames + 1), len(plan.ctrl) - 1)]
    links = [f"{ROBOT_NAME}/{name}" for name in problem.robot.body_names]
    execution.start([plan])
    moments = [_moment(simulation, links)]
    for frame in range(frames):
        execution.advance(ctrl[[frame]])
        moments.append(_moment(simulation, links))
    return RobotRun(
        fps=execution.cfg.fps,
        qpos_names=simulation.qpos_names,
        ctrl_names=simulation.ctrl_names,
        ctrl=ctrl,
        contact_names=simulation.contact_names,
        has_diverged=bool(simulation.has_diverged()[0]),
        **{name: np.stack([moment[name] for moment in moments]) for name in moments[0]},
    )


def _moment(simulation: Simulation, links: list[str]) -> dict[str, ndarray]:
    position, quat = simulation.body_poses(links)
    return {
        "qpos": simulation.state()[0][0],
        "torque_n_m": simulation.servo_torques()[0],
        "link_position": position[0].copy(),
        "link_quaternion": quat[0].copy(),
        "contact_force_n": simulation.contacts().force_n[0],
        "penetration_m": simulation.penetration_m()[0],
    }


def executed(motion: RobotMotion, check: RobotCheck) -> RobotMotion:
    """What the robot did as a motion, with the contacts that it was to have."""
    run, place = check.run, {name: i for i, name in enumerate(check.run.qpos_names)}
    frames, ratio = len(run.qpos), run.fps / motion.fps
    paths = {}
    for asset in motion.assets:
        T = np.tile(np.eye(4), (frames, 1, 1))
        T[:, :3, 3] = run.qpos[:, [place[f"{asset.name}:{c}"] for c in FREE_COMPONENTS[:3]]]
        T[:, :3, :3] = matrix_from_quaternion(run.qpos[:, [place[f"{asset.name}:{c}"] for c in FREE_COMPONENTS[3:]]])
        paths[asset.name] = T
    end = frames - 1
    return replace(
        motion,
        provenance=check.provenance,
        fps=run.fps,
        root_position=run.qpos[:, [place[f"{ROBOT_NAME}/root:{c}"] for c in FREE_COMPONENTS[:3]]],
        root_quaternion=run.qpos[:, [place[f"{ROBOT_NAME}/root:{c}"] for c in FREE_COMPONENTS[3:]]],
        joint_position=run.qpos[:, [place[f"{ROBOT_NAME}/{joint}:{HINGE_COMPONENTS[0]}"] for joint in motion.joint_names]],
        contacts=tuple(
            replace(c, first=min(round(c.first * ratio), end), last=min(round(c.last * ratio), end)) for c in motion.contacts
        ),
        object_paths=paths,
    )


def robot_criteria(run: RobotRun, problem: RobotProblem, limits: RobotLimits) -> tuple[Criterion, ...]:
    """Everything that must hold."""
    after_start = slice(min(round(limits.start_s * run.fps), len(run.qpos) - 1), None)
    return (
        at_most("settled", DIVERGED, float(run.has_diverged), 0.5),
        *_upright(run, problem, limits),
        *_objects(run, problem, limits),
        *_contacts(run, problem, limits),
        at_most("contact", "penetration [m]", float(run.penetration_m[after_start].max()), limits.penetration_m),
        at_most("contact", "deviation from the motion [m]", float(deviation_m(run, problem).max()), limits.deviation_m),
        at_most("settled", "time at a motor's limit [share]", float(saturation(run, problem).max()), limits.saturated_share),
    )


def robot_report(run: RobotRun, problem: RobotProblem, limits: RobotLimits) -> dict[str, float]:
    """What the criteria do not say one by one."""
    borne = label_shares(run, problem, limits)
    report = {f"borne, {target.pair}, from {_start_s(target, problem):.2f} s [share]": share for target, share in borne}
    peaks, saturated = np.abs(_torques(run, problem)).max(axis=0), saturation(run, problem)
    report["labels kept [share]"] = float(np.mean([share >= limits.contact_share for _, share in borne])) if borne else 1.0
    report["mean deviation [m]"] = float(deviation_m(run, problem).mean())
    report["mean time at motors' limits [share]"] = float(saturated.mean())
    for joint, peak, share in zip(problem.robot.joints, peaks, saturated):
        report[f"peak torque, {joint.name} [share of limit]"] = float(peak / joint.torque_n_m)
        report[f"time at limit, {joint.name} [share]"] = float(share)
    return report


def deviation_m(run: RobotRun, problem: RobotProblem) -> Float[ndarray, "frames"]:
    """Mean distance of the links from the motion."""
    return np.linalg.norm(run.link_position - problem.motion.position[_frames(run, problem)], axis=-1).mean(axis=-1)


def saturation(run: RobotRun, problem: RobotProblem) -> Float[ndarray, "joints"]:
    """Share of time that each motor spends at its limit."""
    limit = np.array([joint.torque_n_m for joint in problem.robot.joints])
    return (np.abs(_torques(run, problem)) >= SATURATED * limit).mean(axis=0)


def label_shares(run: RobotRun, problem: RobotProblem, limits: RobotLimits) -> list[tuple[RobotTarget, float]]:
    """Of each label, the share of its time in which the part bears a force."""
    found = []
    for target in problem.targets:
        is_held = target.is_held[_frames(run, problem)]
        force = run.contact_force_n[is_held, run.contact_names.index(target.pair)]
        found.append((target, float((force >= limits.least_force * problem.weight_n).mean())))
    return found


def reason_of(criteria: tuple[Criterion, ...], controller: str) -> str:
    """What decided, in words."""
    failed = [criterion for criterion in criteria if not criterion.holds]
    worst = min(failed or criteria, key=lambda criterion: criterion.margin)
    opening = "The robot does not follow" if failed else "The robot follows with its contacts"
    return f"{opening} ({controller}); {worst.name} is {worst.value:.3g}, limit {worst.threshold:.3g}."


def _upright(run: RobotRun, problem: RobotProblem, limits: RobotLimits) -> Iterator[Criterion]:
    frames, motion = _frames(run, problem), problem.motion
    drop = motion.position[frames, 0, 2] - run.link_position[:, 0, 2]
    cosine = (up_axis(run.link_quaternion[:, 0]) * up_axis(motion.quaternion[frames, 0])).sum(axis=-1)
    lean = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    yield at_most("settled", "drop of the root [m]", float(drop.max()), limits.drop_m)
    yield at_most("settled", "lean of the root [deg]", float(lean.max()), limits.lean_deg)


def _objects(run: RobotRun, problem: RobotProblem, limits: RobotLimits) -> Iterator[Criterion]:
    frames, place = _frames(run, problem), {name: i for i, name in enumerate(run.qpos_names)}
    for item in problem.objects:
        position = run.qpos[:, [place[f"{item.name}:{c}"] for c in FREE_COMPONENTS[:3]]]
        quat = run.qpos[:, [place[f"{item.name}:{c}"] for c in FREE_COMPONENTS[3:]]]
        drift = np.linalg.norm(position - item.position[frames], axis=1).max()
        turn = angle_between(matrix_from_quaternion(quat), matrix_from_quaternion(item.quat[frames])).max()
        yield at_most("settled", f"distance of {item.name} from its path [m]", float(drift), limits.drift_m)
        yield at_most("settled", f"turn of {item.name} from its path [deg]", float(np.degrees(turn)), limits.turn_deg)


def _contacts(run: RobotRun, problem: RobotProblem, limits: RobotLimits) -> Iterator[Criterion]:
    """By what is touched, as for people: any of the parts that should touch it at the time."""
    frames = _frames(run, problem)
    end = np.arange(len(run.qpos)) >= len(run.qpos) - round(limits.end_s * run.fps)
    by_name = sorted(problem.targets, key=lambda target: target.target)
    for name, targets in groupby(by_name, key=lambda target: target.target):
        held = np.zeros(len(frames), bool)
        bears = np.zeros(len(frames), bool)
        for target in targets:
            is_held = target.is_held[frames]
            force = run.contact_force_n[:, run.contact_names.index(target.pair)]
            held |= is_held
            bears |= is_held & (force >= limits.least_force * problem.weight_n)
        yield at_least("contact", f"time the robot touches {name} [share]", float(bears[held].mean()), limits.contact_share)
        if held[-1]:
            share = float(bears[held & end].mean())
            yield at_least("contact", f"time the robot touches {name} at the end [share]", share, limits.contact_share)


def _frames(run: RobotRun, problem: RobotProblem) -> ndarray:
    """The motion's frame at each of the run's."""
    return np.minimum(np.arange(len(run.qpos)), problem.frames - 1)


def _torques(run: RobotRun, problem: RobotProblem) -> Float[ndarray, "frames joints"]:
    """Of all frames but the first, before the motors are given anything, in the description's order."""
    return run.torque_n_m[1:, [run.ctrl_names.index(f"{ROBOT_NAME}/{joint}") for joint in problem.robot.joint_names]]


def _start_s(target: RobotTarget, problem: RobotProblem) -> float:
    return float(target.is_held.argmax()) / problem.fps
