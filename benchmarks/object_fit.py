"""Furniture from silhouettes against truth: the fitter's own families, and objects that it has never heard of.

python benchmarks/object_fit.py --count 12 --seeds 3
python benchmarks/object_fit.py --source sweethome --folder <cache> --count 24 --conditions clean all
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import tyro
from manifold3d import Manifold
from rich.console import Console
from rich.table import Table
from scipy.spatial import KDTree

from hsimul3r.benchmark.objects.catalogue import CATALOGUE, build_furniture
from hsimul3r.benchmark.objects.meshes import gated_furniture, shipped_furniture, shipped_meshes
from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.benchmark.objects.sweethome import fetch, models, read_soup
from hsimul3r.benchmark.objects.usable import SEATS
from hsimul3r.errors import GateRefused, Hsimul3rError
from hsimul3r.generator.families import family
from hsimul3r.generator.fit import ParametricGenerator
from hsimul3r.generator.protocol import Candidate, Observation
from hsimul3r.generator.synthetic import (
    CLEAN,
    Conditions,
    Shape,
    Truth,
    mesh_mask,
    mesh_observation,
    synthetic_observation,
)
from hsimul3r.geometry.masks import iou
from hsimul3r.geometry.mesh import manifold_of, sample_surface, union

ALL = Conditions()
CONDITIONS = {
    "clean": CLEAN,
    "noise + person": replace(ALL, camera_angle_deg=0.0, camera_place_m=0.0),
    "all": ALL,
    "all + sitter's contact": replace(ALL, has_supports=True),
    "all, 3 views": replace(ALL, views=3),
}
SAMPLES = 8000
SHIFTS = 8
GATE_NODES = 1e6
T = TypeVar("T")
Source = Literal["families", "catalogue", "infinigen", "sweethome"]
Make = Callable[[int, int, Conditions], tuple[Observation, Truth]]
"""Observation of object number `index` under a seed."""


@dataclass(frozen=True, kw_only=True)
class Args:
    """Benchmark of the parametric fit."""

    source: Source = "families"
    """Where the objects come from; random members of the fitter's own families, or objects outside them."""
    folder: Path | None = None
    """Where sweethome3d-furniture is kept or fetched to."""
    count: int = 12
    """Objects per condition and seed; of a source that has fewer, all."""
    seeds: int = 3
    conditions: tuple[str, ...] = tuple(CONDITIONS)
    is_verbose: bool = False


def main(args: Args) -> None:
    console = Console(width=150)
    make, count = objects_of(args, console)
    columns = ("condition", "n", "silhouette IoU", "3D IoU", "shifted", "Chamfer m", "F@5", "F@2", "seat med/p90 cm",
               "top med cm", "family", "CPU s")  # fmt: skip
    table = Table(*columns, title=f"{args.source}: {count} objects, {args.seeds} seeds (mean ± spread of the seeds' means)")
    for name in args.conditions:
        rows = [
            measure(make, CONDITIONS[name], seed, i, console if args.is_verbose else None)
            for seed in range(args.seeds)
            for i in range(count)
        ]
        table.add_row(name, *_summary(rows, count))
    console.print(table)


def objects_of(args: Args, console: Console) -> tuple[Make, int]:
    """Maker of observations and how many objects there are."""
    if args.source == "families":
        return (lambda index, seed, conditions: synthetic_observation(1000 * seed + index, conditions)), args.count
    if args.source == "sweethome":
        furniture = sweethome(args.folder, args.count, console)
    else:
        shipped = shipped_meshes()
        names = shipped if args.source == "infinigen" else tuple(name for name in CATALOGUE if name not in shipped)
        furniture = [(shipped_furniture if name in shipped else build_furniture)(name) for name in _spread(names, args.count)]
    shapes = [shape_of(one) for one in furniture]
    return (lambda index, seed, conditions: mesh_observation(1000 * seed + index, conditions, shapes[index])), len(shapes)


def sweethome(folder: Path | None, count: int, console: Console) -> list[Furniture]:
    """About `count` real meshes, spread evenly over the catalogues; how many the gate refused is said."""
    if folder is None:
        raise Hsimul3rError("Give --folder, where sweethome3d-furniture is kept or shall be fetched to.")
    usable = models(fetch(folder))
    furniture, refused = [], []
    for model in _spread(usable, count):
        try:
            furniture.append(gated_furniture(model.name, model.category, read_soup(model), nodes=GATE_NODES, pieces=1))
        except GateRefused as error:
            refused.append(f"{model.name} {error.reason}")
    console.print(f"{len(furniture)} of {len(furniture) + len(refused)} meshes passed the gate; refused: {refused}")
    return furniture


def _spread(items: Sequence[T], count: int) -> Sequence[T]:
    """`count` of the items, evenly spaced, or all where there are fewer."""
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))]


