"""Furniture from silhouettes against truth, on known families: the table of docs, one row per condition.

python benchmarks/object_fit.py --count 12 --seeds 3
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from scipy.spatial import KDTree

from hsimul3r.generator.families import family
from hsimul3r.generator.fit import ParametricGenerator
from hsimul3r.generator.protocol import Candidate
from hsimul3r.generator.synthetic import CLEAN, HEIGHT, WIDTH, Conditions, Truth, synthetic_observation
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.masks import iou
from hsimul3r.geometry.mesh import sample_surface, union
from hsimul3r.geometry.rotations import rotation_about_z
from hsimul3r.geometry.silhouette import rasterize_depth

ALL = Conditions()
CONDITIONS = {
    "clean": CLEAN,
    "noise + person": replace(ALL, camera_angle_deg=0.0, camera_place_m=0.0),
    "all": ALL,
    "all + sitter's contact": replace(ALL, has_supports=True),
    "all, 3 views": replace(ALL, views=3),
}
SAMPLES = 8000


@dataclass(frozen=True, kw_only=True)
class Args:
    """Benchmark of the parametric fit."""

    count: int = 12
    """Objects per condition and seed."""
    seeds: int = 3
    conditions: tuple[str, ...] = tuple(CONDITIONS)
    is_verbose: bool = False


def main(args: Args) -> None:
    console = Console(width=140)
    columns = (
        "condition",
        "n",
        "silhouette IoU",
        "Chamfer m",
        "F@5",
        "F@2",
        "seat med/p90 cm",
        "top med cm",
        "family",
        "CPU s",
    )
    table = Table(*columns)
    for name in args.conditions:
        rows = [measure(CONDITIONS[name], seed, i, args.is_verbose) for seed in range(args.seeds) for i in range(args.count)]
        table.add_row(name, *_summary(rows, args.count))
    console.print(table)


def measure(conditions: Conditions, seed: int, index: int, is_verbose: bool) -> dict[str, float]:
    """Fit one random object and compare it with its truth."""
    observation, truth = synthetic_observation(1000 * seed + index, conditions)
    start = time.process_time()
    best, *_ = ParametricGenerator().generate(observation, count=2, seed=seed)
    cpu = time.process_time() - start
    row = {**_compare(best, truth), "cpu": cpu, "seed": seed}
    if is_verbose:
        Console().print(truth.family.name, "->", best.family, {k: round(v, 3) for k, v in row.items()})
    return row


def _compare(best: Candidate, truth: Truth) -> dict[str, float]:
    rng = np.random.default_rng(0)
    true_v, true_f = union(truth.parts)
    true_v = _place(true_v, truth.pose)
    made_v, made_f = union(best.parts)
    made_v = made_v @ best.T_world_object[:3, :3].T + best.T_world_object[:3, 3]
    a, b = sample_surface(true_v, true_f, SAMPLES, rng), sample_surface(made_v, made_f, SAMPLES, rng)
    to_made, to_true = KDTree(b).query(a)[0], KDTree(a).query(b)[0]
    kind = family(best.family)
    return {
        "iou": float(np.mean([iou(_mask(truth, v, made_v, made_f), mask) for v, mask in enumerate(truth.masks)])),
        "chamfer": 0.5 * float(to_made.mean() + to_true.mean()),
        "f5": _f_score(to_made, to_true, 0.05),
        "f2": _f_score(to_made, to_true, 0.02),
        "seat_cm": 100 * abs(best.parameters[kind.support] - truth.parameters[truth.family.support]),
        "top_cm": 100 * abs(float(made_v[:, 2].max() - true_v[:, 2].max())),
        "family": float(bool(set(kind.categories) & set(truth.family.categories))),
    }


def _f_score(to_made: np.ndarray, to_true: np.ndarray, tau: float) -> float:
    recall, precision = float((to_made < tau).mean()), float((to_true < tau).mean())
    return 2 * recall * precision / max(recall + precision, 1e-9)


def _mask(truth: Truth, view: int, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    uv, z = project(truth.cameras, view, vertices), depth(truth.cameras, view, vertices)
    return np.isfinite(rasterize_depth(uv, z, faces, height=HEIGHT, width=WIDTH)[0])


def _place(vertices: np.ndarray, pose: np.ndarray) -> np.ndarray:
    return vertices @ rotation_about_z(pose[2]).T + [pose[0], pose[1], 0.0]


def _summary(rows: list[dict[str, float]], count: int) -> list[str]:
    def mean_and_spread(key: str) -> str:
        values = np.array([row[key] for row in rows]).reshape(-1, count)
        return f"{values.mean():.3f} ± {values.mean(1).std():.3f}"

    def quantile(key: str, q: float) -> str:
        return f"{np.quantile([row[key] for row in rows], q):.1f}"

    chamfer = f"{np.median([row['chamfer'] for row in rows]):.3f}"
    scores = [mean_and_spread("iou"), chamfer, mean_and_spread("f5"), mean_and_spread("f2")]
    seat = f"{quantile('seat_cm', 0.5)} / {quantile('seat_cm', 0.9)}"
    return [str(len(rows)), *scores, seat, quantile("top_cm", 0.5), f"{np.mean([r['family'] for r in rows]):.2f}",
            f"{np.mean([r['cpu'] for r in rows]):.2f}"]  # fmt: skip


if __name__ == "__main__":
    main(tyro.cli(Args))
