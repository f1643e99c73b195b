"""SAT-HMR and MA-HMR: all people of a picture as SMPL, with metric places, in one pass.

Su et al., CVPR 2025 (arXiv 2411.19824): a DINOv2 encoder looks at small people with fine tokens and at empty ground with
coarse ones; a DAB-DETR decoder turns queries into people. MA-HMR (arXiv 2511.13282) adds a head for the camera's field of view.
Written from the papers and the list of parameters; names are those of the published files.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from stages.adapters.networks.blocks import EPS
from stages.adapters.networks.dinov2 import PATCH, ScaledBlock
from stages.adapters.networks.rotations6d import from_interleaved
from stages.adapters.networks.sat_decoder import PeopleDecoder, ReluMlp, sine_encoding
from stages.adapters.networks.sat_tokens import PATCHES_A_SQUARE, Cells, TokenChoice, TokenPlaces, choose_tokens, z_order

JOINTS = 24
BETAS = 10
LEVELS = 3
SIDE = 2 * PATCH
"""Pixels of a patch as the scale map sees it; pictures are padded to squares of four of them."""
DEFAULT_FIELD_OF_VIEW = math.pi / 3
SMALLEST_FIELD_OF_VIEW = 0.08


@dataclass(frozen=True, kw_only=True)
class SatConfig:
    """Sizes of `SatHmr`; the defaults are ViT-B/14 at the paper's resolution: 1288 pixels, of which most are read at half."""

    input_size: int = 1288
    """Longest side of a picture in pixels, a multiple of 56."""
    width: int = 768
    depth: int = 12
    heads: int = 12
    scale_blocks: int = 3
    """Encoder layers that the scale map has copies of; from here on tokens of all levels go together."""
    hidden: int = 768
    decoder_heads: int = 8
    decoder_layers: int = 6
    feedforward: int = 2048
    queries: int = 50
    sees_field_of_view: bool = False
    """MA-HMR: the focal length comes from the picture."""
    confidence_threshold: float = 0.3
    """Of a patch: someone is there."""
    scale_threshold: float = 0.5
    """Of a patch: who is there is small."""
    grid_side: int = 64
    """Of the published files' grids of places in z-order, of which only the presence is kept."""


@dataclass(frozen=True, kw_only=True)
class QueriedPeople:
    """What each query says of one picture; `confidence` tells which of them are people."""

    rotations: Float[Tensor, "queries 24 3 3"]
    """Of SMPL's joints relative to their parents, the root first, in the camera's frame."""
    betas: Float[Tensor, "queries 10"]
    boxes: Float[Tensor, "queries 4"]
    """Centre and size over `input_size`."""
    confidence: Float[Tensor, "queries"]
    translation: Float[Tensor, "queries 3"]
    """Of SMPL's origin in the camera's frame [m]."""
    focal_px: Float[Tensor, ""]
    field_of_view: Float[Tensor, ""] | None
    """Vertical, as the head says it [rad], before the smallest is enforced."""


@dataclass(frozen=True, kw_only=True)
class EncodedPicture:
    """A picture as tokens of three sizes."""

    features: Float[Tensor, "tokens hidden"]
    places: Float[Tensor, "tokens hidden"]
    tokens: TokenPlaces
    scale_map: Float[Tensor, "patches 2"]
    """Per patch, in z-order: confidence that people are there, and their scale."""
    class_token: Float[Tensor, "width"]


