"""What is written down about every case that was tried: the record beside the case, the manifest and the table of all.

<out>/<case>/truth/case.json   a case that is in the benchmark: what it is, its figures, the time it took, its files' hashes
<out>/refused/<case>.json      a case that is not, and why; it is not tried again while its key holds
<out>/manifest.json            all cases of a build and everything that was refused on the way
<out>/summary.md               the same as tables
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal

import numpy as np

from hsimul3r import __version__
from hsimul3r.benchmark.scene import CaseSpec
from hsimul3r.body.model import embedded_body
from hsimul3r.files import write_whole

Status = Literal["built", "not posable", "not true", "not stable", "not in view"]
STATUSES: tuple[Status, ...] = ("built", "not posable", "not true", "not stable", "not in view")
RECORD = "truth/case.json"
REFUSED = "refused"
STEPS = ("staging", "check", "stability", "look", "render", "develop", "write")
"""What a case's time is spent on, in order."""

_ROOT = Path(__file__).parents[2]
_MAKERS = ("hsimul3r/benchmark/**/*.py", "hsimul3r/benchmark/**/*.npz", "hsimul3r/body/data/*", "sim_envs/photograph.py")
"""The files that the pictures and the truth of a case follow from, beside its specification."""


@dataclass(frozen=True, kw_only=True)
class CaseRecord:
    """One case that was tried."""

    name: str
    key: str
    kind: str
    interaction: str
    split: str
    objects: tuple[str, ...]
    sex: str
    stature_m: float
    seed: int
    status: Status
    reason: str = ""
    figures: dict[str, float | None] = field(default_factory=dict)
    ring: tuple[int, ...] = ()
    """Places of the photos in the ring of cameras; empty for a video."""
    images: int = 0
    cpu_s: dict[str, float] = field(default_factory=dict)
    """By step, of all threads of the process."""
    wall_s: float = 0.0
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of every file of the case but this record, by its path in the case's folder."""

    @property
    def is_built(self) -> bool:
        return self.status == "built"


def record_of(spec: CaseSpec, key: str, status: Status, **found: Any) -> CaseRecord:
    """The record of a case: what its specification says, and what was `found`."""
    return CaseRecord(
        name=spec.name,
        key=key,
        kind=spec.kind,
        interaction=spec.interaction,
        split=spec.difficulty,
        objects=spec.objects,
        sex=spec.subject.sex,
        stature_m=round(float(embedded_body().stature(spec.subject.betas)), 4),
        seed=spec.seed,
        status=status,
        **found,
    )


def generator_hash() -> str:
    """Hash of the code and data that make cases."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(path for pattern in _MAKERS for path in _ROOT.glob(pattern) if path.is_file()):
        digest.update(str(path.relative_to(_ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def case_key(spec: CaseSpec, views: int, generator: str) -> str:
    """Everything that a case follows from, as one hash."""
    parts = [generator, views if spec.kind == "pose" else 0, asdict(spec)]
    return hashlib.sha256(json.dumps(parts, default=np.ndarray.tolist).encode()).hexdigest()


def save_record(record: CaseRecord, path: Path) -> None:
    write_whole(path, as_json(asdict(record)))


def load_record(path: Path) -> CaseRecord | None:
    """None where there is none that can be read."""
    try:
        return record_from(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def record_from(entries: Mapping[str, Any]) -> CaseRecord:
    """A record from the entries that JSON gives back."""
    return CaseRecord(**{**entries, **{name: tuple(entries[name]) for name in ("objects", "ring")}})


def find_record(out: Path, name: str, key: str) -> CaseRecord | None:
    """The record of a case that was finished, or refused, with that key."""
    found = (load_record(path) for path in (out / name / RECORD, out / REFUSED / f"{name}.json"))
    return next((record for record in found if record is not None and record.key == key), None)


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a case's folder but its record."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / RECORD)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def as_json(value: object) -> str:
    """Indented JSON; numbers that are not finite become null."""
    return json.dumps(_finite(value), indent=1, allow_nan=False) + "\n"


def write_manifest(out: Path, cases: Sequence[CaseRecord], refused: Sequence[CaseRecord], generator: str) -> None:
    """`manifest.json` and `summary.md` of the cases of a build, and of those that it refused on the way."""
    tried = (*cases, *refused)
    manifest = {
        "benchmark": "HSIBench of hsimul3r",
        "version": __version__,
        "generator": generator,
        "counts": {status: sum(record.status == status for record in tried) for status in STATUSES},
        "cases": [asdict(record) for record in cases],
        "refused": [asdict(record) for record in refused],
    }
    write_whole(out / "manifest.json", as_json(manifest))
    write_whole(out / "summary.md", summary(tried))


def summary(tried: Sequence[CaseRecord]) -> str:
    """Rates by split and interaction, figures of the truth, and time, as Markdown."""
    built = [record for record in tried if record.is_built]
    by_split, by_interaction = (_rates(tried, name, attrgetter(name)) for name in ("split", "interaction"))
    parts = (["# HSIBench: what was built"], by_split, by_interaction, _figures(built), _times(built))
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _rates(tried: Sequence[CaseRecord], title: str, group: Callable[[CaseRecord], str]) -> list[str]:
    """How many were tried and what became of them; "stable" is the share of the true ones that the engine holds."""
    lines = [f"| {title} | tried | {' | '.join(STATUSES)} | stable of the true |", "|---" * (len(STATUSES) + 3) + "|"]
    for name in (*sorted({group(record) for record in tried}), "all"):
        count = Counter(record.status for record in tried if name in (group(record), "all"))
        stable = count["built"] + count["not in view"]
        true = stable + count["not stable"]
        share = f"{stable / true:.1%}" if true else ""
        lines.append(f"| {name} | {count.total()} | {' | '.join(str(count[status]) for status in STATUSES)} | {share} |")
    return lines


def _figures(built: Sequence[CaseRecord]) -> list[str]:
    """Median and worst of every figure of the truth."""
    lines = ["| figure of the truth | median | largest |", "|---|---|---|"]
    for name in dict.fromkeys(name for record in built for name in record.figures):
        values = [value for record in built if (value := record.figures.get(name)) is not None]
        if values:
            lines.append(f"| {name} | {median(values):.4g} | {max(values):.4g} |")
    return lines


def _times(built: Sequence[CaseRecord]) -> list[str]:
    """Mean CPU seconds a case by step, and what a picture costs."""
    lines = ["| kind | cases | " + " | ".join(STEPS) + " | CPU s a case | CPU s a picture |", "|---" * (len(STEPS) + 4) + "|"]
    for kind in sorted({record.kind for record in built}):
        records = [record for record in built if record.kind == kind]
        steps = [fmean(record.cpu_s.get(step, 0.0) for record in records) for step in STEPS]
        images = sum(record.images for record in records)
        pictures = sum(record.cpu_s.get(step, 0.0) for record in records for step in ("render", "develop", "write"))
        cells = [f"{seconds:.2f}" for seconds in (*steps, sum(steps), pictures / max(images, 1))]
        lines.append(f"| {kind} | {len(records)} | {' | '.join(cells)} |")
    return lines


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
