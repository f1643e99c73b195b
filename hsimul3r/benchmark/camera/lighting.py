"""Light on what a rasteriser saw: area lights with soft shadows, ambient light with occlusion, gloss, relief, a film's curve.

Radiometry as in Cycles: an area light of P watts has the radiance P / (pi area), a surface of albedo a under the irradiance E
the radiance a E / pi. Two simplifications: a shadow comes from one depth picture taken from the middle of its light, with a
penumbra as wide as the nearest blockers make it, and light that bounces is that of one point of the room, by direction.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32, Int32, UInt8
from numba import njit
from numpy import ndarray

from hsimul3r.benchmark.camera.shot import AreaLight, Material, View, look_at

SHADOW_PX: Final = 1024
SHADOW_FOCAL_PX: Final = 0.5 * SHADOW_PX / np.tan(np.radians(62.0))
SEARCH_TAPS: Final = 10
SHADOW_TAPS: Final = 16
OCCLUSION_TAPS: Final = 14
OCCLUSION_M: Final = 0.55
GOLDEN_ANGLE: Final = 2.399963
BOUNCES: Final = 1.45
"""Light after all bounces over light after the first, at a mean albedo of 0.3."""
CURVE_SIZE: Final = 4096
BRIGHTEST: Final = 16.0


@dataclass(frozen=True, kw_only=True)
class Surfaces:
    """What a rasteriser sees through a pinhole: sRGB albedo, unit world normals, row in the materials, depth along the axis."""

    albedo: UInt8[ndarray, "height width 3"]
    normal: Float32[ndarray, "height width 3"]
    material: Int32[ndarray, "height width"]
    depth: Float32[ndarray, "height width"]


@dataclass(frozen=True, kw_only=True)
class Lighting:
    """All light of a scene. A row of `lamps` is position, direction, W/m2 sr of the surface (RGB), side [m], axes of its map;
    a shadow map is the depth along the light's direction; `ambient` the irradiance on a small plate that faces each axis."""

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
    coarse = _openness(seen.depth, seen.normal, camera, lighting.lamps, lighting.shadows)
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


def film_curve(exposure: float) -> UInt8[ndarray, "levels"]:
    """sRGB grey levels by the square root of linear light over BRIGHTEST: a short toe and a soft shoulder."""
    light = BRIGHTEST * np.linspace(0, 1, CURVE_SIZE) ** 2 * 2.0**exposure
    x = 0.62 * light
    shown = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    return np.round(255 * srgb_from_linear(shown)).astype(np.uint8)


def exposed(light: Float32[ndarray, "height width 3"], exposure: float) -> UInt8[ndarray, "height width 3"]:
    """The picture that light makes on the film."""
    return _on_film(light, film_curve(exposure))


def _camera_row(view: View) -> Float32[ndarray, "15"]:
    """Focal length, principal point, centre and axes."""
    R, t = view.T_cam_world[:3, :3], view.T_cam_world[:3, 3]
    return np.concatenate([[view.focal_px, *view.K[:2, 2]], -R.T @ t, R.ravel()]).astype(np.float32)


@njit(cache=True)
def _on_film(light, curve):  # noqa: ANN001, ANN202 (compiled)
    height, width, _ = light.shape
    out = np.empty((height, width, 3), np.uint8)
    top = len(curve) - 1
    for y in range(height):
        for x in range(width):
            grey = (
                np.float32(0.2126) * light[y, x, 0] + np.float32(0.7152) * light[y, x, 1] + np.float32(0.0722) * light[y, x, 2]
            )
            fade = np.float32(0.25) * grey / (grey + np.float32(1.0))
            for c in range(3):
                value = light[y, x, c] + fade * (grey - light[y, x, c])
                out[y, x, c] = curve[min(top, int(np.sqrt(max(value, np.float32(0.0)) / np.float32(BRIGHTEST)) * top + 0.5))]
    return out


