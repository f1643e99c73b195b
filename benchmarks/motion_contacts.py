"""Contacts read off motions alone, against the truth of HSIBench's motions.

    python benchmarks/motion_contacts.py --count 22

stages the motions, reads what feet, hands, buttocks and thighs rest on from the moving body (nothing of objects or labels goes
in), and prints by part how many of the frames said to touch do, how many of those that touch were said, and how far the
beginnings and ends of the intervals are off. Thresholds of `RestConfig` were chosen on 30 of these motions: no held-out test.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import tyro
from control_cases import MOTION, cases_of, staged_scene
from jaxtyping import Int
from numpy import ndarray
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import AlignedScene, Contact
from hsimul3r.body.model import embedded_body
from hsimul3r.errors import NotPosable
from hsimul3r.interaction.contacts_from_motion import Moves, Rest, rests_of

CONSOLE = Console(width=120, markup=False)
NONE, ON_FLOOR, RAISED = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Args:
    """How many motions, in turn of all kinds."""

    count: int = 11


@dataclass(kw_only=True)
class Tally:
    """Frames of one kind of part over all motions, and frames by which found intervals are off."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    off: list[int] = field(default_factory=list)


def main(args: Args) -> None:
    tallies: dict[str, Tally] = defaultdict(Tally)
    for name in cases_of(MOTION, args.count):
        try:
            scene = staged_scene(name)
        except NotPosable as error:
            CONSOLE.print(f"{name}: {error.reason}")
            continue
        rests = rests_of(Moves.of(embedded_body(), scene.bodies[0]))
        for part in sorted({contact.part for contact in scene.contacts} | {rest.part for rest in rests}):
            count(tallies[part.split("_")[-1]], part, scene, rests)
        CONSOLE.print(f"{name}: {len(rests)} rests, {len(scene.contacts)} true contacts")
    CONSOLE.print(summary(tallies))


def count(tally: Tally, part: str, scene: AlignedScene, rests: tuple[Rest, ...]) -> None:
    """Add one part of one motion."""
    frames = len(scene.bodies[0].pose)
    found = [(rest.first, rest.last, ON_FLOOR if rest.is_on_floor else RAISED) for rest in rests if rest.part == part]
    true = [interval(contact, frames) for contact in scene.contacts if contact.part == part]
    said, is_so = labels(found, frames), labels(true, frames)
    tally.right += int(((is_so != NONE) & (said == is_so)).sum())
    tally.wrong += int(((said != NONE) & (said != is_so)).sum())
    tally.missed += int(((is_so != NONE) & (said != is_so)).sum())
    for first, last, where in true:
        same = [(a, b) for a, b, place in found if place == where and a <= last and b >= first]
        tally.off += [edge for a, b in same[:1] for edge in (abs(a - first), abs(b - last))]


def interval(contact: Contact, frames: int) -> tuple[int, int, int]:
    last = frames - 1 if contact.last is None else contact.last
    return contact.first, last, ON_FLOOR if contact.target == "floor" else RAISED


def labels(intervals: list[tuple[int, int, int]], frames: int) -> Int[ndarray, "frames"]:
    told = np.full(frames, NONE)
    for first, last, where in intervals:
        told[first : last + 1] = where
    return told


def summary(tallies: dict[str, Tally]) -> Table:
    table = Table("part", "frames in contact", "precision", "recall", "edges off, median / 95% [frames]")
    for part, tally in sorted(tallies.items()):
        off = f"{np.median(tally.off):.0f} / {np.percentile(tally.off, 95):.0f}" if tally.off else "-"
        precision = tally.right / max(tally.right + tally.wrong, 1)
        recall = tally.right / max(tally.right + tally.missed, 1)
        table.add_row(part, str(tally.right + tally.missed), f"{precision:.2f}", f"{recall:.2f}", off)
    return table


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
