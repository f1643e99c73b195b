"""Cameras given by the user: a COLMAP model's folder, or the pickle of DUSt3R's alignment or of HSfM."""

from pathlib import Path

from hsimul3r.artifacts import Cameras, Capture
from hsimul3r.errors import BadForeignFile
from hsimul3r.importers.cameras import cameras_of_photos, read_pickled_cameras
from stages.adapters import colmap

TERMS = "given cameras: under the terms of the program that made them"


def read_known_cameras(path: Path, capture: Capture) -> Cameras:
    """Cameras of the capture's photos, in working pixels, in the file's own frame and scale.

    Raises `BadForeignFile`, `UnsafeFile`.
    """
    if not path.exists():
        raise BadForeignFile(path, "there is no such file or folder")
    known = colmap.read_model(path) if path.is_dir() else read_pickled_cameras(path)
    return cameras_of_photos(known, capture, path)
