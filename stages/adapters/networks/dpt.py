"""Dense prediction from four layers of a transformer (DPT, Ranftl et al. 2021), as DUSt3R and CUT3R use it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class DptSizes:
    """Channels of the head; the defaults are the published ones."""

    feature: int = 256
    last: int = 128
    layers: tuple[int, int, int, int] = (96, 192, 384, 768)


class ResidualUnit(nn.Module):
    """x + conv(relu(conv(relu(x))))."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch channels rows columns"]:
        return x + self.conv2(functional.relu(self.conv1(functional.relu(x))))


class Fusion(nn.Module):
    """Adds a finer level to what comes from the coarser ones, and doubles the size."""

    def __init__(self, channels: int):
        super().__init__()
        self.out_conv = nn.Conv2d(channels, channels, 1)
        self.resConfUnit1 = ResidualUnit(channels)
        self.resConfUnit2 = ResidualUnit(channels)

    def forward(self, x: Float[Tensor, "batch channels rows columns"], level: Tensor | None = None) -> Tensor:
        if level is not None:
            x = x + self.resConfUnit1(level)
        return self.out_conv(_doubled(self.resConfUnit2(x)))


class Doubled(nn.Module):
    """Twice the size."""

    def forward(self, x: Tensor) -> Tensor:
        return _doubled(x)


class Scratch(nn.Module):
    """The levels brought to equal channels, and their fusions. Checkpoints hold `layer_rn.0` again as `layer1_rn` and so on."""

    def __init__(self, sizes: DptSizes):
        super().__init__()
        self.layer_rn = nn.ModuleList(nn.Conv2d(c, sizes.feature, 3, padding=1, bias=False) for c in sizes.layers)
        for i, layer in enumerate(self.layer_rn, start=1):
            self.add_module(f"layer{i}_rn", layer)
        self.refinenet1, self.refinenet2, self.refinenet3, self.refinenet4 = (Fusion(sizes.feature) for _ in range(4))

    def forward(self, levels: list[Tensor]) -> Float[Tensor, "batch channels rows columns"]:
        """The levels from fine to coarse, fused from coarse to fine."""
        one, two, three, four = (layer(level) for layer, level in zip(self.layer_rn, levels))
        # An odd number of token rows is rounded up by the coarsest level's stride, hence the crop.
        x = self.refinenet4(four)[:, :, : three.shape[2], : three.shape[3]]
        return self.refinenet1(self.refinenet2(self.refinenet3(x, three), two), one)


class Dpt(nn.Module):
    """A picture of `channels` values from the tokens of four layers, the first of which may be wider than the others."""

    def __init__(self, sizes: DptSizes, *, first: int, width: int, channels: int):
        super().__init__()
        a, b, c, d = sizes.layers
        self.act_postprocess = nn.ModuleList([
            nn.Sequential(nn.Conv2d(first, a, 1), nn.ConvTranspose2d(a, a, 4, stride=4)),
            nn.Sequential(nn.Conv2d(width, b, 1), nn.ConvTranspose2d(b, b, 2, stride=2)),
            nn.Sequential(nn.Conv2d(width, c, 1)),
            nn.Sequential(nn.Conv2d(width, d, 1), nn.Conv2d(d, d, 3, stride=2, padding=1)),
        ])  # fmt: skip
        self.scratch = Scratch(sizes)
        half = sizes.feature // 2
        self.head = nn.Sequential(
            nn.Conv2d(sizes.feature, half, 3, padding=1), Doubled(), nn.Conv2d(half, sizes.last, 3, padding=1), nn.ReLU(),
            nn.Conv2d(sizes.last, channels, 1),
        )  # fmt: skip

    def forward(
        self, layers: list[Float[Tensor, "batch tokens width"]], grid: tuple[int, int]
    ) -> Float[Tensor, "batch channels height width"]:
        """16 pixels for every token of the `grid` (rows, columns)."""
        pictures = [layer.transpose(1, 2).unflatten(2, grid) for layer in layers]
        levels = [process(picture) for process, picture in zip(self.act_postprocess, pictures)]
        return self.head(self.scratch(levels))


def hooked(layers: list[Tensor]) -> list[Tensor]:
    """The four layers that DPT reads, of the encoder's output and all layers of the decoder: 0, L/2, 3L/4, L."""
    depth = len(layers) - 1
    return [layers[i] for i in (0, depth // 2, 3 * depth // 4, depth)]


def pointmap(raw: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch height width 3"]:
    """Points whose distance grows as exp - 1 of the raw vector's length."""
    xyz = raw.permute(0, 2, 3, 1)
    return along_exponential(xyz)


def along_exponential(x: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """x / |x| * expm1(|x|)."""
    length = x.norm(dim=-1, keepdim=True)
    return x / length.clamp(min=1e-8) * torch.expm1(length)


def confidence(raw: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch height width"]:
    """1 + exp: at least one."""
    return 1 + raw.exp()


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
