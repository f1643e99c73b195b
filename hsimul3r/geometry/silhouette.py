"""Meshes seen by a camera: the z-buffer behind silhouettes and shaded pictures."""

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from numpy import ndarray

NEAR_M = 0.05


def rasterize_depth(
    uv_px: Float[ndarray, "vertices 2"], depth_m: Float[ndarray, "vertices"], faces: Int[ndarray, "faces 3"], *,
    height: int, width: int,
) -> tuple[Float[ndarray, "height width"], Int[ndarray, "height width"]]:  # fmt: skip
    """Depth of the nearest surface at every pixel centre (inf where none) and the index of its face (-1 where none).

    Faces with a vertex nearer than `NEAR_M` or not finite are left out; both sides of a face are drawn.
    """
    depth = np.full((height, width), np.inf, np.float32)
    face = np.full((height, width), -1, np.int32)
    safe = np.isfinite(uv_px).all(axis=1) & np.isfinite(depth_m) & (depth_m > NEAR_M)
    kept = np.flatnonzero(safe[faces].all(axis=1)).astype(np.int32)
    _fill_nearest(uv_px.astype(np.float64), depth_m.astype(np.float64), faces.astype(np.int32), kept, depth, face)
    return depth, face


@njit(cache=True)
def _fill_nearest(uv, z, faces, kept, depth, face):  # noqa: ANN001, ANN202 (compiled)
    height, width = depth.shape
    for f in kept:
        a, b, c = faces[f]
        ax, ay, bx, by, cx, cy = uv[a, 0], uv[a, 1], uv[b, 0], uv[b, 1], uv[c, 0], uv[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0:
            continue
        x0, x1 = max(0, int(np.ceil(min(ax, bx, cx)))), min(width - 1, int(np.floor(max(ax, bx, cx))))
        y0, y1 = max(0, int(np.ceil(min(ay, by, cy)))), min(height - 1, int(np.floor(max(ay, by, cy))))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                wb = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
                wc = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
                wa = 1.0 - wb - wc
                if wa < -1e-9 or wb < -1e-9 or wc < -1e-9:  # a pixel on a shared edge must not be lost to rounding
                    continue
                distance = 1.0 / (wa / z[a] + wb / z[b] + wc / z[c])
                if distance < depth[y, x]:
                    depth[y, x] = distance
                    face[y, x] = f
