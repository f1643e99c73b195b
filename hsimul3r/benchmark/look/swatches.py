"""A pool of finished textures, made once in a process: a case draws from it by number and only tints what it drew.

A sheet follows from its kind, number and scale alone, so that it does not matter which case asks for it first. Scale 1 suits
pictures of 960 x 720, scale 2 the samples.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.benchmark.look import textures
from hsimul3r.benchmark.look.textures import Image

Sheet = UInt8[ndarray, "height width 3"]
Color = Sequence[float]
GREY: Final = 0.8
"""Sheets to be tinted are made in this grey."""
FLOOR_M, WALL_M = 6.4, (2.6, 6.4)
"""What a sheet of floor and of wall covers."""
_GREY = (GREY, GREY, GREY)
_INKS = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

_MAKERS: Final[dict[str, tuple[int, Callable[[np.random.Generator, int], Image]]]] = {
    "planks": (4, lambda rng, k: textures.planks(rng, 1536 * k, FLOOR_M, _GREY)),
    "tiles": (3, lambda rng, k: textures.tiles(rng, 1536 * k, FLOOR_M, _GREY)),
    "carpet": (2, lambda rng, k: textures.carpet(rng, 1280 * k, _GREY)),
    "concrete": (2, lambda rng, k: textures.plaster(rng, (1280 * k, 1280 * k), _GREY)),
    "bricks": (4, lambda rng, k: textures.bricks(rng, (512 * k, 1260 * k), WALL_M, _GREY)),
    "plaster": (4, lambda rng, k: textures.plaster(rng, (512 * k, 1260 * k), _GREY)),
    "wallpaper": (6, lambda rng, k: textures.wallpaper(rng, (512 * k, 1260 * k), _INKS)),
    "rug": (4, lambda rng, k: textures.rug(rng, (480 * k, 720 * k), _INKS)),
    "picture": (72, lambda rng, k: textures.picture(rng, (256 * k, 212 * k))),
    "outdoors": (4, lambda rng, k: textures.outdoors(rng, (300 * k, 250 * k))),
    "foliage": (2, lambda rng, k: textures.foliage(rng, 128 * k)),
    "wood": (5, lambda rng, k: textures.wood(rng, (640 * k, 320 * k), _GREY)),
    "fabric": (4, lambda rng, k: textures.fabric(rng, 512 * k, _GREY, flecks=0.3)),
    "leather": (2, lambda rng, k: textures.leather(rng, (512 * k, 512 * k), _GREY)),
    "metal": (2, lambda rng, k: textures.metal(rng, (512 * k, 256 * k), _GREY)),
    "plastic": (2, lambda rng, k: textures.plastic(rng, (384 * k, 384 * k), _GREY)),
    "skin": (2, lambda rng, k: textures.skin(rng, 512 * k, _GREY)),
    "strands": (3, lambda rng, k: textures.strands(rng, 512 * k, _GREY)),
}
KINDS: Final = tuple(_MAKERS)


def count(kind: str) -> int:
    """How many sheets of a kind there are."""
    return _MAKERS[kind][0]


@functools.cache
def sheet(kind: str, number: int, scale: int = 1) -> Sheet:
    """One of the pool's textures."""
    rng = np.random.default_rng([KINDS.index(kind), number, scale])
    return np.round(_MAKERS[kind][1](rng, scale) * 255).astype(np.uint8)


def drawn(kind: str, rng: np.random.Generator, scale: int = 1) -> Sheet:
    """A sheet of a kind by lot, mirrored by lot."""
    found = sheet(kind, int(rng.integers(count(kind))), scale)
    return np.ascontiguousarray(found[:, ::-1]) if rng.random() < 0.5 else found


def tinted(grey: Sheet, color: Color) -> Image:
    """A grey sheet in a colour."""
    return np.minimum(grey * (np.asarray(color, np.float32) / np.float32(255 * GREY)), np.float32(1.0))


def printed(inks: Sheet, palette: Sequence[Color]) -> Image:
    """A sheet whose channels are the shares of three inks, in the colours of `palette` (ground first)."""
    colors = np.asarray(palette[:4], np.float32)
    shares = inks.astype(np.float32) / np.float32(255)
    ground = np.maximum(1 - shares.sum(-1, keepdims=True), 0) * colors[0]
    return np.minimum(ground + shares @ colors[1:], np.float32(1.0))


def mean_color(image: Image) -> Float[ndarray, "3"]:
    """The colour that a texture has from afar."""
    return image[::8, ::8].reshape(-1, 3).mean(0)
