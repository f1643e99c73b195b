"""Light on what a rasteriser saw: area lights with soft shadows, ambient light with occlusion, gloss, relief, a film's curve.

Radiometry as in Cycles: an area light of P watts has the radiance P / (pi area), a surface of albedo a under the irradiance E
the radiance a E / pi. Two simplifications: a shadow comes from one depth picture taken from the middle of its light, with a
penumbra as wide as the nearest blockers make it, and light that bounces is that of one point of the room, by direction.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8
from numba import njit
from numpy import ndarray

from hsimul3r.benchmark.camera.shot import AreaLight, Material, View, look_at

SHADOW_PX: Final = 768
SHADOW_FOCAL_PX: Final = 0.5 * SHADOW_PX / np.tan(np.radians(62.0))
OCCLUSION_M: Final = 0.6
CEILING_M: Final = 2.5
WIDEST_PX: Final = 52.0
"""Largest reach of a filter in a shadow map."""
MATTE: Final = 0.85
"""From this roughness on a lamp's gloss is left out."""
BOUNCES: Final = 1.2
"""Light after three bounces over light after the first, at a mean albedo of 0.3, and what dark corners keep."""
CURVE_SIZE: Final = 4096
METERED: Final = -2.8
METERING: Final = 0.75
"""Mean logarithm (base 2) of light that a phone leaves as it is, and the share of what is missing that it makes up for."""
BRIGHTEST: Final = 16.0
CURVE: Final = (
    (-10, 0.0002), (-8.98, 0.0022), (-7.97, 0.0091), (-6.95, 0.0290), (-5.94, 0.0732), (-4.92, 0.1398), (-3.9, 0.2402),
    (-2.89, 0.3878), (-1.87, 0.5680), (-0.86, 0.7177), (0.16, 0.8284), (1.17, 0.9085), (2.19, 0.9668), (3.21, 1.0),
)  # fmt: skip
"""What Blender's view transform "AgX, medium high contrast" shows of grey light, by its logarithm to base 2 (measured)."""
GAMMA: Final = 2.2
INTO_FILM: Final = ((0.6417, 0.267, 0.0913), (0.1061, 0.7792, 0.1147), (0.0862, 0.1659, 0.7479))
OUT_OF_FILM: Final = ((1.5323, -0.4104, -0.1219), (-0.1535, 1.1729, -0.0195), (-0.1328, -0.2229, 1.3558))
"""Mixing of colours before and after the curve, fitted to 4,000 colours of that transform: RMS 0.013, greys exact."""


@dataclass(frozen=True, kw_only=True)
class Surfaces:
    """What a rasteriser sees through a pinhole: sRGB albedo, unit world normals, row in the materials, depth along the axis."""

    albedo: UInt8[ndarray, "height width 3"]
    normal: Float32[ndarray, "height width 3"]
    material: Int32[ndarray, "height width"]
    depth: Float32[ndarray, "height width"]


@dataclass(frozen=True, kw_only=True)
class Lighting:
    """All light of a scene.

    A row of `lamps` is position, direction, W/m2 sr of the surface (RGB), side [m] and axes of the shadow map, which is the
    depth along the direction. The last lamp is a ceiling that gives no light but dims the ambient under what it does not see.
    `ambient` is the irradiance on a small plate that faces each axis (+x, -x, +y, ...).
    """

    lamps: Float32[ndarray, "lights 19"]
    shadows: Float32[ndarray, "lights side side"]
    ambient: Float32[ndarray, "6 3"]


def shadow_view(light: AreaLight) -> View:
    """The view from the middle of a light."""
    return View(size_px=(SHADOW_PX, SHADOW_PX), focal_px=SHADOW_FOCAL_PX, T_cam_world=_upright_look(light))


def _upright_look(light: AreaLight) -> ndarray:
    position, target = np.array(light.position, float), np.array(light.target, float)
    if np.linalg.norm((target - position)[:2]) < 1e-3:
        target[1] += 1e-2
    return look_at(position, target)


