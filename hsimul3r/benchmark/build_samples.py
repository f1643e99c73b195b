"""Build the sample captures: photographs and truth.

    python -m hsimul3r.benchmark.build_samples --out data/hsibench/samples --blender-python <python>

`--blender-python` is an interpreter with bpy 4.2 and numpy (`pip install "bpy==4.2.*" "numpy<2"` in a Python 3.11
environment of its own).
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tyro
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image
from rich.console import Console

from hsimul3r.benchmark.camera import cycles
from hsimul3r.benchmark.camera.develop import Phone, develop, jpeg
from hsimul3r.benchmark.camera.shot import Picture
from hsimul3r.benchmark.compose import Composed, compose
from hsimul3r.benchmark.samples import SAMPLES
from hsimul3r.benchmark.truth import Truth, save_truth, truth_of
from hsimul3r.progress import Progress


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What to build and with what."""

    out: Path
    """Folder of the samples; one folder per sample is replaced in it."""
    blender_python: Path = Path(sys.executable)
    """Interpreter that has bpy."""
    only: tuple[str, ...] = tuple(SAMPLES)
    """Names of samples."""
    samples_per_pixel: int = 10
    phone: Phone = field(default_factory=Phone)
    """What develops the pictures."""


def build_samples(cfg: BuildConfig, progress: Progress) -> None:
    """Build the samples of `cfg`, one after the other; a sample appears in `out` only when it is whole."""
    for name in progress.track(cfg.only, "samples"):
        with tempfile.TemporaryDirectory() as work:
            _build(name, cfg, Path(work))


def _build(name: str, cfg: BuildConfig, work: Path) -> None:
    case = SAMPLES[name]()
    composed = compose(case, samples=cfg.samples_per_pixel)
    composed.shot(0).save(work)
    command = [str(cfg.blender_python), "-P", str(Path(cycles.__file__)), str(work)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    sample = work / name
    (sample / "truth").mkdir(parents=True)
    rng, labels = np.random.default_rng(case.seed), []
    for number, view in enumerate(composed.views):
        photo = develop(_picture(work, number), view, rng, phone=cfg.phone)
        (sample / f"{number + 1:05d}.jpg").write_bytes(jpeg(photo.image, cfg.phone))
        labels.append(photo.labels)
    save_truth(_truth(composed, tuple(labels)), sample / "truth")
    shutil.rmtree(cfg.out / name, ignore_errors=True)
    cfg.out.mkdir(parents=True, exist_ok=True)
    shutil.move(sample, cfg.out / name)


def _picture(work: Path, view: int) -> Picture:
    """What Cycles made of a view; it measures no depth."""
    image, code = (np.asarray(Image.open(work / f"{kind}_{view}.png").convert("RGB")) for kind in ("view", "label"))
    return Picture(image=image, labels=code[..., 0].copy(), depth=np.full(code.shape[:2], np.inf, np.float32))


def _truth(composed: Composed, labels: tuple[UInt8[ndarray, "height width"], ...]) -> Truth:
    return truth_of(
        composed.staged,
        cameras=composed.cameras,
        frames=composed.frames,
        labels=labels,
        depth=(None,) * len(labels),
    )


def main() -> None:
    """Command line."""
    build_samples(tyro.cli(BuildConfig), Progress(Console()))


if __name__ == "__main__":
    main()
