"""The embedded generator against truth: held-out procedural furniture, Infinigen's, real meshes; beside retrieval and the fit.

python benchmarks/generator.py crops  --sources procedural infinigen sweethome --folder CACHE --weights FOLDER --data DATA
python benchmarks/generator.py placed --sources infinigen --count 14 --conditions all --out FOLDER
python benchmarks/generator.py time   --sources procedural --count 12

`crops`: the network alone, from one to three crops, told nothing, what calibrated cameras tell, or extents and turn too;
compared in the object's own frame, beside the nearest training object of the same category stretched to the true extents.
`placed`: whole generators from calibrated photos, compared in the world. `time`: CPU seconds of four samples of an object.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
import tyro
from generator_items import Item, Retrieval, Seen, Source, TrainingSet, items_of, observation_of, stretched
from object_fit import solid_iou
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import ConvexPart
from hsimul3r.errors import BadMesh
from hsimul3r.generator.choice import ChoiceConfig
from hsimul3r.generator.fit import ParametricGenerator
from hsimul3r.generator.flow.attach import AttachConfig, attach
from hsimul3r.generator.flow.dataset import crop_tensor, view_numbers
from hsimul3r.generator.flow.generator import SHIPPED, FlowConfig, FlowGenerator
from hsimul3r.generator.flow.network import Condition, PartFlow
from hsimul3r.generator.flow.pictures import Picture, random_looks, take_picture
from hsimul3r.generator.flow.primitives import convex_parts, without_mirrors
from hsimul3r.generator.flow.sampling import SamplingConfig, noise_of, sample
from hsimul3r.generator.flow.tokens import Outline, decode, outline_numbers
from hsimul3r.generator.flow.weights import load_network
from hsimul3r.generator.protocol import Candidate
from hsimul3r.generator.synthetic import CLEAN, Conditions, Truth, mesh_mask
from hsimul3r.geometry.masks import iou
from hsimul3r.geometry.mesh import Surface, manifold_of, sample_surface, union
from hsimul3r.metrics.shape import support_height, surface_likeness

TAU: Final = 0.05
"""Threshold of the F-score, of the true object's longest side."""
POINTS: Final = 2500
TOLD: Final = {
    "nothing": (0.0, 0.0, 0.0, 0.0),
    "cameras": (1.0, 0.0, 1.0, 0.0),
    "cameras, turn, extents": (1.0, 1.0, 1.0, 1.0),
}
"""What the network is told: turns of the cameras, of the object, widths of the crops, extents."""
CONDITIONS: Final = {
    "clean": CLEAN,
    "all": Conditions(),
    "all + sitter": Conditions(has_supports=True),
    "all, 2 views": Conditions(views=2),
    "all, 1 view": Conditions(views=1),
}
Row = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Args:
    """Benchmark of the embedded generator."""

    what: tyro.conf.Positional[Literal["crops", "placed", "time"]]
    sources: tuple[Source, ...] = ("procedural",)
    count: int = 48
    """Objects of a source; of one that has fewer, all."""
    folder: Path = Path("sweethome")
    """Where sweethome3d-furniture and what the gate made of it are kept or fetched to."""
    weights: Path = SHIPPED
    data: Path | None = None
    """Training objects to retrieve from."""
    told: tuple[str, ...] = ("nothing", "cameras", "cameras, turn, extents")
    """What the network is told of its crops: keys of TOLD."""
    views: tuple[int, ...] = (1, 2, 3)
    is_attachment_compared: bool = True
    """Also without bringing together what nearly touches."""
    conditions: tuple[str, ...] = ("all",)
    rows: tuple[str, ...] = ("part_flow, 1 sample", "part_flow", "parametric")
    """Generators that are placed; also "retrieval"."""
    seeds: tuple[int, ...] = (0,)
    """Of pictures, noise and searches; objects are the same ones."""
    seed: tyro.conf.Suppress[int] = 0
    """The one at hand."""
    out: Path | None = None
    """Every object's figures as JSON lines."""


