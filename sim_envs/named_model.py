"""What every backend that runs MuJoCo's model says of it by name."""

from collections.abc import Mapping, Sequence
from typing import Final

from hsimul3r.conventions import CONTACT_PARTS
from hsimul3r.tracking.simulation import Parameter
from sim_envs.contact_sensors import ContactSensors
from sim_envs.engine import MjModel
from sim_envs.scene_builder import ctrl_names, qpos_names, qvel_names

PARAMETERS: Final[tuple[Parameter, ...]] = ("contact_recovery_s", "gravity_m_s2", "force_n", "mass_kg", "friction")
"""What may differ between simulations of such a model."""


class NamedModel:
    """Names, sensors, time step and mass of a compiled scene; see `hsimul3r.tracking.simulation.Simulation`."""

    def __init__(
        self,
        model: MjModel,
        humans: tuple[str, ...],
        objects: tuple[str, ...],
        parts: Mapping[str, Sequence[str]] = CONTACT_PARTS,
    ):
        self._model = model
        self.qpos_names = qpos_names(model)
        self.qvel_names = qvel_names(model)
        self.ctrl_names = ctrl_names(model)
        self.body_names = tuple(model.body(i).name for i in range(1, model.nbody))
        self._sensors = ContactSensors(model, humans, objects, parts)
        self.contact_names = self._sensors.names

    @property
    def timestep_s(self) -> float:
        return float(self._model.opt.timestep)

    def total_mass_kg(self) -> float:
        """Of everything that moves."""
        return float(self._model.body_subtreemass[0])
