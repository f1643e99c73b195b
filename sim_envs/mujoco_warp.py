"""MuJoCo on a GPU: the same model on mujoco_warp, in single precision; without a GPU on warp's CPU device, one thread.

Kernels compile on first use (half a minute of CPU time) and are kept in warp's cache. On a GPU the step is captured once as a
CUDA graph; that branch alone has not been run by this project's tests, which have no GPU.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import SimScene
from hsimul3r.errors import UnsupportedParameter
from hsimul3r.tracking.simulation import ContactReadings, Parameter
from sim_envs.contact_sensors import damping_ratio
from sim_envs.contract import Capabilities, Timing
from sim_envs.engine import MjModel, mujoco_warp, warp
from sim_envs.named_model import PARAMETERS, NamedModel
from sim_envs.scene_builder import load_model

BEYOND_ANY_STATE = 1e10
"""MuJoCo calls a position or velocity beyond it bad."""
MASS_DEPENDENT = ("body_subtreemass", "body_invweight0", "dof_invweight0", "actuator_acc0")
OUTPUTS = ("xpos", "xquat", "sensordata", "actuator_force")


@dataclass(frozen=True, kw_only=True)
class WarpLimits:
    """What is allocated for a world. A simulation that needs more contacts is reported as diverged, never cut short."""

    contacts: int = 192
    constraints: int = 640


class MujocoWarp:
    """The backend for thousands of simulations."""

    name = "mujoco_warp"

    def __init__(self, device: str | None = None, limits: WarpLimits | None = None):
        """`device` is warp's name, for example 'cuda:0' or 'cpu'; without it the GPU where there is one."""
        self._device = warp().get_device(device)
        self._limits = limits or WarpLimits()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(is_bit_reproducible=False, uses_gpu=bool(self._device.is_cuda), parameters=PARAMETERS)

    def load(self, scene: SimScene, *, count: int, timing: Timing, threads: int = 0) -> "WarpBatch":
        """Build the model and open `count` simulations in the scene's initial state; `threads` means nothing here."""
        objects = tuple(asset.name for asset in scene.assets)
        with warp().ScopedDevice(self._device):
            batch = WarpBatch(load_model(scene, timing), scene.humans, objects, count=count, limits=self._limits)
            batch.reset(np.tile(scene.qpos, (count, 1)))
        return batch


