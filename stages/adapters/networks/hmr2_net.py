"""HMR2.0: one person's SMPL parameters from a square crop (Goel et al., ICCV 2023, arXiv 2305.20091).

A ViT (of ViTPose) reads the crop's middle columns; a transformer decoder with a single token reads the ViT's tokens and states
pose, shape and a weak camera as differences from mean values. Names of the parameters are the published ones.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from stages.adapters.networks.blocks import EPS, EncoderBlock, PatchEmbed, Tower, join_heads, split_heads
from stages.adapters.networks.rotations6d import from_columns

PATCH = 16
PATCH_PADDING = 2
JOINTS = 24
BETAS = 10
CAMERA = 3


@dataclass(frozen=True, kw_only=True)
class HmrHeadSizes:
    """Sizes of the decoder head; the defaults are the published ones."""

    width: int = 1024
    depth: int = 6
    heads: int = 8
    head_width: int = 64
    mlp_width: int = 1024
    starts_from_mean: bool = False
    """The token is the current estimate rather than a zero."""
    iterations: int = 1


@dataclass(frozen=True, kw_only=True)
class Hmr2Config:
    """Sizes of `Hmr2`; the defaults are ViT-H, as published."""

    image_size: int = 256
    """Side of the square crop."""
    backbone: Tower = field(default_factory=lambda: Tower(width=1280, depth=32, heads=16))
    head: HmrHeadSizes = field(default_factory=HmrHeadSizes)

    @property
    def margin(self) -> int:
        """Columns of the crop that the backbone does not see, on either side."""
        return self.image_size // 8

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return self.image_size // PATCH, (self.image_size - 2 * self.margin) // PATCH


@dataclass(frozen=True, kw_only=True)
class HmrEstimate:
    """SMPL parameters of the people of a batch."""

    rotations: Float[Tensor, "batch 24 3 3"]
    """Of SMPL's joints relative to their parents, the root first, in the camera's frame."""
    betas: Float[Tensor, "batch 10"]
    camera: Float[Tensor, "batch 3"]
    """Weak perspective in the crop: scale, and the root's place in units of half its side, over the scale."""


class HmrBackbone(nn.Module):
    """The ViT of ViTPose: no class token, though its table of places has one."""

    def __init__(self, config: Hmr2Config):
        super().__init__()
        tower, (rows, columns) = config.backbone, config.grid
        self.patch_embed = PatchEmbed(PATCH, tower.width, padding=PATCH_PADDING)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + rows * columns, tower.width))
        self.blocks = nn.ModuleList(EncoderBlock(tower.width, tower.heads) for _ in range(tower.depth))
        self.last_norm = nn.LayerNorm(tower.width, eps=EPS)

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch tokens dim"]:
        tokens, _ = self.patch_embed(image)
        x = tokens + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            x = block(x)
        return self.last_norm(x)


class Prenormed(nn.Module):
    """A layer fed with its normed input."""

    def __init__(self, width: int, layer: nn.Module):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = layer

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        return self.fn(self.norm(x), *context)


class SelfAttention(nn.Module):
    """Attention of a few tokens to one another."""

    def __init__(self, sizes: HmrHeadSizes):
        super().__init__()
        inner = sizes.heads * sizes.head_width
        self.heads = sizes.heads
        self.to_qkv = nn.Linear(sizes.width, 3 * inner, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(inner, sizes.width)])

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        q, k, v = (split_heads(part, self.heads) for part in self.to_qkv(x).chunk(3, -1))
        return self.to_out[0](join_heads(functional.scaled_dot_product_attention(q, k, v)))


class ContextAttention(nn.Module):
    """Attention of a few tokens to the picture's."""

    def __init__(self, sizes: HmrHeadSizes, context_width: int):
        super().__init__()
        inner = sizes.heads * sizes.head_width
        self.heads = sizes.heads
        self.to_kv = nn.Linear(context_width, 2 * inner, bias=False)
        self.to_q = nn.Linear(sizes.width, inner, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(inner, sizes.width)])

    def forward(self, x: Tensor, context: Float[Tensor, "batch others context"]) -> Float[Tensor, "batch tokens width"]:
        q = split_heads(self.to_q(x), self.heads)
        k, v = (split_heads(part, self.heads) for part in self.to_kv(context).chunk(2, -1))
        return self.to_out[0](join_heads(functional.scaled_dot_product_attention(q, k, v)))


