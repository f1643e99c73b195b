"""Where the outline of the fitted bodies should lie: matches between outline vertices and the edges of people's masks.

Masks end where an object hides a person, so a mask's edge inside the body's outline may be the object's: such a match counts
only as far as the joints nearby are seen in that view. A mask's edge outside the outline is always the person's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.silhouette import rasterize_depth

SPACING_M = 0.03
"""Of outline vertices in one cell of this size only one is matched, so that hands do not outweigh the trunk."""
SMOOTHING_PX = 2.0
"""Blur of the rendered silhouette whose gradient gives the outline's normals."""


@dataclass(frozen=True, kw_only=True)
class OutlineMatches:
    """One person's outline vertices, each with the line through a point of the mask's edge that it should lie on."""

    view: Int[ndarray, "matches"]
    vertex: Int[ndarray, "matches"]
    edge_px: Float[ndarray, "matches 2"]
    normal: Float[ndarray, "matches 2"]
    """Unit normal of the outline, outwards."""
    depth_m: Float[ndarray, "matches"]
    is_inside: Bool[ndarray, "matches"]
    """The mask's edge lies inside the outline."""


def match_outlines(
    vertices: Sequence[Float[ndarray, "vertices 3"]], faces: Int[ndarray, "faces 3"], cameras: Cameras,
    masks: Sequence[Bool[ndarray, "height width"]], *, seen: Sequence[Int[ndarray, "observations"]], reach_m: float,
) -> list[OutlineMatches]:  # fmt: skip
    """Matches of every person (rows of `vertices`) in the views that saw it, no longer than `reach_m`."""
    found: list[list[OutlineMatches]] = [[] for _ in vertices]
    for view, mask in enumerate(masks):
        if not any(view in views for views in seen):
            continue
        uv = [project(cameras, view, points) for points in vertices]
        z = [depth(cameras, view, points) for points in vertices]
        soft = _soft_silhouette(uv, z, faces, mask.shape)
        for person, views in enumerate(seen):
            if view in views:
                px_per_m = cameras.focal_px[view] / z[person]
                found[person].append(
                    _match_person(view, uv[person], z[person], px_per_m, reach_m=reach_m, soft=soft, mask=mask)
                )
    return [_concatenated(matches) for matches in found]


def _soft_silhouette(
    uv: Sequence[ndarray], z: Sequence[ndarray], faces: ndarray, shape: tuple[int, ...]
) -> Float[ndarray, "height width"]:
    """All bodies' silhouette in one view, blurred, so that its gradient points across the outline."""
    drawn = np.zeros(shape, bool)
    for points, distances in zip(uv, z):
        drawn |= rasterize_depth(points, distances, faces, height=shape[0], width=shape[1])[1] >= 0
    return cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), SMOOTHING_PX)


def _match_person(
    view: int, uv: ndarray, z: ndarray, px_per_m: ndarray, *, reach_m: float, soft: ndarray, mask: ndarray
) -> OutlineMatches:
    height, width = mask.shape
    margin = 3
    inside = np.isfinite(uv).all(1) & (z > 0.1)
    inside &= ((uv > margin) & (uv < np.array([width, height]) - 1 - margin)).all(1)
    index = np.flatnonzero(inside)
    value = _sample(soft, uv[index])
    outline = index[(value > 0.2) & (value < 0.7)]
    cells = np.floor(uv[outline] / (SPACING_M * px_per_m[outline, None])).astype(int)
    outline = outline[np.unique(cells, axis=0, return_index=True)[1]]
    normal = -_gradient(soft, uv[outline])
    length = np.linalg.norm(normal, axis=1)
    outline, normal = outline[length > 0.03], normal[length > 0.03] / length[length > 0.03, None]
    offset = _edge_offset(mask, uv[outline], normal, reach_m * px_per_m[outline])
    met = np.isfinite(offset)
    outline, normal, offset = outline[met], normal[met], offset[met]
    return OutlineMatches(
        view=np.full(len(outline), view),
        vertex=outline,
        edge_px=uv[outline] + offset[:, None] * normal,
        normal=normal,
        depth_m=z[outline],
        is_inside=offset < 0,
    )


def _edge_offset(
    mask: Bool[ndarray, "height width"], uv: Float[ndarray, "points 2"], normal: Float[ndarray, "points 2"], reach_px: ndarray
) -> Float[ndarray, "points"]:
    """Signed distance along the normal to the nearest place where the mask ends outwards; nan where none is in reach."""
    steps = np.arange(-np.ceil(reach_px.max(initial=1.0)), np.ceil(reach_px.max(initial=1.0)) + 1)
    track = _sample(mask.astype(np.float32), (uv[:, None] + steps[:, None] * normal[:, None]).reshape(-1, 2)) > 0.5
    track = track.reshape(len(uv), len(steps))
    leaves = track[:, :-1] & ~track[:, 1:]
    middle = 0.5 * (steps[:-1] + steps[1:])
    distance = np.where(leaves & (np.abs(middle) <= reach_px[:, None]), np.abs(middle), np.inf)
    best = distance.argmin(1)
    return np.where(np.isfinite(distance.min(1)), middle[best], np.nan)


def _sample(image: Float[ndarray, "height width"], uv: Float[ndarray, "points 2"]) -> Float[ndarray, "points"]:
    """Bilinear values at pixels; outside, those of the nearest border pixel."""
    x = np.clip(uv[:, 0], 0, image.shape[1] - 1.001)
    y = np.clip(uv[:, 1], 0, image.shape[0] - 1.001)
    column, row = x.astype(int), y.astype(int)
    fx, fy = x - column, y - row
    top = image[row, column] * (1 - fx) + image[row, column + 1] * fx
    bottom = image[row + 1, column] * (1 - fx) + image[row + 1, column + 1] * fx
    return top * (1 - fy) + bottom * fy


def _gradient(image: Float[ndarray, "height width"], uv: Float[ndarray, "points 2"]) -> Float[ndarray, "points 2"]:
    """Central differences at pixels."""
    across, down = np.array([1.0, 0]), np.array([0, 1.0])
    return np.stack([_sample(image, uv + step) - _sample(image, uv - step) for step in (across, down)], axis=1) / 2


def _concatenated(matches: Sequence[OutlineMatches]) -> OutlineMatches:
    return OutlineMatches(
        **{name: np.concatenate([getattr(m, name) for m in matches]) for name in OutlineMatches.__dataclass_fields__}
    )
