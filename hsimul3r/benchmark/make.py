"""Make one case: pose it, check its truth, hold it under gravity, dress it, photograph it, write it down.

<case>/00001.jpg ...          a pose: its photos and nothing else, so that the folder is a capture
<case>/video.mp4              a motion: one film
<case>/truth/                 what truth.py writes
<case>/truth/stability.json   every figure of the engine's verdict on the truth (check.py)
<case>/truth/case.json        the record (records.py)
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from hsimul3r.benchmark.check import Stability, judge_truth, truth_without_pictures
from hsimul3r.benchmark.compose import Composed, compose_case
from hsimul3r.benchmark.pictures import ring_of, seen_from, take_photos, take_video
from hsimul3r.benchmark.posing.check import check_staged, is_true
from hsimul3r.benchmark.posing.motion import stage_motion
from hsimul3r.benchmark.posing.motions_balance import quasi_static_residual
from hsimul3r.benchmark.posing.templates import stage_pose
from hsimul3r.benchmark.records import RECORD, REFUSED, CaseRecord, Status, as_json, file_hashes, record_of, save_record
from hsimul3r.benchmark.scene import CaseSpec, Staged
from hsimul3r.benchmark.truth import Truth, save_truth
from hsimul3r.errors import NotInView, NotPosable
from hsimul3r.files import fresh_folder, remove, write_whole


@dataclass(frozen=True)
class Watch:
    """CPU seconds by step."""

    cpu_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add what the block takes to a step."""
        start = time.process_time()
        try:
            yield
        finally:
            self.cpu_s[name] = round(self.cpu_s.get(name, 0.0) + time.process_time() - start, 4)


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A case whose truth is true and stable, set up for the cameras."""

    truth: Truth
    stability: Stability
    composed: Composed


@dataclass(frozen=True, kw_only=True)
class Examined:
    """Whether a case may be in the benchmark, and why."""

    status: Status
    reason: str
    figures: dict[str, float] = field(default_factory=dict)
    passed: Passed | None = None


def make_case(spec: CaseSpec, *, views: int, key: str, out: Path) -> CaseRecord:
    """Make a case in `out`, or write down there why it is refused; what an older build had of it goes. Returns the record."""
    start, watch = time.perf_counter(), Watch()
    found = examine(spec, watch)
    record = record_of(spec, key, found.status, reason=found.reason, figures=found.figures, cpu_s=watch.cpu_s)
    folder, refusal = out / spec.name, out / REFUSED / f"{spec.name}.json"
    if found.passed is None:
        record = replace(record, wall_s=_since(start))
        save_record(record, refusal)
        remove(folder)
        return record
    with fresh_folder(folder) as fresh:
        ring, images = _photographed(found.passed, views, fresh, watch)
        record = replace(record, ring=ring, images=images, files=file_hashes(fresh), wall_s=_since(start))
        save_record(record, fresh / RECORD)
    refusal.unlink(missing_ok=True)
    return record


def examine(spec: CaseSpec, watch: Watch) -> Examined:
    """Pose a case, judge its truth by geometry and then by the engine, and set it up for the cameras."""
    try:
        with watch.step("staging"):
            staged = stage_pose(spec) if spec.kind == "pose" else stage_motion(spec)
    except NotPosable as error:
        return Examined(status="not posable", reason=error.reason)
    with watch.step("check"):
        figures = check_staged(staged) | _balance(staged)
    if not is_true(figures):
        return Examined(status="not true", reason=_in_words(figures), figures=figures)
    with watch.step("stability"):
        truth = truth_without_pictures(staged)
        stability = judge_truth(truth, seed=spec.seed)
    figures = figures | stability.figures
    if not stability.is_stable:
        return Examined(status="not stable", reason=stability.reason, figures=figures)
    try:
        with watch.step("look"):
            composed = compose_case(spec, staged)
    except NotInView as error:
        return Examined(status="not in view", reason=error.reason, figures=figures)
    passed = Passed(truth=truth, stability=stability, composed=composed)
    return Examined(status="built", reason=stability.reason, figures=figures, passed=passed)


def _balance(staged: Staged) -> dict[str, float]:
    """Of a motion, how far it is from one that its contacts alone can carry (frames without a contact count as outside)."""
    if staged.frames == 1:
        return {}
    balance = quasi_static_residual(staged)
    reached = balance.distance_m[np.isfinite(balance.distance_m)]
    return {"zmp_inside_share": balance.inside, "zmp_far_share": balance.far, "zmp_mm": 1000 * float(reached.max(initial=0.0))}


def _photographed(case: Passed, views: int, folder: Path, watch: Watch) -> tuple[tuple[int, ...], int]:
    """Write pictures, truth and verdict; returns the photos' places in the ring (none of a film) and the number of pictures."""
    is_pose = case.composed.staged.frames == 1
    ring = ring_of(views) if is_pose else ()
    composed = seen_from(case.composed, ring) if is_pose else case.composed
    take = partial(take_photos, ring=ring) if is_pose else take_video
    seen = take(composed, folder=folder, step=watch.step)
    with watch.step("write"):
        (folder / "truth").mkdir()
        truth = replace(case.truth, cameras=composed.cameras, frames=composed.frames, labels=seen.labels, depth=seen.depth)
        save_truth(truth, folder / "truth")
        write_whole(folder / "truth" / "stability.json", as_json(case.stability.record()))
    return ring, len(composed.views)


def _in_words(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in figures.items())


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 3)
