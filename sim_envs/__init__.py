"""Where the project simulates: one contract, and the engines behind it."""

from typing import TYPE_CHECKING

from hsimul3r.errors import UnknownBackend

if TYPE_CHECKING:
    from sim_envs.contract import SimBackend

BACKENDS = ("mujoco_cpu", "mujoco_warp", "isaacgym")


def backend(name: str) -> "SimBackend":
    """The physics backend of that name; raises `UnknownBackend`, or `MissingPackage` where its engine is not installed."""
    if name == "mujoco_cpu":
        from sim_envs.mujoco_cpu import MujocoCpu

        return MujocoCpu()
    if name == "mujoco_warp":
        from sim_envs.mujoco_warp import MujocoWarp

        return MujocoWarp()
    if name == "isaacgym":
        from sim_envs.isaacgym.client import WorkerBackend

        return WorkerBackend()
    raise UnknownBackend(name, BACKENDS)
