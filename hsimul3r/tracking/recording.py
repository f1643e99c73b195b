"""Hold servo targets in the fine simulation from a given start and write down what happens: the rollout that is judged."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import BodySequence, Provenance, Rollout, SimScene
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.tracking.layout import HumanLayout, joint_kind, object_place
from hsimul3r.tracking.problem import TrackingProblem
from hsimul3r.tracking.simulation import Simulation


@dataclass(frozen=True, kw_only=True)
class SoftStart:
    """Penetration at the start decays slowly first, then faster, so that bodies are pushed apart gently, not thrown.

    Only the recovery is slow: contacts stay as damped as ever, so that a start without penetration does not sag.
    """

    initial_s: float = 1.0
    """Time constant of the decay at the start."""
    final_s: float = 0.02
    duration_s: float = 0.4

    def recovery(self, time_s: float) -> float:
        """Time constant [s], geometric from `initial_s` to `final_s`; 0, the hardest, when it is over."""
        if time_s >= self.duration_s:
            return 0.0
        return self.initial_s * (self.final_s / self.initial_s) ** (time_s / self.duration_s)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Start from `qpos` and `qvel` and give the servos `ctrl[f]` from frame f on; the last one is held."""

    qpos: Float[ndarray, "nq"]
    ctrl: Float[ndarray, "frames nu"]
    qvel: Float[ndarray, "nv"] | None = None
    """None: at rest."""


@dataclass(frozen=True, kw_only=True)
class RecordConfig:
    """How long and how often."""

    duration_s: float = 3.0
    fps: float = 60.0
    soft_start: SoftStart = field(default_factory=SoftStart)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Frames of several simulations side by side, the first before any step."""

    qpos: Float[ndarray, "frames sims nq"]
    qvel: Float[ndarray, "frames sims nv"]
    ctrl: Float[ndarray, "frames sims nu"]
    """What the servos are given from that frame on."""
    joints: Float[ndarray, "frames sims people 22 3"]
    object_pos: Float[ndarray, "frames sims objects 3"]
    object_quat: Float[ndarray, "frames sims objects 4"]
    contact_force_n: Float[ndarray, "frames sims pairs"]
    contact_point: Float[ndarray, "frames sims pairs 3"]
    penetration_m: Float[ndarray, "frames sims"]
    servo_torque_n_m: Float[ndarray, "frames sims nu"]
    """Of the first frame, before the servos are given anything, without meaning."""
    has_diverged: Bool[ndarray, "sims"]
    capped_steps: Int[ndarray, "sims"]
    """Time steps in which the contact solver reached its limit of iterations."""


@dataclass(kw_only=True)
class Execution:
    """Commands given to simulations frame by frame: the one way in which the fine simulation is run, so that what a controller
    executes and what is recorded of its plan later are the same, bit for bit."""

    simulation: Simulation
    cfg: RecordConfig
    frame: int = 0

    def start(self, plans: Sequence[Plan]) -> None:
        """Put every simulation into its plan's initial state."""
        still = np.zeros(len(self.simulation.qvel_names))
        self.frame = 0
        soften(self.simulation, self.cfg.soft_start.recovery(0.0))
        qvel = np.stack([still if plan.qvel is None else plan.qvel for plan in plans])
        self.simulation.reset(np.stack([plan.qpos for plan in plans]), qvel)

    def advance(self, ctrl: Float[ndarray, "sims nu"]) -> None:
        """Hold commands for one frame."""
        soften(self.simulation, self.cfg.soft_start.recovery(self.frame / self.cfg.fps))
        self.simulation.step(ctrl, round(1.0 / (self.cfg.fps * self.simulation.timestep_s)), is_exact=True)
        self.frame += 1


def record(simulation: Simulation, problem: TrackingProblem, plans: Sequence[Plan], cfg: RecordConfig) -> Recording:
    """Run one plan per simulation; `simulation.count` must be their number."""
    frames = round(cfg.duration_s * cfg.fps)
    ctrl = np.stack([plan.ctrl[np.minimum(np.arange(frames + 1), len(plan.ctrl) - 1)] for plan in plans], axis=1)
    execution = Execution(simulation=simulation, cfg=cfg)
    execution.start(plans)
    moments = [_moment(simulation, problem)]
    for frame in range(frames):
        execution.advance(ctrl[frame])
        moments.append(_moment(simulation, problem))
    columns = {name: np.stack([moment[name] for moment in moments]) for name in moments[0]}
    return Recording(ctrl=ctrl, has_diverged=simulation.has_diverged(), capped_steps=simulation.capped_steps(), **columns)


def soften(simulation: Simulation, recovery_s: float) -> None:
    """Set how fast penetration decays in all contacts of all simulations."""
    simulation.set_parameter("contact_recovery_s", np.full(simulation.count, recovery_s))


