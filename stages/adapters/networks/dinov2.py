"""DINOv2 (Oquab et al. 2023, arXiv 2304.07193) as others' checkpoints embed it, with the parameter names of its own release."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from stages.adapters.networks.blocks import EPS, Attention, Mlp, PatchEmbed

PATCH = 14
OFFSET = 0.1
"""Added to the wanted side of the table of places before its scale is taken, as the release does."""


class LayerScale(nn.Module):
    """One learnt factor a channel."""

    def __init__(self, width: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        return x * self.gamma


class ScaledBlock(nn.Module):
    """An encoder block whose two branches are scaled by channel."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = Attention(width, heads)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = Mlp(width)
        self.ls2 = LayerScale(width)

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


@dataclass(frozen=True, kw_only=True)
class DinoSizes:
    """Sizes of `DinoEncoder`; the defaults are ViT-L/14."""

    width: int = 1024
    depth: int = 24
    heads: int = 16
    table: int = 37
    """Side of the table of places, in patches (518 pixels)."""


class DinoEncoder(nn.Module):
    """A picture to one token a patch."""

    def __init__(self, sizes: DinoSizes):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, sizes.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + sizes.table**2, sizes.width))
        self.mask_token = nn.Parameter(torch.zeros(1, sizes.width))
        self.patch_embed = PatchEmbed(PATCH, sizes.width)
        self.blocks = nn.ModuleList(ScaledBlock(sizes.width, sizes.heads) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(sizes.width, eps=EPS)

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch tokens width"]:
        """Normed tokens of the last block, row by row, without the class token; sides must be multiples of 14."""
        tokens, (rows, columns) = self.patch_embed(image)
        x = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        x = x + torch.cat([self.pos_embed[:, :1], scaled_places(self.pos_embed[:, 1:], rows, columns)], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 1:]


def scaled_places(table: Float[Tensor, "1 places width"], rows: int, columns: int) -> Float[Tensor, "1 tokens width"]:
    """A square table of places at another size: bicubic, by scale factors that are a tenth of a patch too large."""
    side = round(table.shape[1] ** 0.5)
    if rows == columns == side:
        return table
    grid = table.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    factors = ((rows + OFFSET) / side, (columns + OFFSET) / side)
    grid = functional.interpolate(grid, scale_factor=factors, mode="bicubic", align_corners=False)
    return grid.flatten(2).transpose(1, 2)
