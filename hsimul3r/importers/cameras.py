"""Cameras that another program found for a capture's photos, and the points that it saw in them.

dust3r      DUSt3R's alignment as HSfM keeps it, dust3r_reconstruction_results_<name>.pkl: {dust3r_ga_output: {photo: {intrinsic
            (3, 3), cam2world (4, 4), pts3d (h, w, 3) in the world, conf (h, w), msk (h, w): sure, ...}}}
hsfm        hsfm_output_smplx.pkl: {hsfm_places_cameras: the same}

Their pictures are photos resized, then cropped about the middle; a pixel's index is its centre's coordinate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.artifacts import Cameras, Capture
from hsimul3r.errors import BadForeignFile

HSFM_CAMERAS: Final = "hsfm_places_cameras"
DUST3R_CAMERAS: Final = "dust3r_ga_output"
SURE: Final = 3.0
"""Confidence from which on DUSt3R keeps points."""
SAME: Final = 0.01
"""Relative difference up to which focal lengths of the two axes, or the shapes of two pictures, are the same."""


@dataclass(frozen=True, kw_only=True)
class SeenPoints:
    """What a picture shows, per pixel of it."""

    points: Float[ndarray, "height width 3"]
    """In the program's world and scale."""
    confidence: Float[ndarray, "height width"]
    """In DUSt3R's terms: 1 says nothing."""
    is_sure: Bool[ndarray, "height width"]


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
    seen: SeenPoints | None = None


def pickled_cameras(content: Any, path: Path) -> tuple[KnownCamera, ...]:
    """Of the content of HSfM's files. Raises `BadForeignFile`."""
    key = next((key for key in (HSFM_CAMERAS, DUST3R_CAMERAS) if isinstance(content, Mapping) and key in content), None)
    if key is None:
        raise BadForeignFile(path, f"it holds neither '{HSFM_CAMERAS}' nor '{DUST3R_CAMERAS}'")
    try:
        return tuple(_pickled(str(name), found) for name, found in content[key].items())
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, np.linalg.LinAlgError) as error:
        raise BadForeignFile(path, f"its '{key}' holds no cameras ({type(error).__name__}: {error})") from error


def _pickled(name: str, found: Mapping[str, Any]) -> KnownCamera:
    K = np.asarray(found["intrinsic"], float).reshape(3, 3)
    points = np.asarray(found["pts3d"], float)
    height, width, _ = points.shape
    return KnownCamera(
        name=name, size_px=(width, height), focal_px=(float(K[0, 0]), float(K[1, 1])),
        principal_px=(float(K[0, 2]), float(K[1, 2])), k1=0.0,
        T_cam_world=np.linalg.inv(np.asarray(found["cam2world"], float).reshape(4, 4)), is_cropped=True,
        seen=_seen(points, found.get("conf"), found.get("msk")),
    )  # fmt: skip


def _seen(points: Float[ndarray, "height width 3"], confidence: Any, is_sure: Any) -> SeenPoints | None:
    if confidence is None:
        return None
    sure = np.asarray(confidence, float)
    return SeenPoints(points=points, confidence=sure, is_sure=sure > SURE if is_sure is None else np.asarray(is_sure, bool))


def cameras_of_photos(known: Sequence[KnownCamera], capture: Capture, path: Path) -> Cameras:
    """The cameras in working pixels by the photos' names; photos of which `path` knows nothing are not registered.

    Raises `BadForeignFile` where fewer than two are known, and for a lens or picture that cannot be these photos'.
    """
    matched = by_view(known, capture)
    views = len(capture.sources)
    focal, k1, principal = np.full(views, np.nan), np.zeros(views), (capture.size_px - 1) / 2
    T, is_registered = np.tile(np.eye(4), (views, 1, 1)), np.zeros(views, bool)
    for v, camera in matched.items():
        scale = working_scale(camera, capture.size_px[v], path)
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


def by_view(known: Sequence[KnownCamera], capture: Capture) -> dict[int, KnownCamera]:
    """The cameras by view, found by the photos' names."""
    by_name = {name: camera for camera in known for name in (Path(camera.name).stem, Path(camera.name).name)}
    found = {v: by_name.get(source, by_name.get(Path(source).stem)) for v, source in enumerate(capture.sources)}
    return {v: camera for v, camera in found.items() if camera is not None}


def named_in_order(known: Sequence[KnownCamera], photos: Sequence[str], path: Path) -> tuple[KnownCamera, ...]:
    """Cameras of a program that took a folder's photos in the order of their names.

    Raises `BadForeignFile` where they are not as many.
    """
    if len(known) != len(photos):
        raise BadForeignFile(path, f"it holds {len(known)} pictures, and the capture {len(photos)} photos")
    return tuple(replace(camera, name=name) for camera, name in zip(known, sorted(photos)))


def working_scale(camera: KnownCamera, size_px: ndarray, path: Path) -> float:
    """Working pixels per pixel of the camera's picture. Raises `BadForeignFile` for one that cannot be the photo's."""
    fx, fy = camera.focal_px
    if abs(fx - fy) > SAME * fx:
        raise BadForeignFile(path, f"the camera of '{camera.name}' has two focal lengths ({fx:.0f} and {fy:.0f} px)")
    ratios = np.asarray(size_px) / np.array(camera.size_px)
    width, height = camera.size_px
    is_turned = (width - height) * (size_px[0] - size_px[1]) < 0
    if is_turned or (not camera.is_cropped and np.ptp(ratios) > SAME * ratios.min()):
        raise BadForeignFile(path, f"the picture of '{camera.name}' is {width} x {height}, of another shape than the photo")
    return float(ratios.min())
