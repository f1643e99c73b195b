"""The embedded generator's network: the velocity of a set of part tokens, seen crops of the object and what is known of it.

Flow matching with the one convention of this project: x_t = (1 - t) x0 + t noise, velocity v = noise - x0, t in [0, 1]. The
network says x0, of which most channels are few values; the velocity follows.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention, silu

from hsimul3r.generator.flow.tokens import CHANNELS, TOKENS

LORA_TARGETS: Final = ("to_q", "to_k", "to_v", "to_out")
"""Last names of the linear layers of every attention."""
VIEW_NUMBERS: Final = 9
"""Turn against the first view (sine, cosine), elevation, "cameras are known"; turn of the object (sine, cosine), "is known";
log of the crop's width in metres, "is known"."""
SIZE_NUMBERS: Final = 4
"""Log extents as in tokens.outline_numbers, "are known"."""
FREQUENCIES: Final = 32
LEAST_TIME: Final = 0.02
"""Velocities divide by the time, which is held at least here."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Sizes of the network."""

    width: int = 128
    """A multiple of 32."""
    blocks: int = 5
    heads: int = 4
    crop_px: int = 80
    """Side of a crop, a multiple of 8."""
    eye_blocks: int = 1


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a batch of objects is made from. Unknown numbers are 0, so is their flag."""

    crops: Float[Tensor, "batch views 2 size size"]
    """Luminance in [-1, 1], and the mask: 1 object, 0 unknown, -1 background."""
    is_seen: Bool[Tensor, "batch views"]
    """False for views that are not there."""
    views: Float[Tensor, "batch views 9"]
    size: Float[Tensor, "batch 4"]

    def repeated(self, count: int) -> "Condition":
        """Every object `count` times in a row."""
        return Condition(
            crops=self.crops.repeat_interleave(count, 0), is_seen=self.is_seen.repeat_interleave(count, 0),
            views=self.views.repeat_interleave(count, 0), size=self.size.repeat_interleave(count, 0),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The condition as the network sees it: computed once, used in every step."""

    tokens: Float[Tensor, "batch memory width"]
    is_used: Bool[Tensor, "batch memory"]

    def repeated(self, count: int) -> "Memory":
        """Every object's `count` times in a row."""
        return Memory(tokens=self.tokens.repeat_interleave(count, 0), is_used=self.is_used.repeat_interleave(count, 0))


class Attention(nn.Module):
    """Multi-head attention with normalised queries and keys, to itself or to a memory."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width, width, bias=False)
        self.to_out = nn.Linear(width, width)
        self.norm_q, self.norm_k = nn.RMSNorm(width // heads), nn.RMSNorm(width // heads)

    def forward(
        self, x: Float[Tensor, "batch n width"], memory: Float[Tensor, "batch m width"] | None = None,
        is_used: Bool[Tensor, "batch m"] | None = None,
    ) -> Float[Tensor, "batch n width"]:  # fmt: skip
        source = x if memory is None else memory
        v = self._split(self.to_v(source))
        q = self.norm_q(self._split(self.to_q(x)).float()).to(v.dtype)
        k = self.norm_k(self._split(self.to_k(source)).float()).to(v.dtype)
        mask = None if is_used is None else is_used[:, None, None]
        mixed = scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.to_out(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Float[Tensor, "batch n width"]) -> Float[Tensor, "batch heads n per_head"]:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class EyeBlock(nn.Module):
    """A transformer layer over the cells of one crop."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Float[Tensor, "batch n width"]) -> Float[Tensor, "batch n width"]:
        x = x + self.attention(self.norm1(x))
        return x + self.narrow(gelu(self.widen(self.norm2(x))))