def ceiling_over(corners: Float[ndarray, "points 3"]) -> AreaLight:
    """The dark lamp under the ceiling of a room."""
    low, high = corners.min(0), corners.max(0)
    x, y = (low + high)[:2] / 2
    return AreaLight(position=(x, y, high[2] - 0.05), target=(x, y, 0.0), size_m=CEILING_M, power_w=0.0)


def lamp_row(light: AreaLight) -> Float32[ndarray, "19"]:
    """A light as the shader wants it."""
    R = _upright_look(light)[:3, :3]
    radiance = light.power_w / (np.pi * light.size_m**2) * np.asarray(light.color)
    return np.concatenate([light.position, R[2], radiance, [light.size_m], R.ravel()]).astype(np.float32)


def material_rows(materials: tuple[Material, ...]) -> Float32[ndarray, "materials 4"]:
    """Roughness, relief, sheen and glow of each."""
    return np.array([[m.roughness, m.bump_m, m.sheen, m.glow] for m in materials], np.float32)


def linear_from_srgb(value: ndarray) -> ndarray:
    """Linear light of sRGB values in [0, 1]."""
    return np.where(value <= 0.04045, value / 12.92, ((np.maximum(value, 0.04045) + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(value: ndarray) -> ndarray:
    """sRGB values of linear light in [0, 1]."""
    return np.where(value <= 0.0031308, 12.92 * value, 1.055 * np.maximum(value, 0.0031308) ** (1 / 2.4) - 0.055)


def radiance(
    seen: Surfaces, view: View, lighting: Lighting, materials: Float32[ndarray, "materials 4"]
) -> Float32[ndarray, "height width 3"]:
    """Light [W/m2 sr] that each pixel of a pinhole view gets."""
    camera = _camera_row(view)
    taps = _turns(), _spiral(6), _spiral(12), _spiral(10)
    coarse = _openness(seen.depth, seen.normal, camera, lighting.lamps, lighting.shadows, *taps)
    smooth = _smoothed(coarse, seen.depth, seen.normal)
    linear = linear_from_srgb(np.arange(256) / 255.0).astype(np.float32)
    return _shade(
        seen.albedo, seen.normal, seen.material, seen.depth, smooth, camera, lighting.lamps, lighting.ambient, materials, linear
    )


def ambient_of(faces: list[tuple[View, Float32[ndarray, "side side 3"]]]) -> Float32[ndarray, "6 3"]:
    """Irradiance on plates facing the six axes, from pictures that cover the sphere once."""
    total = np.zeros((6, 3))
    for view, light in faces:
        side = light.shape[0]
        x, y = np.meshgrid(*(2 * [(np.arange(side) - (side - 1) / 2) / view.focal_px]))
        ray = np.stack([x, y, np.ones_like(x)], axis=-1)
        length = np.linalg.norm(ray, axis=-1, keepdims=True)
        solid_angle = (1 / view.focal_px**2 / length**3)[..., 0]
        direction = (ray / length) @ view.T_cam_world[:3, :3]
        for axis in range(3):
            for k, sign in enumerate((1, -1)):
                weight = np.maximum(sign * direction[..., axis], 0) * solid_angle
                total[2 * axis + k] += np.einsum("yx,yxc->c", weight, light)
    return (BOUNCES * total).astype(np.float32)


def metered(faces: list[Float32[ndarray, "side side 3"]]) -> float:
    """Stops by which a phone brightens a room, given the light that arrives at its middle: most of the way to METERED."""
    grey = np.concatenate([face.reshape(-1, 3) for face in faces]) @ np.array([0.2126, 0.7152, 0.0722])
    found = float(np.log2(np.maximum(grey, 1e-4)).mean())
    return float(np.clip(METERING * (METERED - found), -1.0, 2.0))


def exposed(light: Float32[ndarray, "height width 3"], seen: Surfaces, exposure: float) -> UInt8[ndarray, "height width 3"]:
    """The sRGB picture that light makes on the film; edges of surfaces lose their stairs."""
    steps = np.linspace(0, 1, CURVE_SIZE)
    stops = np.log2(np.maximum(BRIGHTEST * steps**2, 2.0 ** (CURVE[0][0] - 1)))
    shown = (np.interp(stops, *np.transpose(CURVE), left=0.0) ** GAMMA).astype(np.float32)
    levels = np.round(255 * steps ** (2 / GAMMA)).astype(np.uint8)
    into, out_of = np.array(INTO_FILM, np.float32), np.array(OUT_OF_FILM, np.float32)
    stairs = _on_film(light, np.float32(2.0**exposure), into, out_of, shown, levels)
    return _without_stairs(stairs, seen.material, seen.depth, seen.normal)


def _spiral(taps: int) -> Float32[ndarray, "taps 2"]:
    """Places that cover a unit disc evenly, from its middle outwards."""
    radius, angle = np.sqrt((np.arange(taps) + 0.5) / taps), np.arange(taps) * np.pi * (3 - np.sqrt(5))
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).astype(np.float32)


def _turns() -> Float32[ndarray, "3 3 2"]:
    """Cosine and sine by which the taps turn from place to place: nine angles, neighbours far apart."""
    angle = 2 * np.pi * np.array([[0, 5, 2], [7, 1, 8], [3, 6, 4]]) / 9
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)


def _camera_row(view: View) -> Float32[ndarray, "15"]:
    """Focal length, principal point, centre and axes."""
    R, t = view.T_cam_world[:3, :3], view.T_cam_world[:3, 3]
    return np.concatenate([[view.focal_px, *view.K[:2, 2]], -R.T @ t, R.ravel()]).astype(np.float32)


_fast = njit(cache=True, error_model="numpy")
"""Without fastmath: with it, code just compiled and code from the cache round differently, and a second build differs."""
_half, _one, _two, _four, _pi = np.float32(0.5), np.float32(1.0), np.float32(2.0), np.float32(4.0), np.float32(np.pi)
_far, _tiny = np.float32(1e6), np.float32(1e-7)
_brightest = np.float32(BRIGHTEST)
_shadow_focal, _shadow_middle, _widest = np.float32(SHADOW_FOCAL_PX), np.float32((SHADOW_PX - 1) / 2), np.float32(WIDEST_PX)
_lift, _lift_per_m = np.float32(0.006), np.float32(0.002)
_occlusion_m, _occlusion_m2, _occlusion_px = np.float32(OCCLUSION_M), np.float32(OCCLUSION_M**2), np.float32(180.0)
_contrast = np.int16(24)
_mirror, _matte = np.float32(0.04), np.float32(MATTE)


@_fast
def _on_film(light, gain, into, out_of, shown, levels):  # noqa: ANN001, ANN202 (compiled)
    height, width, _ = light.shape
    out, mixed = np.empty((height, width, 3), np.uint8), np.empty(3, np.float32)
    top = np.float32(len(levels) - 1)
    for y in range(height):
        for x in range(width):
            r, g, b = gain * light[y, x, 0], gain * light[y, x, 1], gain * light[y, x, 2]
            for c in range(3):
                value = (into[c, 0] * r + into[c, 1] * g + into[c, 2] * b) / _brightest
                mixed[c] = shown[int(min(top, np.sqrt(value) * top + _half))]
            for c in range(3):
                value = out_of[c, 0] * mixed[0] + out_of[c, 1] * mixed[1] + out_of[c, 2] * mixed[2]
                out[y, x, c] = levels[int(min(top, np.sqrt(max(value, np.float32(0.0))) * top + _half))]
    return out


@_fast
def _without_stairs(image, material, depth, normal):  # noqa: ANN001, ANN202 (compiled)
    """Pixels at edges of surfaces, mixed with the neighbour across by the share of the pixel that is likely its own.

    As FXAA does: the edge is followed both ways to where it ends; the line between the ends cuts the pixels in between.
    """
    height, width, _ = image.shape
    out, edge, grey = image.copy(), np.zeros((height, width), np.bool_), np.empty((height, width), np.int16)
    for y in range(height):
        for x in range(width):
            grey[y, x] = np.int16(image[y, x, 0]) + np.int16(2) * np.int16(image[y, x, 1]) + np.int16(image[y, x, 2])
    for y in range(height - 1):
        for x in range(width - 1):
            if abs(grey[y, x] - grey[y, x + 1]) >= _contrast and _is_edge(material, depth, normal, y, x, y, x + 1):
                edge[y, x] = edge[y, x + 1] = True
            if abs(grey[y, x] - grey[y + 1, x]) >= _contrast and _is_edge(material, depth, normal, y, x, y + 1, x):
                edge[y, x] = edge[y + 1, x] = True
    for y in range(1, height - 2):
        for x in range(1, width - 2):
            if not edge[y, x]:
                continue
            here, left, right, up, down = grey[y, x], grey[y, x - 1], grey[y, x + 1], grey[y - 1, x], grey[y + 1, x]
            if abs(up + down - 2 * here) >= abs(left + right - 2 * here):
                dy, dx = -1 if abs(up - here) >= abs(down - here) else 1, 0
            else:
                dy, dx = 0, -1 if abs(left - here) >= abs(right - here) else 1
            share = _overlap(grey, y, x, dy, dx)
            for c in range(3):
                mixed = (_one - share) * np.float32(image[y, x, c]) + share * np.float32(image[y + dy, x + dx, c])
                out[y, x, c] = int(mixed + _half)
    return out


@_fast
def _is_edge(material, depth, normal, y, x, row, column):  # noqa: ANN001, ANN202 (compiled)
    """Whether two neighbours belong to surfaces that are apart, or meet at an angle."""
    if material[y, x] != material[row, column] or abs(depth[y, x] - depth[row, column]) > np.float32(0.02) * depth[y, x]:
        return True
    return (
        normal[y, x, 0] * normal[row, column, 0]
        + normal[y, x, 1] * normal[row, column, 1]
        + normal[y, x, 2] * normal[row, column, 2]
    ) < np.float32(0.85)


@_fast
def _overlap(grey, y, x, dy, dx):  # noqa: ANN001, ANN202 (compiled)
    """Share of a pixel that lies across the edge towards (dy, dx), which runs at a right angle to it."""
    here, across = int(grey[y, x]), int(grey[y + dy, x + dx])
    contrast = abs(here - across)
    if contrast < _contrast:
        return np.float32(0.0)
    back, back_end = _end_of_edge(grey, y, x, dy, dx, -1, here + across, contrast)
    forth, forth_end = _end_of_edge(grey, y, x, dy, dx, 1, here + across, contrast)
    near, end = (back, back_end) if back < forth else (forth, forth_end)
    if (end > 0) == (here > across) or 2 * abs(end) < contrast:
        return np.float32(0.0)
    return _half - (np.float32(near) - _half) / np.float32(back + forth - 1)


@_fast
def _end_of_edge(grey, y, x, dy, dx, sign, middle, contrast):  # noqa: ANN001, ANN202 (compiled)
    """Steps to where an edge turns, at most twelve, and how much brighter the pair there is."""
    height, width = grey.shape
    difference = 0
    for step in range(1, 13):
        row, column = y + sign * step * dx, x + sign * step * dy
        if row < 1 or column < 1 or row >= height - 2 or column >= width - 2:
            return step, 0
        difference = int(grey[row, column]) + int(grey[row + dy, column + dx]) - middle
        if 2 * abs(difference) >= contrast:
            return step, difference
    return 13, difference


@_fast
def _point(camera, u, v, z):  # noqa: ANN001, ANN202 (compiled)
    """World point of a pixel at a depth."""
    x, y = (np.float32(u) - camera[1]) / camera[0] * z, (np.float32(v) - camera[2]) / camera[0] * z
    return (
        camera[3] + camera[6] * x + camera[9] * y + camera[12] * z,
        camera[4] + camera[7] * x + camera[10] * y + camera[13] * z,
        camera[5] + camera[8] * x + camera[11] * y + camera[14] * z,
    )


@_fast
def _openness(depth, normal, camera, lamps, shadows, turns, search, soft, around):  # noqa: ANN001, ANN202 (compiled)
    """Every third pixel: share of each light that is seen, then share of the hemisphere that is open."""
    height, width = depth.shape
    out = np.ones(((height + 2) // 3, (width + 2) // 3, len(lamps) + 1), np.float32)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            y, x = 3 * row, 3 * column
            z = depth[y, x]
            if not z < _far:
                continue
            c, s = turns[row % 3, column % 3, 0], turns[row % 3, column % 3, 1]
            p = _point(camera, x, y, z)
            n = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            for i in range(len(lamps)):
                out[row, column, i] = _lit_share(p, n, lamps, shadows, i, c, s, search, soft)
            out[row, column, len(lamps)] = _open_share(depth, camera, x, y, z, p, n, c, s, around)
    return out


@_fast
def _lit_share(p, n, lamps, shadows, i, c, s, search, soft):  # noqa: ANN001, ANN202 (compiled)
    """Share of a light that a point sees: mean distance of the blockers around, then as wide a filter as they make it."""
    d = p[0] - lamps[i, 0], p[1] - lamps[i, 1], p[2] - lamps[i, 2]
    size = lamps[i, 9]
    if d[0] * n[0] + d[1] * n[1] + d[2] * n[2] > _half * size:
        return np.float32(0.0)
    z = lamps[i, 16] * d[0] + lamps[i, 17] * d[1] + lamps[i, 18] * d[2]
    if z < np.float32(0.05):
        return _one
    qx = lamps[i, 10] * d[0] + lamps[i, 11] * d[1] + lamps[i, 12] * d[2]
    qy = lamps[i, 13] * d[0] + lamps[i, 14] * d[1] + lamps[i, 15] * d[2]
    mx = lamps[i, 10] * n[0] + lamps[i, 11] * n[1] + lamps[i, 12] * n[2]
    my = lamps[i, 13] * n[0] + lamps[i, 14] * n[1] + lamps[i, 15] * n[2]
    mz = lamps[i, 16] * n[0] + lamps[i, 17] * n[1] + lamps[i, 18] * n[2]
    plane = qx * mx + qy * my + z * mz + _lift
    u, v = _shadow_focal * qx / z + _shadow_middle, _shadow_focal * qy / z + _shadow_middle
    reach = min(_half * size * _shadow_focal / z, _widest)
    blocked, distance = _blockers(shadows, i, u, v, z, mx, my, mz, plane, reach * c, reach * s, search)
    if blocked == 0:
        return _one
    near = distance / np.float32(blocked)
    reach = min(max(_half * size * (z - near) / z * _shadow_focal / near, np.float32(1.2)), _widest)
    blocked, distance = _blockers(shadows, i, u, v, z, mx, my, mz, plane, reach * c, reach * s, soft)
    return _one - np.float32(blocked) / np.float32(len(soft))


@_fast
def _blockers(shadows, i, u, v, z, mx, my, mz, plane, c, s, taps):  # noqa: ANN001, ANN202 (compiled)
    """How many of the taps around a place of a shadow map lie before the receiver's plane, and the sum of their depths."""
    count, total, side = 0, np.float32(0.0), shadows.shape[1]
    low, high, slack = np.float32(0.8) * z, np.float32(1.2) * z, _lift + _lift_per_m * z
    for k in range(len(taps)):
        column = int(u + c * taps[k, 0] - s * taps[k, 1] + _half)
        row = int(v + s * taps[k, 0] + c * taps[k, 1] + _half)
        if column < 0 or row < 0 or column >= side or row >= side:
            continue
        facing = (mx * (np.float32(column) - _shadow_middle) + my * (np.float32(row) - _shadow_middle)) / _shadow_focal + mz
        expected = min(max(plane / facing, low), high) if abs(facing) > np.float32(1e-4) else z
        found = shadows[i, row, column]
        if found < expected - slack:
            count += 1
            total += found
    return count, total


@_fast
def _open_share(depth, camera, x, y, z, p, n, c, s, taps):  # noqa: ANN001, ANN202 (compiled)
    """Share of the hemisphere over a point that what is seen around it leaves open (McGuire's Alchemy estimator)."""
    height, width = depth.shape
    total, slack = np.float32(0.0), _lift_per_m * z
    reach = min(_occlusion_m * camera[0] / z, _occlusion_px)
    for k in range(len(taps)):
        ring = np.sqrt(taps[k, 0] * taps[k, 0] + taps[k, 1] * taps[k, 1])
        scale = np.float32(1.5) / ring + reach * ring * ring
        column = int(np.float32(x) + scale * (c * taps[k, 0] - s * taps[k, 1]) + _half)
        row = int(np.float32(y) + scale * (s * taps[k, 0] + c * taps[k, 1]) + _half)
        if column < 0 or row < 0 or column >= width or row >= height:
            continue
        there = depth[row, column]
        if abs(there - z) > _occlusion_m:
            continue
        q = _point(camera, column, row, there)
        a, b, e = q[0] - p[0], q[1] - p[1], q[2] - p[2]
        square = a * a + b * b + e * e
        if square < _occlusion_m2:
            fall = _one - square / _occlusion_m2
            above = max(a * n[0] + b * n[1] + e * n[2] - slack, np.float32(0.0))
            total += fall * fall * above / (np.sqrt(square) + np.float32(1e-3))
    return max(_one - np.float32(2.0) * total / np.float32(len(taps)), np.float32(0.0))


@_fast
def _smoothed(coarse, depth, normal):  # noqa: ANN001, ANN202 (compiled)
    """The noise of the taps averaged over 3 x 3 places of the same surface."""
    height, width, channels = coarse.shape
    out, total = np.empty_like(coarse), np.empty(channels, np.float32)
    for y in range(height):
        for x in range(width):
            z, weights = depth[3 * y, 3 * x], _tiny
            for c in range(channels):
                total[c] = _tiny * coarse[y, x, c]
            for row in range(max(y - 1, 0), min(y + 2, height)):
                for column in range(max(x - 1, 0), min(x + 2, width)):
                    weight = _likeness(depth, normal, 3 * y, 3 * x, 3 * row, 3 * column, z)
                    weights += weight
                    for c in range(channels):
                        total[c] += weight * coarse[row, column, c]
            for c in range(channels):
                out[y, x, c] = total[c] / weights
    return out


@_fast
def _likeness(depth, normal, y, x, row, column, z):  # noqa: ANN001, ANN202 (compiled)
    """Near 1 for two pixels of one surface, near 0 for others."""
    there = depth[row, column]
    if not z < _far or not there < _far:
        return _tiny
    cosine = (
        normal[y, x, 0] * normal[row, column, 0]
        + normal[y, x, 1] * normal[row, column, 1]
        + normal[y, x, 2] * normal[row, column, 2]
    )
    gap = (there - z) / (np.float32(0.02) * z)
    square = gap * gap
    return cosine * cosine / (_one + square * square) + _tiny if cosine > _half else _tiny


@_fast
def _shade(albedo, normal, material, depth, openness, camera, lamps, ambient, materials, linear):  # noqa: ANN001, ANN202 (compiled)
    """Light of every pixel."""
    height, width = depth.shape
    out = np.zeros((height, width, 3), np.float32)
    seen = np.empty(openness.shape[2], np.float32)
    for y in range(height):
        for x in range(width):
            z = depth[y, x]
            if not z < _far:
                continue
            row = material[y, x]
            p = _point(camera, x, y, z)
            e = camera[3] - p[0], camera[4] - p[1], camera[5] - p[2]
            shorter = _one / np.sqrt(e[0] * e[0] + e[1] * e[1] + e[2] * e[2])
            e = e[0] * shorter, e[1] * shorter, e[2] * shorter
            n = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            if materials[row, 1] > 0:
                n = _embossed(n, albedo, material, depth, camera, y, x, materials[row, 1])
            base = linear[albedo[y, x, 0]], linear[albedo[y, x, 1]], linear[albedo[y, x, 2]]
            _gather(openness, depth, normal, y, x, z, seen)
            light = _ambient(n, e, base, materials, row, ambient, seen[len(lamps)], seen[len(lamps) - 1])
            for i in range(len(lamps) - 1):
                if seen[i] > 0:
                    light = _with_lamp(light, p, n, e, base, materials, row, lamps, i, seen[i])
            for k in range(3):
                out[y, x, k] = light[k] + materials[row, 3] * base[k]
    return out


@_fast
def _gather(openness, depth, normal, y, x, z, seen):  # noqa: ANN001, ANN202 (compiled)
    """What the coarse places around a pixel see, weighted by nearness and by how much they are of its surface."""
    height, width, channels = openness.shape
    weights = np.float32(0.0)
    seen[:] = weights
    top, left = y // 3, x // 3
    for row in range(top, min(top + 1 + (y > 3 * top), height)):
        for column in range(left, min(left + 1 + (x > 3 * left), width)):
            near = np.float32((3 - abs(y - 3 * row)) * (3 - abs(x - 3 * column)))
            weight = near * _likeness(depth, normal, y, x, 3 * row, 3 * column, z)
            weights += weight
            for c in range(channels):
                seen[c] += weight * openness[row, column, c]
    for c in range(channels):
        seen[c] = seen[c] / weights if weights > 0 else _one


@_fast
def _embossed(n, albedo, material, depth, camera, y, x, relief_m):  # noqa: ANN001, ANN202 (compiled)
    """The normal tilted by the relief that the picture's lightness stands for (Mikkelsen's surface gradient)."""
    height, width = depth.shape
    if y < 1 or x < 1 or y + 1 >= height or x + 1 >= width:
        return n
    here = material[y, x]
    if material[y, x - 1] != here or material[y, x + 1] != here or material[y - 1, x] != here or material[y + 1, x] != here:
        return n
    a, b = _point(camera, x - 1, y, depth[y, x - 1]), _point(camera, x + 1, y, depth[y, x + 1])
    right = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    a, b = _point(camera, x, y - 1, depth[y - 1, x]), _point(camera, x, y + 1, depth[y + 1, x])
    down = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    rise_x, rise_y = np.float32(0.0), np.float32(0.0)
    for k in range(3):
        rise_x += np.float32(albedo[y, x + 1, k]) - np.float32(albedo[y, x - 1, k])
        rise_y += np.float32(albedo[y + 1, x, k]) - np.float32(albedo[y - 1, x, k])
    a, b = _cross(down, n), _cross(n, right)
    volume = right[0] * a[0] + right[1] * a[1] + right[2] * a[2]
    if abs(volume) < np.float32(1e-10):
        return n
    rise_x, rise_y = rise_x * relief_m / np.float32(765.0) / volume, rise_y * relief_m / np.float32(765.0) / volume
    m = n[0] - rise_x * a[0] - rise_y * b[0], n[1] - rise_x * a[1] - rise_y * b[1], n[2] - rise_x * a[2] - rise_y * b[2]
    shorter = _one / np.sqrt(m[0] * m[0] + m[1] * m[1] + m[2] * m[2])
    return m[0] * shorter, m[1] * shorter, m[2] * shorter


@_fast
def _cross(a, b):  # noqa: ANN001, ANN202 (compiled)
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@_fast
def _with_lamp(light, p, n, e, base, materials, row, lamps, i, share):  # noqa: ANN001, ANN202 (compiled)
    """`light` and what one square lamp adds: diffuse light, sheen, and gloss (GGX, widened by the lamp's size)."""
    l = lamps[i, 0] - p[0], lamps[i, 1] - p[1], lamps[i, 2] - p[2]  # noqa: E741
    square = l[0] * l[0] + l[1] * l[1] + l[2] * l[2]
    shorter = _one / np.sqrt(square)
    l = l[0] * shorter, l[1] * shorter, l[2] * shorter  # noqa: E741
    leaving = -(l[0] * lamps[i, 3] + l[1] * lamps[i, 4] + l[2] * lamps[i, 5])
    spread = _half * lamps[i, 9] * shorter
    cosine, soft = n[0] * l[0] + n[1] * l[1] + n[2] * l[2], min(spread, np.float32(0.7))
    if leaving <= 0 or cosine <= -soft:
        return light
    if cosine < soft:
        cosine = (cosine + soft) * (cosine + soft) / (_four * soft)
    area = lamps[i, 9] * lamps[i, 9]
    arriving = share * cosine * area * leaving / (square + np.float32(0.3) * area)
    seen = max(n[0] * e[0] + n[1] * e[1] + n[2] * e[2], np.float32(0.0))
    gloss = np.float32(0.0)
    if materials[row, 0] < _matte:
        gloss = _gloss(l, n, e, cosine, seen, materials[row, 0] * materials[row, 0], spread)
    rim = (_one - seen) * (_one - seen)
    sheen = np.float32(0.25) * materials[row, 2] * rim * rim
    return (
        light[0] + lamps[i, 6] * arriving * ((base[0] * (_one - _mirror) + sheen) / _pi + gloss),
        light[1] + lamps[i, 7] * arriving * ((base[1] * (_one - _mirror) + sheen) / _pi + gloss),
        light[2] + lamps[i, 8] * arriving * ((base[2] * (_one - _mirror) + sheen) / _pi + gloss),
    )


@_fast
def _gloss(l, n, e, cosine, seen, rough, spread):  # noqa: ANN001, ANN202, E741 (compiled)
    h = l[0] + e[0], l[1] + e[1], l[2] + e[2]
    shorter = _one / np.sqrt(h[0] * h[0] + h[1] * h[1] + h[2] * h[2] + _tiny)
    tilt = max((n[0] * h[0] + n[1] * h[1] + n[2] * h[2]) * shorter, np.float32(0.0))
    away = _one - max((e[0] * h[0] + e[1] * h[1] + e[2] * h[2]) * shorter, np.float32(0.0))
    wide = min(rough + np.float32(0.4) * spread, _one)
    lobe = tilt * tilt * (wide * wide - _one) + _one
    fresnel = _mirror + (_one - _mirror) * away * away * away * away * away
    k = _half * wide
    return fresnel * rough * rough / (_four * _pi * lobe * lobe * (cosine * (_one - k) + k) * (seen * (_one - k) + k))


@_fast
def _ambient(n, e, base, materials, row, ambient, share, above):  # noqa: ANN001, ANN202 (compiled)
    """Light of the room on a surface and mirrored in it; in corners it bounces on, the more so the brighter the surface."""
    seen = max(n[0] * e[0] + n[1] * e[1] + n[2] * e[2], np.float32(0.0))
    away, smooth = _one - seen, _one - materials[row, 0]
    rim = away * away * away * away
    fresnel = _mirror + (_one - _mirror) * smooth * smooth * rim * away
    sheen = np.float32(0.25) * materials[row, 2] * rim
    on = mirrored = _from_axes(n, ambient, above)
    if materials[row, 0] < _matte:
        r = _two * seen * n[0] - e[0], _two * seen * n[1] - e[1], _two * seen * n[2] - e[2]
        mirrored = _from_axes(r, ambient, above)
    bounce = np.float32(0.6) * (_one - share)
    return (
        share / _pi * (_one + bounce * base[0]) * (on[0] * (base[0] * (_one - _mirror) + sheen) + mirrored[0] * fresnel),
        share / _pi * (_one + bounce * base[1]) * (on[1] * (base[1] * (_one - _mirror) + sheen) + mirrored[1] * fresnel),
        share / _pi * (_one + bounce * base[2]) * (on[2] * (base[2] * (_one - _mirror) + sheen) + mirrored[2] * fresnel),
    )


@_fast
def _from_axes(d, ambient, above):  # noqa: ANN001, ANN202 (compiled)
    """Irradiance on a plate that faces `d`, under something that leaves the share `above` of the ceiling open."""
    x, y, z = 0 if d[0] > 0 else 1, 2 if d[1] > 0 else 3, 4 if d[2] > 0 else 5
    side = _half + _half * above
    a, b, c = side * d[0] * d[0], side * d[1] * d[1], (above if d[2] > 0 else side) * d[2] * d[2]
    return (
        a * ambient[x, 0] + b * ambient[y, 0] + c * ambient[z, 0],
        a * ambient[x, 1] + b * ambient[y, 1] + c * ambient[z, 1],
        a * ambient[x, 2] + b * ambient[y, 2] + c * ambient[z, 2],
    )
