"""The candidates of HSIBench: who does what on which furniture, and how hard it is to reconstruct.

How hard, by what carries the person (`Template.difficulty`, `MotionTemplate.difficulty`), not by how well anything does on it:

    easy    one object carries the person by itself: the centre of mass lies over what touches the seat or bed (feet may rest
            on the floor without being needed)
    medium  the weight is shared between an object and the feet or hands: leaning on a table, a foot on a stool, sitting bent
            forward on the edge, straddling; sitting down and standing up
    hard    several objects at once; or partial support that only friction or a grip keeps (one hand, a rung, a handle, an
            armrest); or strong occlusion (the person stands behind a thing that hides the legs)

Candidates are deterministic. Those whose truth does not close, or that MuJoCo does not hold, are left out when the benchmark is
built; there are more candidates than needed for that.
"""

import functools
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Final

from hsimul3r.benchmark.objects.catalogue import CATALOGUE, build_furniture
from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.benchmark.posing.motion import MOTIONS
from hsimul3r.benchmark.posing.templates import POSES, Template
from hsimul3r.benchmark.scene import CaseKind, CaseSpec, Difficulty, Subject
from hsimul3r.body.model import embedded_body

POSES_EACH = 18
"""Candidates per static interaction."""
POSES_PER_MOTION = 4
"""Poses between two motions in the list."""
OPAQUE = ("sofa", "armchair", "box", "desk")
"""Categories that hide the legs of somebody who stands behind."""
ORDER: Final[tuple[Difficulty, ...]] = ("easy", "medium", "hard")

SHAPES: Final[tuple[tuple[str, float, tuple[float, ...]], ...]] = (
    ("male", 1.78, (0.3, 0.2, 0.5)),
    ("female", 1.66, (-0.4, 0.3, 0.2)),
    ("male", 1.84, (-0.5, 0.6, -0.3)),
    ("female", 1.58, (0.6, -0.3, 0.4)),
    ("male", 1.70, (0.9, -0.6, 0.2)),
    ("female", 1.73, (-0.8, -0.2, -0.5)),
    ("male", 1.92, (0.1, -0.7, 0.6)),
    ("female", 1.52, (0.2, 0.7, -0.4)),
)
"""Subjects: sex, stature [m] and the second to fourth betas. The first three are two men and a woman, as in the paper."""


SHIPPED: Final[tuple[str, ...]] = (
    "sit_upright_spindle_loveseat_00",
    "sit_slouched_dining_chair_00",
    "sit_hands_on_seat_slatted_bench_00",
    "sit_arms_on_rests_swivel_chair_00",
    "sit_stool_milk_stool_00",
    "sit_table_edge_trestle_table_00",
    "lie_on_back_chesterfield_sofa_00",
    "sit_cross_legged_cantilever_chair_00",
    "sit_on_edge_two_seat_sofa_00",
    "sit_elbows_on_knees_slatted_bench_00",
    "sit_straddling_milk_stool_00",
    "lean_table_forearms_trestle_table_00",
    "hands_on_chair_back_shell_chair_00",
    "stand_foot_on_stool_step_stool_00",
    "lean_table_hands_oval_table_00",
    "sit_on_edge_wing_chair_00",
    "sit_at_table_forearms_milk_stool_00",
    "hand_on_chair_beside_cantilever_chair_00",
    "lean_cabinet_side_cabinet_00",
    "perch_armrest_two_seat_sofa_00",
    "ladder_rung_step_ladder_00",
    "hold_handle_push_cart_00",
    "lean_table_hands_writing_desk_00",
    "hands_on_chair_back_daybed_00",
)
"""The cases of the quick evaluation: eight easy, eight medium, eight hard poses, all true and held under gravity."""


@functools.cache
def subjects() -> tuple[Subject, ...]:
    """The people of the benchmark."""
    return tuple(
        Subject(betas=embedded_body().betas_with(stature, *shape), sex="male" if sex == "male" else "female")
        for sex, stature, shape in SHAPES
    )


@functools.cache
def all_cases() -> tuple[CaseSpec, ...]:
    """Every candidate, poses and motions interleaved so that any prefix has all kinds and difficulties."""
    poses = _mixed([_pose_candidates(name) for name in POSES])
    motions = iter(_mixed([_motion_candidates(name) for name in MOTIONS]))
    cases: list[CaseSpec] = []
    for i, pose in enumerate(poses):
        cases.append(pose)
        if (i + 1) % POSES_PER_MOTION == 0:
            cases += [motion for motion in [next(motions, None)] if motion is not None]
    return (*cases, *motions)


def case_named(name: str) -> CaseSpec:
    """The candidate of a name; raises `KeyError`."""
    return {case.name: case for case in all_cases()}[name]


def difficulty_of(template: Template, furniture: Sequence[Furniture]) -> Difficulty:
    """The rule of the module's docstring for a static interaction on given objects."""
    hides_legs = template.stands_behind and furniture[0].category in OPAQUE
    return "hard" if len(furniture) > 1 or hides_legs else template.difficulty


def _pose_candidates(interaction: str) -> list[CaseSpec]:
    template = POSES[interaction]
    sets = sorted(_object_sets(template), key=lambda names: _seed(f"{interaction} {' '.join(names)}"))
    chosen = [sets[i % len(sets)] for i in range(POSES_EACH if sets else 0)]
    return _numbered(
        interaction, "pose", [(names, difficulty_of(template, [build_furniture(name) for name in names])) for names in chosen]
    )


def _motion_candidates(interaction: str) -> list[CaseSpec]:
    template = MOTIONS[interaction]
    chosen = [template.objects[i % len(template.objects)] for i in range(template.candidates)]
    return _numbered(interaction, "motion", [(names, template.difficulty) for names in chosen])


def _numbered(interaction: str, kind: CaseKind, chosen: Sequence[tuple[tuple[str, ...], Difficulty]]) -> list[CaseSpec]:
    """Cases named after the first object and how many there were with it before; seed and subject follow from the name."""
    earlier: Counter[str] = Counter()
    cases = []
    for names, difficulty in chosen:
        name = f"{interaction}_{names[0]}_{earlier[names[0]]:02d}"
        earlier[names[0]] += 1
        subject = subjects()[_seed(f"{name} subject") % len(subjects())]
        cases.append(
            CaseSpec(
                name=name, interaction=interaction, kind=kind, objects=names, subject=subject,
                difficulty=difficulty, seed=_seed(name),
            )
        )  # fmt: skip
    return cases


def _object_sets(template: Template) -> Iterator[tuple[str, ...]]:
    suited = [name for name in CATALOGUE if template.suits(build_furniture(name))]
    if template.beside is None:
        yield from ((name,) for name in suited)
        return
    others = [name for name in CATALOGUE if template.beside(build_furniture(name))]
    yield from ((name, other) for name in suited for other in others if name != other)


def _mixed(groups: list[list[CaseSpec]]) -> list[CaseSpec]:
    """One of each group in turn; and within that one of each difficulty in turn, as long as there are."""
    turns = [case for row in zip_longest(*groups) for case in row if case is not None]
    by_difficulty = [[case for case in turns if case.difficulty == difficulty] for difficulty in ORDER]
    return [case for case in chain.from_iterable(zip_longest(*by_difficulty)) if case is not None]


def _seed(name: str) -> int:
    return zlib.crc32(name.encode())
