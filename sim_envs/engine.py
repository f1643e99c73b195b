"""Engines, imported where they are used. MuJoCo's wheel has no types for its C structures: the names here only document."""

from functools import cache
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


@cache
def warp() -> Any:
    """NVIDIA's kernel compiler, which runs on CUDA and on the processor; it says nothing but warnings."""
    module = require("warp", "the mujoco_warp backend")
    module.config.log_level = module.LOG_WARNING
    return module


def mujoco_warp() -> Any:
    """The module; raises `MissingPackage` where it is not installed."""
    warp()
    return require("mujoco_warp", "the mujoco_warp backend")
