"""CUT3R (Wang et al., CVPR 2025): pictures one by one, a state of fixed size between them; pointmaps, camera, colours.

Built from the paper and the list of parameter names; a published checkpoint loads strictly.
"""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from stages.adapters.networks.blocks import (
    EPS,
    Attention,
    DecoderBlock,
    EncoderBlock,
    Mlp,
    PatchEmbed,
    Rotary,
    Tower,
    grid_places,
    join_heads,
    split_heads,
)
from stages.adapters.networks.dpt import Dpt, DptSizes, along_exponential, hooked
from stages.adapters.networks.dust3r_net import DECODER_BASE, PATCH, VIT_LARGE, Encoded, Pointmap, pointmap_of

RAY_HEADS = 16
RAY_CHANNELS = 6


@dataclass(frozen=True, kw_only=True)
class Cut3rSizes:
    """Sizes of the network; the defaults are those of the published 512 x 384 checkpoint with DPT heads."""

    encoder: Tower = VIT_LARGE
    decoder: Tower = DECODER_BASE
    dpt: DptSizes = field(default_factory=DptSizes)
    state_tokens: int = 768
    state_heads: int = 16
    memory_tokens: int = 256
    memory_blocks: int = 2
    ray_blocks: int = 2
    """Of the encoder of ray maps, which pictures do not need; it is there so that checkpoints load whole. 0 leaves it out."""


@dataclass(frozen=True, kw_only=True)
class RecurrentState:
    """What is carried from one picture to the next; its size never changes."""

    tokens: Float[Tensor, "batch state width"]
    memory: Float[Tensor, "batch memory 2*width"]
    has_begun: bool
    """False until a picture was seen: the first one has a pose token of its own."""


@dataclass(frozen=True, kw_only=True)
class FrameOutput:
    """What the network says of one picture."""

    camera_pose: Float[Tensor, "batch 7"]
    """Camera to the first camera's frame: translation, unit quaternion wxyz with w >= 0."""
    own_view: Pointmap
    """In this camera's frame."""
    world: Pointmap
    """In the first camera's frame."""
    colours: Float[Tensor, "batch height width 3"]
    """In -1..1."""


class StateBlock(DecoderBlock):
    """A decoder block that also says how strongly each token looks at the context."""

    def forward(
        self, x: Tensor, context: Tensor, rotary: Rotary | None = None, context_rotary: Rotary | None = None
    ) -> tuple[Float[Tensor, "batch tokens width"], Float[Tensor, "batch tokens"]]:
        """The tokens, and the mean over heads and context of the scaled logits of the attention to the context."""
        x = x + self.attn(self.norm1(x), rotary)
        normed, read = self.norm2(x), self.norm_y(context)
        q, k = self.cross_attn.queries_and_keys(normed, read, rotary, context_rotary)
        logit = (q * k.mean(dim=2, keepdim=True)).sum(dim=-1).mean(dim=1) / math.sqrt(q.shape[-1])
        v = split_heads(self.cross_attn.projv(read), self.cross_attn.heads)
        x = x + self.cross_attn.proj(join_heads(functional.scaled_dot_product_attention(q, k, v)))
        return x + self.mlp(self.norm3(x)), logit


