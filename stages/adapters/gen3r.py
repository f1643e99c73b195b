"""Gen3R (Huang et al. 2026): what its infer.py left for one or two photos, as cameras and dense points, people left out.

Its folder holds `cameras.json` (`extrinsics` (frames, 4, 4), world to camera in OpenCV's axes; `intrinsics` (frames, 3, 3) in
pixels of 560 x 560 pictures) and `pcds.ply` (one cloud of all frames, thinned, in the frame and scale of the cameras). The
first frame is the first photo and, of two, the last frame the second; photos are resized to a short side of 560 and cropped to
the middle. The program runs in its own environment; nothing of it is imported.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image
from scipy.ndimage import distance_transform_edt

from hsimul3r.artifacts import CameraRig, Cameras, DenseView, People
from hsimul3r.errors import BadForeignFile, NoPerson
from hsimul3r.geometry.cameras import depth as depth_of
from hsimul3r.geometry.cameras import project, rays
from hsimul3r.geometry.tracks import Correspondences, PairMatches
from hsimul3r.require import require
from stages.adapters.dense_scene import DenseScene, pixel_grid, scaled_views
from stages.adapters.networks.pictures import Prepared, prepared_pixels, to_unit_range

LICENCES = ("Gen3R (JaceyHuang/Gen3R): MIT code; its weights have terms of their own",)
SIZE_PX = 560
"""A side of Gen3R's pictures."""
SURE, NOTHING = 10.0, 1.0
"""Confidence of what is there and of what is not, in DUSt3R's terms: Gen3R leaves none."""
MIN_CONFIDENCE = 0.5
"""Keypoints that are seen less surely do not say how large a scene is."""


@dataclass(frozen=True, kw_only=True)
class Gen3rConfig:
    """Settings of Gen3R's results; they are used where `results` names a folder."""

    results: str = ""
    """Folder of one run of its infer.py (results/2view/<date>), made from this capture's photos in their order."""
    cell_px: int = 4
    """Points are gathered in cells of this many of its pixels: the cloud is thinner than the pictures."""
    same_depth: float = 0.03
    """A point is seen by both photos where its depth is that of the other's nearest point, within this share."""
    match_stride: int = 2
    """Of the cells whose matches are sought."""


def read_scene(
    images: Sequence[UInt8[ndarray, "height width 3"]], people: Sequence[Bool[ndarray, "height width"]], *, cfg: Gen3rConfig
) -> DenseScene:
    """One or two photos' scene, in the frame and scale of Gen3R. Raises `BadForeignFile`."""
    folder = Path(cfg.results).expanduser()
    if len(images) > 2:
        raise BadForeignFile(folder, f"Gen3R's results belong to one or two photos, and the capture has {len(images)}")
    prepared = tuple(_prepare(image, cfg.cell_px) for image in images)
    cameras = _cameras(folder / "cameras.json", [image.shape[1::-1] for image in images], prepared, cfg.cell_px)
    points = _cloud(folder / "pcds.ply")
    depth, is_seen = zip(*(_depth_image(points, cameras, v, picture) for v, picture in enumerate(prepared)))
    if not all(seen.any() for seen in is_seen):
        raise BadForeignFile(folder / "pcds.ply", "no point lies before the photos' cameras")
    is_static = tuple(seen & ~prepared_pixels(mask, one) for seen, mask, one in zip(is_seen, people, prepared))
    return DenseScene(
        cameras=cameras, prepared=prepared, depth=depth, confidence=tuple(np.where(seen, SURE, NOTHING) for seen in is_seen),
        is_static=is_static, matches=_matches(cameras, prepared, depth, is_static, cfg), loss=0.0, name="gen3r",
        licences=LICENCES,
    )  # fmt: skip


def views_beside_people(scene: DenseScene, rig: CameraRig, people: People) -> tuple[DenseView, ...]:
    """The dense view of a single photo's rig, as large as its people: their joints lie where the scene shows their skin.

    Joints lie some centimetres behind the skin, so the scene comes out larger than it is by that share of the people's
    distance. Raises `NoPerson` where the scene shows nobody of the rig.
    """
    picture, depth, is_seen = scene.prepared[0], scene.depth[0], scene.confidence[0] > NOTHING
    ratios = []
    for one in people.views:
        if one.person not in rig.persons:
            continue
        joints = depth_of(rig.cameras, 0, rig.skeletons[rig.persons.index(one.person)])
        cells = np.round((one.keypoints_px - picture.offset_px) / picture.scale).astype(int)
        inside = ((cells >= 0) & (cells < picture.size_px)).all(axis=1) & (one.confidence > MIN_CONFIDENCE)
        ratios += [z / depth[y, x] for z, (x, y) in zip(joints[inside], cells[inside]) if is_seen[y, x]]
    if not ratios:
        raise NoPerson("Gen3R's scene shows nobody who was placed in the photo.")
    return scaled_views(scene, rig.cameras, float(np.median(ratios)))


