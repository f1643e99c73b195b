"""DUSt3R (Wang et al., CVPR 2024): two pictures to pointmaps of both in the frame of the first, with confidence.

Built from the paper and the list of parameter names; a published checkpoint loads strictly.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from stages.adapters.networks.blocks import EPS, DecoderBlock, EncoderBlock, PatchEmbed, Rotary, Tower, grid_places
from stages.adapters.networks.dpt import Dpt, DptSizes, confidence, hooked, pointmap

PATCH = 16
VIT_LARGE = Tower(width=1024, depth=24, heads=16)
DECODER_BASE = Tower(width=768, depth=12, heads=12)


@dataclass(frozen=True, kw_only=True)
class Dust3rSizes:
    """Sizes of the network; the defaults are those of the published ViT-L checkpoints with the DPT head."""

    head: Literal["linear", "dpt"] = "dpt"
    encoder: Tower = VIT_LARGE
    decoder: Tower = DECODER_BASE
    dpt: DptSizes = field(default_factory=DptSizes)


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Pictures after the encoder, one shape for the whole batch."""

    tokens: Float[Tensor, "batch tokens width"]
    grid: tuple[int, int]
    """Rows and columns of tokens."""


@dataclass(frozen=True, kw_only=True)
class Pointmap:
    """A point for every pixel and the confidence in it (above one)."""

    points: Float[Tensor, "batch height width 3"]
    confidence: Float[Tensor, "batch height width"]


class LinearHead(nn.Module):
    """Every token's 16 x 16 pixels by one linear layer."""

    def __init__(self, width: int):
        super().__init__()
        self.proj = nn.Linear(width, 4 * PATCH**2)

    def forward(self, layers: list[Tensor], grid: tuple[int, int]) -> Float[Tensor, "batch 4 height width"]:
        cells = self.proj(layers[-1]).transpose(1, 2).unflatten(2, grid)
        return functional.pixel_shuffle(cells, PATCH)


class DptHead(nn.Module):
    """The DPT over four layers."""

    def __init__(self, sizes: Dust3rSizes):
        super().__init__()
        self.dpt = Dpt(sizes.dpt, first=sizes.encoder.width, width=sizes.decoder.width, channels=4)

    def forward(self, layers: list[Tensor], grid: tuple[int, int]) -> Float[Tensor, "batch 4 height width"]:
        return self.dpt(hooked(layers), grid)


class Dust3r(nn.Module):
    """The network; `encode` each picture once, then `decode` as many pairs as there are.

    The transformer may run in bfloat16 (`blocks.set_precision`); heads are always in float32, for their exponentials' sake.
    """

    def __init__(self, sizes: Dust3rSizes):
        super().__init__()
        encoder, decoder = sizes.encoder, sizes.decoder
        self.sizes = sizes
        self.patch_embed = PatchEmbed(PATCH, encoder.width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder.width))
        self.enc_blocks = nn.ModuleList(EncoderBlock(encoder.width, encoder.heads) for _ in range(encoder.depth))
        self.enc_norm = nn.LayerNorm(encoder.width, eps=EPS)
        self.decoder_embed = nn.Linear(encoder.width, decoder.width)
        self.dec_blocks = nn.ModuleList(DecoderBlock(decoder.width, decoder.heads) for _ in range(decoder.depth))
        self.dec_blocks2 = nn.ModuleList(DecoderBlock(decoder.width, decoder.heads) for _ in range(decoder.depth))
        self.dec_norm = nn.LayerNorm(decoder.width, eps=EPS)
        self.downstream_head1 = self._head()
        self.downstream_head2 = self._head()

    @staticmethod
    def completed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """A checkpoint with one decoder only means the same weights for both pictures."""
        if any(name.startswith("dec_blocks2.") for name in weights):
            return weights
        twins = {
            name.replace("dec_blocks.", "dec_blocks2.", 1): x for name, x in weights.items() if name.startswith("dec_blocks.")
        }
        return weights | twins

    def _head(self) -> LinearHead | DptHead:
        return LinearHead(self.sizes.decoder.width) if self.sizes.head == "linear" else DptHead(self.sizes)

    def encode(self, image: Float[Tensor, "batch 3 height width"]) -> Encoded:
        """Pictures in -1..1, sides multiples of 16."""
        x, grid = self.patch_embed(image.to(self.patch_embed.proj.weight.dtype))
        rotary = Rotary.at(grid_places(*grid, device=x.device), self.sizes.encoder.width // self.sizes.encoder.heads)
        for block in self.enc_blocks:
            x = block(x, rotary)
        return Encoded(tokens=self.enc_norm(x), grid=grid)

    def decode(self, first: Encoded, second: Encoded) -> tuple[Pointmap, Pointmap]:
        """Pointmaps of both pictures of each pair, in the camera frame of the first."""
        layers1, layers2 = self.decoder_layers(first, second)
        return (
            pointmap_of(self.downstream_head1([x.float() for x in layers1], first.grid)),
            pointmap_of(self.downstream_head2([x.float() for x in layers2], second.grid)),
        )

    def decoder_layers(self, first: Encoded, second: Encoded) -> tuple[list[Tensor], list[Tensor]]:
        """The encoder's output and every layer of the decoder, the last one normed, for both pictures.

        In each layer both pictures read what the layer before has made of the other.
        """
        head_width = self.sizes.decoder.width // self.sizes.decoder.heads
        rotary1, rotary2 = (Rotary.at(grid_places(*e.grid, device=e.tokens.device), head_width) for e in (first, second))
        x, y = self.decoder_embed(first.tokens), self.decoder_embed(second.tokens)
        layers1, layers2 = [first.tokens], [second.tokens]
        for block1, block2 in zip(self.dec_blocks, self.dec_blocks2):
            x, y = block1(x, y, rotary1, rotary2), block2(y, x, rotary2, rotary1)
            layers1.append(x)
            layers2.append(y)
        layers1[-1], layers2[-1] = self.dec_norm(x), self.dec_norm(y)
        return layers1, layers2


def pointmap_of(raw: Float[Tensor, "batch 4 height width"]) -> Pointmap:
    """Points and confidence from the four channels of a head."""
    return Pointmap(points=pointmap(raw[:, :3]), confidence=confidence(raw[:, 3]))