class PoseMemory(nn.Module):
    """Remembers which pose went with which picture, as tokens of [picture, pose]."""

    def __init__(self, sizes: Cut3rSizes):
        super().__init__()
        width = sizes.decoder.width
        self.proj_q = nn.Linear(sizes.encoder.width, width)
        self.masked_token = nn.Parameter(torch.zeros(1, 1, width))
        self.mem = nn.Parameter(torch.zeros(1, sizes.memory_tokens, 2 * width))
        self.read_blocks, self.write_blocks = (
            nn.ModuleList(DecoderBlock(2 * width, sizes.decoder.heads) for _ in range(sizes.memory_blocks)) for _ in range(2)
        )

    def inquire(
        self, picture: Float[Tensor, "batch 1 encoder"], memory: Float[Tensor, "batch memory 2*width"]
    ) -> Float[Tensor, "batch 1 width"]:
        """The pose token to expect of a picture, given the mean of its tokens."""
        x = torch.cat([self.proj_q(picture), self.masked_token.expand(len(picture), -1, -1)], dim=-1)
        for block in self.read_blocks:
            x = block(x, memory)
        return x.chunk(2, dim=-1)[1]

    def updated(
        self,
        memory: Float[Tensor, "batch memory 2*width"],
        picture: Float[Tensor, "batch 1 encoder"],
        pose: Float[Tensor, "batch 1 width"],
    ) -> Float[Tensor, "batch memory 2*width"]:
        """The memory after a picture whose pose token came out as `pose`."""
        context = torch.cat([self.proj_q(picture), pose], dim=-1)
        for block in self.write_blocks:
            memory = block(memory, context)
        return memory


class ModulatedNorm(nn.Module):
    """A layer norm whose output is scaled and shifted by a condition."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, condition: Float[Tensor, "batch 1 width"]) -> Tensor:
        shift, scale = self.mlp(condition).chunk(2, dim=-1)
        return self.norm(x) * (1 + scale) + shift


class ModulatedBlock(nn.Module):
    """An encoder block with modulated norms."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = ModulatedNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = ModulatedNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor, condition: Float[Tensor, "batch 1 width"], rotary: Rotary) -> Tensor:
        x = x + self.attn(self.norm1(x, condition), rotary)
        return x + self.mlp(self.norm2(x, condition))


class PoseHead(nn.Module):
    """Camera pose from the pose token."""

    def __init__(self, width: int):
        super().__init__()
        self.mlp = Mlp(width, out=7)

    def forward(self, token: Float[Tensor, "batch width"]) -> Float[Tensor, "batch 7"]:
        translation, quat = self.mlp(token).split([3, 4], dim=-1)
        quat = functional.normalize(quat, dim=-1)
        return torch.cat([along_exponential(translation), torch.where(quat[:, :1] < 0, -quat, quat)], dim=-1)


