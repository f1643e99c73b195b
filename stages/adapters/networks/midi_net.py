"""MIDI's velocity network: a transformer over sets of latent tokens, one set an object, that sees the scene's other objects.

Huang et al., CVPR 2025 (arXiv 2412.03558), on the networks of TripoSG (arXiv 2502.06608). Written from the papers and the list
of parameters; names are those of the published files, so that these load strictly.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

MLP_RATIO = 4
NORM_EPS = 1e-5
QK_NORM_EPS = 1e-6


@dataclass(frozen=True, kw_only=True)
class MidiConfig:
    """Sizes of `MidiTransformer`; the defaults are the published ones."""

    width: int = 2048
    num_attention_heads: int = 16
    in_channels: int = 64
    num_layers: int = 21
    cross_attention_dim: int = 768
    """Width of the first condition, CLIP's."""
    cross_attention_2_dim: int = 1024
    """Width of the second condition, DINOv2's."""
    multi_instance_blocks: tuple[int, ...] = (8, 9, 10, 11, 12)
    """Where an object attends to all objects of its scene."""


def read_midi_config(table: Mapping[str, Any]) -> MidiConfig:
    """Sizes from the `config.json` beside published weights; what it does not say is as published."""
    known = {name: table[name] for name in MidiConfig.__dataclass_fields__ if name in table}
    if "multi_instance_blocks" in known:
        known["multi_instance_blocks"] = tuple(known["multi_instance_blocks"])
    return MidiConfig(**known)