class Eye(nn.Module):
    """A crop to one token for every 8 x 8 pixels."""

    def __init__(self, cfg: NetworkConfig):
        super().__init__()
        quarter, half = cfg.width // 4, cfg.width // 2
        self.stem = nn.Sequential(
            *_convolution(2, quarter, 2),
            *_convolution(quarter, half, 2),
            *_convolution(half, half, 1),
            *_convolution(half, cfg.width, 2),
        )
        cells = (cfg.crop_px // 8) ** 2
        self.place = nn.Parameter(0.02 * torch.randn(1, cells, cfg.width))
        self.numbers = nn.Linear(VIEW_NUMBERS, cfg.width)
        self.layers = nn.ModuleList(EyeBlock(cfg.width, cfg.heads) for _ in range(cfg.eye_blocks))
        self.norm = nn.LayerNorm(cfg.width)

    def forward(
        self, crops: Float[Tensor, "n 2 size size"], numbers: Float[Tensor, "n 9"]
    ) -> Float[Tensor, "n cells width"]:  # fmt: skip
        x = self.stem(crops).flatten(2).transpose(1, 2) + self.place + self.numbers(numbers)[:, None]
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Block(nn.Module):
    """Self-attention of the part tokens, attention to the memory, a perceptron; time sets scale, shift and gate (adaLN)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm3 = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.norm2 = nn.LayerNorm(width)
        self.attention, self.cross = Attention(width, heads), Attention(width, heads)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.own = nn.Parameter(0.02 * torch.randn(6, width))

    def forward(
        self, x: Float[Tensor, "batch n width"], memory: Memory, time: Float[Tensor, "batch 6 width"]
    ) -> Float[Tensor, "batch n width"]:
        shift1, scale1, gate1, shift2, scale2, gate2 = (time + self.own)[:, :, None].unbind(1)
        x = x + gate1 * self.attention(self.norm1(x) * (1 + scale1) + shift1)
        x = x + self.cross(self.norm2(x), memory.tokens, memory.is_used)
        return x + gate2 * self.narrow(gelu(self.widen(self.norm3(x) * (1 + scale2) + shift2), approximate="tanh"))


class PartFlow(nn.Module):
    """Velocity of part tokens."""

    def __init__(self, cfg: NetworkConfig):
        super().__init__()
        self.cfg = cfg
        width = cfg.width
        self.eye = Eye(cfg)
        self.size = nn.Linear(SIZE_NUMBERS, width)
        self.nothing = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.enter, self.leave = nn.Linear(CHANNELS, width), nn.Linear(width, CHANNELS)
        self.slot = nn.Parameter(0.02 * torch.randn(1, TOKENS, width))
        self.time1, self.time2 = nn.Linear(2 * FREQUENCIES, width), nn.Linear(width, 6 * width)
        self.pool = nn.Linear(width, width)
        self.blocks = nn.ModuleList(Block(width, cfg.heads) for _ in range(cfg.blocks))
        self.norm = nn.LayerNorm(width)
        self._start()

    def remember(self, condition: Condition) -> Memory:
        """Look at the crops; a token that says nothing and one for the known extents are always there."""
        batch, views = condition.is_seen.shape
        numbers = condition.views.flatten(0, 1)
        seen = self.eye(condition.crops.flatten(0, 1), numbers).unflatten(0, (batch, views))
        used = condition.is_seen[:, :, None].expand(-1, -1, seen.shape[2]).flatten(1)
        known = torch.ones(batch, 2, dtype=torch.bool, device=used.device)
        tokens = [self.nothing.expand(batch, -1, -1).to(seen), self.size(condition.size)[:, None].to(seen), seen.flatten(1, 2)]
        return Memory(tokens=torch.cat(tokens, dim=1), is_used=torch.cat([known, used], dim=1))

    def nothing_seen(self, memory: Memory) -> Memory:
        """The memory of a dropped condition (classifier-free guidance): only its first token is used."""
        used = torch.zeros_like(memory.is_used)
        used[:, 0] = True
        return Memory(tokens=memory.tokens, is_used=used)

    def clean(
        self, x: Float[Tensor, "batch tokens channels"], t: Float[Tensor, "batch"], memory: Memory
    ) -> Float[Tensor, "batch tokens channels"]:
        """Expected tokens x0, given x_t."""
        weight = memory.is_used.to(memory.tokens.dtype)[:, :, None]
        pooled = (memory.tokens * weight).sum(1) / weight.sum(1)
        time = self.time2(silu(self.time1(_waves(t)) + self.pool(pooled))).unflatten(-1, (6, -1))
        h = self.enter(x) + self.slot
        for block in self.blocks:
            h = block(h, memory, time)
        return self.leave(self.norm(h))

    def forward(
        self, x: Float[Tensor, "batch tokens channels"], t: Float[Tensor, "batch"], memory: Memory
    ) -> Float[Tensor, "batch tokens channels"]:
        """Velocity noise - x0 = (x_t - x0) / t at x_t."""
        return (x - self.clean(x, t, memory)) / t.clamp(min=LEAST_TIME)[:, None, None]

    def finetunable(self) -> tuple[str, ...]:
        """Names of the linear layers that LoRA adapts: all attention projections of the blocks."""
        return tuple(
            name
            for name, module in self.named_modules()
            if isinstance(module, nn.Linear) and name.startswith("blocks.") and name.rsplit(".", 1)[-1] in LORA_TARGETS
        )

    def _start(self) -> None:
        for layer in (self.leave, self.time2):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        width = self.cfg.width
        with torch.no_grad():
            self.time2.bias[2 * width : 3 * width] = 0.5
            self.time2.bias[5 * width :] = 0.5


def _convolution(channels: int, out: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, out, 3, stride, 1), nn.GroupNorm(8, out), nn.SiLU()


def _waves(t: Float[Tensor, "batch"]) -> Float[Tensor, "batch 64"]:
    """Sines and cosines of the time at wavelengths from 2 pi / 1000 to 2 pi / 0.1."""
    scale = torch.exp(torch.linspace(math.log(1000.0), math.log(0.1), FREQUENCIES, device=t.device))
    angle = scale * t[:, None]
    return torch.cat([angle.cos(), angle.sin()], dim=-1)