def main(args: Args) -> None:
    torch.set_num_threads(1)
    console = Console(width=170)
    network = load_network(args.weights)
    training = TrainingSet.read(args.data) if args.data else None
    for source in args.sources:
        items = items_of(source, args.count, args.folder)
        if args.what == "time":
            console.print(times_of(items, network, args), highlight=False)
            continue
        rows: dict[str, list[Row]] = {}
        for one in (replace(args, seed=seed) for seed in args.seeds):
            found = crop_rows(items, network, training, one) if args.what == "crops" else placed_rows(items, training, one)
            _write(args.out, source, one.seed, found)
            for name, figures in found.items():
                rows.setdefault(name, []).extend(figures)
        console.print(_table(f"{args.what}: {source}, {len(items)} objects", rows, len(args.seeds)))


# --- the network alone ------------------------------------------------------------


def crop_rows(items: Sequence[Item], network: PartFlow, training: TrainingSet | None, args: Args) -> dict[str, list[Row]]:
    """Figures of every object by row of the table."""
    pictures = [_pictures(item, args.seed) for item in items]
    rows: dict[str, list[Row]] = {}
    for told, views in product(args.told, args.views):
        rows |= _drawn(items, pictures, network, TOLD[told], views, f"{told}; {views} view{'s' * (views > 1)}", args)
    if training is not None:
        for name, kind in (
            ("retrieval, nearest extents", Retrieval.NEAREST),
            ("retrieval, any of the category", Retrieval.ANY),
        ):
            rows[name] = [_own_frame(training.parts(item, kind, args.seed), item) for item in items]
    return rows


def _pictures(item: Item, seed: int) -> tuple[Picture, ...]:
    rng = np.random.default_rng([31, seed, item.number])
    return tuple(take_picture(item.model, look, rng) for look in random_looks(rng, 3))


def _condition(items: Sequence[Item], pictures: Sequence[tuple[Picture, ...]], known: tuple, views: int) -> Condition:
    """As training has it (dataset.condition_of)."""
    numbers = np.stack([[_outline(item, picture) for picture in seen[:views]] for item, seen in zip(items, pictures)])
    flags = np.tile(known, (len(items), 1))
    side = np.array([[p.side_m for p in seen[:views]] for seen in pictures])
    size = np.concatenate([numbers[:, 0, :3] * flags[:, 3:], flags[:, 3:]], axis=1)
    crops = crop_tensor(
        np.stack([[p.luminance for p in seen[:views]] for seen in pictures]),
        np.stack([[p.labels for p in seen[:views]] for seen in pictures]),
    )
    return Condition(
        crops=crops, is_seen=torch.ones(len(items), views, dtype=torch.bool), size=torch.from_numpy(size).float(),
        views=torch.from_numpy(view_numbers(numbers, side, flags)).float(),
    )  # fmt: skip


def _outline(item: Item, picture: Picture) -> np.ndarray:
    look = picture.look
    return outline_numbers(Outline(extents_m=item.extents_m, yaw=look.yaw, elevation=look.elevation))


def _drawn(
    items: Sequence[Item], pictures: Sequence[tuple[Picture, ...]], network: PartFlow, known: tuple, views: int, name: str,
    args: Args,
) -> dict[str, list[Row]]:  # fmt: skip
    """One sample for each object, with and without attachment."""
    start = time.process_time()
    with torch.no_grad():
        memory = network.remember(_condition(items, pictures, known, views))
    made = sample(network, memory, noise_of([args.seed + i for i in range(len(items))]), SamplingConfig()).double().numpy()
    cpu = (time.process_time() - start) / len(items)
    return {
        name + label: [_figures(*one, known, cfg) | {"cpu": cpu} for one in zip(made, items, pictures)]
        for label, cfg in (("", AttachConfig()), (", not attached", AttachConfig(reach_m=0.0)))
        if args.is_attachment_compared or not label
    }


