"""Eq. 1: pairwise pointmaps to one scene (DUSt3R's global alignment, Wang et al., CVPR 2024).

Every pair of pictures gives points of both in the frame of the first, in a scale of its own. Sought are, for every picture,
a depth map, a pose and a focal length, and for every pair a similarity, such that points by depth and camera meet the pair's
points turned by its similarity. The parameters are those of the published optimiser: they set its steps.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.rotations import quaternion_from_matrix

FOCAL_UNIT = 20.0
PRINCIPAL_UNIT = 10.0
ADAPTOR_UNIT = 20.0
BASE_SCALE = 0.5
"""Geometric mean of the pairs' scales: without it the scene could shrink to nothing."""


@dataclass(frozen=True, kw_only=True)
class PairPointmaps:
    """What one pass of the network says of pictures `first` and `second`: points of both in the camera of the first."""

    first: int
    second: int
    points_first: Float[ndarray, "height1 width1 3"]
    confidence_first: Float[ndarray, "height1 width1"]
    points_second: Float[ndarray, "height2 width2 3"]
    confidence_second: Float[ndarray, "height2 width2"]


@dataclass(frozen=True, kw_only=True)
class AlignmentParameters:
    """Unknowns of the alignment, as tensors."""

    log_depth: Float[Tensor, "views pixels"]
    """Row by row, padded to the largest picture."""
    poses: Float[Tensor, "views 7"]
    """Camera to world: quaternion xyzw of any length, translation as sign(t) log1p|t|."""
    focals: Float[Tensor, "views 1"]
    """20 log f [px]."""
    principals: Float[Tensor, "views 2"]
    """A tenth of the offset [px] from (width / 2, height / 2)."""
    pair_poses: Float[Tensor, "pairs 8"]
    """As `poses`, then the log scale."""
    pair_adaptors: Float[Tensor, "pairs 2"]
    """Stretch of the pair's points across and along the view, 20 log."""


TRAINED = ("log_depth", "poses", "focals", "pair_poses")


@dataclass(frozen=True, kw_only=True)
class AlignmentProblem:
    """Pairs of pointmaps, padded to the largest picture; `weight` is zero in the padding."""

    shapes: tuple[tuple[int, int], ...]
    """(height, width) of the pictures."""
    pairs: Int[Tensor, "pairs 2"]
    pixels: Float[Tensor, "views pixels 2"]
    middles: Float[Tensor, "views 2"]
    points: Float[Tensor, "pairs 2 pixels 3"]
    weight: Float[Tensor, "pairs 2 pixels"]
    """Of every pixel in the loss: weight of its confidence over the pixels of its picture in all pairs."""
    known_focal_px: Float[Tensor, "views 1"]
    """nan where it is sought."""
    has_common_scale: bool
    """Whether the pairs' scales are held to a geometric mean of `BASE_SCALE`."""


Weighting = Literal["log", "none"]
"""How confidence counts: its logarithm (published), or not at all."""


def alignment_problem(
    maps: Sequence[PairPointmaps],
    *,
    weighting: Weighting = "log",
    known_focal_px: Float[ndarray, "views"] | None = None,
    has_common_scale: bool = True,
    device: torch.device | str = "cpu",
) -> AlignmentProblem:
    """The problem of these pairs, pictures numbered from zero."""
    shapes = picture_shapes(maps)
    size = max(height * width for height, width in shapes)
    padded = [((m.points_first, m.confidence_first), (m.points_second, m.confidence_second)) for m in maps]
    points = np.zeros((len(maps), 2, size, 3), np.float32)
    weight = np.zeros((len(maps), 2, size), np.float32)
    for e, pair in enumerate(padded):
        for side, (xyz, confidence) in enumerate(pair):
            points[e, side, : confidence.size] = xyz.reshape(-1, 3)
            weight[e, side, : confidence.size] = np.log(confidence).ravel() if weighting == "log" else 1.0
    pairs = np.array([[m.first, m.second] for m in maps])
    for side in (0, 1):
        areas = np.array([np.prod(shapes[view]) for view in pairs[:, side]])
        weight[:, side] /= areas.sum()
    return AlignmentProblem(
        shapes=shapes,
        pairs=torch.as_tensor(pairs, device=device),
        pixels=torch.as_tensor(np.stack([_pixels(shape, size) for shape in shapes]), device=device),
        middles=torch.tensor([[width / 2, height / 2] for height, width in shapes], device=device),
        points=torch.as_tensor(points, device=device),
        weight=torch.as_tensor(weight, device=device),
        known_focal_px=torch.as_tensor(_known(known_focal_px, len(shapes)), device=device)[:, None],
        has_common_scale=has_common_scale,
    )


def picture_shapes(maps: Sequence[PairPointmaps]) -> tuple[tuple[int, int], ...]:
    """(height, width) of every picture in the pairs. Raises `ValueError` where a number is left out or sizes differ."""
    found: dict[int, tuple[int, int]] = {}
    for m in maps:
        for view, confidence in ((m.first, m.confidence_first), (m.second, m.confidence_second)):
            if found.setdefault(view, (confidence.shape[0], confidence.shape[1])) != confidence.shape:
                raise ValueError(f"picture {view} has pointmaps of different sizes")
    if sorted(found) != list(range(len(found))):
        raise ValueError(f"pictures are numbered {sorted(found)}, not from zero without gaps")
    return tuple(found[view] for view in sorted(found))


