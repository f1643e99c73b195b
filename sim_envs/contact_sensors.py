"""Contacts read from MuJoCo's contact sensors, the same on the processor and on mujoco_warp."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.conventions import CONTACT_PARTS
from hsimul3r.tracking.simulation import ContactReadings
from sim_envs.contract import contact_pairs
from sim_envs.engine import MjModel
from sim_envs.scene_builder import depth_sensor, touch_sensor

FORCE_AND_POINT = 6
"""Values a touch sensor reports per contact: force in the contact's frame (normal first), world point."""


class ContactSensors:
    """Where the sensors of `scene_builder` lie in sensordata; `parts` are what may touch, each some bodies."""

    def __init__(
        self,
        model: MjModel,
        humans: Sequence[str],
        objects: Sequence[str],
        parts: Mapping[str, Sequence[str]] = CONTACT_PARTS,
    ):
        pairs = tuple(contact_pairs(tuple(humans), tuple(objects), parts))
        self.names = tuple(pair.name for pair in pairs)
        self._touch = [_columns(model, [touch_sensor(p.name, joint) for joint in parts[p.part]]) for p in pairs]
        self._depth = _columns(model, [depth_sensor(human, name) for human in humans for name in objects])

    def readings(self, data: Float[ndarray, "sims values"]) -> ContactReadings:
        """Forces between body parts and objects, in the order of `names`."""
        force = np.zeros((len(data), len(self._touch)))
        point = np.zeros((len(data), len(self._touch), 3))
        for i, columns in enumerate(self._touch):
            values = data[:, columns].reshape(len(data), -1, FORCE_AND_POINT)
            normal = values[..., 0]
            force[:, i] = normal.sum(axis=1)
            weight = normal / np.maximum(force[:, i, None], 1e-9)
            point[:, i] = np.einsum("sc,sck->sk", weight, values[..., 3:])
        return ContactReadings(force_n=force, point=point)

    def penetration_m(self, data: Float[ndarray, "sims values"]) -> Float[ndarray, "sims"]:
        """Depth of the deepest contact between a person and an object."""
        return np.maximum(-data[:, self._depth], 0.0).max(axis=1, initial=0.0)


def damping_ratio(model: MjModel, recovery_s: Float[ndarray, "sims"]) -> Float[ndarray, "sims"]:
    """Of contacts that give way with that time constant.

    MuJoCo's contact has stiffness 1 / (t z)^2 and damping 2 / t for time constant t and damping ratio z: overdamped it gives
    way at 2 t z^2, without yielding to weight as a contact with a longer t does.
    """
    hardest = 2.0 * float(model.geom_solref[0, 0])
    return np.sqrt(np.maximum(recovery_s, hardest) / hardest)


def _columns(model: MjModel, sensors: list[str]) -> Int[ndarray, "values"]:
    spans = [(int(model.sensor(name).adr[0]), int(model.sensor(name).dim[0])) for name in sensors]
    return np.concatenate([np.arange(start, start + size) for start, size in spans]) if spans else np.zeros(0, int)