def _figures(
    tokens: np.ndarray, item: Item, pictures: tuple[Picture, ...], known: tuple[float, ...], cfg: AttachConfig
) -> Row:  # fmt: skip
    """One sample against its truth; made as large as the object where that is known."""
    parts, outline = decode(tokens)
    single = without_mirrors(parts)
    attached = attach(single, cfg) if single else None
    solids = convex_parts(attached.primitives) if attached else ()
    if known[3] and solids:
        solids = stretched(solids, item.extents_m)
    turn = outline.yaw - pictures[0].look.yaw
    return _own_frame(solids, item) | {
        "one_piece": float(attached is not None and attached.pieces == 1),
        "extent_error": float(np.abs(np.log(outline.extents_m / item.extents_m)).mean()),
        "yaw_deg": float(np.degrees(abs(np.arctan2(np.sin(turn), np.cos(turn))))),
    }


def _own_frame(parts: Sequence[ConvexPart], item: Item) -> Row:
    try:
        return compared(union(parts), (item.vertices, item.faces)) | {"parts": float(len(parts))}
    except BadMesh:
        return FAILED


FAILED: Final[Row] = {"f": 0.0, "chamfer": 1.0, "iou3d": 0.0, "seat_cm": 50.0, "parts": 0.0}
"""Nothing was made."""


def compared(made: Surface, true: Surface) -> Row:
    """Both in one frame; lengths in longest sides of the truth where not in cm."""
    size = float(np.ptp(true[0], axis=0).max())
    rng = np.random.default_rng(0)
    like = surface_likeness(
        sample_surface(*made, POINTS, rng) / size, sample_surface(*true, POINTS, rng) / size, threshold=TAU
    )  # fmt: skip
    solids = [manifold_of(*made, "made"), manifold_of(*true, "true")]
    return {
        "f": like.f_score / 100, "chamfer": like.chamfer, "iou3d": solid_iou(*solids),
        "seat_cm": 100 * abs(support_height(*made) - support_height(*true)),
    }  # fmt: skip


# --- whole generators ------------------------------------------------------------


def placed_rows(items: Sequence[Item], training: TrainingSet | None, args: Args) -> dict[str, list[Row]]:
    """Figures of every object by generator and condition."""
    rows: dict[str, list[Row]] = {}
    for condition in args.conditions:
        for item in items:
            seen = observation_of(item, CONDITIONS[condition], args.seed)
            for name in args.rows:
                row = _placed(lambda: _made(name, item, seen, training, args), seen[1])  # noqa: B023 (called at once)
                rows.setdefault(f"{name}; {condition}", []).append(row)
        if {"part_flow", "parametric"} <= set(args.rows):
            rows[f"auto; {condition}"] = _chosen(rows[f"part_flow; {condition}"], rows[f"parametric; {condition}"])
    return rows


def _made(name: str, item: Item, seen: Seen, training: TrainingSet | None, args: Args) -> Candidate:
    """The object of one generator."""
    observation, truth, images = seen
    if name == "parametric":
        return ParametricGenerator().generate(observation, count=2, seed=args.seed)[0]
    if name == "retrieval" and training is not None:
        return training.placed(item, observation, truth, args.seed)
    cfg = FlowConfig(weights=str(args.weights))
    if name == "part_flow, 1 sample":
        cfg = replace(cfg, samples=1, kept=1)
    return FlowGenerator.load(images, cfg=cfg).generate(observation, count=1, seed=args.seed)[0]


def _placed(make: Callable[[], Candidate], truth: Truth) -> Row:
    start = time.process_time()
    try:
        best = make()
    except BadMesh:
        return FAILED | {"iou": 0.0, "energy": 1.0, "one_piece": 0.0, "cpu": time.process_time() - start}
    cpu = time.process_time() - start
    vertices, faces = union(best.parts)
    world = vertices @ best.T_world_object[:3, :3].T + best.T_world_object[:3, 3]
    masks = [mesh_mask(truth.cameras, v, world, faces) for v in range(len(truth.masks))]
    return compared((world, faces), (truth.vertices, truth.shape.faces)) | {
        "iou": float(np.mean([iou(drawn, mask) for drawn, mask in zip(masks, truth.masks)])), "parts": float(len(best.parts)),
        "one_piece": float(best.parameters.get("pieces", 1.0) == 1.0), "energy": best.energy, "cpu": cpu,
    }  # fmt: skip


