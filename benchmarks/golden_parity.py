"""Our networks against golden tensors of the official code: model, tensors, largest difference, tolerance.

python benchmarks/golden_parity.py --golden <folder of golden tensors> [--details]
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from parity import dust3r, hmr2, midi, recurrent, sat_hmr
from parity.golden import Check, Compared, Golden
from rich.console import Console
from rich.table import Table

CHECKS: dict[str, Check] = {**dust3r.CHECKS, **recurrent.CHECKS, **midi.CHECKS, **hmr2.CHECKS, **sat_hmr.CHECKS}
"""What is compared for each golden folder; a folder without a check is said to have none."""


@dataclass(frozen=True, kw_only=True)
class Args:
    """Parity with golden tensors."""

    golden: Path
    """Folder of golden folders, each with config.json, weights.safetensors and io.safetensors."""
    models: tuple[str, ...] = ()
    """Which of them; all where none is named."""
    details: bool = False
    """One line a tensor."""


def main(args: Args) -> int:
    folders = {path.parent.name: path.parent for path in sorted(args.golden.glob("*/io.safetensors"))}
    found: dict[str, list[Compared]] = {}
    table = Table("model", "tensors", "max difference", "closest to its tolerance", "holds")
    for name in folders.keys() & CHECKS.keys() & set(args.models or CHECKS):
        golden = Golden.read(folders[name])
        found[name] = list(CHECKS[name](golden))
    for name in sorted(found):
        table.add_row(*summary(name, found[name]))
    console = Console()
    console.print(table)
    if args.details:
        console.print(details(found))
    if unchecked := sorted(folders.keys() - CHECKS.keys()):
        console.print(f"No check: {', '.join(unchecked)}")
    return 0 if found and all(row.holds for rows in found.values() for row in rows) else 1


def summary(name: str, rows: list[Compared]) -> list[str]:
    """The model's tensors, the largest difference, and that which comes closest to its tolerance."""
    ours = [row for row in rows if not row.official_only]
    worst = max(ours, key=lambda row: row.difference / max(row.tolerance, 1e-12))
    closest = f"{worst.name}: {worst.difference:.1e} of {worst.tolerance:.1e}"
    largest = max(row.difference for row in ours)
    return [name, str(len(rows)), f"{largest:.1e}", closest, "yes" if all(row.holds for row in rows) else "NO"]


def details(found: dict[str, list[Compared]]) -> Table:
    table = Table("model", "tensor", "difference", "tolerance", "holds")
    for name, rows in found.items():
        for row in rows:
            table.add_row(name, row.name, f"{row.difference:.1e}", f"{row.tolerance:.1e}", "yes" if row.holds else "NO")
    return table


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Args)))
