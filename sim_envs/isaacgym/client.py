"""A backend whose engine runs in another process: Isaac Gym in a Python 3.8 that the user names; MuJoCo to prove the wire."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import SimScene
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.errors import UnsupportedParameter, WorkerFailed
from hsimul3r.geometry.rotations import matrix_from_quaternion, quaternion_from_axis_angle
from hsimul3r.tracking.layout import AXES, HumanLayout, object_place, velocity_names
from hsimul3r.tracking.simulation import ContactReadings, Parameter
from sim_envs.contract import Capabilities, Timing, contact_pairs
from sim_envs.isaacgym import wire
from sim_envs.isaacgym.hinges import angles_of, order_of, quaternion_of, rate_map, rates_of
from sim_envs.isaacgym.urdf import write_urdf_scene

INTERPRETER = "HSIMUL3R_ISAACGYM_PYTHON"
"""Environment variable: the python of the environment in which Isaac Gym is installed."""
Engine = Literal["isaacgym", "mujoco"]
ENDED = "it ended"
CAPABILITIES: dict[Engine, Capabilities] = {
    "isaacgym": Capabilities(
        is_bit_reproducible=False, uses_gpu=True, parameters=("force_n", "mass_kg", "friction"), reports_convergence=False
    ),
    "mujoco": Capabilities(
        is_bit_reproducible=True, uses_gpu=False, parameters=("gravity_m_s2", "force_n", "mass_kg", "friction")
    ),
}


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """How the worker is started and how long it may be silent."""

    python: Path | None = None
    """Interpreter of the worker; for Isaac Gym, without it, what the environment variable says."""
    start_timeout_s: float = 120.0
    timeout_s: float = 600.0


class WorkerBackend:
    """Every batch has a worker of its own, which ends with it."""

    def __init__(self, engine: Engine = "isaacgym", cfg: WorkerConfig | None = None):
        self._engine: Engine = engine
        self._cfg = cfg or WorkerConfig()
        self.name = "isaacgym" if engine == "isaacgym" else f"{engine} worker"
        self.capabilities = CAPABILITIES[engine]

    def load(self, scene: SimScene, *, count: int, timing: Timing, threads: int = 0) -> "WorkerBatch":
        """Start a worker and open `count` simulations in the scene's initial state; raises `WorkerFailed`. `threads` is the
        engine's own affair."""
        process = WorkerProcess(self._python(), self._engine, self._cfg)
        batch = WorkerBatch(process, scene, timing, self.name, self.capabilities, count=count)
        batch.reset(np.tile(scene.qpos, (count, 1)))
        return batch

    def _python(self) -> Path:
        if self._cfg.python is not None:
            return self._cfg.python
        if self._engine == "mujoco":
            return Path(sys.executable)
        named = os.environ.get(INTERPRETER)
        if not named:
            raise WorkerFailed(self._engine, f"no interpreter is given (environment variable {INTERPRETER})", "")
        return Path(named)


