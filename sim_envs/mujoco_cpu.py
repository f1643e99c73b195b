"""MuJoCo on the processor: `mujoco.batch.Batch`, many simulations on a thread pool, bit-identical at any thread count."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import SimScene
from hsimul3r.conventions import CONTACT_PARTS
from hsimul3r.errors import UnsupportedParameter
from hsimul3r.tracking.simulation import ContactReadings, Parameter
from sim_envs.contact_sensors import damping_ratio
from sim_envs.contract import Capabilities, Timing
from sim_envs.engine import MjModel, mujoco, mujoco_batch
from sim_envs.named_model import PARAMETERS, NamedModel
from sim_envs.scene_builder import load_model


class MujocoCpu:
    """The default backend."""

    name = "mujoco_cpu"
    capabilities = Capabilities(is_bit_reproducible=True, uses_gpu=False, parameters=PARAMETERS)

    def load(self, scene: SimScene, *, count: int, timing: Timing, threads: int = 0) -> "MujocoBatch":
        """Build the model and open `count` simulations in the scene's initial state."""
        humans = scene.humans
        objects = tuple(asset.name for asset in scene.assets)
        batch = MujocoBatch(load_model(scene, timing), humans, objects, count=count, threads=threads)
        batch.reset(np.tile(scene.qpos, (count, 1)))
        return batch


def _say_nothing(message: str) -> None:
    """MuJoCo prints its warnings and appends them to a file in the working folder; `has_diverged` reports them instead."""


class MujocoBatch(NamedModel):
    """`count` simulations of one model. Satisfies `sim_envs.contract.SimBatch`."""

    def __init__(
        self,
        model: MjModel,
        humans: tuple[str, ...],
        objects: tuple[str, ...],
        *,
        count: int,
        threads: int = 0,
        parts: Mapping[str, Sequence[str]] = CONTACT_PARTS,
    ):
        mujoco().set_mju_user_warning(_say_nothing)
        super().__init__(model, humans, objects, parts)
        self._batch = mujoco_batch().Batch(model, count, nthread=threads)
        fields = ("qpos", "qvel", "ctrl", "xfrc_applied", "xpos", "xquat", "sensordata", "actuator_force")
        self._bound = {name: self._batch.bind(name) for name in fields}
        self._expanded: dict[str, ndarray] = {}
        self._forces: dict[str, ndarray] = {}
        self._capped = np.zeros(count, int)

    @property
    def count(self) -> int:
        return self._batch.nsim

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
        ordered = np.unique(rows)
        self._batch.reset(ordered, stage=mujoco().mjtStage.mjSTAGE_NONE)
        self._batch.warning[rows], self._capped[rows] = 0, 0
        self._bound["qpos"][rows] = qpos
        self._bound["qvel"][rows] = 0.0 if qvel is None else qvel
        self._bound["ctrl"][rows] = 0.0
        for body, force in self._forces.items():
            self._force_on(body)[rows] = force[rows]
        self._batch.forward(ordered)

    def step(self, ctrl: Float[ndarray, "sims nu"], steps: int = 1, *, is_exact: bool = False) -> None:
        """Advance by `steps` time steps."""
        self._bound["ctrl"][:] = ctrl
        iterations = self._batch.rollout(steps, record=("solver_niter",))["solver_niter"]
        self._capped += (iterations.max(axis=2) >= self._model.opt.iterations).sum(axis=1)
        if is_exact:
            self._batch.forward()

    def state(self) -> tuple[Float[ndarray, "sims nq"], Float[ndarray, "sims nv"]]:
        """Copies of positions and velocities."""
        return self._bound["qpos"].copy(), self._bound["qvel"].copy()

    def body_poses(self, names: Sequence[str]) -> tuple[Float[ndarray, "sims bodies 3"], Float[ndarray, "sims bodies 4"]]:
        """Frame origins and orientations (wxyz) of the named bodies."""
        index = [self._model.body(name).id for name in names]
        return self._bound["xpos"][:, index], self._bound["xquat"][:, index]

    def contacts(self) -> ContactReadings:
        """Forces between body parts and objects, in the order of `contact_names`."""
        return self._sensors.readings(self._bound["sensordata"])

    def penetration_m(self) -> Float[ndarray, "sims"]:
        """Depth of the deepest contact between a person and an object."""
        return self._sensors.penetration_m(self._bound["sensordata"])

    def has_diverged(self) -> Bool[ndarray, "sims"]:
        """True where MuJoCo found bad positions, velocities or accelerations (it then starts that simulation anew)."""
        kinds = mujoco().mjtWarning
        bad = [int(kind) for kind in (kinds.mjWARN_BADQPOS, kinds.mjWARN_BADQVEL, kinds.mjWARN_BADQACC)]
        return self._batch.warning[:, bad, 1].any(axis=1)

    def servo_torques(self) -> Float[ndarray, "sims nu"]:
        """What each servo gives about its axis [N m]."""
        return self._bound["actuator_force"].copy()

    def capped_steps(self) -> Int[ndarray, "sims"]:
        """Time steps since the last reset in which the contact solver reached its limit of iterations."""
        return self._capped.copy()

    def set_parameter(self, name: Parameter, values: Float[ndarray, "sims *size"], *, body: str | None = None) -> None:
        """Set a parameter in every simulation; raises `UnsupportedParameter`."""
        if name == "contact_recovery_s":
            self._expand("geom_solref")[:, :, 1] = damping_ratio(self._model, np.asarray(values))[:, None]
        elif name == "gravity_m_s2":
            self._expand("opt.gravity")[:] = values
        elif name == "force_n" and body is not None:
            self._forces[body] = np.broadcast_to(values, (self.count, 3)).copy()
            self._force_on(body)[:] = values
        elif name == "mass_kg" and body is not None:
            self._set_mass(self._model.body(body).id, values)
        elif name == "friction" and body is not None:
            owned = self._model.geom_bodyid == self._model.body(body).id
            self._expand("geom_friction")[:, owned, 0] = np.asarray(values)[:, None]
        else:
            raise UnsupportedParameter(MujocoCpu.name, name, PARAMETERS)

    def _force_on(self, body: str) -> Float[ndarray, "sims 3"]:
        return self._bound["xfrc_applied"][:, self._model.body(body).id, :3]

    def _set_mass(self, body: int, values: ndarray) -> None:
        mass = self._expand("body_mass")
        ratio = np.asarray(values) / self._model.body_mass[body]
        mass[:, body] = values
        self._expand("body_inertia")[:, body] = self._model.body_inertia[body] * ratio[:, None]
        self._batch.set_const()

    def _expand(self, field: str) -> ndarray:
        if field not in self._expanded:
            self._expanded[field] = self._batch.expand(field)
        return self._expanded[field]
