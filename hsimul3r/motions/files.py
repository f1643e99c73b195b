"""The files of a captured or estimated motion, brought together in a run's own folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from hsimul3r.errors import BadMotion
from hsimul3r.files import fresh_folder
from hsimul3r.importers import clip_file
from hsimul3r.importers.tools import TRAM_CAMERA, read_clip, tram_camera

CAPTURED = (".amc", ".npz")
ESTIMATED = (".pkl", ".pickle", ".pt", ".pth", ".npy", ".h5", ".hdf5", clip_file.SUFFIX)
"""What the programs of importers.tools leave."""


def motion_files(file: Path, asf: Path | None) -> tuple[Path, ...]:
    """A motion, and the skeleton of an .amc or TRAM's cameras of an .npy. Raises `BadMotion` where one is missing.

    Programs that leave many files (Human3R) are known by their folder.
    """
    if file.is_dir():
        return (file,)
    kind, kinds = file.suffix.lower(), (*CAPTURED, *ESTIMATED)
    if not file.is_file() or kind not in kinds:
        raise BadMotion(file, f"it is no file that ends in {', '.join(kinds)}" if file.exists() else "there is no such file")
    if kind == ".amc":
        return file, find_skeleton(file, asf)
    if kind == ".npy":
        return file, _cameras_of(file)
    return (file,)


def _cameras_of(file: Path) -> Path:
    found = tram_camera(file)
    if not found.is_file():
        raise BadMotion(file, f"TRAM's '{found}' is not there")
    return found


def estimate_in(folder: Path) -> Path | None:
    """The estimated motion in a folder made by `copy_motion`."""
    return next((path for path in sorted(folder.glob("motion.*")) if path.suffix in ESTIMATED), None)


def find_skeleton(amc: Path, asf: Path | None) -> Path:
    """The skeleton given, else the one of CMU's naming (subject, underscore, trial), else the only one beside the motion."""
    beside = sorted(amc.parent.glob("*.asf"))
    named = amc.with_name(amc.stem.split("_")[0] + ".asf")
    found = asf or (named if named in beside else beside[0] if len(beside) == 1 else None)
    if found is None or not found.is_file():
        raise BadMotion(amc, f"its skeleton '{found or named}' is not there")
    return found


def copy_motion(files: Sequence[Path], folder: Path) -> Path:
    """Copy a motion's files into `folder`, which then holds nothing else; of a program's folder, what is read of it.

    Raises `BadForeignFile`, `UnsafeFile`.
    """
    with fresh_folder(folder) as out:
        for path in files:
            if path.is_dir():
                clip_file.save_clip(read_clip(path), out / f"motion{clip_file.SUFFIX}")
                continue
            shutil.copyfile(path, out / (TRAM_CAMERA if path.name == TRAM_CAMERA else f"motion{path.suffix.lower()}"))
    return folder
