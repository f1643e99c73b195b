"""Procedural pictures that cover the benchmark's rooms, furniture and people: (height, width, 3) float sRGB in [0, 1].

Nothing repeats within a surface: wide-baseline feature matching needs texture that tells places apart.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

Image = Float[ndarray, "height width 3"]
Mono = Float[ndarray, "height width"]
Color = Sequence[float]


def fractal_noise(rng: np.random.Generator, shape: tuple[int, int], *, slope: float = 1.8, stretch: float = 1.0) -> Mono:
    """Noise in [0, 1] whose spectrum falls as frequency^-slope; `stretch` > 1 draws it out along the columns."""
    height, width = shape
    fy = (np.fft.fftfreq(height)[:, None] * stretch * height).astype(np.float32)
    fx = (np.fft.rfftfreq(width)[None, :] * width).astype(np.float32)
    square = fy**2 + fx**2
    square[0, 0] = 1.0
    phase = 2 * np.float32(np.pi) * rng.random(square.shape, dtype=np.float32)
    spectrum = square ** np.float32(-slope / 2) * (np.cos(phase) + 1j * np.sin(phase))
    spectrum[0, 0] = 0.0
    noise = np.fft.irfft2(spectrum, s=shape).astype(np.float32)
    low, high = np.quantile(noise.ravel()[:: max(1, noise.size // 20000)], (0.01, 0.99))
    return np.clip((noise - low) / (high - low), 0.0, 1.0)


def wood(rng: np.random.Generator, shape: tuple[int, int], color: Color) -> Image:
    """Wood whose grain runs along the columns (top to bottom)."""
    width = shape[1]
    warp = fractal_noise(rng, shape, slope=2.2, stretch=6.0)
    x = np.linspace(0, 1, width)[None, :]
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (x * rng.uniform(5, 9) + 3.0 * warp))
    fibre = fractal_noise(rng, shape, slope=0.7, stretch=40.0)
    shade = 0.72 + 0.24 * rings * fractal_noise(rng, shape, slope=1.5, stretch=4.0) + 0.22 * (fibre - 0.5)
    return np.clip(np.asarray(color) * shade[..., None] * (1.0 + 0.25 * (warp[..., None] - 0.5) * (0.2, 0.0, -0.4)), 0, 1)


def planks(rng: np.random.Generator, size_px: int, size_m: float, color: Color) -> Image:
    """A square floor of planks along the columns: uneven lengths, each with its own tone and grain, some with knots."""
    image = np.zeros((size_px, size_px, 3), np.float32)
    per_m = size_px / size_m
    sheets = [wood(rng, (1024, 256), color) for _ in range(3)]
    breadth_m = rng.uniform(0.09, 0.17)
    x = 0
    while x < size_px:
        breadth = int(rng.uniform(0.95, 1.05) * breadth_m * per_m)
        y = -int(rng.uniform(0, 0.6) * per_m)
        while y < size_px:
            length = int(rng.uniform(0.7, 1.6) * per_m)
            tile = _plank(rng, sheets[rng.integers(len(sheets))], (length, breadth))
            top, bottom, right = max(y, 0), min(y + length, size_px), min(x + breadth, size_px)
            image[top:bottom, x:right] = tile[top - y : bottom - y, : right - x]
            y += length
        x += breadth
    return np.clip(image * _stains(rng, size_px), 0, 1)


def _plank(rng: np.random.Generator, sheet: Image, shape: tuple[int, int]) -> Image:
    height, width = shape
    top, left = rng.integers(0, sheet.shape[0] - 300), rng.integers(0, sheet.shape[1] - 80)
    tile = cv2.resize(sheet[top : top + 300, left : left + 80], (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        tile = tile[::-1]
    tile = tile * (rng.uniform(0.72, 1.12) * (1 + rng.uniform(-0.06, 0.06, 3))).astype(np.float32)
    for _ in range(rng.poisson(0.8)):
        centre = (int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0, 1) * height))
        cv2.ellipse(tile, centre, (max(width // 14, 2), max(width // 9, 3)), 0, 0, 360, (0.45 * tile.mean((0, 1))).tolist(), -1)
    tile[:, :1] *= 0.35
    tile[:2] *= 0.4
    return tile


def _stains(rng: np.random.Generator, size_px: int) -> Mono:
    noise = fractal_noise(rng, (size_px // 4, size_px // 4), slope=1.6)
    return cv2.resize(np.float32(0.82) + np.float32(0.3) * noise, (size_px, size_px))[..., None]


def tiles(rng: np.random.Generator, size_px: int, size_m: float, color: Color) -> Image:
    """A square floor of stone tiles with grout, each tile with its own tone, veins and stains."""
    per_m, side_m = size_px / size_m, rng.uniform(0.3, 0.6)
    veins = fractal_noise(rng, (size_px, size_px), slope=1.3)
    image = np.asarray(color, np.float32) * (0.8 + 0.3 * veins[..., None])
    side = side_m * per_m
    for row in range(int(size_px / side) + 1):
        for column in range(int(size_px / side) + 1):
            y, x = int(row * side), int(column * side)
            tone = rng.uniform(0.82, 1.1) * (1 + rng.uniform(-0.02, 0.02, 3))
            image[y : int(y + side), x : int(x + side)] *= tone.astype(np.float32)
            image[y : y + 2, x : int(x + side)] *= 0.6
            image[y : int(y + side), x : x + 2] *= 0.6
    return np.clip(image * _stains(rng, size_px), 0, 1)


def carpet(rng: np.random.Generator, size_px: int, color: Color) -> Image:
    """A square of cut pile: mottled loops, trodden patches, flecks of other colours."""
    pile, cloud = fractal_noise(rng, (size_px, size_px), slope=0.35), fractal_noise(rng, (size_px, size_px), slope=1.3)
    image = np.asarray(color, np.float32) * (0.55 + 0.5 * pile + 0.35 * cloud)[..., None]
    flecks = rng.random((size_px, size_px), dtype=np.float32) > 0.985
    image[flecks] = image[flecks] * 0.4 + 0.5 * rng.random((int(flecks.sum()), 3), dtype=np.float32)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.7), 0, 1)


def metal(rng: np.random.Generator, shape: tuple[int, int], color: Color) -> Image:
    """Brushed or painted metal: fine streaks along the columns, faint clouds, scratches."""
    streaks, cloud = fractal_noise(rng, shape, slope=0.4, stretch=60), fractal_noise(rng, shape, slope=1.9)
    image = np.asarray(color, np.float32) * (0.82 + 0.14 * streaks + 0.14 * cloud)[..., None]
    return np.clip(_scratched(rng, image, 40), 0, 1)


def plastic(rng: np.random.Generator, shape: tuple[int, int], color: Color) -> Image:
    """Moulded plastic: even, with dust and a few scuffs."""
    cloud, grain = fractal_noise(rng, shape, slope=2.0), fractal_noise(rng, shape, slope=0.3)
    image = np.asarray(color, np.float32) * (0.88 + 0.12 * cloud + 0.05 * grain)[..., None]
    return np.clip(_scratched(rng, image, 25), 0, 1)


def leather(rng: np.random.Generator, shape: tuple[int, int], color: Color) -> Image:
    """Leather: a net of creases between pebbles, worn patches."""
    grain, cloud = fractal_noise(rng, shape, slope=0.9), fractal_noise(rng, shape, slope=1.8)
    creases = np.clip(1 - 9 * np.abs(grain - 0.5), 0, 1)
    return np.clip(np.asarray(color, np.float32) * (0.82 + 0.36 * cloud - 0.28 * creases)[..., None], 0, 1)


def _scratched(rng: np.random.Generator, image: Image, count: int) -> Image:
    height, width = image.shape[:2]
    tone = image.mean((0, 1))
    for _ in range(count):
        start = rng.uniform(0, 1, 2) * (width, height)
        end = start + rng.normal(0, 0.06 * height, 2)
        cv2.line(image, start.astype(int).tolist(), end.astype(int).tolist(), (tone * rng.uniform(0.7, 1.2)).tolist(), 1)
    return image


def bricks(rng: np.random.Generator, size_px: tuple[int, int], size_m: tuple[float, float], color: Color) -> Image:
    """A brick wall (height, width): every brick has its own tone, mortar and plaster remains between and over them."""
    height, width = size_px
    per_m = height / size_m[0]
    image = np.full((height, width, 3), (0.62, 0.60, 0.57), np.float32)
    course, length, joint = 0.075 * per_m, 0.24 * per_m, 0.010 * per_m
    for row in range(int(height / course) + 1):
        for column in range(-1, int(width / length) + 1):
            y0, x0 = row * course, column * length + (row % 2) * length / 2 + rng.uniform(-0.004, 0.004) * per_m
            corners = (int(max(x0, 0)), int(y0)), (int(x0 + length - joint), int(y0 + course - joint))
            tone = np.asarray(color) * rng.uniform(0.6, 1.2) * (1 + rng.uniform(-0.06, 0.06, 3))
            cv2.rectangle(image, *corners, tone.tolist(), -1)
    grain = fractal_noise(rng, (height, width), slope=0.9)
    patches = np.clip((fractal_noise(rng, (height, width), slope=2.0) - 0.84) * 8, 0, 1)[..., None]
    rough = np.clip(image * (0.6 + 0.75 * grain[..., None]), 0, 1)
    return rough * (1 - patches) + patches * np.array((0.80, 0.77, 0.70)) * (0.8 + 0.25 * grain[..., None])


def plaster(rng: np.random.Generator, size_px: tuple[int, int], color: Color) -> Image:
    """Coarse limewash: brushed strokes, stains and fine cracks."""
    height, width = size_px
    cloud, grain = fractal_noise(rng, size_px, slope=1.9), fractal_noise(rng, size_px, slope=0.8)
    image = np.asarray(color, np.float32) * (0.70 + 0.22 * cloud + 0.22 * grain)[..., None]
    for _ in range(180):
        start = rng.uniform(0, 1, 2) * (width, height)
        steps = np.cumsum(rng.normal(0, 0.008 * height, (rng.integers(3, 9), 2)), axis=0)
        tone = (np.asarray(color) * rng.uniform(0.55, 1.15)).tolist()
        cv2.polylines(image, [(start + steps).astype(np.int32)], False, tone, max(1, height // 1000), cv2.LINE_AA)
    return np.clip(image, 0, 1)


def wallpaper(rng: np.random.Generator, size_px: tuple[int, int], palette: Sequence[Color]) -> Image:
    """Scattered leaves, dots and twigs in the colours of `palette` (ground first); no motif comes twice."""
    height, width = size_px
    unit = height / 1280
    image = np.full((height, width, 3), palette[0], np.float32)
    slim = rng.uniform(0.15, 0.6)
    for _ in range(int(height * width / (5000 * unit**2))):
        centre = (rng.uniform(0, 1, 2) * (width, height)).astype(int)
        tone = (np.asarray(palette[int(rng.integers(1, len(palette)))]) * rng.uniform(0.75, 1.2)).tolist()
        scale, angle = unit * rng.lognormal(2.7, 0.55), rng.uniform(0, 360)
        if rng.random() < 0.7:
            axes = max(int(scale), 1), max(int(scale * rng.uniform(0.5, 1.5) * slim), 1)
            cv2.ellipse(image, centre.tolist(), axes, angle, 0, 360, tone, -1, cv2.LINE_AA)
        else:
            tip = (centre + 2 * scale * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])).astype(int)
            cv2.line(image, centre.tolist(), tip.tolist(), tone, max(int(unit * rng.integers(2, 5)), 1), cv2.LINE_AA)
    return np.clip(image * (0.9 + 0.15 * fractal_noise(rng, size_px, slope=1.2))[..., None], 0, 1)


def picture(rng: np.random.Generator, size_px: tuple[int, int]) -> Image:
    """An abstract painting: a cloudy ground, shapes, lines and lettering-like marks."""
    height, width = size_px
    low, high = _muted(rng), _muted(rng)
    blend = fractal_noise(rng, size_px, slope=1.6)[..., None]
    image = np.ascontiguousarray(low * blend + high * (1 - blend))
    for _ in range(rng.integers(14, 30)):
        centre = rng.uniform(0, 1, 2) * (width, height)
        tone = _muted(rng).tolist()
        corners = centre + rng.normal(0, 0.13 * min(size_px), (rng.integers(3, 7), 2))
        if rng.random() < 0.5:
            cv2.fillPoly(image, [cv2.convexHull(corners.astype(np.int32))], tone, cv2.LINE_AA)
        elif rng.random() < 0.5:
            cv2.circle(image, centre.astype(int).tolist(), int(rng.uniform(0.02, 0.16) * min(size_px)), tone, -1, cv2.LINE_AA)
        else:
            cv2.polylines(image, [corners.astype(np.int32)], False, tone, int(rng.integers(2, 9)), cv2.LINE_AA)
    for _ in range(rng.integers(2, 6)):
        word = "".join(rng.choice(list("AEKMNORSTUVXZ"), rng.integers(3, 8)))
        at = (rng.uniform(0.0, 0.7, 2) * (width, height) + (0, 0.2 * height)).astype(int).tolist()
        ink = np.zeros(size_px, np.uint8)
        cv2.putText(ink, word, at, cv2.FONT_HERSHEY_DUPLEX, rng.uniform(0.6, 2.2) * width / 500, 255, 3, cv2.LINE_AA)
        image += (ink / 255.0)[..., None] * (rng.uniform(0, 1, 3) - image)
    return np.clip(image * (0.92 + 0.12 * fractal_noise(rng, size_px, slope=0.6))[..., None], 0, 1)


def _muted(rng: np.random.Generator) -> Float[ndarray, "3"]:
    color = rng.uniform(0.05, 0.95, 3)
    return color + 0.45 * (color.mean() - color)


def rug(rng: np.random.Generator, size_px: tuple[int, int], palette: Sequence[Color]) -> Image:
    """A woven rug: borders, a field of irregular lozenges, woven grain."""
    height, width = size_px
    image = np.full((height, width, 3), palette[0], np.float32)
    for i, inset in enumerate((0.02, 0.05, 0.075, 0.11)):
        margin, tone = int(inset * height), np.asarray(palette[(i + 1) % len(palette)]).tolist()
        cv2.rectangle(image, (margin, margin), (width - margin, height - margin), tone, -1)
    field = int(0.12 * height)
    for _ in range(420):
        centre = rng.uniform((field, field), (width - field, height - field))
        reach = rng.uniform(0.008, 0.045, 2) * height
        lozenge = centre + np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]) * reach + rng.normal(0, 0.003 * height, (4, 2))
        tone = (np.asarray(palette[int(rng.integers(len(palette)))]) * rng.uniform(0.8, 1.2)).tolist()
        cv2.fillPoly(image, [lozenge.astype(np.int32)], tone, cv2.LINE_AA)
    weave = rng.uniform(0.8, 1.08, (height // 2, width // 2)).astype(np.float32)
    return np.clip(image * cv2.resize(weave, (width, height), interpolation=cv2.INTER_NEAREST)[..., None], 0, 1)


def fabric(rng: np.random.Generator, size_px: int, color: Color, *, flecks: float = 0.1) -> Image:
    """Woven cloth with slubs and uneven dye; `flecks` is the strength of the weave."""
    threads = (
        fractal_noise(rng, (size_px, size_px), slope=0.5, stretch=12)
        + fractal_noise(rng, (size_px, size_px), slope=0.5, stretch=12).T
    )
    cloud = fractal_noise(rng, (size_px, size_px), slope=1.9)
    shade = 0.88 + flecks * (threads - 1.0) + 0.2 * (cloud - 0.5)
    return np.clip(np.asarray(color) * shade[..., None], 0, 1)


def skin(rng: np.random.Generator, size_px: int, color: Color) -> Image:
    """Skin: blotches and pores."""
    blotch, pores = (fractal_noise(rng, (size_px, size_px), slope=slope) - 0.5 for slope in (1.8, 0.4))
    tint = np.array((0.06, 0.13, 0.13)) * blotch[..., None]
    return np.clip(np.asarray(color) * (1 + tint + 0.06 * pores[..., None]), 0, 1)


def strands(rng: np.random.Generator, size_px: int, color: Color) -> Image:
    """Hair that falls along the columns: single strands in locks."""
    fine, locks = (fractal_noise(rng, (size_px, size_px), slope=s, stretch=t) for s, t in ((0.6, 30), (1.4, 8)))
    return np.clip(np.asarray(color, np.float32) * (0.3 + 0.5 * fine + 0.5 * locks)[..., None], 0, 1)


def foliage(rng: np.random.Generator, size_px: int) -> Image:
    """A leaf's surface: veins over uneven green."""
    green = np.array((0.16, 0.36, 0.10)) * rng.uniform(0.8, 1.3, 3)
    image = green * (0.7 + 0.6 * fractal_noise(rng, (size_px, size_px), slope=1.4))[..., None]
    for y in range(0, size_px, size_px // 9):
        cv2.line(image, (size_px // 2, y), (0, y + size_px // 6), (0.45, 0.62, 0.30), 2, cv2.LINE_AA)
        cv2.line(image, (size_px // 2, y), (size_px, y + size_px // 6), (0.45, 0.62, 0.30), 2, cv2.LINE_AA)
    return np.clip(image, 0, 1)


def outdoors(rng: np.random.Generator, size_px: tuple[int, int]) -> Image:
    """What stands outside the window: sky with clouds over hedges."""
    height, width = size_px
    sky = np.linspace(0, 1, height)[:, None, None] * (0.25, 0.12, 0.0) + np.array((0.62, 0.78, 0.95))
    clouds = np.clip(fractal_noise(rng, size_px, slope=1.8) * 2 - 0.9, 0, 1)[..., None]
    image = sky * (1 - clouds) + clouds
    hedge = fractal_noise(rng, size_px, slope=1.3)[..., None] * (0.25, 0.45, 0.18) + (0.05, 0.12, 0.04)
    rim = height * (0.62 + 0.12 * fractal_noise(rng, (1, width), slope=1.6))
    is_hedge = np.arange(height)[:, None] > rim
    return np.clip(np.where(is_hedge[..., None], hedge, image), 0, 1)
