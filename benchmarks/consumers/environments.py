"""Environments of their own for the programs that benchmarks/export_consumers.py loads exports with.

    python benchmarks/consumers/environments.py FOLDER [--only usd bullet ...]

Makes FOLDER/<name>, a virtual environment with nothing but what stands here; what is there already is left as it is. mjlab's
takes 7 GB, Newton's 1, holosoma's 1.5 (with PyTorch for the CPU), the others .1 to .7 each.
"""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import tyro

PACKAGES: Final = {
    "usd": ("usd-core==26.11",),
    "readers": ("pin==4.1.0", "yourdfpy==0.0.60", "urchin==0.0.30"),
    "bullet": ("pybullet==3.2.7", "numpy"),
    "sapien": ("sapien==3.0.3",),
    "drake": ("drake==1.51.1",),
    "newton": ("newton[importers]==1.8.0",),
    "glb": ("trimesh==5.2.0", "pygltflib==1.16.5"),
    "mjlab": ("torch==2.13.0", "mjlab==1.6.0"),
    "holosoma": (
        "torch==2.13.0",
        "numpy<2",
        "loguru",
        "mujoco==3.11.0",
        "scipy",
        "easydict",
        "tyro",
        "pydantic",
        "tensordict",
        "tensorboard",
        "omegaconf",
        "trimesh",
        "boto3",
    ),  # fmt: skip,
}
WITHOUT_DEPENDENCIES: Final = {"holosoma": ("holosoma==0.0.3",)}
"""holosoma asks for notebooks, Open3D and gamepads, none of which its reader of motions needs."""


@dataclass(frozen=True, kw_only=True)
class Args:
    """Virtual environments for consumers of exports."""

    folder: Annotated[Path, tyro.conf.Positional]
    only: tuple[str, ...] = tuple(PACKAGES)


def main(args: Args) -> None:
    for name in args.only:
        if not python_of(args.folder, name).is_file():
            make(name, args.folder / name)


def make(name: str, folder: Path) -> None:
    venv.create(folder, with_pip=True)
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, *PACKAGES[name]], check=True, stdout=sys.stderr)
    for package in WITHOUT_DEPENDENCIES.get(name, ()):
        subprocess.run([*install, "--no-deps", package], check=True, stdout=sys.stderr)


def python_of(folder: Path, name: str) -> Path:
    """The interpreter of one of them."""
    return folder / name / "bin" / "python"


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
