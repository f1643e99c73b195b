"""Weighted least-squares alignment of point sets (Procrustes; with scale: Umeyama 1991)."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float
from numpy import ndarray


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """The map x -> scale * R @ x + t."""

    scale: float
    R: Float[ndarray, "3 3"]
    t: Float[ndarray, "3"]

    def apply(self, points: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 3"]:
        """Map points."""
        return self.scale * np.asarray(points) @ self.R.T + self.t

    def inverse(self) -> Self:
        """The map back."""
        return type(self)(scale=1 / self.scale, R=self.R.T, t=-self.R.T @ self.t / self.scale)

    def matrix(self) -> Float[ndarray, "4 4"]:
        """Homogeneous matrix, scale included."""
        out = np.eye(4)
        out[:3, :3], out[:3, 3] = self.scale * self.R, self.t
        return out


def align_points(
    source: Float[ndarray, "points 3"],
    target: Float[ndarray, "points 3"],
    *,
    weights: Float[ndarray, "points"] | None = None,
    with_scale: bool = False,
) -> Similarity:
    """Similarity (or rigid motion) that minimises sum_i w_i |s R source_i + t - target_i|^2; never a reflection.

    Raises `ValueError` where fewer than three points have weight, or the source points coincide.
    """
    w = np.ones(len(source)) if weights is None else np.asarray(weights, dtype=float)
    if np.count_nonzero(w > 0) < 3:
        raise ValueError(f"alignment needs three weighted points, found {np.count_nonzero(w > 0)}")
    w = w / w.sum()
    mean_source, mean_target = w @ source, w @ target
    a, b = source - mean_source, target - mean_target
    u, s, vt = np.linalg.svd((b * w[:, None]).T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    R = (u * sign) @ vt
    variance = float(w @ (a**2).sum(1))
    if variance <= 0:
        raise ValueError("alignment needs source points that differ")
    scale = float((s * sign).sum()) / variance if with_scale else 1.0
    return Similarity(scale=scale, R=R, t=mean_target - scale * R @ mean_source)


def robust_align_points(
    source: Float[ndarray, "points 3"],
    target: Float[ndarray, "points 3"],
    *,
    weights: Float[ndarray, "points"] | None = None,
    with_scale: bool = False,
    sigma: float = 0.1,
    rounds: int = 10,
) -> Similarity:
    """`align_points` reweighted by 1 / (1 + (residual / sigma)^2), so that few wrong pairs do not count."""
    base = np.ones(len(source)) if weights is None else np.asarray(weights, dtype=float)
    w = base
    for _ in range(rounds):
        fit = align_points(source, target, weights=w, with_scale=with_scale)
        residual = np.linalg.norm(fit.apply(source) - target, axis=1)
        w = base / (1 + (residual / sigma) ** 2)
    return align_points(source, target, weights=w, with_scale=with_scale)
