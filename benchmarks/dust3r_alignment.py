"""Eq. 1 on pairwise pointmaps whose answer is known: pose, focal and depth errors, with and without confidence weights.

The pointmaps are those of the benchmark's cases (depth and cameras from their truth) as a network might give them: each
pair in a scale of its own, with noise that grows with depth, a smooth warp, and outliers, most of which it is unsure of.

python benchmarks/dust3r_alignment.py --seeds 20
"""

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import tyro
from jaxtyping import Float
from numpy import ndarray
from rich.console import Console
from rich.table import Table

from hsimul3r.benchmark.truth import load_truth
from hsimul3r.geometry.alignment import Similarity, align_points
from hsimul3r.geometry.global_alignment import (
    AlignmentParameters,
    AlignmentProblem,
    PairPointmaps,
    Weighting,
    align_globally,
    alignment_problem,
    camera_poses,
    focal_px,
)
from hsimul3r.geometry.pointmap_start import initial_parameters, select_pairs
from hsimul3r.geometry.rotations import angle_between, matrix_from_axis_angle


@dataclass(frozen=True, kw_only=True)
class Args:
    """Benchmark of the global alignment."""

    cases: Path = Path(__file__).parents[1] / "data" / "hsibench" / "built"
    """Built cases of HSIBench (make hsibench)."""
    seeds: int = 20
    """One case a seed, evenly over all cases that have depth."""
    width: int = 64
    iterations: int = 300
    knows_focal: bool = False
    """Whether the focal lengths are given."""
    noise: float = 0.01
    """Standard deviation of a point's distance over its distance."""
    warp: float = 0.02
    """Largest smooth error of distance over a picture."""
    outliers: float = 0.15
    """Share of pixels that are anywhere."""
    sure_outliers: float = 0.1
    """Share of the outliers of which the network is as sure as of the rest."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A pinhole picture of a case: depth, pose and focal length."""

    depth: Float[ndarray, "height width"]
    T_world_cam: Float[ndarray, "4 4"]
    focal_px: float

    def points(self) -> Float[ndarray, "height width 3"]:
        """In the camera; the axis through (width / 2, height / 2), as the alignment assumes."""
        height, width = self.depth.shape
        y, x = np.mgrid[:height, :width]
        rays = np.stack([(x - width / 2) / self.focal_px, (y - height / 2) / self.focal_px, np.ones_like(self.depth)], axis=-1)
        return rays * self.depth[..., None]


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Of one alignment."""

    rotation_deg: float
    """Mean over pairs of cameras of the error of their relative rotation."""
    centre_percent: float
    """Mean error of the cameras' centres after the best similarity, over the mean distance between cameras."""
    focal_percent: float
    depth_percent: float
    """Median error of depth of all pixels, in one scale for all pictures."""
    seconds: float


ORBIT = 16
"""Views of a case; every fourth is used."""
MEASURED = ("rotation_deg", "centre_percent", "focal_percent", "depth_percent")


def main(args: Args) -> None:
    cases = [folder for folder in sorted(args.cases.iterdir()) if is_usable(folder)]
    folders = [cases[k] for k in np.linspace(0, len(cases) - 1, args.seeds).astype(int)]
    columns = ("weights", "known focal", "n", *MEASURED, "worst rotation_deg", "worst depth_percent", "CPU s")
    table = Table(*columns, title=f"{args.seeds} seeds on as many cases: median [quartiles]")
    conditions: list[tuple[Weighting, bool]] = [("log", args.knows_focal), ("none", args.knows_focal)]
    for weighting, knows_focal in conditions:
        found = [measure(folder, args, seed, weighting, knows_focal=knows_focal) for seed, folder in enumerate(folders)]
        values = {name: [getattr(e, name) for e in found] for name in MEASURED}
        worst = [f"{max(values[name]):.2f}" for name in ("rotation_deg", "depth_percent")]
        spent = f"{np.mean([e.seconds for e in found]):.1f}"
        told = (quartiles(column) for column in values.values())
        table.add_row(weighting, "yes" if knows_focal else "no", str(len(found)), *told, *worst, spent)
    Console(width=170).print(table)


def is_usable(folder: Path) -> bool:
    """Whether a case has depth for all views of its orbit."""
    depth, labels = (sorted(path.name for path in (folder / "truth" / kind).glob("*.png")) for kind in ("depth", "labels"))
    return depth == labels and len(depth) == ORBIT


def quartiles(values: list[float]) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


def measure(folder: Path, args: Args, seed: int, weighting: Weighting, *, knows_focal: bool) -> Errors:
    views = pinhole_views(folder, args.width)
    maps = pair_pointmaps(views, args, np.random.default_rng(seed))
    start = time.process_time()
    focal = np.array([view.focal_px for view in views]) if knows_focal else None
    problem = alignment_problem(maps, weighting=weighting, known_focal_px=focal)
    first = initial_parameters(maps, weighting=weighting, known_focal_px=focal)
    found, _ = align_globally(problem, first, iterations=args.iterations)
    return errors(views, problem, found, time.process_time() - start)


