"""Human3R (Chen et al. 2025, arXiv 2510.06219): CUT3R that also finds everybody, as SMPL-X in the world, with identities.

People are found in DINOv2's tokens of a larger copy of the picture (as Multi-HMR does); each becomes a token of CUT3R's
decoder. Built from the paper and the list of parameter names; a published checkpoint loads strictly.
"""

from dataclasses import dataclass, field
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from stages.adapters.networks.cut3r_net import (
    Cut3r,
    Cut3rHead,
    Cut3rSizes,
    FrameOutput,
    RecurrentState,
    open_sigmoid,
)
from stages.adapters.networks.dinov2 import PATCH as DINO_PATCH
from stages.adapters.networks.dinov2 import DinoEncoder, DinoSizes
from stages.adapters.networks.dpt import along_exponential
from stages.adapters.networks.dust3r_net import PATCH
from stages.adapters.networks.rotations6d import from_interleaved

ROTATIONS: Final = 53
"""Root, 21 body joints, 15 of each hand, jaw; SMPL-X without its eyes."""
MEAN: Final = (0.485, 0.456, 0.406)
STD: Final = (0.229, 0.224, 0.225)
DETECTION_THRESHOLD: Final = 0.3
SUPPRESSION: Final = 3
"""A detection must be the best of this many tokens squared around it."""
DUSTBIN: Final = -10.0
MATCH_ITERATIONS: Final = 20
MATCH_THRESHOLD: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Human3rSizes(Cut3rSizes):
    """Sizes of the network; the defaults are those of the published checkpoint."""

    dino: DinoSizes = field(default_factory=DinoSizes)
    detector_px: int = 896
    """Side of the square in which people are searched."""
    shapes: int = 10
    expressions: int = 10


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Everybody seen so far: the token each was last seen with. Grows with the number of people, not of pictures."""

    tokens: Float[Tensor, "people width"]
    ids: Int[Tensor, "people"]


@dataclass(frozen=True, kw_only=True)
class Human3rState:
    """What is carried from one picture to the next."""

    scene: RecurrentState
    pool: Pool


@dataclass(frozen=True, kw_only=True)
class Detections:
    """Where people's heads are in a picture."""

    scores: Float[Tensor, "rows columns"]
    """Per token of the detector's square, zero where a neighbour is surer."""
    mask: Float[Tensor, "side side"]
    """Probability of people per pixel of the detector's square."""
    places_px: Float[Tensor, "people 2"]
    """(x, y) in the detector's square."""
    features: Float[Tensor, "people width"]
    """DINOv2's token of each."""

    def scores_of_people(self) -> list[float]:
        """In the order of `places_px`."""
        return self.scores[self.scores >= DETECTION_THRESHOLD].tolist()


@dataclass(frozen=True, kw_only=True)
class SeenPeople:
    """People of one picture as SMPL-X, in its camera's frame."""

    ids: Int[Tensor, "people"]
    rotations: Float[Tensor, "people 53 3 3"]
    """Of joints relative to their parents, the root's to the camera."""
    shape: Float[Tensor, "people 10"]
    expression: Float[Tensor, "people 10"]
    head: Float[Tensor, "people 3"]
    """Place of the head joint."""
    detections: Detections


class _Layers(nn.Module):
    def __init__(self, width: int, hidden: int, out: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out))


class TwoLayers(nn.Module):
    """Two linear layers with a GELU between them, under the names `mlp.layers.0` and `mlp.layers.2`."""

    def __init__(self, width: int, hidden: int, out: int):
        super().__init__()
        self.mlp = _Layers(width, hidden, out)

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch out"]:
        return self.mlp.layers(x)


class Backbone(nn.Module):
    """The detector's view of a picture in -1..1, under the name `encoder`."""

    def __init__(self, sizes: DinoSizes):
        super().__init__()
        self.encoder = DinoEncoder(sizes)

    def forward(self, square: Float[Tensor, "1 3 side side"]) -> Float[Tensor, "tokens width"]:
        mean, std = (torch.tensor(values, device=square.device)[:, None, None] for values in (MEAN, STD))
        picture = (square * 0.5 + 0.5 - mean) / std
        return self.encoder(picture.to(self.encoder.pos_embed.dtype))[0].float()


