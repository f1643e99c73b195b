"""Where the project simulates: one contract, and the engines behind it."""

from typing import TYPE_CHECKING

from hsimul3r.errors import UnknownBackend

if TYPE_CHECKING:
    from sim_envs.contract import SimBackend

BACKENDS = ("mujoco_cpu",)


def backend(name: str) -> "SimBackend":
    """The physics backend of that name; raises `UnknownBackend`."""
    if name != "mujoco_cpu":
        raise UnknownBackend(name, BACKENDS)
    from sim_envs.mujoco_cpu import MujocoCpu

    return MujocoCpu()
