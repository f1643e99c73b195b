"""One scene of all pictures out of pairwise pointmaps, whatever network said them: Eq. 1 without the people, and matches."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.artifacts import Cameras, DenseView, PointTracks
from hsimul3r.geometry.cameras import depth as depth_of
from hsimul3r.geometry.cameras import undistort
from hsimul3r.geometry.global_alignment import (
    PairPointmaps,
    Weighting,
    align_globally,
    alignment_problem,
    camera_poses,
    focal_px,
)
from hsimul3r.geometry.pointmap_matches import match_pointmaps
from hsimul3r.geometry.pointmap_rows import PointmapRows, no_rows, sample_pointmaps
from hsimul3r.geometry.pointmap_start import initial_parameters
from hsimul3r.geometry.tracks import Correspondences
from hsimul3r.progress import Progress
from stages.adapters.networks.pictures import Prepared, prepared_pixels

NOTHING = 1.0
"""Confidence that counts for nothing: its logarithm is zero."""


@dataclass(frozen=True, kw_only=True)
class JoinConfig:
    """How pairs of pointmaps become one scene."""

    device: str = "cpu"
    iterations: int = 300
    weighting: Weighting = "log"
    min_confidence: float = 3.0
    """Points of less confidence are no part of the scene."""
    match_stride: int = 8
    """Of the pixels whose matches are sought."""
    pointmap_rows: int = 6_000
    """About so many of the pointmaps' points count in the joint adjustment; 0: they are matches and a start only."""


@dataclass(frozen=True, kw_only=True)
class DenseScene:
    """Cameras in a frame and scale of their own, and what every picture shows, per pixel of the prepared pictures."""

    cameras: Cameras
    """In working pixels."""
    prepared: tuple[Prepared, ...]
    depth: tuple[Float[ndarray, "height width"], ...]
    confidence: tuple[Float[ndarray, "height width"], ...]
    is_static: tuple[Bool[ndarray, "height width"], ...]
    """No person, and sure."""
    matches: Correspondences
    loss: float
    rows: PointmapRows = field(default_factory=no_rows)
    """What the joint adjustment gets of the pointmaps."""
    name: str = ""
    """What saw it, and its licences."""
    licences: tuple[str, ...] = ()


def join_pairs(
    maps: Sequence[PairPointmaps], prepared: Sequence[Prepared], people: Sequence[Bool[ndarray, "height width"]],
    known_focal_px: Float[ndarray, "views"], *, cfg: JoinConfig, progress: Progress,
) -> DenseScene:  # fmt: skip
    """Eq. 1 without the people's pixels, and matches between the pictures."""
    masks = [prepared_pixels(mask, picture) for mask, picture in zip(people, prepared)]
    known = known_focal_px / np.array([picture.scale.mean() for picture in prepared])
    calm = [_without_people(m, masks) for m in maps]
    start = initial_parameters(calm, weighting=cfg.weighting, known_focal_px=known, device=cfg.device)
    problem = alignment_problem(calm, weighting=cfg.weighting, known_focal_px=known, device=cfg.device)
    with progress.bar("global alignment", cfg.iterations) as advance:
        found, losses = align_globally(problem, start, iterations=cfg.iterations, advance=advance)
    depth = [row[: h * w].reshape(h, w) for row, (h, w) in zip(found.log_depth.exp().cpu().numpy(), problem.shapes)]
    confidence = [_confidence(calm, view) for view in range(len(prepared))]
    is_static = tuple((c > cfg.min_confidence) & ~mask for c, mask in zip(confidence, masks))
    pixels = tuple(pixel_grid(picture) for picture in prepared)
    return DenseScene(
        cameras=_working_cameras(prepared, people, focal_px(problem, found)[:, 0].cpu().numpy(), camera_poses(found)),
        prepared=tuple(prepared), depth=tuple(depth), confidence=tuple(confidence), is_static=is_static,
        matches=Correspondences(
            keypoints_px=pixels, pairs=match_pointmaps(calm, is_static, stride=cfg.match_stride)
        ),
        loss=losses[-1],
        rows=sample_pointmaps(calm, pixels, is_static, most_rows=cfg.pointmap_rows) if cfg.pointmap_rows else no_rows(),
    )  # fmt: skip


