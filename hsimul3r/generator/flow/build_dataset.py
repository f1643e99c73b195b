"""Objects to train on, from seeds: python -m hsimul3r.generator.flow.build_dataset --count 6000 --views 3 --out FOLDER

Shards that are there already stay; a second call with a larger count adds to them.
"""

import logging
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tyro

from hsimul3r.generator.flow.dataset import SHARD, make_objects, read_shard, shard_path, split_seeds, write_shard

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BuildDatasetConfig:
    """Settings of `build_dataset`."""

    out: Path
    count: int = 6000
    held_out: int = 250
    views: int = 3
    workers: int = 1


def build_dataset(cfg: BuildDatasetConfig) -> int:
    """Write the shards that are missing; returns how many that were. The last shard of a smaller call is made anew where it
    was not full."""
    tasks = [
        (shard_path(cfg.out, split, index), split_seeds(split, index, count), cfg.views)
        for split, count in (("train", cfg.count), ("held_out", cfg.held_out))
        for index in range(-(-count // SHARD))
    ]
    missing = [task for task in tasks if not _is_whole(*task[:2])]
    if cfg.workers == 1:
        for task in missing:
            _make(*task)
        return len(missing)
    with ProcessPoolExecutor(max_workers=cfg.workers) as pool:
        for done in [pool.submit(_make, *task) for task in missing]:
            done.result()
    return len(missing)


def _is_whole(path: Path, seeds: range) -> bool:
    return path.exists() and len(read_shard(path).seeds) >= len(seeds)


def _make(path: Path, seeds: range, views: int) -> None:
    write_shard(path, make_objects(seeds, views))
    log.info("%s: %d objects", path, len(seeds))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    build_dataset(tyro.cli(BuildDatasetConfig))