class WorkerProcess:
    """The worker, the socket to it, and the folder that both use; all end together."""

    def __init__(self, python: Path, engine: Engine, cfg: WorkerConfig):
        self._engine, self._cfg = engine, cfg
        self.folder = Path(tempfile.mkdtemp(prefix="hsimul3r-worker-"))
        self._connection, theirs = socket.socketpair()
        script = Path(__file__).with_name("worker.py")
        command = [str(python), str(script), "--engine", engine, "--socket", str(theirs.fileno())]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        try:
            with (self.folder / "log").open("w") as log:
                self.process = subprocess.Popen(
                    command,
                    pass_fds=[theirs.fileno()],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=kept,
                )
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise WorkerFailed(engine, f"'{python}' cannot be started ({error.strerror})", "") from error
        finally:
            theirs.close()
        self._end = weakref.finalize(self, _end, self.process, self._connection, self.folder)
        greeting = self._receive(cfg.start_timeout_s)
        version = tuple(int(part) for part in str(greeting["python"]).split(".")[:2])
        if greeting["protocol"] != wire.PROTOCOL or (engine == "isaacgym" and version > (3, 8)):
            self._fail(f"'{python}' is Python {greeting['python']}, Isaac Gym needs 3.6 to 3.8")

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer; raises `WorkerFailed`."""
        try:
            wire.send(self._connection, {"op": operation, **arguments})
        except wire.Closed:
            self._fail(ENDED)
        return self._receive(self._cfg.timeout_s)

    def close(self) -> None:
        """End the worker."""
        self._end()

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        self._connection.settimeout(timeout_s)
        try:
            answer = wire.receive(self._connection)
        except wire.Closed:
            self._fail(ENDED)
        except TimeoutError:
            self._fail(f"it did not answer for {timeout_s:g} s")
        except wire.Garbled as error:
            self._fail(f"it sent {error}")
        if "error" in answer:
            self._fail(str(answer["error"]))
        return answer

    def _fail(self, what: str) -> NoReturn:
        if what != ENDED:
            self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=1.0)
        log = (self.folder / "log").read_text(errors="replace") if (self.folder / "log").is_file() else ""
        if what == ENDED and self.process.returncode is not None:
            what = f"{ENDED} with exit code {self.process.returncode}"
        self._end()
        raise WorkerFailed(self._engine, what, log)


def _end(process: "subprocess.Popen[bytes]", connection: socket.socket, folder: Path) -> None:
    connection.close()
    try:
        process.wait(timeout=2.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


class WorkerBatch:
    """`count` simulations in the worker. Satisfies `sim_envs.contract.SimBatch`."""

    def __init__(
        self,
        process: WorkerProcess,
        scene: SimScene,
        timing: Timing,
        name: str,
        capabilities: Capabilities,
        *,
        count: int,
    ):
        self._process, self._name, self._capabilities = process, name, capabilities
        self.count, self.timestep_s = count, timing.timestep_s
        description = write_urdf_scene(scene, process.folder)
        process.ask("load", folder=str(process.folder), count=count, timestep_s=timing.timestep_s)
        actors = description["actors"]
        self._dofs = [dof["name"] for actor in actors for dof in actor["dofs"]]
        self.body_names = tuple(body for actor in actors for body in actor["bodies"])
        self._mass_kg = sum(scene.human_mass_kg) + sum(asset.mass_kg for asset in scene.assets)
        self.qpos_names = scene.qpos_names
        self.qvel_names = velocity_names(scene.qpos_names)
        self.ctrl_names = tuple(f"{h}/{joint}/{axis}" for h in scene.humans for joint in BODY_JOINTS[1:] for axis in AXES)
        objects = tuple(asset.name for asset in scene.assets)
        self.contact_names = tuple(pair.name for pair in contact_pairs(scene.humans, objects))
        self._wiring = _Wiring.of(scene, self._dofs, self.qvel_names, self.ctrl_names)
        self._shared = self._share(len(actors))

    def _share(self, actors: int) -> dict[str, ndarray]:
        sims, dofs, pairs = self.count, len(self._dofs), len(self.contact_names)
        layout = {
            "start_root": [sims, actors, 13],
            "start_dof": [sims, dofs, 2],
            "targets": [sims, dofs],
            "parameter": [sims, 3],
            "root": [sims, actors, 13],
            "dof": [sims, dofs, 2],
            "body": [sims, len(self.body_names), 7],
            "torque": [sims, dofs],
            "force": [sims, pairs],
            "point": [sims, pairs, 3],
            "depth": [sims],
            "diverged": [sims],
            "capped": [sims],
        }
        path = str(self._process.folder / "arrays")
        wire.make_arrays(path, layout)
        self._process.ask("share", path=path, layout=layout)
        return wire.open_arrays(path, layout)

    @property
    def process_id(self) -> int:
        """The worker's, for who watches it."""
        return self._process.process.pid

    def close(self) -> None:
        """End the worker; without it, it ends with this object."""
        self._process.close()

    def total_mass_kg(self) -> float:
        """Of everything that moves."""
        return self._mass_kg

    def reset(
        self,
        qpos: Float[ndarray, "some nq"],
        qvel: Float[ndarray, "some nv"] | None = None,
        *,
        only: Int[ndarray, "some"] | None = None,
    ) -> None:
        """Start anew from a state, all simulations or only some; parameters stay."""
        rows = list(range(self.count)) if only is None else [int(row) for row in only]
        speed = np.zeros((len(rows), len(self.qvel_names))) if qvel is None else qvel
        root, dof = self._wiring.to_wire(np.asarray(qpos), np.asarray(speed))
        self._shared["start_root"][: len(rows)] = root
        self._shared["start_dof"][: len(rows)] = dof
        self._process.ask("reset", rows=rows)

    def step(self, ctrl: Float[ndarray, "sims nu"], steps: int = 1, *, is_exact: bool = False) -> None:
        """Advance by `steps` time steps."""
        self._shared["targets"][:] = self._wiring.targets(np.asarray(ctrl))
        self._process.ask("step", steps=steps, is_exact=is_exact)

    def state(self) -> tuple[Float[ndarray, "sims nq"], Float[ndarray, "sims nv"]]:
        """Copies of positions and velocities."""
        return self._wiring.from_wire(np.array(self._shared["root"]), np.array(self._shared["dof"]))

    def body_poses(self, names: Sequence[str]) -> tuple[Float[ndarray, "sims bodies 3"], Float[ndarray, "sims bodies 4"]]:
        """Frame origins and orientations (wxyz) of the named bodies."""
        pose = np.array(self._shared["body"][:, [self.body_names.index(name) for name in names]])
        return pose[..., :3], pose[..., 3:]

    def contacts(self) -> ContactReadings:
        """Forces between body parts and objects, in the order of `contact_names`."""
        return ContactReadings(force_n=np.array(self._shared["force"]), point=np.array(self._shared["point"]))

    def penetration_m(self) -> Float[ndarray, "sims"]:
        """Depth of the deepest contact between a person and an object."""
        return np.array(self._shared["depth"])

    def has_diverged(self) -> Bool[ndarray, "sims"]:
        """True where the engine gave up."""
        return np.array(self._shared["diverged"]) > 0.0

    def servo_torques(self) -> Float[ndarray, "sims nu"]:
        """What each hinge's servo gives [N m]; of a joint's three hinges, under the name of the hinge's axis."""
        torque = np.array(self._shared["torque"])
        return torque[:, [self._dofs.index(name) for name in self.ctrl_names]]

    def capped_steps(self) -> Int[ndarray, "sims"]:
        """Time steps since the last reset that the solver ended at its limit; of PhysX, which always does as many, zeros."""
        return np.array(self._shared["capped"]).astype(int)

    def set_parameter(self, name: Parameter, values: Float[ndarray, "sims *size"], *, body: str | None = None) -> None:
        """Set a parameter in every simulation; raises `UnsupportedParameter`."""
        if name not in self._capabilities.parameters or (body is None) != (name == "gravity_m_s2"):
            raise UnsupportedParameter(self._name, name, self._capabilities.parameters)
        given = np.asarray(values, float)
        self._shared["parameter"][:] = given if given.ndim == 2 else given[:, None]
        self._process.ask("parameter", name=name, body=body or "")