class SetAttention(nn.Module):
    """Multi-head attention whose projections are interleaved by head: channels of concatenated q, k, v (or k, v) are read as
    (heads, 3 (or 2) * head width) and only then split."""

    def __init__(
        self, width: int, heads: int, *, context_width: int | None = None, norms_qk: bool = False, norms_context: bool = False
    ):
        super().__init__()
        self.heads = heads
        self.is_cross = context_width is not None
        source = width if context_width is None else context_width
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(source, width, bias=False)
        self.to_v = nn.Linear(source, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.norm_q = nn.RMSNorm(width // heads, eps=QK_NORM_EPS) if norms_qk else nn.Identity()
        self.norm_k = nn.RMSNorm(width // heads, eps=QK_NORM_EPS) if norms_qk else nn.Identity()
        self.norm_cross = nn.LayerNorm(source, eps=NORM_EPS) if norms_context else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "sets tokens width"],
        context: Float[Tensor, "sets context_tokens context_width"] | None = None,
        *,
        instances: int = 1,
    ) -> Float[Tensor, "sets tokens width"]:
        """Each set attends to itself or to its context; with `instances` > 1 to all of that many consecutive sets as well."""
        q, k, v = self._heads(x, x if context is None else self.norm_cross(context))
        q, k, v = (_join_sets(part, instances) for part in (self.norm_q(q), self.norm_k(k), v))
        out = functional.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](out.transpose(1, 2).reshape(x.shape))

    def _heads(self, x: Tensor, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (sets, heads, tokens, head width)."""
        q, k, v = self.to_q(x), self.to_k(source), self.to_v(source)
        if self.is_cross:
            q = self._by_head(q)
            k, v = self._by_head(torch.cat([k, v], -1)).chunk(2, -1)
            return q, k, v
        q, k, v = self._by_head(torch.cat([q, k, v], -1)).chunk(3, -1)
        return q, k, v

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _join_sets(x: Float[Tensor, "sets heads tokens width"], instances: int) -> Float[Tensor, "scenes heads all_tokens width"]:
    """Tokens of consecutive sets in one row: attention of the whole row is every set's attention to the whole scene."""
    return x.unflatten(0, (-1, instances)).transpose(1, 2).flatten(2, 3)


class GeluLinear(nn.Module):
    """Linear layer and exact GELU."""

    def __init__(self, width: int, out_width: int):
        super().__init__()
        self.proj = nn.Linear(width, out_width)

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch out_width"]:
        return functional.gelu(self.proj(x))


class FeedForward(nn.Module):
    """Two linear layers with a GELU between; the empty place is where dropout was in training."""

    def __init__(self, width: int):
        super().__init__()
        inner = MLP_RATIO * width
        self.net = nn.Sequential(GeluLinear(width, inner), nn.Identity(), nn.Linear(inner, width))

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        return self.net(x)


class TimeEmbedding(nn.Module):
    """Sines and cosines of the timestep, then two linear layers: one token."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.linear_1 = nn.Linear(width, MLP_RATIO * width)
        self.linear_2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, timestep: Float[Tensor, "sets"]) -> Float[Tensor, "sets width"]:
        half = self.width // 2
        frequency = torch.exp(-math.log(1e4) * torch.arange(half, dtype=torch.float32, device=timestep.device) / half)
        angle = timestep.float()[:, None] * frequency
        waves = torch.cat([angle.sin(), angle.cos()], -1).to(self.linear_1.weight.dtype)
        return self.linear_2(functional.gelu(self.linear_1(waves)))


class MidiBlock(nn.Module):
    """Self-attention, the two conditions in parallel, feed-forward; a decoding block first takes in its encoding partner."""

    def __init__(self, config: MidiConfig, *, joins_skip: bool, sees_scene: bool):
        super().__init__()
        width, heads = config.width, config.num_attention_heads
        self.sees_scene = sees_scene
        if joins_skip:
            self.skip_linear = nn.Linear(2 * width, width)
            self.skip_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn1 = SetAttention(width, heads, norms_qk=True)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn2 = SetAttention(width, heads, context_width=config.cross_attention_dim, norms_qk=True)
        self.norm2_2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn2_2 = SetAttention(width, heads, context_width=config.cross_attention_2_dim, norms_qk=True)
        self.norm3 = nn.LayerNorm(width, eps=NORM_EPS)
        self.ff = FeedForward(width)

    def forward(self, x: Tensor, clip: Tensor, dino: Tensor, skip: Tensor | None, *, instances: int) -> Tensor:
        if skip is not None:
            x = self.skip_norm(self.skip_linear(torch.cat([skip, x], -1)))
        x = x + self.attn1(self.norm1(x), instances=instances if self.sees_scene else 1)
        x = x + self.attn2(self.norm2(x), clip) + self.attn2_2(self.norm2_2(x), dino)
        return x + self.ff(self.norm3(x))


class MidiTransformer(nn.Module):
    """Velocity of latent sets under a noise level and two image conditions: it predicts x0 - eps."""

    def __init__(self, config: MidiConfig):
        super().__init__()
        self.config = config
        half = config.num_layers // 2
        self.time_proj = TimeEmbedding(config.width)
        self.proj_in = nn.Linear(config.in_channels, config.width)
        self.blocks = nn.ModuleList(
            MidiBlock(config, joins_skip=layer > half, sees_scene=layer in config.multi_instance_blocks)
            for layer in range(config.num_layers)
        )
        self.norm_out = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.proj_out = nn.Linear(config.width, config.in_channels)

    def forward(
        self,
        x: Float[Tensor, "sets tokens channels"],
        timestep: Float[Tensor, "sets"],
        clip: Float[Tensor, "sets clip_tokens clip_width"],
        dino: Float[Tensor, "sets dino_tokens dino_width"],
        *,
        instances: int = 1,
    ) -> Float[Tensor, "sets tokens channels"]:
        """Velocity x0 - eps. `timestep` is 1000 times the noise level; `instances` consecutive sets make one scene."""
        half = len(self.blocks) // 2
        hidden = torch.cat([self.time_proj(timestep)[:, None], self.proj_in(x)], 1)
        skips: list[Tensor] = []
        for layer, block in enumerate(self.blocks):
            hidden = block(hidden, clip, dino, skips.pop() if layer > half else None, instances=instances)
            if layer < half:
                skips.append(hidden)
        return self.proj_out(self.norm_out(hidden)[:, 1:])