class Cut3rHead(nn.Module):
    """Pointmaps in both frames, colours and the camera."""

    def __init__(self, sizes: Cut3rSizes):
        super().__init__()
        decoder = sizes.decoder
        points, colours = ({"first": sizes.encoder.width, "width": decoder.width, "channels": channels} for channels in (4, 3))
        self.dpt_self = Dpt(sizes.dpt, **points)
        self.dpt_cross = Dpt(sizes.dpt, **points)
        self.dpt_rgb = Dpt(sizes.dpt, **colours)
        self.pose_head = PoseHead(decoder.width)
        self.final_transform = nn.ModuleList(ModulatedBlock(decoder.width, decoder.heads) for _ in range(2))

    def forward(
        self, layers: list[Tensor], grid: tuple[int, int], pose: Float[Tensor, "batch 1 width"], rotary: Rotary
    ) -> FrameOutput:
        """From the four layers' tokens of the picture, and the last layer's pose token."""
        last = layers[-1]
        for block in self.final_transform:
            last = block(last, pose, rotary)
        raw = self.dpt_rgb(layers, grid).permute(0, 2, 3, 1)
        return FrameOutput(
            camera_pose=self.pose_head(pose[:, 0]),
            own_view=pointmap_of(self.dpt_self(layers, grid)),
            world=pointmap_of(self.dpt_cross([*layers[:-1], last], grid)),
            colours=2 * open_sigmoid(raw) - 1,
        )


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A picture and the state after the decoder."""

    layers: list[Float[Tensor, "batch tokens width"]]
    """The encoder's tokens, then every layer's [pose, picture, people], the last one normed."""
    state: Float[Tensor, "batch state width"]
    attention: Float[Tensor, "batch state"]
    """How strongly each token of the state looked at the picture, as a mean logit."""


class Cut3r(nn.Module):
    """The network: `start` once, then `step` for every picture."""

    def __init__(self, sizes: Cut3rSizes):
        super().__init__()
        encoder, decoder = sizes.encoder, sizes.decoder
        self.sizes = sizes
        self.patch_embed = PatchEmbed(PATCH, encoder.width)
        self.enc_blocks = nn.ModuleList(EncoderBlock(encoder.width, encoder.heads) for _ in range(encoder.depth))
        self.enc_norm = nn.LayerNorm(encoder.width, eps=EPS)
        self.masked_img_token = nn.Parameter(torch.zeros(1, encoder.width))
        if sizes.ray_blocks:
            self.patch_embed_ray_map = PatchEmbed(PATCH, encoder.width, channels=RAY_CHANNELS)
            self.enc_blocks_ray_map = nn.ModuleList(EncoderBlock(encoder.width, RAY_HEADS) for _ in range(sizes.ray_blocks))
            self.enc_norm_ray_map = nn.LayerNorm(encoder.width, eps=EPS)
            self.masked_ray_map_token = nn.Parameter(torch.zeros(1, encoder.width))
        self.register_tokens = nn.Embedding(sizes.state_tokens, encoder.width)
        self.decoder_embed_state = nn.Linear(encoder.width, decoder.width)
        self.decoder_embed = nn.Linear(encoder.width, decoder.width)
        self.pose_token = nn.Parameter(torch.zeros(1, 1, decoder.width))
        self.pose_retriever = PoseMemory(sizes)
        self.dec_blocks = nn.ModuleList(DecoderBlock(decoder.width, decoder.heads) for _ in range(decoder.depth))
        self.dec_norm = nn.LayerNorm(decoder.width, eps=EPS)
        self.dec_blocks_state = nn.ModuleList(StateBlock(decoder.width, sizes.state_heads) for _ in range(decoder.depth))
        self.dec_norm_state = nn.LayerNorm(decoder.width, eps=EPS)
        self.downstream_head = self._head()

    def _head(self) -> Cut3rHead:
        return Cut3rHead(self.sizes)

    def start(self, batch: int = 1) -> RecurrentState:
        """The state before the first picture."""
        return RecurrentState(
            tokens=self.decoder_embed_state(self.register_tokens.weight).expand(batch, -1, -1),
            memory=self.pose_retriever.mem.expand(batch, -1, -1),
            has_begun=False,
        )

    def step(
        self,
        image: Float[Tensor, "batch 3 height width"],
        state: RecurrentState,
        *,
        update: bool = True,
        reset: bool = False,
        is_gated: bool = False,
    ) -> tuple[FrameOutput, RecurrentState]:
        """One picture in -1..1, sides multiples of 16, and the state after it.

        Without `update` the picture is looked at and forgotten; with `reset` everything is forgotten after it. `is_gated` is
        TTT3R's rule: each token of the state takes up as much as it looked at the picture.
        """
        encoded = self.encode(image)
        picture = encoded.tokens.mean(dim=1, keepdim=True)
        decoded = self.decode(encoded, self.pose_before(picture, state), state.tokens)
        after = self.state_after(state, decoded, picture, update=update, reset=reset, is_gated=is_gated)
        return self.read_out(decoded, encoded.grid), after

    def encode(self, image: Float[Tensor, "batch 3 height width"]) -> Encoded:
        """Tokens of a picture."""
        x, grid = self.patch_embed(image.to(self.pose_token.dtype))
        rotary = Rotary.at(grid_places(*grid, device=x.device), self.sizes.encoder.width // self.sizes.encoder.heads)
        for block in self.enc_blocks:
            x = block(x, rotary)
        return Encoded(tokens=self.enc_norm(x), grid=grid)

    def pose_before(self, picture: Float[Tensor, "batch 1 encoder"], state: RecurrentState) -> Float[Tensor, "batch 1 width"]:
        """The pose token with which a picture enters the decoder."""
        if not state.has_begun:
            return self.pose_token.expand(len(picture), -1, -1)
        return self.pose_retriever.inquire(picture, state.memory)

    def decode(
        self,
        encoded: Encoded,
        pose: Float[Tensor, "batch 1 width"],
        state: Float[Tensor, "batch state width"],
        people: Float[Tensor, "batch people width"] | None = None,
        people_places: Int[Tensor, "batch people 2"] | None = None,
    ) -> Decoded:
        """Picture and state read what the layer before has made of each other; people follow the picture's tokens."""
        x, places = [pose, self.decoder_embed(encoded.tokens)], [*_picture_places(encoded)]
        if people is not None and people_places is not None:
            x, places = [*x, people], [*places, people_places]
        x, places = torch.cat(x, dim=1), torch.cat(places, dim=1)
        state_places = _state_places(self.sizes.state_tokens, device=x.device)
        turn, context_turn, state_turn, read_turn = self._turns(places, state_places)
        layers, logits = [encoded.tokens], []
        for block, state_block in zip(self.dec_blocks, self.dec_blocks_state):
            read = state_block(state, x, state_turn, read_turn)
            x = block(x, state, turn, context_turn)
            state, logit = read
            layers.append(x)
            logits.append(logit)
        layers[-1] = self.dec_norm(x)
        return Decoded(layers=layers, state=self.dec_norm_state(state), attention=torch.stack(logits).mean(dim=0))

    def _turns(self, places: Tensor, state_places: Tensor) -> tuple[Rotary, Rotary, Rotary, Rotary]:
        """Of the picture and its context (the state), of the state and its context: heads may differ in width."""
        width = self.sizes.decoder.width
        wide, narrow = width // self.sizes.decoder.heads, width // self.sizes.state_heads
        return (
            Rotary.at(places, wide), Rotary.at(state_places, wide),
            Rotary.at(state_places, narrow), Rotary.at(places, narrow),
        )  # fmt: skip

    def state_after(
        self,
        state: RecurrentState,
        decoded: Decoded,
        picture: Float[Tensor, "batch 1 encoder"],
        *,
        update: bool,
        reset: bool,
        is_gated: bool,
    ) -> RecurrentState:
        """What is carried to the next picture."""
        if reset:
            start = self.start(len(picture))
            return RecurrentState(tokens=start.tokens, memory=start.memory, has_begun=True)
        if not update:
            return RecurrentState(tokens=state.tokens, memory=state.memory, has_begun=True)
        tokens = decoded.state
        if is_gated and state.has_begun:
            gate = decoded.attention.sigmoid()[..., None]
            tokens = state.tokens + gate * (tokens - state.tokens)
        memory = self.pose_retriever.updated(state.memory, picture, decoded.layers[-1][:, :1])
        return RecurrentState(tokens=tokens, memory=memory, has_begun=True)

    def read_out(self, decoded: Decoded, grid: tuple[int, int]) -> FrameOutput:
        """What the heads say of the picture."""
        first, *others = hooked(decoded.layers)
        count = grid[0] * grid[1]
        pose = others[-1][:, :1].float()
        layers = [first.float(), *(x[:, 1 : 1 + count].float() for x in others)]
        rotary = Rotary.at(grid_places(*grid, device=pose.device), self.sizes.decoder.width // self.sizes.decoder.heads)
        return self.downstream_head(layers, grid, pose, rotary)


def open_sigmoid(x: Tensor) -> Tensor:
    """A sigmoid that reaches neither 0 nor 1."""
    return x.sigmoid() * (1 - 2e-6) + 1e-6


def _picture_places(encoded: Encoded) -> tuple[Int[Tensor, "batch 1 2"], Int[Tensor, "batch tokens 2"]]:
    """Of the pose token, which lies outside the picture, and of the picture's tokens."""
    places = grid_places(*encoded.grid, device=encoded.tokens.device).expand(len(encoded.tokens), -1, -1)
    return torch.full_like(places[:, :1], -1), places


def _state_places(count: int, device: torch.device) -> Int[Tensor, "1 state 2"]:
    """The state's tokens on a grid as near to a square as an even width allows."""
    width = math.isqrt(count)
    width += width % 2
    index = torch.arange(count, device=device)
    return torch.stack([index // width, index % width], dim=-1)[None]