def _prepare(photo: UInt8[ndarray, "height width 3"], cell: int) -> Prepared:
    """The middle square as Gen3R saw it, a pixel a cell."""
    height, width = photo.shape[:2]
    ratio = SIZE_PX / min(height, width)
    wide, high = round(width * ratio), round(height * ratio)
    corner = np.array([max(0, (wide - SIZE_PX) // 2), max(0, (high - SIZE_PX) // 2)])
    scale = np.array([width / wide, height / high])
    window = np.asarray(Image.fromarray(photo).resize((wide, high)))[corner[1] :, corner[0] :][:SIZE_PX, :SIZE_PX]
    cells = np.asarray(Image.fromarray(window).resize((SIZE_PX // cell, SIZE_PX // cell), Image.Resampling.BOX))
    offset = scale * (corner + 0.5) - 0.5 + scale * (cell - 1) / 2
    return Prepared(image=to_unit_range(cells), scale=scale * cell, offset_px=offset)


def _cameras(path: Path, sizes: Sequence[tuple[int, ...]], prepared: Sequence[Prepared], cell: int) -> Cameras:
    """The photos' cameras in working pixels."""
    try:
        entries = json.loads(path.read_text())
        extrinsics, intrinsics = (np.array(entries[name], float) for name in ("extrinsics", "intrinsics"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadForeignFile(path, f"it is no cameras.json of Gen3R ({error})") from error
    frames = len(extrinsics)
    is_whole = extrinsics.shape == (frames, 4, 4) and intrinsics.shape == (frames, 3, 3) and frames >= len(sizes)
    if not is_whole or not (np.isfinite(extrinsics).all() and np.isfinite(intrinsics).all()):
        raise BadForeignFile(path, "it does not hold a 4 x 4 extrinsic and a 3 x 3 intrinsic matrix for every frame")
    chosen = [0, frames - 1][: len(sizes)]
    K, scale = intrinsics[chosen], np.array([picture.scale / cell for picture in prepared])
    corner = np.array([picture.offset_px for picture in prepared]) - scale * (cell - 1) / 2
    return Cameras(
        size_px=np.array(sizes), focal_px=(K[:, [0, 1], [0, 1]] * scale).mean(axis=1), k1=np.zeros(len(sizes)),
        principal_px=K[:, :2, 2] * scale + corner, T_cam_world=extrinsics[chosen], is_registered=np.ones(len(sizes), bool),
    )  # fmt: skip


def _cloud(path: Path) -> Float[ndarray, "points 3"]:
    trimesh = require("trimesh", "Gen3R's point clouds")
    try:
        points = np.asarray(trimesh.load(path, file_type="ply", process=False).vertices, float)
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise BadForeignFile(path, f"it is no point cloud of Gen3R ({error})") from error
    return points[np.isfinite(points).all(axis=1)].reshape(-1, 3)


def _depth_image(
    points: Float[ndarray, "points 3"], cameras: Cameras, view: int, picture: Prepared
) -> tuple[Float[ndarray, "height width"], Bool[ndarray, "height width"]]:
    """Depth of the nearest point in every cell, that of the nearest cell where there is none, and where there is one."""
    wide, high = picture.size_px
    uv, z = project(cameras, view, points), depth_of(cameras, view, points)
    is_ahead = np.isfinite(uv).all(axis=1)
    x, y = np.round((uv[is_ahead] - picture.offset_px) / picture.scale).astype(int).T
    is_inside = (x >= 0) & (y >= 0) & (x < wide) & (y < high)
    image = np.full((high, wide), np.inf)
    np.minimum.at(image, (y[is_inside], x[is_inside]), z[is_ahead][is_inside])
    is_seen = np.isfinite(image)
    if not is_seen.any():
        return image, is_seen
    nearest = np.asarray(distance_transform_edt(~is_seen, return_distances=False, return_indices=True))
    return image[nearest[0], nearest[1]], is_seen


def _matches(
    cameras: Cameras, prepared: Sequence[Prepared], depth: Sequence[ndarray], is_static: Sequence[ndarray], cfg: Gen3rConfig
) -> Correspondences:
    """Cells of the first photo and where the second sees the same points."""
    grid = pixel_grid(prepared[0])
    if len(prepared) == 1:
        return Correspondences(keypoints_px=(grid,), pairs=())
    origin, directions = rays(cameras, 0, grid)
    points = origin + directions * (depth[0].ravel() / depth_of(cameras, 0, origin + directions))[:, None]
    uv, z = project(cameras, 1, points), depth_of(cameras, 1, points)
    height, width = depth[1].shape
    cell = np.nan_to_num((uv - prepared[1].offset_px) / prepared[1].scale, nan=-1.0)
    x, y = np.round(cell).astype(int).T
    is_inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    x, y = np.where(is_inside, x, 0), np.where(is_inside, y, 0)
    is_same = is_inside & is_static[1][y, x] & (np.abs(depth[1][y, x] / z - 1) < cfg.same_depth)
    rows, columns = np.divmod(np.arange(len(grid)), depth[0].shape[1])
    is_sought = (rows % cfg.match_stride == 0) & (columns % cfg.match_stride == 0) & is_static[0].ravel() & is_same
    found = np.flatnonzero(is_sought)
    index = np.stack([found, np.arange(len(found))], axis=1)
    return Correspondences(keypoints_px=(grid, uv[found]), pairs=(PairMatches(view_a=0, view_b=1, index=index),))