class SatEncoder(nn.Module):
    """The layers of DINOv2, and copies of the first few for the scale map."""

    def __init__(self, config: SatConfig):
        super().__init__()
        self.blocks = nn.ModuleList(ScaledBlock(config.width, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=EPS)
        self.additional_blocks = nn.ModuleList(ScaledBlock(config.width, config.heads) for _ in range(config.scale_blocks))


class SatHmr(nn.Module):
    """Pictures to people."""

    cam_intrinsics: Tensor
    mean_pose: Tensor
    mean_shape: Tensor

    def __init__(self, config: SatConfig):
        super().__init__()
        self.config = config
        side, width = config.input_size // PATCH, config.width
        self.encoder = SatEncoder(config)
        self.encoder_patch_proj = nn.ModuleList(nn.Conv2d(3, width, PATCH, stride=PATCH) for _ in range(2))
        self.encoder_pos_embeds = nn.Parameter(torch.zeros(side, side, width))
        self.encoder_cr_token = nn.Parameter(torch.zeros(1, width))
        self.enc_inter_norm = nn.LayerNorm(width, eps=EPS)
        self.scale_head = ReluMlp(width, width, 2, 4)
        if config.sees_field_of_view:
            self.fov_head = ReluMlp(width, width, 1, 4)
        self.feature_proj = nn.Linear(width, config.hidden)
        self.level_embed = nn.Parameter(torch.zeros(LEVELS, config.hidden))
        self._add_decoder(config)
        self._add_constants(config)

    def _add_decoder(self, config: SatConfig) -> None:
        hidden, layers = config.hidden, config.decoder_layers
        self.refpoint_embed = nn.Embedding(config.queries, 4)
        self.tgt_embed = nn.Embedding(config.queries, hidden)
        self.dn_enc = nn.Linear(3 * JOINTS + BETAS, hidden)
        self.bbox_embed = nn.ModuleList(ReluMlp(hidden, hidden, 4, 3) for _ in range(layers))
        self.pose_head = nn.ModuleList(ReluMlp(hidden, hidden, 6 * JOINTS, 6) for _ in range(layers))
        self.shape_head = nn.ModuleList(ReluMlp(hidden, hidden, BETAS, 5) for _ in range(layers))
        self.conf_head = nn.Linear(hidden, 1)
        self.cam_head = ReluMlp(hidden, hidden // 2, 3, 3)
        self.decoder = PeopleDecoder(hidden, config.decoder_heads, layers, config.feedforward, self.bbox_embed)

    def _add_constants(self, config: SatConfig) -> None:
        """Buffers of the published files; of the grids only their presence is kept."""
        steps = torch.arange(config.grid_side)
        row, column = torch.meshgrid(steps, steps, indexing="ij")
        for name, grid in (("x_coords", column), ("y_coords", row), ("z_order_map", z_order(row, column))):
            self.register_buffer(name, grid.clone(memory_format=torch.contiguous_format))
        self.register_buffer("cam_intrinsics", torch.eye(3))
        self.register_buffer("mean_pose", torch.zeros(6 * JOINTS))
        self.register_buffer("mean_shape", torch.zeros(BETAS))

    def forward(self, image: Float[Tensor, "3 height width"], size: tuple[int, int]) -> QueriedPeople:
        """People of one normalised picture padded with zeros to multiples of 56; `size` is its true (height, width)."""
        return self.people(self.encode(image), size)

    def encode(self, image: Float[Tensor, "3 height width"]) -> EncodedPicture:
        """Tokens of a picture: all patches once for the scale map, then each part at the level it deserves."""
        k, blocks = self.config.scale_blocks, self.encoder.blocks
        cells = Cells.grid(image.shape[1] // SIDE, image.shape[2] // SIDE, image.device)
        first = _through(self.encoder.additional_blocks, torch.cat([self.encoder_cr_token, self._middle_tokens(image, cells)]))
        scale_map = torch.sigmoid(self.scale_head(self.enc_inter_norm(first[1:])))
        choice = choose_tokens(
            scale_map, confidence_threshold=self.config.confidence_threshold, scale_threshold=self.config.scale_threshold
        )
        fine_cells = cells.where(choice.is_fine).quartered()
        fine = _through(blocks[:k], torch.cat([self.encoder_cr_token, self._fine_tokens(image, fine_cells)]))[1:]
        coarse = first[1:].unflatten(0, (-1, PATCHES_A_SQUARE))[choice.is_coarse].amax(1)
        x = _through(blocks[k:], torch.cat([first[:1], fine, first[1:][choice.is_middle], coarse]))
        tokens = self._token_places(cells, fine_cells, choice)
        return EncodedPicture(
            features=self.feature_proj(self.encoder.norm(x)[1:]), places=self._sines(tokens), tokens=tokens,
            scale_map=scale_map, class_token=x[0],
        )  # fmt: skip

    def people(self, picture: EncodedPicture, size: tuple[int, int]) -> QueriedPeople:
        """What the queries find in an encoded picture."""
        boxes = torch.sigmoid(self.refpoint_embed.weight)[None]
        outputs, refined = self.decoder(self.tgt_embed.weight[None], boxes, picture.features[None], picture.places[None])
        pose = self.mean_pose + torch.stack([head(x[0]) for head, x in zip(self.pose_head, outputs)]).sum(0)
        betas = self.mean_shape + torch.stack([head(x[0]) for head, x in zip(self.shape_head, outputs)]).sum(0)
        last = outputs[-1][0]
        field_of_view, focal = self._camera(picture, size)
        return QueriedPeople(
            rotations=from_interleaved(pose.unflatten(-1, (JOINTS, 6))),
            betas=betas,
            boxes=refined[-1][0],
            confidence=torch.sigmoid(self.conf_head(last))[:, 0],
            translation=self._translation(self.cam_head(last), focal),
            focal_px=focal,
            field_of_view=field_of_view,
        )

    def _middle_tokens(self, image: Tensor, cells: Cells) -> Float[Tensor, "patches width"]:
        half = functional.interpolate(image[None], scale_factor=0.5, mode="bilinear", align_corners=False)
        table = self.encoder_pos_embeds.permute(2, 0, 1)[None]
        side = self.config.input_size // SIDE
        table = functional.interpolate(table, size=(side, side), mode="bicubic", align_corners=False)
        return cells.of(_as_grid(self.encoder_patch_proj[1](half))) + cells.of(_as_grid(table))

    def _fine_tokens(self, image: Tensor, cells: Cells) -> Float[Tensor, "tokens width"]:
        return cells.of(_as_grid(self.encoder_patch_proj[0](image[None]))) + cells.of(self.encoder_pos_embeds)

    def _token_places(self, cells: Cells, fine: Cells, choice: TokenChoice) -> TokenPlaces:
        coarse = cells.squares().where(choice.is_coarse)
        side = self.config.input_size / PATCH
        return TokenPlaces.of(fine, cells.where(choice.is_middle), coarse, fine_side=side)

    def _sines(self, tokens: TokenPlaces) -> Float[Tensor, "tokens hidden"]:
        half = self.config.hidden // 2
        return torch.cat([sine_encoding(tokens.y, half), sine_encoding(tokens.x, half)], -1) + self.level_embed[tokens.level]

    def _camera(self, picture: EncodedPicture, size: tuple[int, int]) -> tuple[Tensor | None, Tensor]:
        """Vertical field of view where the network sees it, and the focal length [px]."""
        if not self.config.sees_field_of_view:
            focal = self.config.input_size / (2 * math.tan(DEFAULT_FIELD_OF_VIEW / 2))
            return None, picture.features.new_tensor(focal)
        field_of_view = self.fov_head(picture.class_token)[0]
        return field_of_view, size[0] / (2 * torch.tan(field_of_view.clamp(min=SMALLEST_FIELD_OF_VIEW) / 2))

    def _translation(self, camera: Float[Tensor, "queries 3"], focal: Tensor) -> Float[Tensor, "queries 3"]:
        x, y, scale = camera.unbind(-1)
        scale = 2 * torch.sigmoid(scale) + 1e-6
        return torch.stack([x / scale, y / scale, 2 * focal / (scale * self.config.input_size)], -1)


def _through(blocks: nn.ModuleList, tokens: Float[Tensor, "tokens width"]) -> Float[Tensor, "tokens width"]:
    x = tokens[None]
    for block in blocks:
        x = block(x)
    return x[0]


def _as_grid(maps: Float[Tensor, "1 width rows columns"]) -> Float[Tensor, "rows columns width"]:
    return maps[0].permute(1, 2, 0)
