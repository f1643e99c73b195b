"""What DUSt3R costs here: the full-size network with random weights on all pairs of a folder of photos, then Eq. 1.

python benchmarks/dust3r_speed.py --photos <folder> [--precision bfloat16] [--size 224]
"""

import resource
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from hsimul3r.images import SUFFIXES, read_photo
from hsimul3r.progress import Progress
from stages.adapters.dense_scene import join_pairs
from stages.adapters.dust3r import Dust3rConfig, predict_pairs
from stages.adapters.networks.blocks import set_precision
from stages.adapters.networks.checkpoints import Precision
from stages.adapters.networks.dust3r_net import Dust3r, Dust3rSizes
from stages.adapters.networks.pictures import prepare


@dataclass(frozen=True, kw_only=True)
class Args:
    """Cost of DUSt3R."""

    photos: Path
    size: int = 512
    precision: Precision = "float32"
    iterations: int = 300


def main(args: Args) -> None:
    console, table = Console(), Table("step", "CPU s", "wall s", "peak memory GB")
    cfg = Dust3rConfig(size=args.size, precision=args.precision, iterations=args.iterations)
    clock = _Clock(table)
    images = [read_photo(path)[0] for path in sorted(args.photos.iterdir()) if path.suffix.lower() in SUFFIXES]
    prepared = [prepare(image, args.size) for image in images]
    torch.manual_seed(0)
    network = Dust3r(Dust3rSizes()).eval()
    set_precision(network, getattr(torch, args.precision))
    clock.lap(f"{len(images)} photos of {prepared[0].size_px[0]} x {prepared[0].size_px[1]}, network made")
    progress = Progress(console)
    maps = predict_pairs(network, prepared, cfg=cfg, progress=progress)
    clock.lap(f"{len(maps)} pairs")
    del network
    people = [np.zeros(image.shape[:2], bool) for image in images]
    scene = join_pairs(maps, prepared, people, np.full(len(images), np.nan), cfg=cfg, progress=progress)
    clock.lap(f"alignment, {args.iterations} steps, and matches")
    console.print(table, f"loss {scene.loss:.4f}, threads {torch.get_num_threads()}")


class _Clock:
    def __init__(self, table: Table):
        self.table = table
        self.start = time.process_time(), time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.process_time(), time.perf_counter()
        spent = [f"{b - a:.1f}" for a, b in zip(self.start, now)]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        self.table.add_row(step, *spent, f"{memory:.2f}")
        self.start = now


if __name__ == "__main__":
    main(tyro.cli(Args))
