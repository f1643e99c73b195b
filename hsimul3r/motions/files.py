"""The files of a captured motion, brought together in a run's own folder."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from hsimul3r.errors import BadMotion
from hsimul3r.files import fresh_folder


def motion_files(file: Path, asf: Path | None) -> tuple[Path, ...]:
    """A motion, and the skeleton of an .amc. Raises `BadMotion` where one is missing."""
    kind = file.suffix.lower()
    if not file.is_file() or kind not in (".amc", ".npz"):
        raise BadMotion(file, "it is no file that ends in .amc or .npz" if file.exists() else "there is no such file")
    return (file, find_skeleton(file, asf)) if kind == ".amc" else (file,)


def find_skeleton(amc: Path, asf: Path | None) -> Path:
    """The skeleton given, else the one of CMU's naming (subject, underscore, trial), else the only one beside the motion."""
    beside = sorted(amc.parent.glob("*.asf"))
    named = amc.with_name(amc.stem.split("_")[0] + ".asf")
    found = asf or (named if named in beside else beside[0] if len(beside) == 1 else None)
    if found is None or not found.is_file():
        raise BadMotion(amc, f"its skeleton '{found or named}' is not there")
    return found


def copy_motion(files: Sequence[Path], folder: Path) -> Path:
    """Copy a motion's files into `folder`, which then holds nothing else."""
    with fresh_folder(folder) as out:
        for path in files:
            shutil.copyfile(path, out / f"motion{path.suffix.lower()}")
    return folder