@njit(cache=True)
def _point(camera, u, v, z, p):  # noqa: ANN001, ANN202 (compiled)
    """World point of a pixel at a depth, into `p`."""
    x, y = (u - camera[1]) / camera[0] * z, (v - camera[2]) / camera[0] * z
    for k in range(3):
        p[k] = camera[3 + k] + camera[6 + k] * x + camera[9 + k] * y + camera[12 + k] * z


@njit(cache=True)
def _openness(depth, normal, camera, lamps, shadows):  # noqa: ANN001, ANN202 (compiled)
    """Every second pixel: share of each light that is seen, then share of the hemisphere that is open."""
    height, width = depth.shape
    out = np.ones((height // 2, width // 2, len(lamps) + 1), np.float32)
    p, n = np.empty(3, np.float32), np.empty(3, np.float32)
    for row in range(height // 2):
        for column in range(width // 2):
            y, x = 2 * row, 2 * column
            z = depth[y, x]
            if not z < 1e6:
                continue
            _point(camera, x, y, z, p)
            for k in range(3):
                n[k] = normal[y, x, k]
            jitter = np.float32(np.mod(52.9829189 * np.mod(0.06711056 * column + 0.00583715 * row, 1.0), 1.0))
            for i in range(len(lamps)):
                out[row, column, i] = _lit_share(p, n, lamps[i], shadows[i], jitter)
            out[row, column, len(lamps)] = _open_share(depth, camera, x, y, z, p, n, jitter)
    return out


@njit(cache=True)
def _lit_share(p, n, lamp, shadow, jitter):  # noqa: ANN001, ANN202 (compiled)
    """Share of a light that a point sees: mean distance of the blockers around, then as wide a filter as they make it."""
    q, m = np.empty(3, np.float32), np.empty(3, np.float32)
    for k in range(3):
        q[k], m[k] = 0.0, 0.0
        for j in range(3):
            q[k] += lamp[10 + 3 * k + j] * (p[j] - lamp[j] + np.float32(0.006) * n[j])
            m[k] += lamp[10 + 3 * k + j] * n[j]
    if q[2] < 0.05:
        return np.float32(1.0)
    plane = q[0] * m[0] + q[1] * m[1] + q[2] * m[2]
    focal, middle = np.float32(SHADOW_FOCAL_PX), np.float32((SHADOW_PX - 1) / 2)
    u, v = focal * q[0] / q[2] + middle, focal * q[1] / q[2] + middle
    reach = min(np.float32(0.5) * lamp[9] * focal / q[2], np.float32(70.0))
    blocked, distance = _blockers(shadow, u, v, q[2], m, plane, reach, jitter, SEARCH_TAPS)
    if blocked == 0:
        return np.float32(1.0)
    near = distance / blocked
    spread = np.float32(0.5) * lamp[9] * (q[2] - near) / q[2] * focal / near
    blocked, distance = _blockers(
        shadow, u, v, q[2], m, plane, min(max(spread, np.float32(1.2)), np.float32(70.0)), jitter, SHADOW_TAPS
    )
    return np.float32(1.0) - np.float32(blocked) / np.float32(SHADOW_TAPS)


@njit(cache=True)
def _blockers(shadow, u, v, z, m, plane, reach, jitter, taps):  # noqa: ANN001, ANN202 (compiled)
    """How many of the taps around a place of a shadow map lie before the receiver's plane, and the sum of their depths."""
    focal, middle, side = np.float32(SHADOW_FOCAL_PX), np.float32((SHADOW_PX - 1) / 2), shadow.shape[0]
    count, total = 0, np.float32(0.0)
    for i in range(taps):
        radius = reach * np.sqrt((np.float32(i) + np.float32(0.5)) / np.float32(taps))
        angle = np.float32(GOLDEN_ANGLE) * np.float32(i) + np.float32(6.2831853) * jitter
        column, row = int(np.round(u + radius * np.cos(angle))), int(np.round(v + radius * np.sin(angle)))
        if column < 0 or row < 0 or column >= side or row >= side:
            continue
        facing = m[0] * (np.float32(column) - middle) / focal + m[1] * (np.float32(row) - middle) / focal + m[2]
        expected = z
        if abs(facing) > 1e-4:
            expected = min(max(plane / facing, np.float32(0.8) * z), np.float32(1.2) * z)
        found = shadow[row, column]
        if found < min(expected, z * np.float32(1.2)) - np.float32(0.006) - np.float32(0.002) * z:
            count += 1
            total += found
    return count, total


@njit(cache=True)
def _open_share(depth, camera, x, y, z, p, n, jitter):  # noqa: ANN001, ANN202 (compiled)
    """Share of the hemisphere over a point that what is seen around it leaves open (McGuire's Alchemy estimator)."""
    height, width = depth.shape
    q, total = np.empty(3, np.float32), np.float32(0.0)
    reach = min(np.float32(OCCLUSION_M) * camera[0] / z, np.float32(180.0))
    for i in range(OCCLUSION_TAPS):
        share = (np.float32(i) + np.float32(0.5)) / np.float32(OCCLUSION_TAPS)
        angle = np.float32(GOLDEN_ANGLE) * np.float32(i) + np.float32(6.2831853) * jitter
        radius = np.float32(1.5) + reach * share * share
        column, row = int(np.round(x + radius * np.cos(angle))), int(np.round(y + radius * np.sin(angle)))
        if column < 0 or row < 0 or column >= width or row >= height:
            continue
        if not depth[row, column] < 1e6:
            continue
        _point(camera, column, row, depth[row, column], q)
        along, square = np.float32(0.0), np.float32(0.0)
        for k in range(3):
            along += (q[k] - p[k]) * n[k]
            square += (q[k] - p[k]) ** 2
        if square > np.float32(OCCLUSION_M**2):
            continue
        scale = (np.float32(1.0) - square / np.float32(OCCLUSION_M**2)) ** 2
        total += scale * max(along - np.float32(0.002) * z, np.float32(0.0)) / (np.sqrt(square) + np.float32(1e-3))
    return max(np.float32(1.0) - np.float32(1.5) * total / np.float32(OCCLUSION_TAPS), np.float32(0.0))


@njit(cache=True)
def _smoothed(coarse, depth, normal):  # noqa: ANN001, ANN202 (compiled)
    """The noise of the taps averaged over 4 x 4 places of the same surface."""
    height, width, channels = coarse.shape
    out, total = np.empty_like(coarse), np.empty(channels, np.float32)
    for y in range(height):
        for x in range(width):
            z, weights = depth[2 * y, 2 * x], np.float32(0.0)
            total[:] = 0.0
            for row in range(max(y - 2, 0), min(y + 2, height)):
                for column in range(max(x - 2, 0), min(x + 2, width)):
                    weight = _likeness(depth, normal, 2 * y, 2 * x, 2 * row, 2 * column, z)
                    weights += weight
                    for c in range(channels):
                        total[c] += weight * coarse[row, column, c]
            for c in range(channels):
                out[y, x, c] = total[c] / weights if weights > 1e-6 else coarse[y, x, c]
    return out


@njit(cache=True)
def _likeness(depth, normal, y, x, row, column, z):  # noqa: ANN001, ANN202 (compiled)
    """Near 1 for two pixels of one surface, near 0 for others."""
    cosine = np.float32(0.0)
    for k in range(3):
        cosine += normal[y, x, k] * normal[row, column, k]
    if not z < 1e6 or not depth[row, column] < 1e6 or cosine < 0.5:
        return np.float32(1e-7)
    gap = (depth[row, column] - z) / (np.float32(0.02) * z)
    return cosine * cosine / (np.float32(1.0) + gap * gap * gap * gap) + np.float32(1e-7)


@njit(cache=True)
def _shade(albedo, normal, material, depth, openness, camera, lamps, ambient, materials, linear):  # noqa: ANN001, ANN202 (compiled)
    """Light of every pixel."""
    height, width = depth.shape
    out = np.zeros((height, width, 3), np.float32)
    p, n, e, base = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    seen = np.empty(openness.shape[2], np.float32)
    for y in range(height):
        for x in range(width):
            z = depth[y, x]
            if not z < 1e6:
                continue
            row = materials[material[y, x]]
            _point(camera, x, y, z, p)
            length = np.float32(0.0)
            for k in range(3):
                n[k], e[k], base[k] = normal[y, x, k], camera[3 + k] - p[k], linear[albedo[y, x, k]]
                length += e[k] * e[k]
            length = np.sqrt(length)
            for k in range(3):
                e[k] /= length
            if row[1] > 0:
                _emboss(n, albedo, material, depth, camera, y, x, row[1])
            _gather(openness, depth, normal, y, x, z, seen)
            for i in range(len(lamps)):
                if seen[i] > 0:
                    _add_lamp(out[y, x], p, n, e, base, row, lamps[i], seen[i])
            _add_ambient(out[y, x], n, e, base, row, ambient, seen[len(lamps)])
            for k in range(3):
                out[y, x, k] += row[3] * base[k]
    return out


@njit(cache=True)
def _gather(openness, depth, normal, y, x, z, seen):  # noqa: ANN001, ANN202 (compiled)
    """What the coarse places around a pixel see, weighted by how much they are of its surface."""
    height, width, channels = openness.shape
    seen[:] = 0.0
    weights = np.float32(0.0)
    for row in range(y // 2, min(y // 2 + 1 + y % 2, height)):
        for column in range(x // 2, min(x // 2 + 1 + x % 2, width)):
            weight = _likeness(depth, normal, y, x, 2 * row, 2 * column, z)
            weights += weight
            for c in range(channels):
                seen[c] += weight * openness[row, column, c]
    for c in range(channels):
        seen[c] = seen[c] / weights if weights > 0 else np.float32(1.0)


@njit(cache=True)
def _emboss(n, albedo, material, depth, camera, y, x, relief_m):  # noqa: ANN001, ANN202 (compiled)
    """Tilt the normal by the relief that the picture's lightness stands for (Mikkelsen's surface gradient)."""
    height, width = depth.shape
    if y < 1 or x < 1 or y + 1 >= height or x + 1 >= width:
        return
    here = material[y, x]
    if material[y, x - 1] != here or material[y, x + 1] != here or material[y - 1, x] != here or material[y + 1, x] != here:
        return
    a, b = np.empty(3, np.float32), np.empty(3, np.float32)
    right, down = np.empty(3, np.float32), np.empty(3, np.float32)
    _point(camera, x - 1, y, depth[y, x - 1], a)
    _point(camera, x + 1, y, depth[y, x + 1], b)
    for k in range(3):
        right[k] = b[k] - a[k]
    _point(camera, x, y - 1, depth[y - 1, x], a)
    _point(camera, x, y + 1, depth[y + 1, x], b)
    for k in range(3):
        down[k] = b[k] - a[k]
    rise_x, rise_y = np.float32(0.0), np.float32(0.0)
    for k in range(3):
        rise_x += np.float32(albedo[y, x + 1, k]) - np.float32(albedo[y, x - 1, k])
        rise_y += np.float32(albedo[y + 1, x, k]) - np.float32(albedo[y - 1, x, k])
    rise_x *= relief_m / np.float32(765.0)
    rise_y *= relief_m / np.float32(765.0)
    _cross(down, n, a)
    _cross(n, right, b)
    volume = right[0] * a[0] + right[1] * a[1] + right[2] * a[2]
    if abs(volume) < 1e-10:
        return
    length = np.float32(0.0)
    for k in range(3):
        n[k] -= (rise_x * a[k] + rise_y * b[k]) / volume
        length += n[k] * n[k]
    for k in range(3):
        n[k] /= np.sqrt(length)


@njit(cache=True)
def _cross(a, b, out):  # noqa: ANN001, ANN202 (compiled)
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


@njit(cache=True)
def _add_lamp(light, p, n, e, base, material, lamp, share):  # noqa: ANN001, ANN202 (compiled)
    """Diffuse light, gloss (GGX, widened by the lamp's size) and sheen of one square lamp."""
    l0, l1, l2 = lamp[0] - p[0], lamp[1] - p[1], lamp[2] - p[2]
    square = l0 * l0 + l1 * l1 + l2 * l2
    distance = np.sqrt(square)
    l0, l1, l2 = l0 / distance, l1 / distance, l2 / distance
    leaving = -(l0 * lamp[3] + l1 * lamp[4] + l2 * lamp[5])
    if leaving <= 0:
        return
    spread = np.float32(0.5) * lamp[9] / distance
    cosine = n[0] * l0 + n[1] * l1 + n[2] * l2
    soft = min(spread, np.float32(0.7))
    if cosine < soft:
        cosine = (cosine + soft) ** 2 / (np.float32(4.0) * soft) if cosine > -soft else np.float32(0.0)
    if cosine <= 0:
        return
    area = lamp[9] * lamp[9]
    solid_angle = area * leaving / (square + np.float32(0.3) * area)
    h0, h1, h2 = l0 + e[0], l1 + e[1], l2 + e[2]
    length = np.sqrt(h0 * h0 + h1 * h1 + h2 * h2) + np.float32(1e-6)
    tilt = max((n[0] * h0 + n[1] * h1 + n[2] * h2) / length, np.float32(0.0))
    half = max((e[0] * h0 + e[1] * h1 + e[2] * h2) / length, np.float32(0.0))
    rough = material[0] * material[0]
    wide = min(rough + np.float32(0.4) * spread, np.float32(1.0))
    lobe = tilt * tilt * (wide * wide - np.float32(1.0)) + np.float32(1.0)
    seen = max(n[0] * e[0] + n[1] * e[1] + n[2] * e[2], np.float32(0.0))
    fresnel = np.float32(0.04) + np.float32(0.96) * (np.float32(1.0) - half) ** 5
    k = np.float32(0.5) * wide
    smith = np.float32(1.0) / ((cosine * (1 - k) + k) * (seen * (1 - k) + k) * np.float32(4.0))
    gloss = fresnel * rough * rough / (np.float32(np.pi) * lobe * lobe) * smith
    sheen = np.float32(0.25) * material[2] * (np.float32(1.0) - seen) ** 4
    for c in range(3):
        matte = (base[c] * np.float32(0.96) + sheen) / np.float32(np.pi)
        light[c] += share * lamp[6 + c] * solid_angle * cosine * (matte + gloss)


@njit(cache=True)
def _add_ambient(light, n, e, base, material, ambient, share):  # noqa: ANN001, ANN202 (compiled)
    """Light of the room on a surface and mirrored in it; in corners it bounces on, the more so the brighter the surface."""
    seen = max(n[0] * e[0] + n[1] * e[1] + n[2] * e[2], np.float32(0.0))
    fresnel = np.float32(0.04) + np.float32(0.96) * (1 - material[0]) ** 2 * (np.float32(1.0) - seen) ** 5
    sheen = np.float32(0.25) * material[2] * (np.float32(1.0) - seen) ** 4
    for c in range(3):
        on, mirrored = np.float32(0.0), np.float32(0.0)
        for k in range(3):
            r = 2 * seen * n[k] - e[k]
            on += n[k] * n[k] * ambient[2 * k + (0 if n[k] > 0 else 1), c]
            mirrored += r * r * ambient[2 * k + (0 if r > 0 else 1), c]
        open_share = share * (np.float32(1.0) + np.float32(0.6) * base[c] * (np.float32(1.0) - share))
        light[c] += open_share / np.float32(np.pi) * (on * (base[c] * np.float32(0.96) + sheen) + mirrored * fresnel)
