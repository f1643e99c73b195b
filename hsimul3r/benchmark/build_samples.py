"""Build the sample captures: photographs and truth.

    python -m hsimul3r.benchmark.build_samples --out data/hsibench/samples --blender-python <python>

`--blender-python` is an interpreter with bpy 4.2 and numpy (`pip install "bpy==4.2.*" "numpy<2"` in a Python 3.11
environment of its own).
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image
from rich.console import Console

from hsimul3r.benchmark.camera import cycles
from hsimul3r.benchmark.compose import Composed, compose
from hsimul3r.benchmark.samples import SAMPLES
from hsimul3r.benchmark.truth import FIRST_OBJECT, PERSON, ROOM, Truth, save_truth, truth_of
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
    jpeg_quality: int = 90
    grain: float = 1.6
    """Standard deviation of the sensor noise in grey levels."""


def build_samples(cfg: BuildConfig, progress: Progress) -> None:
    """Build the samples of `cfg`, one after the other; a sample appears in `out` only when it is whole."""
    for name in progress.track(cfg.only, "samples"):
        with tempfile.TemporaryDirectory() as work:
            _build(name, cfg, Path(work))


def _build(name: str, cfg: BuildConfig, work: Path) -> None:
    case = SAMPLES[name]()
    composed = compose(case, samples=cfg.samples_per_pixel)
    composed.shot(0).save(work)
    command = [str(cfg.blender_python), str(Path(cycles.__file__)), str(work)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    sample = work / name
    (sample / "truth").mkdir(parents=True)
    rng = np.random.default_rng(case.seed)
    for view in range(len(composed.views)):
        photo = _developed(_read(work / f"view_{view}.png"), cfg.grain, rng)
        cv2.imwrite(str(sample / f"{view + 1:05d}.jpg"), photo, [cv2.IMWRITE_JPEG_QUALITY, cfg.jpeg_quality])
    save_truth(_truth(composed, work), sample / "truth")
    shutil.rmtree(cfg.out / name, ignore_errors=True)
    cfg.out.mkdir(parents=True, exist_ok=True)
    shutil.move(sample, cfg.out / name)


def _developed(
    picture: UInt8[ndarray, "height width 3"], grain: float, rng: np.random.Generator
) -> UInt8[ndarray, "height width 3"]:
    """Lens softness, sensor noise (finer grain over coarser) and slight vignetting."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = 1 - 0.09 * (x**2 + y**2)[..., None] / 2
    noise = rng.normal(0, grain, picture.shape) + cv2.GaussianBlur(rng.normal(0, 2 * grain, picture.shape), (0, 0), 1.2)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 0.55) * vignette + noise, 0, 255).round().astype(np.uint8)


def _read(path: Path) -> UInt8[ndarray, "height width 3"]:
    """A picture in OpenCV's channel order."""
    return np.ascontiguousarray(np.asarray(Image.open(path).convert("RGB"))[..., ::-1])


def _truth(composed: Composed, work: Path) -> Truth:
    views = range(len(composed.views))
    labels = [_read(work / f"label_{view}.png") for view in views]
    return truth_of(
        composed.staged,
        cameras=composed.cameras,
        frames=composed.frames,
        labels=tuple(
            np.where(label[..., 2] > 127, PERSON, np.where(label[..., 1] > 127, FIRST_OBJECT, ROOM)).astype(np.uint8)
            for label in labels
        ),
        depth=(None,) * len(views),
    )


def main() -> None:
    """Command line."""
    build_samples(tyro.cli(BuildConfig), Progress(Console()))


if __name__ == "__main__":
    main()