class WarpBatch(NamedModel):
    """`count` worlds of one model on warp's current device. Satisfies `sim_envs.contract.SimBatch`."""

    def __init__(self, model: MjModel, humans: tuple[str, ...], objects: tuple[str, ...], *, count: int, limits: WarpLimits):
        super().__init__(model, humans, objects)
        self._mw, self._device = mujoco_warp(), warp().get_device()
        self.count = count
        self._on_device = self._mw.put_model(model)
        self._on_device.opt.warn_overflow = 0
        self._data = self._mw.make_data(model, nworld=count, nconmax=limits.contacts, njmax=limits.constraints)
        self._capped = warp().zeros(count, dtype=int)
        self._graph: Any = None
        self._outputs: dict[str, ndarray] = {}
        self._forces: dict[str, ndarray] = {}

    def reset(
        self,
        qpos: Float[ndarray, "some nq"],
        qvel: Float[ndarray, "some nv"] | None = None,
        *,
        only: Int[ndarray, "some"] | None = None,
    ) -> None:
        """Start anew from a state, all simulations or only some; parameters stay."""
        rows = np.arange(self.count) if only is None else np.asarray(only, int)
        if not len(rows):
            return
        before = {name: self._output(name) for name in OUTPUTS} if len(rows) < self.count else {}
        warmstart = self._data.qacc_warmstart.numpy()
        warmstart[rows] = 0.0
        for name, values in (("qpos", qpos), ("qvel", 0.0 if qvel is None else qvel), ("ctrl", 0.0), ("overflow", 0)):
            self._write(getattr(self._data, name), rows, values)
        self._write(self._capped, rows, 0)
        forces = np.zeros((self.count, len(self.body_names) + 1, 6))
        for body, force in self._forces.items():
            forces[:, self._model.body(body).id, :3] = force
        self._write(self._data.xfrc_applied, rows, forces[rows])
        self._data.qacc_warmstart.assign(warmstart)
        self._forward()
        self._data.qacc_warmstart.assign(warmstart)
        for name, values in before.items():
            values[rows] = self._output(name)[rows]
        self._outputs.update(before)

    def step(self, ctrl: Float[ndarray, "sims nu"], steps: int = 1, *, is_exact: bool = False) -> None:
        """Advance by `steps` time steps."""
        self._data.ctrl.assign(np.ascontiguousarray(ctrl, np.float32))
        self._outputs.clear()
        with warp().ScopedDevice(self._device):
            advance = self._captured() if self._device.is_cuda else self._advance
            for _ in range(steps):
                advance()
        if is_exact:
            self._forward()

    def state(self) -> tuple[Float[ndarray, "sims nq"], Float[ndarray, "sims nv"]]:
        """Copies of positions and velocities."""
        return self._data.qpos.numpy().astype(float), self._data.qvel.numpy().astype(float)

    def body_poses(self, names: Sequence[str]) -> tuple[Float[ndarray, "sims bodies 3"], Float[ndarray, "sims bodies 4"]]:
        """Frame origins and orientations (wxyz) of the named bodies."""
        index = [self._model.body(name).id for name in names]
        return self._output("xpos")[:, index].astype(float), self._output("xquat")[:, index].astype(float)

    def contacts(self) -> ContactReadings:
        """Forces between body parts and objects, in the order of `contact_names`."""
        return self._sensors.readings(self._output("sensordata").astype(float))

    def penetration_m(self) -> Float[ndarray, "sims"]:
        """Depth of the deepest contact between a person and an object."""
        return self._sensors.penetration_m(self._output("sensordata").astype(float))

    def has_diverged(self) -> Bool[ndarray, "sims"]:
        """True where the state is not finite or beyond reason, and where contacts did not fit into what is allocated."""
        kinds = self._mw.OverflowType
        cut = int(kinds.NEFC | kinds.NJMAX_NNZ | kinds.BROADPHASE | kinds.NARROWPHASE | kinds.CONTACT_MATCH)
        is_bad = (self._data.overflow.numpy() & cut) != 0
        for values in self.state():
            is_bad |= ~(np.abs(values) <= BEYOND_ANY_STATE).all(axis=1)
        return is_bad

    def servo_torques(self) -> Float[ndarray, "sims nu"]:
        """What each servo gives about its axis [N m]."""
        return self._output("actuator_force").astype(float)

    def capped_steps(self) -> Int[ndarray, "sims"]:
        """Time steps since the last reset in which the contact solver reached its limit of iterations."""
        return self._capped.numpy().astype(int)

    def set_parameter(self, name: Parameter, values: Float[ndarray, "sims *size"], *, body: str | None = None) -> None:
        """Set a parameter in every simulation; raises `UnsupportedParameter`."""
        values = np.asarray(values, np.float32)
        if name == "contact_recovery_s":
            solref = self._field("geom_solref")
            solref[..., 1] = damping_ratio(self._model, values)[:, None]
            self._set_field("geom_solref", solref)
        elif name == "gravity_m_s2":
            self._on_device.opt.gravity = warp().array(values, dtype=warp().vec3, device=self._device)
            self._graph = None
        elif name == "force_n" and body is not None:
            self._forces[body] = np.broadcast_to(values, (self.count, 3)).copy()
            forces = self._data.xfrc_applied.numpy()
            forces[:, self._model.body(body).id, :3] = values
            self._data.xfrc_applied.assign(forces)
        elif name == "mass_kg" and body is not None:
            self._set_mass(self._model.body(body).id, values)
        elif name == "friction" and body is not None:
            friction = self._field("geom_friction")
            friction[:, self._model.geom_bodyid == self._model.body(body).id, 0] = values[:, None]
            self._set_field("geom_friction", friction)
        else:
            raise UnsupportedParameter(MujocoWarp.name, name, PARAMETERS)

    def _advance(self) -> None:
        self._mw.step(self._on_device, self._data)
        limit = int(self._model.opt.iterations)
        warp().launch(_count_capped(), dim=self.count, inputs=[self._data.solver_niter, limit, self._capped])

    def _captured(self) -> Callable[[], None]:
        if self._graph is None:
            with warp().ScopedCapture() as capture:
                self._advance()
            self._graph = capture.graph
        return lambda: warp().capture_launch(self._graph)

    def _forward(self) -> None:
        self._outputs.clear()
        with warp().ScopedDevice(self._device):
            self._mw.forward(self._on_device, self._data)

    def _output(self, name: str) -> ndarray:
        if name not in self._outputs:
            self._outputs[name] = getattr(self._data, name).numpy().copy()
        return self._outputs[name]

    def _write(self, array: Any, rows: Int[ndarray, "some"], values: ndarray | float) -> None:
        held = array.numpy()
        held[rows] = values
        array.assign(held)

    def _field(self, name: str) -> ndarray:
        """A model's field, one row a simulation."""
        held = getattr(self._on_device, name).numpy()
        return np.repeat(held, self.count, axis=0) if len(held) != self.count else held.copy()

    def _set_field(self, name: str, values: ndarray) -> None:
        held = getattr(self._on_device, name)
        if len(held) == self.count:
            held.assign(values)
            return
        setattr(self._on_device, name, warp().array(values, dtype=held.dtype, device=self._device))
        self._graph = None

    def _set_mass(self, body: int, values: Float[ndarray, "sims"]) -> None:
        mass, inertia = self._field("body_mass"), self._field("body_inertia")
        mass[:, body] = values
        ratio = values / float(self._model.body_mass[body])
        inertia[:, body] = self._model.body_inertia[body] * ratio[:, None]
        self._set_field("body_mass", mass)
        self._set_field("body_inertia", inertia)
        for name in MASS_DEPENDENT:
            self._set_field(name, self._field(name))
        for name in OUTPUTS:
            self._output(name)
        with warp().ScopedDevice(self._device):
            self._mw.set_const(self._on_device, self._data)


@cache
def _count_capped() -> Any:
    wp = warp()

    def count_capped(iterations: Any, limit: Any, capped: Any) -> None:
        world = wp.tid()
        if iterations[world] >= limit:
            capped[world] += 1

    ints = wp.array(dtype=int)
    count_capped.__annotations__ = {"iterations": ints, "limit": int, "capped": ints}
    return wp.kernel(count_capped, enable_backward=False)