class HeadMlp(nn.Module):
    """Two linear layers with a GELU between; the empty place is where dropout was in training."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width))

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        return self.net(x)


class HeadLayers(nn.Module):
    """Layers of self-attention, attention to the picture and mlp."""

    def __init__(self, sizes: HmrHeadSizes, context_width: int):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                Prenormed(sizes.width, layer)
                for layer in (
                    SelfAttention(sizes), ContextAttention(sizes, context_width), HeadMlp(sizes.width, sizes.mlp_width)
                )
            )
            for _ in range(sizes.depth)
        )  # fmt: skip

    def forward(self, x: Tensor, context: Tensor) -> Float[Tensor, "batch tokens width"]:
        for to_self, to_context, mlp in self.layers:  # type: ignore[misc]
            x = x + to_self(x)
            x = x + to_context(x, context)
            x = x + mlp(x)
        return x


class HeadDecoder(nn.Module):
    """One token through the layers."""

    def __init__(self, sizes: HmrHeadSizes, context_width: int):
        super().__init__()
        token_width = 6 * JOINTS + BETAS + CAMERA if sizes.starts_from_mean else 1
        self.to_token_embedding = nn.Linear(token_width, sizes.width)
        self.pos_embedding = nn.Parameter(torch.zeros(1, 1, sizes.width))
        self.transformer = HeadLayers(sizes, context_width)

    def forward(self, token: Tensor, context: Tensor) -> Float[Tensor, "batch 1 width"]:
        return self.transformer(self.to_token_embedding(token) + self.pos_embedding, context)


class SmplHead(nn.Module):
    """SMPL parameters as mean values plus what the decoder adds, once or several times."""

    init_body_pose: Tensor
    init_betas: Tensor
    init_cam: Tensor

    def __init__(self, sizes: HmrHeadSizes, context_width: int):
        super().__init__()
        self.sizes = sizes
        self.transformer = HeadDecoder(sizes, context_width)
        self.decpose = nn.Linear(sizes.width, 6 * JOINTS)
        self.decshape = nn.Linear(sizes.width, BETAS)
        self.deccam = nn.Linear(sizes.width, CAMERA)
        self.register_buffer("init_body_pose", torch.zeros(1, 6 * JOINTS))
        self.register_buffer("init_betas", torch.zeros(1, BETAS))
        self.register_buffer("init_cam", torch.zeros(1, CAMERA))

    def forward(self, context: Float[Tensor, "batch tokens width"]) -> list[HmrEstimate]:
        """The estimate after each iteration, the last is the best."""
        means = (self.init_body_pose, self.init_betas, self.init_cam)
        pose, betas, camera = (mean.expand(len(context), -1) for mean in means)
        estimates = []
        for _ in range(self.sizes.iterations):
            current = torch.cat([pose, betas, camera], -1)
            token = current if self.sizes.starts_from_mean else torch.zeros_like(current[:, :1])
            out = self.transformer(token[:, None], context)[:, 0]
            pose, betas, camera = pose + self.decpose(out), betas + self.decshape(out), camera + self.deccam(out)
            rotations = from_columns(pose.unflatten(-1, (JOINTS, 6)))
            estimates.append(HmrEstimate(rotations=rotations, betas=betas, camera=camera))
        return estimates


class Hmr2(nn.Module):
    """Crops to SMPL parameters."""

    def __init__(self, config: Hmr2Config):
        super().__init__()
        self.config = config
        self.backbone = HmrBackbone(config)
        self.smpl_head = SmplHead(config.head, config.backbone.width)

    def forward(self, image: Float[Tensor, "batch 3 side side"]) -> HmrEstimate:
        """`image` is the square crop, normalised."""
        return self.estimates(self.features(image))[-1]

    def features(self, image: Float[Tensor, "batch 3 side side"]) -> Float[Tensor, "batch tokens width"]:
        """The backbone's tokens, row by row."""
        margin = self.config.margin
        return self.backbone(image[..., margin:-margin])

    def estimates(self, features: Float[Tensor, "batch tokens width"]) -> list[HmrEstimate]:
        """The head's estimate after each of its iterations."""
        return self.smpl_head(features)


def crop_translation(camera: Float[Tensor, "batch 3"], *, focal: float, side: float) -> Float[Tensor, "batch 3"]:
    """Root's place before a camera of that focal length that sees just the crop (side in pixels)."""
    scale, x, y = camera.unbind(-1)
    return torch.stack([x, y, 2 * focal / (side * scale + 1e-9)], -1)