class Human3rHead(Cut3rHead):
    """CUT3R's head, the detector's and people's."""

    def __init__(self, sizes: Human3rSizes):
        super().__init__(sizes)
        dino, decoder, encoder = sizes.dino.width, sizes.decoder.width, sizes.encoder.width
        self.mlp_classif = nn.Sequential(nn.Linear(dino, dino), nn.ReLU(), nn.Linear(dino, 1))
        self.mlp_offset = nn.Sequential(nn.Linear(dino, dino), nn.ReLU(), nn.Linear(dino, 2))
        self.mlp_msk = TwoLayers(dino, dino, DINO_PATCH**2)
        self.mlp_fuse = TwoLayers(dino + encoder, 4 * (dino + encoder), decoder)
        both = dino + decoder
        self.decpose = TwoLayers(both, 4 * both, 6 * ROTATIONS)
        self.decshape = TwoLayers(both, 4 * both, sizes.shapes)
        self.decexpression = TwoLayers(both, 4 * both, sizes.expressions)
        self.deccam = TwoLayers(decoder, 4 * decoder, 3)
        means = {"body_pose": 6 * ROTATIONS, "betas": 10, "betas_kid": 11, "cam": 3, "expression": 10}
        for name, count in means.items():
            self.register_buffer(f"init_{name}", torch.zeros(1, count))

    def detect(self, features: Float[Tensor, "tokens width"], side: int) -> Detections:
        """People in the detector's square of `side` x `side` tokens."""
        scores = open_sigmoid(self.mlp_classif(features)).reshape(1, 1, side, side)
        best = functional.max_pool2d(scores, SUPPRESSION, stride=1, padding=SUPPRESSION // 2)
        scores = torch.where(best == scores, scores, 0.0)[0, 0]
        row, column = torch.nonzero(scores >= DETECTION_THRESHOLD, as_tuple=True)
        chosen = features[row * side + column]
        middle = torch.stack([column, row], dim=-1) + 0.5
        mask = open_sigmoid(self.mlp_msk(features)).T.reshape(1, -1, side, side)
        return Detections(
            scores=scores,
            mask=functional.pixel_shuffle(mask, DINO_PATCH)[0, 0],
            places_px=(middle + self.mlp_offset(chosen)) * DINO_PATCH,
            features=chosen,
        )

    def people(self, tokens: Float[Tensor, "people width"], detections: Detections, ids: Int[Tensor, "people"]) -> SeenPeople:
        """SMPL-X of the people whose tokens the decoder gave."""
        both = torch.cat([tokens, detections.features], dim=-1)
        return SeenPeople(
            ids=ids,
            rotations=from_interleaved((self.decpose(both) + self.init_body_pose).unflatten(-1, (ROTATIONS, 6))),
            shape=self.decshape(both) + self.init_betas,
            expression=self.decexpression(both) + self.init_expression,
            head=along_exponential(self.deccam(tokens)),
            detections=detections,
        )


class Human3r(Cut3r):
    """The network: `begin` once, then `see` for every picture."""

    sizes: Human3rSizes
    downstream_head: Human3rHead

    def __init__(self, sizes: Human3rSizes):
        super().__init__(sizes)
        self.backbone = Backbone(sizes.dino)
        self.masked_smpl_token = nn.Parameter(torch.zeros(1, sizes.encoder.width))
        self.mhmr_masked_img_token = nn.Parameter(torch.zeros(1, sizes.dino.width))
        self.mhmr_masked_smpl_token = nn.Parameter(torch.zeros(1, sizes.dino.width))

    def _head(self) -> Human3rHead:
        return Human3rHead(self.sizes)

    def begin(self) -> Human3rState:
        """The state before the first picture."""
        scene = self.start()
        ids = torch.zeros(0, dtype=torch.long, device=scene.tokens.device)
        nobody = Pool(tokens=torch.zeros(0, self.sizes.decoder.width, device=ids.device), ids=ids)
        return Human3rState(scene=scene, pool=nobody)

    def see(
        self,
        image: Float[Tensor, "1 3 height width"],
        state: Human3rState,
        *,
        update: bool = True,
        reset: bool = False,
        is_gated: bool = False,
    ) -> tuple[FrameOutput, SeenPeople, Human3rState]:
        """One picture in -1..1, sides multiples of 16, and the state after it; the switches are those of `Cut3r.step`."""
        head, encoded = self.downstream_head, self.encode(image)
        square = fit_square(image, self.sizes.detector_px)
        detections = head.detect(self.backbone(square), self.sizes.detector_px // DINO_PATCH)
        places = token_places(detections.places_px, (image.shape[2], image.shape[3]), self.sizes.detector_px)
        index = places[:, 0] * encoded.grid[1] + places[:, 1]
        people = head.mlp_fuse(torch.cat([detections.features, encoded.tokens[0, index].float()], dim=-1))
        picture = encoded.tokens.mean(dim=1, keepdim=True)
        pose = self.pose_before(picture, state.scene)
        decoded = self.decode(encoded, pose, state.scene.tokens, people[None].to(pose.dtype), places[None])
        scene = self.state_after(state.scene, decoded, picture, update=update, reset=reset, is_gated=is_gated)
        tokens = decoded.layers[-1][0, 1 + encoded.tokens.shape[1] :].float()
        ids, pool = match_people(tokens, state.pool)
        seen = head.people(tokens, detections, ids)
        return self.read_out(decoded, encoded.grid), seen, Human3rState(scene=scene, pool=pool)


def fit_square(image: Float[Tensor, "1 3 height width"], side: int) -> Float[Tensor, "1 3 side side"]:
    """A picture in -1..1 scaled to a square and centred in it, black around it."""
    height, width = (round(n * side / max(image.shape[2:])) for n in image.shape[2:])
    small = functional.interpolate(image.float(), (height, width), mode="bilinear", align_corners=False)
    top, left = (side - height) // 2, (side - width) // 2
    return functional.pad(small, (left, side - width - left, top, side - height - top), value=-1.0)


def token_places(
    places_px: Float[Tensor, "people 2"], size: tuple[int, int], side: int
) -> Int[Tensor, "people 2"]:  # fmt: skip
    """(row, column) of the picture's token under places in the detector's square; `size` is (height, width)."""
    longest = max(size)
    height, width = size
    padding = places_px.new_tensor([(longest - width) / 2, (longest - height) / 2])
    xy = places_px * (longest / side) - padding
    last = xy.new_tensor([width - 1, height - 1])
    return (xy.clamp(min=0).minimum(last) // PATCH).long().flip(-1)


def match_people(tokens: Float[Tensor, "people width"], pool: Pool) -> tuple[Int[Tensor, "people"], Pool]:
    """Identities of the people in a picture, and the pool with their tokens renewed.

    Two are the same where each is the other's best by optimal transport over the distance of their tokens.
    """
    ids = torch.full((len(tokens),), -1, dtype=torch.long, device=tokens.device)
    renewed = pool.tokens.clone()
    if len(tokens) and len(pool.tokens):
        share = transport(-torch.cdist(pool.tokens, tokens)).exp()
        best, rival = share.argmax(dim=0), share.argmax(dim=1)
        for person, known in enumerate(best.tolist()):
            if int(rival[known]) == person and float(share[known, person]) > MATCH_THRESHOLD:
                ids[person], renewed[known] = pool.ids[known], tokens[person]
    is_new = ids < 0
    first = int(pool.ids.max()) + 1 if len(pool.ids) else 0
    ids[is_new] = torch.arange(first, first + int(is_new.sum()), device=ids.device)
    return ids, Pool(tokens=torch.cat([renewed, tokens[is_new]]), ids=torch.cat([pool.ids, ids[is_new]]))


def transport(scores: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Log share of each pair in the optimal transport between rows and columns, each of which may stay alone (Sarlin et al.
    2020): Sinkhorn's iterations in logarithms, with a dustbin on each side that can take everybody."""
    rows, columns = scores.shape
    padded = functional.pad(scores, (0, 1, 0, 1), value=DUSTBIN)
    row_mass = torch.cat([scores.new_zeros(rows), scores.new_tensor([columns]).log()])
    column_mass = torch.cat([scores.new_zeros(columns), scores.new_tensor([rows]).log()])
    u, v = torch.zeros_like(row_mass), torch.zeros_like(column_mass)
    for _ in range(MATCH_ITERATIONS):
        u = row_mass - (padded + v).logsumexp(dim=1)
        v = column_mass - (padded + u[:, None]).logsumexp(dim=0)
    return (padded + u[:, None] + v)[:-1, :-1]
