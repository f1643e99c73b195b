"""DUSt3R (Wang et al., CVPR 2024) with the user's own weights: photographs to cameras, depth and matches, people left out.

The network says of every pair of pictures where their points lie; Eq. 1 makes one scene of the pairs. Its licence forbids
commercial use, so the weights are never part of the project: `Dust3rConfig.weights` is the path of the user's copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.geometry.global_alignment import PairPointmaps
from hsimul3r.geometry.pointmap_start import Scheme, select_pairs
from hsimul3r.progress import Progress
from stages.adapters.dense_scene import DenseScene, JoinConfig, join_pairs
from stages.adapters.networks.checkpoints import Precision, load_network
from stages.adapters.networks.dust3r_net import Dust3r
from stages.adapters.networks.pictures import Prepared, prepare
from stages.adapters.networks.sizes import dust3r_sizes

LICENCES = ("DUSt3R weights (naver/dust3r): CC BY-NC-SA 4.0, non-commercial",)


@dataclass(frozen=True, kw_only=True)
class Dust3rConfig(JoinConfig):
    """Settings of DUSt3R; it is used where `weights` names a file."""

    weights: str = ""
    """Path of the user's checkpoint (.pth as published, or .safetensors)."""
    size: int = 512
    """What the checkpoint was trained for: 512 or 224."""
    pairs: Scheme = "complete"
    window: int = 3
    """Pictures this far apart in the order of capture are paired, where `pairs` is "window"."""
    precision: Precision = "float32"


def reconstruct_views(
    images: Sequence[UInt8[ndarray, "height width 3"]], people: Sequence[Bool[ndarray, "height width"]],
    known_focal_px: Float[ndarray, "views"], *, cfg: Dust3rConfig, progress: Progress,
) -> DenseScene:  # fmt: skip
    """One scene of all pictures; `known_focal_px` is nan where it is sought. Raises `BadWeights` and its kin."""
    network = load_dust3r(Path(cfg.weights), precision=cfg.precision, device=cfg.device)
    prepared = tuple(prepare(image, cfg.size) for image in images)
    maps = predict_pairs(network, prepared, cfg=cfg, progress=progress)
    scene = join_pairs(maps, prepared, people, known_focal_px, cfg=cfg, progress=progress)
    return replace(scene, name="dust3r", licences=LICENCES)


def load_dust3r(path: Path, *, precision: Precision = "float32", device: str = "cpu") -> Dust3r:
    """The network with the user's weights. Raises `BadWeights`, `UnsafeWeights` or `WrongWeights`."""
    return load_network(
        path, lambda c: Dust3r(dust3r_sizes(c)), model="DUSt3R", precision=precision, device=device, complete=Dust3r.completed
    )  # fmt: skip


@torch.inference_mode()
def predict_pairs(
    network: Dust3r, prepared: Sequence[Prepared], *, cfg: Dust3rConfig, progress: Progress
) -> tuple[PairPointmaps, ...]:
    """Every picture encoded once, every ordered pair decoded."""
    pairs = select_pairs(len(prepared), cfg.pairs, window=cfg.window)
    with progress.bar("DUSt3R", len(prepared) + len(pairs)) as advance:
        encoded = []
        for picture in prepared:
            encoded.append(network.encode(picture.image.to(cfg.device)))
            advance(1)
        maps = []
        for i, j in pairs:
            first, second = network.decode(encoded[i], encoded[j])
            arrays = [x[0].float().cpu().numpy() for one in (first, second) for x in (one.points, one.confidence)]
            names = ("points_first", "confidence_first", "points_second", "confidence_second")
            maps.append(PairPointmaps(first=i, second=j, **dict(zip(names, arrays))))
            advance(1)
    return tuple(maps)
