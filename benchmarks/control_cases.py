"""The scenes that controllers are evaluated on: poses of HSIBench, staged in memory, with the noise of a reconstruction.

    python benchmarks/control_cases.py --built data/hsibench/built

chooses the first cases of every kind, its interactions in turn, that pass the benchmark's own checks, and writes their names to
benchmarks/control_cases.json. A case that a build has already accepted or refused is not judged again.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Final, Literal

import numpy as np
import tyro

from hsimul3r.artifacts import AlignedScene
from hsimul3r.benchmark.cases import all_cases, case_named
from hsimul3r.benchmark.check import judge_truth, motion_scene, scene_of, truth_without_pictures
from hsimul3r.benchmark.interactions import with_noise
from hsimul3r.benchmark.posing.motion import MOTIONS, stage_motion
from hsimul3r.benchmark.posing.templates import stage_pose
from hsimul3r.benchmark.scene import CaseSpec
from hsimul3r.errors import NotPosable
from hsimul3r.files import write_whole
from hsimul3r.tracking.noise import ErrorBank, MotionNoise, drifting, erroneous, with_hands_lifted

CHOSEN = Path(__file__).with_suffix(".json")
BANK = Path(__file__).with_name("reconstruction_errors.npz")

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "stand": ("stand_foot_on_stool", "hands_on_chair_back", "hand_on_chair_beside", "hold_handle", "ladder_rung"),
    "lean": ("lean_table_hands", "lean_table_forearms", "lean_cabinet_side"),
    "sit": (
        "sit_upright", "sit_leaning_back", "sit_slouched", "sit_cross_legged", "sit_on_edge", "sit_elbows_on_knees",
        "sit_hands_on_seat", "sit_arms_on_rests", "sit_straddling", "sit_stool", "sit_table_edge", "sit_at_table_hands",
        "sit_at_table_forearms",
    ),
    "lie": ("lie_on_back", "recline", "perch_armrest"),
    "motion": tuple(MOTIONS),
    "reach": ("lean_table_hands", "hands_on_chair_back", "lean_cabinet_side", "hand_on_chair_beside"),
}  # fmt: skip
"""Interactions of each kind: on the feet, on feet and hands, on a seat, on a bed or an armrest; and those whose hands can be in
the air above what they should hold."""

MOTION: Final = "motion"
Noise = Literal["none", "mixed", "hard", "pipeline", "pipeline_objects", "lifted", "drift"]
SYNTHETIC: Final[Mapping[str, Mapping[str, float]]] = {
    "mixed": {"joint_deg": 6.0, "tilt_deg": 4.0, "root_m": 0.04},
    "hard": {"joint_deg": 10.0, "tilt_deg": 7.0, "root_m": 0.06},
}
"""Standard deviations per axis of independent errors of joints, root and place."""
LIFT_M = (0.06, 0.50)
"""How far above what they should hold the hands of "lifted" are."""


@dataclass(frozen=True, kw_only=True)
class Args:
    """How many cases of each kind are wanted."""

    count: int = 32
    built: Path = Path("data/hsibench/built")
    out: Path = CHOSEN


def main(args: Args) -> None:
    chosen = {kind: [spec.name for spec in islice(_accepted(kind, args.built), args.count)] for kind in KINDS if kind != MOTION}
    write_whole(args.out, json.dumps(chosen, indent=1) + "\n")


def kind_of(interaction: str) -> str:
    """The first kind that an interaction belongs to."""
    return next(kind for kind, interactions in KINDS.items() if interaction in interactions)


def cases_of(kind: str, count: int) -> tuple[str, ...]:
    """Names of the first cases of a kind; motions are taken as they come, staging leaves out what is not true."""
    if kind == MOTION:
        return tuple(spec.name for spec in islice(_in_turn(kind), count))
    return tuple(json.loads(CHOSEN.read_text())[kind][:count])


def staged_scene(name: str) -> AlignedScene:
    """The truth of a case. Raises `NotPosable`."""
    spec = case_named(name)
    if spec.kind == "motion":
        return motion_scene(truth_without_pictures(stage_motion(spec)))
    return scene_of(truth_without_pictures(stage_pose(spec)))


def noisy(scene: AlignedScene, name: str, noise: str, seed: int, bank: ErrorBank | None) -> AlignedScene:
    """The scene as a controller gets it; the noise depends on case and seed only. Raises `NotPosable`."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    if noise == "none":
        return scene
    if noise == "lifted":
        return with_hands_lifted(scene, rng.uniform(*LIFT_M))
    if noise == "drift":
        return drifting(scene, MotionNoise(), rng)
    if noise in SYNTHETIC:
        return with_noise(scene, **SYNTHETIC[noise], seed=int(rng.integers(2**31)))
    assert bank is not None
    error = bank.draw(rng, kind_of(case_named(name).interaction))
    return erroneous(scene, error, rng, has_objects=noise == "pipeline_objects")


def _accepted(kind: str, built: Path) -> Iterator[CaseSpec]:
    return (spec for spec in _in_turn(kind) if _is_accepted(spec, built) and _suits(kind, spec))


def _in_turn(kind: str) -> Iterator[CaseSpec]:
    """All candidates of a kind, one of each of its interactions after the other."""
    groups = [[spec for spec in all_cases() if spec.interaction == interaction] for interaction in KINDS[kind]]
    return (spec for spec in chain.from_iterable(zip_longest(*groups)) if spec is not None)


def _is_accepted(spec: CaseSpec, built: Path) -> bool:
    if (built / spec.name / "truth" / "case.json").is_file():
        return True
    if (built / "refused" / f"{spec.name}.json").is_file():
        return False
    try:
        truth = truth_without_pictures(stage_pose(spec))
    except NotPosable:
        return False
    return judge_truth(truth, seed=spec.seed).is_stable


def _suits(kind: str, spec: CaseSpec) -> bool:
    """Hands that can be lifted, for reaching; anything else always."""
    if kind != "reach":
        return True
    try:
        with_hands_lifted(staged_scene(spec.name), LIFT_M[1])
    except NotPosable:
        return False
    return True


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