@cache
def pinhole_views(folder: Path, width: int) -> list[View]:
    """The case's pictures as pinhole pictures of `width` px: each ray's depth is looked up where the real lens sees it."""
    truth = load_truth(folder / "truth")
    cameras, views = truth.cameras, []
    for v in range(0, ORBIT, 4):
        metres = truth.depth[v]
        assert metres is not None, folder
        scale = width / cameras.size_px[v, 0]
        height, focal = round(cameras.size_px[v, 1] * scale), cameras.focal_px[v] * scale
        y, x = np.mgrid[:height, :width]
        xy = np.stack([x - width / 2, y - height / 2], axis=-1) / focal
        uv = cameras.focal_px[v] * (1 + cameras.k1[v] * (xy**2).sum(-1, keepdims=True)) * xy + cameras.principal_px[v]
        column, row = (np.clip(np.round(uv[..., k]).astype(int), 0, metres.shape[1 - k] - 1) for k in (0, 1))
        depth = metres[row, column]
        views.append(
            View(
                depth=np.where(np.isfinite(depth), depth, depth[np.isfinite(depth)].max()),
                T_world_cam=np.linalg.inv(cameras.T_cam_world[v]),
                focal_px=focal,
            )
        )
    return views


def pair_pointmaps(views: list[View], args: Args, rng: np.random.Generator) -> list[PairPointmaps]:
    """What a network might say of every ordered pair."""
    maps = []
    for i, j in select_pairs(len(views)):
        scale = np.exp(0.3 * rng.standard_normal())
        T = np.linalg.inv(views[i].T_world_cam) @ views[j].T_world_cam
        first, confidence_first = spoiled(views[i].points(), args, rng)
        second, confidence_second = spoiled(views[j].points(), args, rng)
        second = second @ T[:3, :3].T + T[:3, 3]
        maps.append(
            PairPointmaps(
                first=i, second=j, points_first=scale * first, confidence_first=confidence_first,
                points_second=scale * slightly_turned(second, args, rng), confidence_second=confidence_second,
            )
        )  # fmt: skip
    return maps


def spoiled(
    points: Float[ndarray, "height width 3"], args: Args, rng: np.random.Generator
) -> tuple[Float[ndarray, "height width 3"], Float[ndarray, "height width"]]:
    """Points with noise, a warp and outliers along their rays, and the confidence in them."""
    shape = points.shape[:2]
    warp = cv2.resize(rng.uniform(-1, 1, (4, 4)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    factor = 1 + args.noise * rng.standard_normal(shape) + args.warp * warp
    is_outlier = rng.random(shape) < args.outliers
    factor = np.where(is_outlier, np.exp(rng.normal(0.0, 0.6, shape)), factor)
    is_unsure = is_outlier & (rng.random(shape) >= args.sure_outliers)
    confidence = 1 + np.exp(np.where(is_unsure, rng.normal(-1.5, 0.7, shape), rng.normal(1.5, 0.7, shape)))
    return points * factor[..., None], confidence


def slightly_turned(points: Float[ndarray, "height width 3"], args: Args, rng: np.random.Generator) -> ndarray:
    """The second picture's points with an error of the pair's pose, of the warp's size."""
    turn = matrix_from_axis_angle(args.warp / 2 * rng.standard_normal(3))
    middle = points.reshape(-1, 3).mean(0)
    return (points - middle) @ turn.T + middle * (1 + args.warp / 2 * rng.standard_normal())


def errors(views: list[View], problem: AlignmentProblem, found: AlignmentParameters, seconds: float) -> Errors:
    truth, ours = np.stack([view.T_world_cam for view in views]), camera_poses(found)
    pairs = [(i, j) for i in range(len(views)) for j in range(i)]
    turns = [angle_between(truth[i, :3, :3].T @ truth[j, :3, :3], ours[i, :3, :3].T @ ours[j, :3, :3]) for i, j in pairs]
    fit: Similarity = align_points(ours[:, :3, 3], truth[:, :3, 3], with_scale=True)
    baseline = np.mean([np.linalg.norm(truth[i, :3, 3] - truth[j, :3, 3]) for i, j in pairs])
    depth = found.log_depth.exp().numpy()
    ratio = np.concatenate([depth[v, : view.depth.size] / view.depth.ravel() for v, view in enumerate(views)])
    true_focal = np.array([view.focal_px for view in views])
    return Errors(
        rotation_deg=float(np.degrees(np.mean(turns))),
        centre_percent=100 * float(np.linalg.norm(fit.apply(ours[:, :3, 3]) - truth[:, :3, 3], axis=1).mean() / baseline),
        focal_percent=100 * float(np.abs(focal_px(problem, found)[:, 0].numpy() / true_focal - 1).mean()),
        depth_percent=100 * float(np.median(np.abs(ratio / np.median(ratio) - 1))),
        seconds=seconds,
    )


if __name__ == "__main__":
    main(tyro.cli(Args))
