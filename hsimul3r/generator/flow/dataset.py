"""Random furniture and its pictures on disk: one .npz of a few hundred objects after another, and batches of them."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

from hsimul3r.errors import DamagedArtifact, NoDataset
from hsimul3r.files import write_whole_bytes
from hsimul3r.generator.flow.furniture import HELD_OUT_FROM, sample_furniture
from hsimul3r.generator.flow.network import Condition
from hsimul3r.generator.flow.pictures import CROP_PX, Picture, model_of, random_looks, take_picture
from hsimul3r.generator.flow.primitives import extents
from hsimul3r.generator.flow.tokens import REPEATS, Outline, encode, outline_numbers
from hsimul3r.generator.objective import OBJECT, UNKNOWN

SHARD: Final = 250
"""Objects in a file."""
SIDE_MEAN, SIDE_SPREAD = np.log(1.4), 0.5
"""Of the log of a crop's width [m]."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Objects with their pictures."""

    seeds: Int[ndarray, "n"]
    tokens: Float[ndarray, "n tokens channels"]
    """The last token tells of the first view."""
    outline: Float[ndarray, "n views 6"]
    """tokens.outline_numbers, of each view."""
    luminance: UInt8[ndarray, "n views size size"]
    labels: UInt8[ndarray, "n views size size"]
    side_m: Float[ndarray, "n views"]
    """Width of each crop where the object is."""

    def take(self, rows: ndarray) -> "Batch":
        """These objects."""
        return Batch(**{name: value[rows] for name, value in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Chances:
    """How often training hides what a photo may not tell."""

    everything: float = 0.1
    """For classifier-free guidance."""
    cameras: float = 0.4
    yaw: float = 0.7
    side: float = 0.4
    size: float = 0.8
    cut_out: float = 0.4
    """A rectangle of the crop becomes unknown."""


def make_objects(seeds: range, views: int) -> Batch:
    """The objects of these seeds, each from `views` sides."""
    rows = [_object(seed, views) for seed in seeds]
    names = ("tokens", "outline", "luminance", "labels", "side_m")
    return Batch(seeds=np.array(seeds), **{name: np.stack([row[i] for row in rows]) for i, name in enumerate(names)})


def shard_path(folder: Path, split: str, index: int) -> Path:
    return folder / split / f"{index:05d}.npz"


def split_seeds(split: str, index: int, count: int) -> range:
    """Seeds of a shard; "held_out" ones lie apart from all "train" ones."""
    first = SHARD * index + (HELD_OUT_FROM if split == "held_out" else 0)
    return range(first, first + min(SHARD, count - SHARD * index))


def write_shard(path: Path, batch: Batch) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **vars(batch))
    write_whole_bytes(path, content.getvalue())


def read_shard(path: Path) -> Batch:
    """Raises `DamagedArtifact`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return Batch(**{name: file[name] for name in file.files})
    except (OSError, ValueError, TypeError, KeyError, EOFError) as error:
        raise DamagedArtifact(path, f"it is no shard of training objects ({error})") from error


def read_split(folder: Path, split: str, most: int | None = None) -> Batch:
    """All objects of a split, or about the first `most`. Raises `NoDataset`."""
    paths = sorted((folder / split).glob("*.npz"))
    if most is not None:
        paths = paths[: -(-most // SHARD)]
    if not paths:
        raise NoDataset(folder / split)
    shards = [read_shard(path) for path in paths]
    joined = {name: np.concatenate([getattr(shard, name) for shard in shards]) for name in vars(shards[0])}
    return Batch(**joined).take(np.arange(min(most or len(joined["seeds"]), len(joined["seeds"]))))


def draw(data: Batch, size: int, rng: np.random.Generator) -> Batch:
    """Random objects with their views in random order; the last token tells of the view that comes first."""
    count, views = data.side_m.shape
    order = np.argsort(rng.random((size, views)), axis=1)
    return _reordered(data.take(rng.integers(0, count, size)), order)


def condition_of(data: Batch, *, views: int, known: Float[ndarray, "n 4"], device: str = "cpu") -> Condition:
    """What the network is shown: the first `views` views, and where `known` (n, 4) is 1 the cameras' turns, the object's yaw,
    the crops' widths and the extents."""
    outline = data.outline[:, :views]
    numbers = view_numbers(outline, data.side_m[:, :views], known)
    size = np.concatenate([outline[:, 0, :3] * known[:, 3:], known[:, 3:]], axis=1)
    return Condition(
        crops=crop_tensor(data.luminance[:, :views], data.labels[:, :views]).to(device),
        is_seen=torch.ones(len(known), views, dtype=torch.bool, device=device),
        views=torch.from_numpy(numbers).float().to(device),
        size=torch.from_numpy(size).float().to(device),
    )


def view_numbers(
    outline: Float[ndarray, "n views 6"], side_m: Float[ndarray, "n views"], known: Float[ndarray, "n 4"]
) -> Float[ndarray, "n views 9"]:
    """network.VIEW_NUMBERS of every view; what is not known is 0."""
    yaw = np.arctan2(outline[:, :, 3], outline[:, :, 4])
    turn = yaw - yaw[:, :1]
    flag = [np.broadcast_to(known[:, i : i + 1], yaw.shape) for i in range(3)]
    side = (np.log(side_m) - SIDE_MEAN) / SIDE_SPREAD
    cameras = [np.sin(turn), np.cos(turn), outline[:, :, 5], np.ones_like(yaw)]
    return np.stack(
        [
            *(number * flag[0] for number in cameras),
            *(number * flag[1] for number in (np.sin(yaw), np.cos(yaw), np.ones_like(yaw))),
            *(number * flag[2] for number in (side, np.ones_like(yaw))),
        ],
        axis=-1,
    )


def crop_tensor(
    luminance: UInt8[ndarray, "*batch size size"], labels: UInt8[ndarray, "*batch size size"]
) -> Float[Tensor, "*batch 2 size size"]:
    """Crops as the network takes them: black where the object is not seen."""
    seen = labels == OBJECT
    light = np.where(seen, luminance.astype(np.float32) / 127.5 - 1.0, 0.0)
    mask = np.where(seen, 1.0, np.where(labels == UNKNOWN, 0.0, -1.0))
    return torch.from_numpy(np.stack([light, mask], axis=-3).astype(np.float32))


def hidden(count: int, rng: np.random.Generator, chances: Chances) -> Float[ndarray, "n 4"]:
    """Which numbers a batch is told: 1 where they are known."""
    unknown = np.array([chances.cameras, chances.yaw, chances.side, chances.size])
    return (rng.random((count, 4)) >= unknown).astype(float)


def disturbed(data: Batch, rng: np.random.Generator, chances: Chances) -> Batch:
    """Photo-like changes: exposure and contrast, sensor noise, rectangles cut out, crops' widths not quite right."""
    shape = data.side_m.shape
    gamma = rng.uniform(0.6, 1.6, (*shape, 1, 1))
    light = 255.0 * (data.luminance / 255.0) ** gamma + rng.normal(size=data.luminance.shape) * rng.uniform(
        0, 8, (*shape, 1, 1)
    )
    labels = data.labels.copy()
    size = labels.shape[-1]
    for i, v in zip(*np.nonzero(rng.random(shape) < chances.cut_out)):
        low, wide = rng.integers(0, size, 2), rng.integers(size // 10, size // 3, 2)
        labels[i, v, low[0] : low[0] + wide[0], low[1] : low[1] + wide[1]] = UNKNOWN
    return Batch(
        seeds=data.seeds, tokens=data.tokens, outline=data.outline, labels=labels,
        luminance=np.clip(light, 0, 255).astype(np.uint8), side_m=data.side_m * np.exp(rng.normal(0.0, 0.03, shape)),
    )  # fmt: skip


def _reordered(data: Batch, order: Int[ndarray, "n views"]) -> Batch:
    rows = np.arange(len(order))[:, None]
    moved = {name: getattr(data, name)[rows, order] for name in ("outline", "luminance", "labels", "side_m")}
    tokens = data.tokens.copy()
    first = moved["outline"][:, 0]
    tokens[:, -1, : REPEATS * first.shape[1]] = np.tile(first, REPEATS)
    return Batch(seeds=data.seeds, tokens=tokens, **moved)


def _object(seed: int, views: int) -> tuple[ndarray, ...]:
    """Tokens, outline numbers, luminance, labels and widths of one object."""
    furniture, rng = sample_furniture(seed), np.random.default_rng([21, seed])
    model, looks = model_of(furniture), random_looks(rng, views)
    pictures: list[Picture] = [take_picture(model, look, rng, size=CROP_PX) for look in looks]
    box = extents(furniture.primitives)
    outlines = [Outline(extents_m=box, yaw=look.yaw, elevation=look.elevation) for look in looks]
    return (
        encode(furniture.primitives, outlines[0]),
        np.stack([outline_numbers(outline) for outline in outlines]).astype(np.float32),
        np.stack([picture.luminance for picture in pictures]),
        np.stack([picture.labels for picture in pictures]),
        np.array([picture.side_m for picture in pictures], np.float32),
    )
