"""How well samples match held-out objects: F-score, Chamfer distance, extents, turn, and whether they hang together."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.errors import BadMesh
from hsimul3r.generator.flow.attach import AttachConfig, attach
from hsimul3r.generator.flow.dataset import Batch, condition_of
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.generator.flow.primitives import Primitive, convex_parts, without_mirrors
from hsimul3r.generator.flow.sampling import SamplingConfig, noise_of, sample
from hsimul3r.generator.flow.tokens import decode, read_outline
from hsimul3r.geometry.mesh import sample_surface, union
from hsimul3r.metrics.shape import surface_likeness

TAU = 0.05
"""Threshold of the F-score, of the true object's largest extent."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Means over samples."""

    f_score: float
    """In percent, at TAU, without alignment: extents count."""
    chamfer: float
    """Mean of both directions, of the true object's largest extent."""
    one_piece: float
    """Share of samples whose parts all hang together."""
    extent_error: float
    """Mean |log| of the ratio of extents."""
    yaw_error_deg: float
    """Median, symmetric objects included."""
    parts: float
    true_parts: float


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What is measured."""

    objects: int = 48
    views: int = 1
    known: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """1 for what is told: cameras' turns, yaw, crops' widths, extents."""
    points: int = 1500
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    attach: AttachConfig = field(default_factory=AttachConfig)


def evaluate(network: PartFlow, data: Batch, cfg: EvaluateConfig, *, seed: int = 0) -> Scores:
    """One sample for each of the first objects."""
    chosen = data.take(np.arange(min(cfg.objects, len(data.seeds))))
    count = len(chosen.seeds)
    with torch.no_grad():
        memory = network.remember(condition_of(chosen, views=cfg.views, known=np.tile(cfg.known, (count, 1))))
    noise = noise_of([seed + i for i in range(count)])
    made = sample(network, memory, noise, cfg.sampling).double().numpy()
    return _mean([_score(one, true, cfg) for one, true in zip(made, chosen.tokens.astype(float))])


def surface_points(primitives: Sequence[Primitive], count: int) -> Float[ndarray, "count 3"]:
    """Points on the surface of the union; none where there is none."""
    try:
        vertices, faces = union(convex_parts(primitives))
    except BadMesh:
        return np.zeros((0, 3))
    return sample_surface(vertices, faces, count, np.random.default_rng(0))


def _score(made: Float[ndarray, "tokens channels"], true: Float[ndarray, "tokens channels"], cfg: EvaluateConfig) -> Scores:
    parts, outline = decode(made)
    true_parts, _ = decode(true)
    told = read_outline(true[-1])
    attached = attach(without_mirrors(parts), cfg.attach) if parts else None
    size = float(told.extents_m.max())
    points = surface_points(attached.primitives, cfg.points) if attached else np.zeros((0, 3))
    like = (
        surface_likeness(points / size, surface_points(true_parts, cfg.points) / size, threshold=TAU) if len(points) else None
    )
    turn = outline.yaw - told.yaw
    return Scores(
        f_score=like.f_score if like else 0.0,
        chamfer=like.chamfer if like else 1.0,
        one_piece=float(attached is not None and attached.pieces == 1),
        extent_error=float(np.abs(np.log(outline.extents_m / told.extents_m)).mean()),
        yaw_error_deg=float(np.degrees(np.abs(np.arctan2(np.sin(turn), np.cos(turn))))),
        parts=float(len(without_mirrors(parts))),
        true_parts=float(len(without_mirrors(true_parts))),
    )


def _mean(scores: Sequence[Scores]) -> Scores:
    values = {name: np.array([getattr(score, name) for score in scores]) for name in vars(scores[0])}
    return Scores(**{name: float(np.median(v) if name == "yaw_error_deg" else v.mean()) for name, v in values.items()})