def world_points(
    problem: AlignmentProblem, parameters: AlignmentParameters
) -> Float[Tensor, "views pixels 3"]:  # fmt: skip
    """Every pixel's point by its depth and camera."""
    depth = parameters.log_depth.exp()[..., None]
    principal = problem.middles + PRINCIPAL_UNIT * parameters.principals
    rays = (problem.pixels - principal[:, None]) / focal_px(problem, parameters)[:, None]
    R, t = _rotation(parameters.poses[:, :4]), _translation(parameters.poses[:, 4:7])
    return torch.cat([rays * depth, depth], -1) @ R.mT + t[:, None]


def focal_px(problem: AlignmentProblem, parameters: AlignmentParameters) -> Float[Tensor, "views 1"]:
    """Known where it is known."""
    sought = (parameters.focals / FOCAL_UNIT).exp()
    return torch.where(problem.known_focal_px.isnan(), sought, problem.known_focal_px.nan_to_num())


def pair_maps(
    problem: AlignmentProblem, parameters: AlignmentParameters
) -> tuple[Float[Tensor, "pairs 3 3"], Float[Tensor, "pairs 3"]]:
    """Linear part (scale, rotation and stretch) and translation that bring every pair's points to the world."""
    log_scale = parameters.pair_poses[:, 7]
    across, along = parameters.pair_adaptors.unbind(-1)
    stretch = torch.stack([across, across, along], dim=-1)
    if problem.has_common_scale:
        log_scale = log_scale - log_scale.mean() + np.log(BASE_SCALE)
        stretch = stretch - stretch.mean(dim=-1, keepdim=True)
    scale = log_scale.exp()[:, None]
    R, t = _rotation(parameters.pair_poses[:, :4]), _translation(parameters.pair_poses[:, 4:7])
    return scale[:, None] * R * (stretch / ADAPTOR_UNIT).exp()[:, None], scale * t


def alignment_loss(problem: AlignmentProblem, parameters: AlignmentParameters) -> Float[Tensor, ""]:
    """Eq. 1: weighted distances of points by camera and depth from the pairs' points, per pixel."""
    linear, translation = pair_maps(problem, parameters)
    turned = problem.points @ linear.mT[:, None] + translation[:, None, None]
    distance = (world_points(problem, parameters)[problem.pairs] - turned).norm(dim=-1)
    return (problem.weight * distance).sum()


def align_globally(
    problem: AlignmentProblem,
    start: AlignmentParameters,
    *,
    iterations: int = 300,
    rate: float = 0.01,
    last_rate: float = 1e-6,
    advance: Callable[[float], None] = lambda amount: None,
) -> tuple[AlignmentParameters, list[float]]:
    """Adam from `start`, its rate falling as a cosine; the parameters, and the loss before every step and after the last."""
    parameters = dataclasses.replace(
        start, **{name: getattr(start, name).clone().requires_grad_() for name in TRAINED}
    )  # fmt: skip
    optimiser = torch.optim.Adam([getattr(parameters, name) for name in TRAINED], lr=rate, betas=(0.9, 0.9))
    losses = []
    for i in range(iterations):
        optimiser.param_groups[0]["lr"] = last_rate + (rate - last_rate) * (1 + np.cos(np.pi * i / iterations)) / 2
        optimiser.zero_grad()
        loss = alignment_loss(problem, parameters)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
        advance(1)
    parameters = dataclasses.replace(parameters, **{name: getattr(parameters, name).detach() for name in TRAINED})
    return parameters, [*losses, float(alignment_loss(problem, parameters))]


def pack_similarities(
    similarities: Sequence[Similarity], device: torch.device | str = "cpu"
) -> Float[Tensor, "items 8"]:  # fmt: skip
    """Similarities as the pairs' parameters; of cameras, where the scale is one, the first seven are the `poses`."""
    rows = []
    for one in similarities:
        quat = quaternion_from_matrix(one.R)[[1, 2, 3, 0]]
        t = one.t / one.scale
        rows.append(np.concatenate([quat, np.sign(t) * np.log1p(np.abs(t)), [np.log(one.scale)]]))
    return torch.as_tensor(np.array(rows), dtype=torch.float32, device=device)


def camera_poses(parameters: AlignmentParameters) -> Float[ndarray, "views 4 4"]:
    """Camera to world."""
    T = np.tile(np.eye(4), (len(parameters.poses), 1, 1))
    T[:, :3, :3] = _rotation(parameters.poses[:, :4]).double().cpu().numpy()
    T[:, :3, 3] = _translation(parameters.poses[:, 4:7]).double().cpu().numpy()
    return T


def _rotation(quat: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Of a quaternion xyzw of any length."""
    x, y, z, w = torch.nn.functional.normalize(quat, dim=-1).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def _translation(packed: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    return packed.sign() * packed.abs().expm1()


def _pixels(shape: tuple[int, int], size: int) -> Float[ndarray, "pixels 2"]:
    """(x, y) of a picture's pixels row by row, then zeros."""
    y, x = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    return np.pad(np.stack([x, y], axis=-1).astype(np.float32), ((0, size - len(x)), (0, 0)))


def _known(focal_px: Float[ndarray, "views"] | None, views: int) -> Float[ndarray, "views"]:
    return np.asarray(focal_px if focal_px is not None else np.full(views, np.nan), np.float32)
