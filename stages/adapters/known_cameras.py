"""Cameras given by the user, and the points that their program saw: a COLMAP model's folder, a folder of HSfM, Human3R or
CUT3R, or a file of HSfM or DUSt3R.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.artifacts import Cameras, Capture, DenseView
from hsimul3r.errors import BadForeignFile
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import camera_centers
from hsimul3r.importers import aligner, human3r
from hsimul3r.importers.cameras import (
    KnownCamera,
    SeenPoints,
    by_view,
    cameras_of_photos,
    named_in_order,
    pickled_cameras,
    working_scale,
)
from hsimul3r.importers.plain import read_plain
from stages.adapters import colmap
from stages.adapters.networks.pictures import prepared_size, reduced_pixels

TERMS = "given cameras: under the terms of the program that made them"
HSFM_FILES = ("hsfm_output_smplx.pkl", "hsfm_output_smpl.pkl", "*_reconstruction_results_*.pkl")
"""What HSfM's folder holds of cameras, best first."""
SIZES = (512, 224)
"""For which DUSt3R was trained."""


def read_known_cameras(path: Path, capture: Capture) -> Cameras:
    """Cameras of the capture's photos, in working pixels, in the file's own frame and scale.

    Raises `BadForeignFile`, `UnsafeFile`.
    """
    return cameras_of_photos(_known(path, capture), capture, path)


def read_dense_views(
    path: Path, capture: Capture, people: Sequence[Bool[ndarray, "height width"]], cameras: Cameras
) -> tuple[DenseView, ...]:
    """What the file shows of the photos, without people; none where it holds no points. `cameras` are the file's own in another
    frame and scale, in which the points then are. Raises as `read_known_cameras`.
    """
    known = _known(path, capture)
    own = cameras_of_photos(known, capture, path)
    scale, views = _spread(cameras) / _spread(own), []
    for v, camera in by_view(known, capture).items():
        if camera.seen is not None and cameras.is_registered[v]:
            ratio = working_scale(camera, capture.size_px[v], path)
            offset = (capture.size_px[v] - 1) / 2 - ratio * (np.array(camera.size_px) - 1) / 2
            hidden = reduced_pixels(people[v], camera.size_px, np.full(2, ratio), offset)
            views.append(_dense_view(v, camera.seen, _through_camera(own, cameras, v, scale), hidden, ratio, offset))
    return tuple(views)


def _known(path: Path, capture: Capture) -> tuple[KnownCamera, ...]:
    if not path.exists():
        raise BadForeignFile(path, "there is no such file or folder")
    if path.is_dir():
        kept = next((found for pattern in HSFM_FILES for found in sorted(path.glob(pattern))), None)
        if kept is not None:
            return _known(kept, capture)
        if human3r.is_result(path):
            return named_in_order(human3r.read_cameras(path), capture.sources, path)
        return colmap.read_model(path)
    content = read_plain(path)
    if aligner.is_alignment(content):
        photos = capture.original_size_px[np.argsort(capture.sources)].tolist()
        sizes = [[prepared_size(width, height, size) for width, height in photos] for size in SIZES]
        return named_in_order(aligner.read_alignment(content, path, sizes), capture.sources, path)
    return pickled_cameras(content, path)


def _spread(cameras: Cameras) -> float:
    """Root mean square distance of the registered cameras from their middle."""
    centres = camera_centers(cameras)[cameras.is_registered]
    return float(np.sqrt(((centres - centres.mean(0)) ** 2).sum(1).mean()))


def _through_camera(own: Cameras, cameras: Cameras, view: int, scale: float) -> Similarity:
    """From the file's world to that of the cameras, so that the view's camera sees the same."""
    (R_own, t_own), (R, t) = ((T[:3, :3], T[:3, 3]) for T in (own.T_cam_world[view], cameras.T_cam_world[view]))
    return Similarity(scale=scale, R=R.T @ R_own, t=R.T @ (scale * t_own - t))


def _dense_view(
    view: int, seen: SeenPoints, to_world: Similarity, hidden: Bool[ndarray, "height width"], ratio: float,
    offset: Float[ndarray, "2"],
) -> DenseView:  # fmt: skip
    is_finite = np.isfinite(seen.points).all(axis=-1) & np.isfinite(seen.confidence)
    points = to_world.apply(np.where(is_finite[..., None], seen.points, 0.0))
    return DenseView(
        view=view, points=points.astype(np.float32), confidence=np.where(is_finite, seen.confidence, 1).astype(np.float32),
        is_static=seen.is_sure & is_finite & ~hidden, scale=np.full(2, ratio), offset_px=offset,
    )  # fmt: skip
