"""The decoder of SAT-HMR: queries with a box each that layer by layer find people (DAB-DETR, Liu et al., ICLR 2022)."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from stages.adapters.networks.blocks import join_heads, split_heads

TEMPERATURE = 20.0
LOGIT_EPS = 1e-5


class ReluMlp(nn.Module):
    """Linear layers with ReLU between."""

    def __init__(self, width: int, hidden: int, out: int, depth: int):
        super().__init__()
        widths = [width, *[hidden] * (depth - 1), out]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch out"]:
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        return self.layers[-1](x)


def sine_encoding(value: Float[Tensor, "*batch"], width: int) -> Float[Tensor, "*batch width"]:
    """Sines and cosines in turns of a value in 0 to 1."""
    power = torch.arange(0, width, 2, device=value.device, dtype=torch.float32) / width
    angle = value[..., None] * 2 * math.pi / TEMPERATURE**power
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)


def logit(x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Inverse of the sigmoid, finite at 0 and 1."""
    x = x.clamp(0, 1)
    return torch.log(x.clamp(min=LOGIT_EPS) / (1 - x).clamp(min=LOGIT_EPS))


@dataclass(frozen=True, kw_only=True)
class QueryPlace:
    """What a layer knows of where its queries look."""

    place: Float[Tensor, "batch queries width"]
    """From the whole box."""
    centre: Float[Tensor, "batch queries width"]
    """Sines of the box's centre, y first, scaled by the query."""


class PeopleLayer(nn.Module):
    """Queries attend to one another, then to the picture by content and by place, then a feed-forward; all normed before."""

    def __init__(self, width: int, heads: int, feedforward: int, *, is_first: bool):
        super().__init__()
        self.heads = heads
        self.sa_qcontent_proj, self.sa_qpos_proj, self.sa_kcontent_proj = (nn.Linear(width, width) for _ in range(3))
        self.sa_kpos_proj, self.sa_v_proj, self.sa_out_proj = (nn.Linear(width, width) for _ in range(3))
        self.ca_qcontent_proj, self.ca_kcontent_proj, self.ca_kpos_proj = (nn.Linear(width, width) for _ in range(3))
        self.ca_v_proj, self.ca_qpos_sine_proj, self.ca_out_proj = (nn.Linear(width, width) for _ in range(3))
        self.ca_qpos_proj = nn.Linear(width, width) if is_first else None
        self.linear1, self.linear2 = nn.Linear(width, feedforward), nn.Linear(feedforward, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(
        self, x: Float[Tensor, "batch queries width"], where: QueryPlace, memory: Tensor, memory_place: Tensor
    ) -> Float[Tensor, "batch queries width"]:
        x = x + self._to_one_another(self.norm1(x), where.place)
        x = x + self._to_picture(self.norm2(x), where, memory, memory_place)
        return x + self.linear2(functional.relu(self.linear1(self.norm3(x))))

    def _to_one_another(self, x: Tensor, place: Tensor) -> Tensor:
        q = self.sa_qcontent_proj(x) + self.sa_qpos_proj(place)
        k = self.sa_kcontent_proj(x) + self.sa_kpos_proj(place)
        q, k, v = (split_heads(part, self.heads) for part in (q, k, self.sa_v_proj(x)))
        return self.sa_out_proj(join_heads(functional.scaled_dot_product_attention(q, k, v)))

    def _to_picture(self, x: Tensor, where: QueryPlace, memory: Tensor, memory_place: Tensor) -> Tensor:
        """Each head's query and key are content and place side by side."""
        q, k, k_place = self.ca_qcontent_proj(x), self.ca_kcontent_proj(memory), self.ca_kpos_proj(memory_place)
        if self.ca_qpos_proj is not None:
            q, k = q + self.ca_qpos_proj(where.place), k + k_place
        q_place = self.ca_qpos_sine_proj(where.centre)
        q, q_place, k, k_place, v = (split_heads(part, self.heads) for part in (q, q_place, k, k_place, self.ca_v_proj(memory)))
        q, k = torch.cat([q, q_place], -1), torch.cat([k, k_place], -1)
        return self.ca_out_proj(join_heads(functional.scaled_dot_product_attention(q, k, v)))


class PeopleLayers(nn.Module):
    """The layers, and what turns boxes into the places that they attend to."""

    def __init__(self, width: int, heads: int, depth: int, feedforward: int, box_heads: nn.ModuleList):
        super().__init__()
        self.width = width
        self.layers = nn.ModuleList(PeopleLayer(width, heads, feedforward, is_first=i == 0) for i in range(depth))
        self.norm = nn.LayerNorm(width)
        self.query_scale = ReluMlp(width, width, width, 2)
        self.ref_point_head = ReluMlp(2 * width, width, width, 2)
        self.ref_anchor_head = ReluMlp(width, width, 2, 2)
        self.bbox_embed = box_heads

    def forward(
        self, queries: Tensor, boxes: Float[Tensor, "batch queries 4"], memory: Tensor, memory_place: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Normed queries and refined boxes (centre x, y, width, height in 0 to 1) after each layer."""
        outputs, refined = [], []
        for layer, box_head in zip(self.layers, self.bbox_embed):
            queries = layer(queries, self._where(queries, boxes, is_first=not outputs), memory, memory_place)
            outputs.append(self.norm(queries))
            boxes = torch.sigmoid(box_head(outputs[-1]) + logit(boxes))
            refined.append(boxes)
        return outputs, refined

    def _where(self, queries: Tensor, boxes: Tensor, *, is_first: bool) -> QueryPlace:
        """The sines of a centre's y are stretched by the height that the query expects over the box's own; x by the width."""
        x, y, w, h = (sine_encoding(part, self.width // 2) for part in boxes.unbind(-1))
        expected = torch.sigmoid(self.ref_anchor_head(queries)) / boxes[..., 2:]
        centre = torch.cat([y * expected[..., 1:], x * expected[..., :1]], -1)
        if not is_first:
            centre = centre * self.query_scale(queries)
        return QueryPlace(place=self.ref_point_head(torch.cat([y, x, h, w], -1)), centre=centre)


class PeopleDecoder(nn.Module):
    """`PeopleLayers` under the name by which published files know them."""

    def __init__(self, width: int, heads: int, depth: int, feedforward: int, box_heads: nn.ModuleList):
        super().__init__()
        self.decoder = PeopleLayers(width, heads, depth, feedforward, box_heads)

    def forward(
        self, queries: Tensor, boxes: Tensor, memory: Tensor, memory_place: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        return self.decoder(queries, boxes, memory, memory_place)
