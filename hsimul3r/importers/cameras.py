"""Cameras that another program found for a capture's photos: HSfM, DUSt3R's alignment as HSfM keeps it, or any other.

dust3r      {dust3r_ga_output: {photo: {intrinsic (3, 3), cam2world (4, 4), pts3d (h, w, 3), ...}}}
hsfm        hsfm_output_smplx.pkl: {hsfm_places_cameras: the same}

Their pictures are photos resized, then cropped about the middle; a pixel's index is its centre's coordinate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Cameras, Capture
from hsimul3r.errors import BadForeignFile
from hsimul3r.importers.plain import read_plain
from hsimul3r.importers.tools import HSFM_CAMERAS

DUST3R_CAMERAS: Final = "dust3r_ga_output"
SAME: Final = 0.01
"""Relative difference up to which focal lengths of the two axes, or the shapes of two pictures, are the same."""


@dataclass(frozen=True, kw_only=True)
class KnownCamera:
    """A photo's camera in its program's world and scale; pixel centres are at whole numbers."""

    name: str
    """Of the photo."""
    size_px: tuple[int, int]
    """(width, height) of the picture that its pixels are of."""
    focal_px: tuple[float, float]
    """Of x and y."""
    principal_px: tuple[float, float]
    k1: float
    T_cam_world: Float[ndarray, "4 4"]
    is_cropped: bool
    """The picture may show only the middle of the photo."""


def read_pickled_cameras(path: Path) -> tuple[KnownCamera, ...]:
    """Of a file of DUSt3R or HSfM. Raises `BadForeignFile`, `UnsafeFile`."""
    content = read_plain(path)
    key = next((key for key in (HSFM_CAMERAS, DUST3R_CAMERAS) if isinstance(content, Mapping) and key in content), None)
    if key is None:
        raise BadForeignFile(path, f"it holds neither '{HSFM_CAMERAS}' nor '{DUST3R_CAMERAS}'")
    try:
        return tuple(_pickled(str(name), found) for name, found in content[key].items())
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, np.linalg.LinAlgError) as error:
        raise BadForeignFile(path, f"its '{key}' holds no cameras ({type(error).__name__}: {error})") from error


def _pickled(name: str, found: Mapping[str, Any]) -> KnownCamera:
    K = np.asarray(found["intrinsic"], float).reshape(3, 3)
    height, width = np.shape(found["pts3d"])[:2]
    return KnownCamera(
        name=name, size_px=(width, height), focal_px=(float(K[0, 0]), float(K[1, 1])),
        principal_px=(float(K[0, 2]), float(K[1, 2])), k1=0.0,
        T_cam_world=np.linalg.inv(np.asarray(found["cam2world"], float).reshape(4, 4)), is_cropped=True,
    )  # fmt: skip


def cameras_of_photos(known: Sequence[KnownCamera], capture: Capture, path: Path) -> Cameras:
    """The cameras in working pixels by the photos' names; photos of which `path` knows nothing are not registered.

    Raises `BadForeignFile` where fewer than two are known, and for a lens or picture that cannot be these photos'.
    """
    by_name = {name: camera for camera in known for name in (Path(camera.name).stem, Path(camera.name).name)}
    views = len(capture.sources)
    focal, k1, principal = np.full(views, np.nan), np.zeros(views), (capture.size_px - 1) / 2
    T, is_registered = np.tile(np.eye(4), (views, 1, 1)), np.zeros(views, bool)
    for v, source in enumerate(capture.sources):
        camera = by_name.get(source, by_name.get(Path(source).stem))
        if camera is not None:
            scale = _working_scale(camera, capture.size_px[v], path)
            off_middle = np.array(camera.principal_px) - (np.array(camera.size_px) - 1) / 2
            focal[v], k1[v] = scale * float(np.mean(camera.focal_px)), camera.k1
            principal[v] += scale * off_middle
            T[v], is_registered[v] = camera.T_cam_world, True
    if is_registered.sum() < 2:
        names = ", ".join(sorted(camera.name for camera in known)[:8]) or "none"
        raise BadForeignFile(path, f"it knows {is_registered.sum()} of the {views} photos by name; it has: {names}")
    if not (np.isfinite(T).all() and (focal[is_registered] > 0).all() and np.isfinite(principal).all()):
        raise BadForeignFile(path, "its cameras hold NaN, or a focal length that is not positive")
    return Cameras(
        size_px=capture.size_px, focal_px=focal, principal_px=principal, k1=k1, T_cam_world=T, is_registered=is_registered
    )


def _working_scale(camera: KnownCamera, size_px: ndarray, path: Path) -> float:
    """Working pixels per pixel of the camera's picture."""
    fx, fy = camera.focal_px
    if abs(fx - fy) > SAME * fx:
        raise BadForeignFile(path, f"the camera of '{camera.name}' has two focal lengths ({fx:.0f} and {fy:.0f} px)")
    ratios = np.asarray(size_px) / np.array(camera.size_px)
    width, height = camera.size_px
    is_turned = (width - height) * (size_px[0] - size_px[1]) < 0
    if is_turned or (not camera.is_cropped and np.ptp(ratios) > SAME * ratios.min()):
        raise BadForeignFile(path, f"the picture of '{camera.name}' is {width} x {height}, of another shape than the photo")
    return float(ratios.min())
