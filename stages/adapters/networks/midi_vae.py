"""MIDI's (TripoSG's) autoencoder: points on a surface to a set of latent tokens, and these to signed distances anywhere.

arXiv 2502.06608 on the sets of 3DShape2VecSet. Names of the parameters are the published ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stages.adapters.networks.midi_net import NORM_EPS, FeedForward, SetAttention

NORMAL_CHANNELS = 3


@dataclass(frozen=True, kw_only=True)
class MidiVaeConfig:
    """Sizes of `MidiVae`; the defaults are the published ones."""

    latent_channels: int = 64
    num_attention_heads: int = 8
    width_encoder: int = 512
    width_decoder: int = 1024
    num_layers_encoder: int = 8
    num_layers_decoder: int = 16
    embed_frequency: int = 8

    @property
    def point_channels(self) -> int:
        """Channels of an embedded point."""
        return 3 * (1 + 2 * self.embed_frequency)


def read_midi_vae_config(table: Mapping[str, Any]) -> MidiVaeConfig:
    """Sizes from the `config.json` beside published weights; what it does not say is as published."""
    return MidiVaeConfig(**{name: table[name] for name in MidiVaeConfig.__dataclass_fields__ if name in table})


def embed_points(points: Float[Tensor, "*batch 3"], frequencies: int) -> Float[Tensor, "*batch channels"]:
    """[x, sin(2^k x), cos(2^k x)], k running fastest inside each axis."""
    powers = 2.0 ** torch.arange(frequencies, dtype=points.dtype, device=points.device)
    angles = (points[..., None] * powers).flatten(-2)
    return torch.cat([points, angles.sin(), angles.cos()], -1)


class SelfBlock(nn.Module):
    """Tokens attend to one another."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn1 = SetAttention(width, heads)
        self.norm3 = nn.LayerNorm(width, eps=NORM_EPS)
        self.ff = FeedForward(width)

    def forward(self, x: Float[Tensor, "sets tokens width"]) -> Float[Tensor, "sets tokens width"]:
        x = x + self.attn1(self.norm1(x))
        return x + self.ff(self.norm3(x))


class CrossBlock(nn.Module):
    """Queries gather from a context."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn2 = SetAttention(width, heads, context_width=width, norms_context=True)
        self.norm3 = nn.LayerNorm(width, eps=NORM_EPS)
        self.ff = FeedForward(width)

    def forward(self, x: Tensor, context: Tensor) -> Float[Tensor, "sets queries width"]:
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class SurfaceEncoder(nn.Module):
    """Oriented surface points to tokens, one for each query point."""

    def __init__(self, config: MidiVaeConfig):
        super().__init__()
        width, heads = config.width_encoder, config.num_attention_heads
        self.frequencies = config.embed_frequency
        self.proj_in = nn.Linear(config.point_channels + NORMAL_CHANNELS, width)
        selves = (SelfBlock(width, heads) for _ in range(config.num_layers_encoder))
        self.blocks = nn.ModuleList([CrossBlock(width, heads), *selves])
        self.norm_out = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, queries: Tensor, surface: Tensor) -> Float[Tensor, "sets queries width"]:
        x = self.blocks[0](self._embed(queries), self._embed(surface))
        for block in self.blocks[1:]:
            x = block(x)
        return self.norm_out(x)

    def _embed(self, points: Float[Tensor, "sets points 6"]) -> Float[Tensor, "sets points width"]:
        return self.proj_in(torch.cat([embed_points(points[..., :3], self.frequencies), points[..., 3:]], -1))


class FieldDecoder(nn.Module):
    """Tokens to a field; the tokens' own layers run once, each batch of points costs one layer more."""

    def __init__(self, config: MidiVaeConfig):
        super().__init__()
        width, heads = config.width_decoder, config.num_attention_heads
        self.frequencies = config.embed_frequency
        self.proj_query = nn.Linear(config.point_channels, width)
        selves = (SelfBlock(width, heads) for _ in range(config.num_layers_decoder))
        self.blocks = nn.ModuleList([*selves, CrossBlock(width, heads)])
        self.norm_out = nn.LayerNorm(width, eps=NORM_EPS)
        self.proj_out = nn.Linear(width, 1)

    def prepare(self, tokens: Float[Tensor, "sets tokens width"]) -> Float[Tensor, "sets tokens width"]:
        """Everything that does not depend on where the field is asked for."""
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return tokens

    def query(self, prepared: Tensor, points: Float[Tensor, "sets points 3"]) -> Float[Tensor, "sets points 1"]:
        x = self.blocks[-1](self.proj_query(embed_points(points, self.frequencies)), prepared)
        return -self.proj_out(self.norm_out(x))


class MidiVae(nn.Module):
    """Encoder and decoder of latent sets; the box of the scene is [-1, 1]^3, distances are negative inside."""

    def __init__(self, config: MidiVaeConfig):
        super().__init__()
        self.config = config
        self.encoder = SurfaceEncoder(config)
        self.decoder = FieldDecoder(config)
        self.quant = nn.Linear(config.width_encoder, 2 * config.latent_channels)
        self.post_quant = nn.Linear(config.latent_channels, config.width_decoder)

    def encode(
        self, queries: Float[Tensor, "sets queries 6"], surface: Float[Tensor, "sets points 6"]
    ) -> tuple[Float[Tensor, "sets queries channels"], Float[Tensor, "sets queries channels"]]:
        """Mean and log variance of the latents of a surface given as points with normals; `queries` are some of these."""
        mean, logvar = self.quant(self.encoder(queries, surface)).chunk(2, -1)
        return mean, logvar

    def prepare(self, latents: Float[Tensor, "sets tokens channels"]) -> Float[Tensor, "sets tokens width"]:
        """What `query` needs of the latents, computed once."""
        return self.decoder.prepare(self.post_quant(latents))

    def query(
        self, prepared: Float[Tensor, "sets tokens width"], points: Float[Tensor, "sets points 3"]
    ) -> Float[Tensor, "sets points 1"]:
        """Signed distance at the points."""
        return self.decoder.query(prepared, points)

    def decode(self, latents: Tensor, points: Float[Tensor, "sets points 3"]) -> Float[Tensor, "sets points 1"]:
        """Signed distance at the points, straight from the latents."""
        return self.query(self.prepare(latents), points)