def shape_of(furniture: Furniture) -> Shape:
    vertices, faces = furniture.mesh or union([piece.shape for piece in furniture.pieces], furniture.name)
    places = [surface for surface in furniture.surfaces if surface.kind in ("seat", "top")]
    ends = [surface.centre[0] + side * surface.size_m[0] / 2 for surface in places for side in (-1, 1)] or [0.0]
    y = float(np.mean([surface.centre[1] for surface in places])) if places else 0.0
    return Shape(
        name=furniture.name, categories=(furniture.category,), vertices=vertices, faces=faces, width_m=max(ends) - min(ends),
        support=np.array([(min(ends) + max(ends)) / 2, y, furniture.support_height_m]), is_seat=furniture.category in SEATS,
    )  # fmt: skip


def measure(make: Make, conditions: Conditions, seed: int, index: int, console: Console | None) -> dict[str, float]:
    """Fit one object and compare it with its truth."""
    observation, truth = make(index, seed, conditions)
    start = time.process_time()
    best, *_ = ParametricGenerator().generate(observation, count=2, seed=seed)
    cpu = time.process_time() - start
    row = {**_compare(best, truth), "cpu": cpu, "seed": seed}
    if console is not None:
        console.print(truth.shape.name, "->", best.family, {k: round(v, 3) for k, v in row.items()})
    return row


def _compare(best: Candidate, truth: Truth) -> dict[str, float]:
    rng = np.random.default_rng(0)
    true_v, true_f = truth.vertices, truth.shape.faces
    made_v, made_f = union(best.parts)
    made_v = made_v @ best.T_world_object[:3, :3].T + best.T_world_object[:3, 3]
    a, b = sample_surface(true_v, true_f, SAMPLES, rng), sample_surface(made_v, made_f, SAMPLES, rng)
    to_made, to_true = KDTree(b).query(a)[0], KDTree(a).query(b)[0]
    kind = family(best.family)
    solid = manifold_of(true_v, true_f, truth.shape.name)
    masks = [mesh_mask(truth.cameras, v, made_v, made_f) for v in range(len(truth.masks))]
    return {
        "iou": float(np.mean([iou(made, mask) for made, mask in zip(masks, truth.masks)])),
        "iou3d": solid_iou(solid, manifold_of(made_v, made_f, "fit")),
        "iou3d_shifted": solid_iou(solid, manifold_of(made_v + _shift(b, a), made_f, "fit")),
        "chamfer": 0.5 * float(to_made.mean() + to_true.mean()),
        "f5": _f_score(to_made, to_true, 0.05),
        "f2": _f_score(to_made, to_true, 0.02),
        "seat_cm": 100 * abs(best.parameters[kind.support] - float(truth.shape.support[2])),
        "top_cm": 100 * abs(float(made_v[:, 2].max() - true_v[:, 2].max())),
        "family": float(bool(set(kind.categories) & set(truth.shape.categories))),
    }


def solid_iou(a: Manifold, b: Manifold) -> float:
    """Volume in common over volume of both together."""
    return (a ^ b).volume() / (a + b).volume()


def _shift(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Translation that brings points onto their nearest ones: what all cameras' common error moves."""
    tree, shift = KDTree(target), np.zeros(3)
    for _ in range(SHIFTS):
        distance, nearest = map(np.asarray, tree.query(points + shift))
        near = distance < np.quantile(distance, 0.8)
        shift = shift + (target[nearest[near]] - points[near] - shift).mean(axis=0)
    return shift


def _f_score(to_made: np.ndarray, to_true: np.ndarray, tau: float) -> float:
    recall, precision = float((to_made < tau).mean()), float((to_true < tau).mean())
    return 2 * recall * precision / max(recall + precision, 1e-9)


def _summary(rows: Sequence[dict[str, float]], count: int) -> list[str]:
    def mean_and_spread(key: str) -> str:
        values = np.array([row[key] for row in rows]).reshape(-1, count)
        return f"{values.mean():.3f} ± {values.mean(1).std():.3f}"

    def quantile(key: str, q: float) -> str:
        return f"{np.quantile([row[key] for row in rows], q):.1f}"

    scores = [mean_and_spread(key) for key in ("iou", "iou3d", "iou3d_shifted", "chamfer", "f5", "f2")]
    seat = f"{quantile('seat_cm', 0.5)} / {quantile('seat_cm', 0.9)}"
    return [str(len(rows)), *scores, seat, quantile("top_cm", 0.5), f"{np.mean([r['family'] for r in rows]):.2f}",
            f"{np.mean([r['cpu'] for r in rows]):.2f}"]  # fmt: skip


if __name__ == "__main__":
    main(tyro.cli(Args))