def dense_views(scene: DenseScene, cameras: Cameras, tracks: PointTracks) -> tuple[DenseView, ...]:
    """The scene's depth seen by the adjusted `cameras`, in their frame; the tracks' depths say how large it is."""
    ratios = np.concatenate([_depth_ratios(scene, cameras, tracks, v) for v in range(len(scene.depth))])
    return scaled_views(scene, cameras, float(np.median(ratios)))


def scaled_views(scene: DenseScene, cameras: Cameras, scale: float) -> tuple[DenseView, ...]:
    """The scene's depth, times `scale`, seen by `cameras`, in their frame."""
    views = []
    for v in np.flatnonzero(cameras.is_registered).tolist():
        picture, depth = scene.prepared[v], scale * scene.depth[v].astype(float)
        rays = undistort(cameras, v, pixel_grid(picture)).reshape(*depth.shape, 2)
        in_camera = np.concatenate([rays, np.ones((*depth.shape, 1))], axis=-1) * depth[..., None]
        R, t = cameras.T_cam_world[v, :3, :3], cameras.T_cam_world[v, :3, 3]
        views.append(
            DenseView(
                view=v, points=((in_camera - t) @ R).astype(np.float32), confidence=scene.confidence[v].astype(np.float32),
                is_static=scene.is_static[v], scale=picture.scale, offset_px=picture.offset_px,
            )
        )  # fmt: skip
    return tuple(views)


def _without_people(m: PairPointmaps, masks: Sequence[Bool[ndarray, "height width"]]) -> PairPointmaps:
    """The pair with its people's pixels counting for nothing: they may have moved between two pictures."""
    return replace(
        m,
        confidence_first=np.where(masks[m.first], NOTHING, m.confidence_first),
        confidence_second=np.where(masks[m.second], NOTHING, m.confidence_second),
    )


def _confidence(maps: Sequence[PairPointmaps], view: int) -> Float[ndarray, "height width"]:
    """The most that any pair says."""
    found = [m.confidence_first for m in maps if m.first == view] + [m.confidence_second for m in maps if m.second == view]
    return np.max(found, axis=0)


def _working_cameras(
    prepared: Sequence[Prepared], people: Sequence[ndarray], focal: Float[ndarray, "views"], T_world_cam: ndarray
) -> Cameras:
    """From focal lengths in prepared pixels and poses (views, 4, 4)."""
    middles = np.array([np.array(picture.size_px) / 2 * picture.scale + picture.offset_px for picture in prepared])
    return Cameras(
        size_px=np.array([mask.shape[::-1] for mask in people]),
        focal_px=focal * np.array([picture.scale.mean() for picture in prepared]),
        principal_px=middles, k1=np.zeros(len(prepared)), T_cam_world=np.linalg.inv(T_world_cam),
        is_registered=np.ones(len(prepared), bool),
    )  # fmt: skip


def pixel_grid(picture: Prepared) -> Float[ndarray, "pixels 2"]:
    """Working pixels of a prepared picture's pixels, row by row."""
    wide, high = picture.size_px
    y, x = np.divmod(np.arange(wide * high), wide)
    return np.stack([x, y], axis=-1) * picture.scale + picture.offset_px


def _depth_ratios(scene: DenseScene, cameras: Cameras, tracks: PointTracks, view: int) -> Float[ndarray, "observations"]:
    """Depth of the tracks that a view sees over the scene's depth at their pixels."""
    rows = np.flatnonzero(tracks.view == view)
    picture, depth = scene.prepared[view], scene.depth[view]
    x, y = np.round((tracks.uv_px[rows] - picture.offset_px) / picture.scale).astype(int).T
    is_inside = (x >= 0) & (y >= 0) & (x < depth.shape[1]) & (y < depth.shape[0])
    rows, x, y = rows[is_inside], x[is_inside], y[is_inside]
    return depth_of(cameras, view, tracks.points[tracks.point[rows]]) / depth[y, x]