def _chosen(flow: Sequence[Row], fit: Sequence[Row]) -> list[Row]:
    """What ChoiceGenerator takes of the two."""
    margin = ChoiceConfig().learnt_margin
    is_learnt = [a["energy"] + margin < b["energy"] for a, b in zip(flow, fit)]
    return [
        (a if learnt else b) | {"cpu": a["cpu"] + b["cpu"], "learnt": float(learnt)}
        for a, b, learnt in zip(flow, fit, is_learnt)
    ]


def times_of(items: Sequence[Item], network: PartFlow, args: Args) -> str:
    """Mean and longest CPU time of four samples from three crops of an object, and with their placing."""
    spent: list[tuple[float, float]] = []
    for item in items:
        observation, _, images = observation_of(item, CONDITIONS["all"], args.seed)
        generator = FlowGenerator(network, images)
        start = time.process_time()
        generator.samples(observation, count=4, seed=args.seed)
        sampled = time.process_time()
        generator.generate(observation, count=1, seed=args.seed)
        spent.append((sampled - start, time.process_time() - sampled))
    (sampling, whole), (most, longest) = np.mean(spent[1:], axis=0), np.max(spent[1:], axis=0)
    return (
        f"CPU s of four samples: {sampling:.2f} (at most {most:.2f}); with their placing: {whole:.2f} (at most {longest:.2f}); "
        f"{len(spent) - 1} objects, the first, which compiles, left out"
    )


# --- tables ------------------------------------------------------------

COLUMNS: Final[dict[str, tuple[str, Callable[[np.ndarray], str]]]] = {
    "f": ("F", lambda v: f"{v.mean():.3f} ± {v.mean(axis=0).std() / np.sqrt(v.shape[1]):.3f}"),
    "f_seeds": ("of seeds", lambda v: f"± {v.mean(axis=1).std(ddof=1):.3f}" if len(v) > 1 else ""),
    "chamfer": ("Chamfer", lambda v: f"{v.mean():.4f}"),
    "iou3d": ("3D IoU", lambda v: f"{v.mean():.3f}"),
    "iou": ("silhouette IoU", lambda v: f"{v.mean():.3f}"),
    "seat_cm": ("seat cm med/p90", lambda v: f"{np.median(v):.1f} / {np.quantile(v, 0.9):.1f}"),
    "one_piece": ("one piece", lambda v: f"{v.mean():.2f}"),
    "parts": ("convex parts", lambda v: f"{v.mean():.1f}"),
    "extent_error": ("|log extents|", lambda v: f"{v.mean():.3f}"),
    "yaw_deg": ("yaw deg med", lambda v: f"{np.median(v):.0f}"),
    "energy": ("energy", lambda v: f"{v.mean():.3f}"),
    "learnt": ("learnt", lambda v: f"{v.mean():.2f}"),
    "cpu": ("CPU s", lambda v: f"{v.mean():.2f}"),
}
"""Of figures by seed and object: standard errors are over objects, of their means over seeds; those of seeds beside."""


def _table(title: str, rows: dict[str, list[Row]], seeds: int) -> Table:
    shown = {name: [row | {"f_seeds": row["f"]} for row in figures] for name, figures in rows.items()}
    used = [key for key in COLUMNS if any(key in row for figures in shown.values() for row in figures)]
    table = Table("row", *(COLUMNS[key][0] for key in used), title=f"{title}, {seeds} seed{'s' * (seeds > 1)}")
    for name, figures in shown.items():
        by_seed = {key: np.array([row[key] for row in figures]).reshape(seeds, -1) for key in used if key in figures[0]}
        table.add_row(name, *(COLUMNS[key][1](by_seed[key]) if key in by_seed else "" for key in used))
    return table


def _write(out: Path | None, source: str, seed: int, rows: dict[str, list[Row]]) -> None:
    if out is None:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as file:
        for name, figures in rows.items():
            file.writelines(
                json.dumps({"source": source, "seed": seed, "row": name, "object": i} | row) + "\n"
                for i, row in enumerate(figures)
            )


if __name__ == "__main__":
    main(tyro.cli(Args))
