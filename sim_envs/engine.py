"""MuJoCo, imported where it is used. Its wheel has no type information for the C structures: the names here document only."""

from typing import Any, TypeAlias

from hsimul3r.require import require

MjModel: TypeAlias = Any
MjSpec: TypeAlias = Any
MjsBody: TypeAlias = Any
MjsGeom: TypeAlias = Any


def mujoco() -> Any:
    """The module; raises `MissingPackage` where it is not installed."""
    return require("mujoco", "simulation")


def mujoco_batch() -> Any:
    """The module of many simulations on a thread pool (mujoco >= 3.17)."""
    return require("mujoco.batch", "simulation")
