"""Transformer parts that the networks share, with the parameter names of their published checkpoints."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-6
"""Of every layer norm in the ViT, DINOv2 and CroCo families."""
ROPE_BASE = 100.0


@dataclass(frozen=True, kw_only=True)
class Tower:
    """Size of a stack of transformer blocks."""

    width: int
    depth: int
    heads: int


@dataclass(frozen=True, kw_only=True)
class Rotary:
    """Cosines and sines that turn queries or keys by their tokens' places; the same for every head and layer."""

    cos: Float[Tensor, "batch 1 tokens 2 quarter"]
    sin: Float[Tensor, "batch 1 tokens 2 quarter"]

    @classmethod
    def at(cls, places: Int[Tensor, "batch tokens 2"], head_width: int) -> "Rotary":
        """RoPE for tokens at (row, column) `places`: the first half of a head turns by the row, the second by the column.

        The place is taken as it is, not looked up, so that the pose token at (-1, -1) turns backwards.
        """
        quarter = head_width // 4
        frequency = ROPE_BASE ** (-torch.arange(quarter, device=places.device, dtype=torch.float32) / quarter)
        angle = places[:, None, :, :, None].float() * frequency
        return cls(cos=angle.cos(), sin=angle.sin())

    def turn(self, x: Float[Tensor, "batch heads tokens width"]) -> Float[Tensor, "batch heads tokens width"]:
        """Inside each half, the first quarter and the second are the two coordinates of points on a plane."""
        a, b = x.float().unflatten(-1, (2, 2, -1)).unbind(-2)
        turned = torch.stack([a * self.cos - b * self.sin, b * self.cos + a * self.sin], dim=-2)
        return turned.flatten(-3).to(x.dtype)


def grid_places(rows: int, columns: int, device: torch.device | None = None) -> Int[Tensor, "1 tokens 2"]:
    """(row, column) of the tokens of a picture, row by row."""
    row, column = torch.meshgrid(
        torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij"
    )  # fmt: skip
    return torch.stack([row, column], dim=-1).reshape(1, -1, 2)


def split_heads(x: Float[Tensor, "batch tokens width"], heads: int) -> Float[Tensor, "batch heads tokens head_width"]:
    """Consecutive channels to heads."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Float[Tensor, "batch heads tokens head_width"]) -> Float[Tensor, "batch tokens width"]:
    """Back from `split_heads`."""
    return x.transpose(1, 2).flatten(2)


class PatchEmbed(nn.Module):
    """A picture's square patches as tokens, row by row."""

    def __init__(self, patch: int, width: int, *, channels: int = 3, padding: int = 0):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, stride=patch, padding=padding)

    def forward(
        self, image: Float[Tensor, "batch channels height width"]
    ) -> tuple[Float[Tensor, "batch tokens dim"], tuple[int, int]]:
        """Tokens, and how many rows and columns of them there are."""
        grid = self.proj(image)
        return grid.flatten(2).transpose(1, 2), (grid.shape[2], grid.shape[3])


class Mlp(nn.Module):
    """Two linear layers with the exact GELU between them."""

    def __init__(self, width: int, hidden: int | None = None, out: int | None = None):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden or 4 * width)
        self.fc2 = nn.Linear(hidden or 4 * width, out or width)

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch out"]:
        return self.fc2(functional.gelu(self.fc1(x)))


class Attention(nn.Module):
    """Self-attention; q, k and v in this order in one matrix."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch tokens width"], rotary: Rotary | None = None) -> Tensor:
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(x).chunk(3, dim=-1))
        if rotary is not None:
            q, k = rotary.turn(q), rotary.turn(k)
        return self.proj(join_heads(functional.scaled_dot_product_attention(q, k, v)))


class CrossAttention(nn.Module):
    """Attention of one set of tokens to another."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.projq, self.projk, self.projv = (nn.Linear(width, width) for _ in range(3))
        self.proj = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "batch tokens width"],
        context: Float[Tensor, "batch others width"],
        rotary: Rotary | None = None,
        context_rotary: Rotary | None = None,
    ) -> Float[Tensor, "batch tokens width"]:
        q, k = self.queries_and_keys(x, context, rotary, context_rotary)
        v = split_heads(self.projv(context), self.heads)
        return self.proj(join_heads(functional.scaled_dot_product_attention(q, k, v)))

    def queries_and_keys(
        self, x: Tensor, context: Tensor, rotary: Rotary | None, context_rotary: Rotary | None
    ) -> tuple[Tensor, Tensor]:
        """Per head, turned by their places where these are given."""
        q, k = split_heads(self.projq(x), self.heads), split_heads(self.projk(context), self.heads)
        return q if rotary is None else rotary.turn(q), k if context_rotary is None else context_rotary.turn(k)


class EncoderBlock(nn.Module):
    """x + attention(norm x), then x + mlp(norm x)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = Mlp(width)

    def forward(self, x: Float[Tensor, "batch tokens width"], rotary: Rotary | None = None) -> Tensor:
        x = x + self.attn(self.norm1(x), rotary)
        return x + self.mlp(self.norm2(x))


class DecoderBlock(nn.Module):
    """Self-attention, attention to the normed context, mlp, each added to its normed input's source."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.norm_y = nn.LayerNorm(width, eps=EPS)
        self.cross_attn = CrossAttention(width, heads)
        self.norm3 = nn.LayerNorm(width, eps=EPS)
        self.mlp = Mlp(width)

    def forward(
        self,
        x: Float[Tensor, "batch tokens width"],
        context: Float[Tensor, "batch others width"],
        rotary: Rotary | None = None,
        context_rotary: Rotary | None = None,
    ) -> Float[Tensor, "batch tokens width"]:
        x = x + self.attn(self.norm1(x), rotary)
        x = x + self.cross_attn(self.norm2(x), self.norm_y(context), rotary, context_rotary)
        return x + self.mlp(self.norm3(x))


def set_precision(network: nn.Module, dtype: torch.dtype) -> None:
    """Everything in `dtype` but the heads (`downstream_head*`), which stay in float32."""
    for name, part in network.named_children():
        part.to(torch.float32 if name.startswith("downstream_head") else dtype)
    for parameter in network.parameters(recurse=False):
        parameter.data = parameter.data.to(dtype)