@dataclass(frozen=True, kw_only=True)
class _Ball:
    """One joint's places: quaternion in qpos, rate in qvel, hinges (in their order), servos (x, y, z) in ctrl."""

    order: str
    quat: Int[ndarray, "4"]
    rate: Int[ndarray, "3"]
    hinges: Int[ndarray, "3"]
    servos: Int[ndarray, "3"]


@dataclass(frozen=True, kw_only=True)
class _Wiring:
    """From the contract's state, with ball joints, to that of the wire, with hinges and world velocities, and back."""

    roots: Int[ndarray, "actors 7"]
    root_rates: Int[ndarray, "actors 6"]
    balls: tuple[_Ball, ...]
    qpos_count: int
    qvel_count: int

    @classmethod
    def of(cls, scene: SimScene, dofs: list[str], qvel_names: Sequence[str], ctrl_names: Sequence[str]) -> "_Wiring":
        free = [f"{human}/root" for human in scene.humans] + [asset.name for asset in scene.assets]
        rate = {name: i for i, name in enumerate(qvel_names)}
        place = {name: i for i, name in enumerate(dofs)}
        balls = []
        for human in scene.humans:
            layout = HumanLayout.of(human, scene.qpos_names, ctrl_names)
            for i, joint in enumerate(BODY_JOINTS[1:]):
                title, order = f"{human}/{joint}", order_of(joint)
                balls.append(
                    _Ball(
                        order=order,
                        quat=layout.balls[i],
                        rate=np.array([rate[f"{title}:w{axis}"] for axis in AXES]),
                        hinges=np.array([place[f"{title}/{axis}"] for axis in order]),
                        servos=layout.servos[i],
                    )
                )
        speeds = ("vx", "vy", "vz", "wx", "wy", "wz")
        return cls(
            roots=np.array([object_place(name, scene.qpos_names) for name in free], int).reshape(-1, 7),
            root_rates=np.array([[rate[f"{name}:{part}"] for part in speeds] for name in free], int).reshape(-1, 6),
            balls=tuple(balls),
            qpos_count=len(scene.qpos_names),
            qvel_count=len(qvel_names),
        )

    def to_wire(
        self, qpos: Float[ndarray, "sims nq"], qvel: Float[ndarray, "sims nv"]
    ) -> tuple[Float[ndarray, "sims actors 13"], Float[ndarray, "sims dofs 2"]]:
        """Free bodies' position, quaternion, velocity and angular velocity in the world; hinges' angles and rates."""
        pose, rate = qpos[:, self.roots], qvel[:, self.root_rates]
        turning = np.einsum("saij,saj->sai", matrix_from_quaternion(pose[..., 3:]), rate[..., 3:])
        dof = np.zeros((len(qpos), 3 * len(self.balls), 2))
        for ball in self.balls:
            angles = angles_of(qpos[:, ball.quat], ball.order)
            dof[:, ball.hinges, 0] = angles
            dof[:, ball.hinges, 1] = rates_of(qvel[:, ball.rate], angles, ball.order)
        return np.concatenate([pose, rate[..., :3], turning], axis=-1), dof

    def from_wire(
        self, root: Float[ndarray, "sims actors 13"], dof: Float[ndarray, "sims dofs 2"]
    ) -> tuple[Float[ndarray, "sims nq"], Float[ndarray, "sims nv"]]:
        """The inverse of `to_wire`."""
        qpos, qvel = np.zeros((len(root), self.qpos_count)), np.zeros((len(root), self.qvel_count))
        qpos[:, self.roots] = root[..., :7]
        turning = np.einsum("saji,saj->sai", matrix_from_quaternion(root[..., 3:7]), root[..., 10:])
        qvel[:, self.root_rates] = np.concatenate([root[..., 7:10], turning], axis=-1)
        for ball in self.balls:
            angles = dof[:, ball.hinges, 0]
            qpos[:, ball.quat] = quaternion_of(angles, ball.order)
            qvel[:, ball.rate] = np.einsum("sij,sj->si", rate_map(angles, ball.order), dof[:, ball.hinges, 1])
        return qpos, qvel

    def targets(self, ctrl: Float[ndarray, "sims nu"]) -> Float[ndarray, "sims dofs"]:
        """Hinge angles of the rotation that a joint's three servos ask for together."""
        target = np.zeros((len(ctrl), 3 * len(self.balls)))
        for ball in self.balls:
            target[:, ball.hinges] = angles_of(quaternion_from_axis_angle(ctrl[:, ball.servos]), ball.order)
        return target