def rollout_of(
    recording: Recording, sim: int, scene: SimScene, problem: TrackingProblem, simulation: Simulation, cfg: RecordConfig
) -> Rollout:
    """One simulation of a recording as an artifact; controller, seed and cost are the caller's to fill in."""
    qpos, qvel, ctrl = recording.qpos[:, sim], recording.qvel[:, sim], recording.ctrl[:, sim]
    labelled = {target.pair for target in problem.targets}
    force = recording.contact_force_n[:, sim]
    shown = [i for i, name in enumerate(simulation.contact_names) if name in labelled or force[:, i].max() > 0]
    frame = np.minimum(np.arange(len(qpos)), problem.frames - 1)
    reference = np.array([person.joints[frame] for person in problem.people])
    reference = reference.reshape(len(problem.people), len(qpos), len(BODY_JOINTS), 3).swapaxes(0, 1)
    names = simulation.qpos_names, simulation.ctrl_names
    distance = np.linalg.norm(recording.joints[:, sim] - reference, axis=-1).mean(axis=-1)
    return Rollout(
        provenance=Provenance(adapter="simulation", scale_source=scene.provenance.scale_source, frame="world"),
        controller="",
        fps=cfg.fps,
        qpos_names=simulation.qpos_names,
        qpos=qpos,
        qvel=qvel,
        ctrl=ctrl,
        bodies=tuple(
            simulated_body(body, person.joints[0, 0], HumanLayout.of(person.name, *names), qpos, cfg.fps)
            for person, body in zip(problem.people, scene.bodies)
        ),
        object_names=tuple(reference.name for reference in problem.objects),
        object_pos=recording.object_pos[:, sim],
        object_quat=recording.object_quat[:, sim],
        contact_names=tuple(simulation.contact_names[i] for i in shown),
        contact_force_n=force[:, shown],
        contact_point=recording.contact_point[:, sim][:, shown],
        penetration_m=recording.penetration_m[:, sim],
        body_deviation_m=distance.max(axis=-1, initial=0.0),
        replay_hash=state_hash(qpos, qvel),
        report={
            "divergences": float(recording.has_diverged[sim]),
            "solver_capped_steps": float(recording.capped_steps[sim]),
            **peak_torques(simulation.ctrl_names, recording.servo_torque_n_m[1:, sim]),
        },
    )


def peak_torques(ctrl_names: Sequence[str], torque: Float[ndarray, "frames nu"]) -> dict[str, float]:
    """The largest torque of every kind of joint, 'peak torque, <joint> [N m]', over all people, sides and axes."""
    peaks: dict[str, float] = {}
    for name, value in zip(ctrl_names, np.abs(torque).max(axis=0)):
        key = f"peak torque, {joint_kind(name.split('/')[1])} [N m]"
        peaks[key] = max(peaks.get(key, 0.0), float(value))
    return peaks


def simulated_body(
    body: BodySequence, start: Float[ndarray, "3"], layout: HumanLayout, qpos: Float[ndarray, "frames nq"], fps: float
) -> BodySequence:
    """A person's simulated motion in SMPL-X parameters, exactly; fingers, jaw and eyes are as reconstructed at that time.

    `start` is where joint 0 of the reconstruction's first frame lies.
    """
    root, moved = layout.read_pose(qpos)
    frame = np.round(np.arange(len(qpos)) / fps * body.fps).astype(int)
    pose = body.pose[np.minimum(frame, len(body.pose) - 1)]
    pose[:, : len(BODY_JOINTS)] = moved
    return replace(body, pose=pose, transl=body.transl[0] + root - start, fps=fps)


def replay(rollout: Rollout, problem: TrackingProblem, simulation: Simulation, cfg: RecordConfig) -> str:
    """Run a rollout's commands again from its start; equals `rollout.replay_hash` bit for bit, at any thread count."""
    recording = record(simulation, problem, [Plan(qpos=rollout.qpos[0], qvel=rollout.qvel[0], ctrl=rollout.ctrl)], cfg)
    return state_hash(recording.qpos[:, 0], recording.qvel[:, 0])


def state_hash(qpos: Float[ndarray, "frames nq"], qvel: Float[ndarray, "frames nv"]) -> str:
    """SHA-256 of every position and velocity, bit by bit."""
    digest = hashlib.sha256(np.ascontiguousarray(qpos, np.float64).tobytes())
    digest.update(np.ascontiguousarray(qvel, np.float64).tobytes())
    return digest.hexdigest()


def _moment(simulation: Simulation, problem: TrackingProblem) -> dict[str, ndarray]:
    joints = [f"{person.name}/{joint}" for person in problem.people for joint in BODY_JOINTS]
    places = np.array([object_place(reference.name, simulation.qpos_names) for reference in problem.objects], int)
    qpos, qvel = simulation.state()
    position, _ = simulation.body_poses(joints)
    readings = simulation.contacts()
    objects = qpos[:, places.reshape(-1, 7)]
    return {
        "qpos": qpos,
        "qvel": qvel,
        "joints": position.reshape(simulation.count, len(problem.people), len(BODY_JOINTS), 3),
        "object_pos": objects[..., :3],
        "object_quat": objects[..., 3:],
        "contact_force_n": readings.force_n,
        "contact_point": readings.point,
        "penetration_m": simulation.penetration_m(),
        "servo_torque_n_m": simulation.servo_torques(),
    }
