"""Static interactions by name: which furniture each suits, and how a case of it is staged.

A template drafts a goal from chance, the subject's lengths and the objects' surfaces (sitting.py, standing.py, lying.py); the
solver (settle.py) closes it; `check_staged` judges it. What is not true after `ATTEMPTS` drafts is refused, not mended.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.benchmark.objects.catalogue import build_furniture
from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.benchmark.posing import lying, sitting, standing
from hsimul3r.benchmark.posing.check import check_staged, is_true
from hsimul3r.benchmark.posing.draft import Build, Draft, Setting, has, height, widest
from hsimul3r.benchmark.posing.puppet import Puppet
from hsimul3r.benchmark.posing.settle import settle
from hsimul3r.benchmark.posing.solids import solid_of
from hsimul3r.benchmark.scene import CaseSpec, Difficulty, HeldContact, PosedBody, Staged, StagedObject
from hsimul3r.errors import NotPosable
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, rotation_about_z

ATTEMPTS = 3
FACING_DEG = 25.0
"""Cases are turned in the room by up to this much."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """A static interaction. `suits` says which furniture it is for, `beside` which second object it needs."""

    make: Callable[[Setting], Draft]
    suits: Callable[[Furniture], bool]
    difficulty: Difficulty
    beside: Callable[[Furniture], bool] | None = None
    stands_behind: bool = False


def _desk_seat(furniture: Furniture) -> bool:
    return sitting.is_low_seat(furniture) and (
        furniture.category in ("chair", "stool") or (furniture.category == "bench" and not has(furniture, "back"))
    )


def _seats_with_back(furniture: Furniture) -> bool:
    return sitting.is_low_seat(furniture) and has(furniture, "back")


def _plain_seat(furniture: Furniture) -> bool:
    return sitting.is_low_seat(furniture) and not has(furniture, "back")


def _narrow_seat(furniture: Furniture) -> bool:
    """A bench or stool that legs go round."""
    return _plain_seat(furniture) and any(s.kind == "seat" and s.size_m[1] <= 0.42 for s in furniture.surfaces)


def _table(low: float, high: float) -> Callable[[Furniture], bool]:
    """A table, desk or cabinet of some height."""
    return lambda furniture: (
        has(furniture, "top")
        and low <= height(furniture, "top") <= high
        and not has(furniture, "rung")
        and min(widest([s for s in furniture.surfaces if s.kind == "top"]).size_m) >= 0.30
        and "cart" not in furniture.name
    )


def _low_step(furniture: Furniture) -> bool:
    return not has(furniture, "back") and any(
        s.kind in ("top", "seat") and 0.10 <= s.centre[2] <= 0.50 and min(s.size_m) >= 0.10 for s in furniture.surfaces
    )


def _railed(furniture: Furniture) -> bool:
    return any(s.kind == "rail" and 0.70 <= s.centre[2] <= 1.15 for s in furniture.surfaces)


def _broad_arm(furniture: Furniture) -> bool:
    return any(s.kind == "arm" and s.size_m[0] >= 0.10 and 0.45 <= s.centre[2] <= 0.72 for s in furniture.surfaces)


def _bed(length_m: float) -> Callable[[Furniture], bool]:
    return lambda furniture: any(s.kind == "bed" and max(s.size_m) >= length_m for s in furniture.surfaces)


def _ladder(furniture: Furniture) -> bool:
    return sum(s.kind == "rung" for s in furniture.surfaces) >= 2


def _pushed(furniture: Furniture) -> bool:
    """A cart: one broad handle at the height of the hands."""
    return any(s.kind == "handle" and s.size_m[0] >= 0.25 and 0.75 <= s.centre[2] <= 1.15 for s in furniture.surfaces)


POSES: Final[Mapping[str, Template]] = {
    "sit_upright": Template(make=sitting.sit_upright, suits=_seats_with_back, difficulty="easy"),
    "sit_leaning_back": Template(make=sitting.sit_leaning_back, suits=_seats_with_back, difficulty="easy"),
    "sit_slouched": Template(make=sitting.sit_slouched, suits=_seats_with_back, difficulty="easy"),
    "sit_cross_legged": Template(make=sitting.sit_cross_legged, suits=sitting.is_low_seat, difficulty="easy"),
    "sit_on_edge": Template(make=sitting.sit_on_edge, suits=sitting.is_low_seat, difficulty="medium"),
    "sit_elbows_on_knees": Template(make=sitting.sit_elbows_on_knees, suits=sitting.is_low_seat, difficulty="medium"),
    "sit_hands_on_seat": Template(make=sitting.sit_hands_on_seat, suits=_plain_seat, difficulty="easy"),
    "sit_arms_on_rests": Template(make=sitting.sit_arms_on_rests, suits=sitting.has_rests, difficulty="easy"),
    "sit_straddling": Template(make=sitting.sit_straddling, suits=_narrow_seat, difficulty="medium"),
    "sit_stool": Template(make=sitting.sit_stool, suits=_plain_seat, difficulty="easy"),
    "sit_table_edge": Template(make=sitting.sit_table_edge, suits=_table(0.55, 1.0), difficulty="easy"),
    "sit_at_table_hands": Template(
        make=sitting.sit_at_table_hands, suits=_desk_seat, beside=_table(0.66, 0.80), difficulty="hard"
    ),
    "sit_at_table_forearms": Template(
        make=sitting.sit_at_table_forearms, suits=_desk_seat, beside=_table(0.66, 0.80), difficulty="hard"
    ),
    "lean_table_hands": Template(
        make=standing.lean_table_hands, suits=_table(0.66, 1.0), difficulty="medium", stands_behind=True
    ),
    "lean_table_forearms": Template(
        make=standing.lean_table_forearms, suits=_table(0.72, 1.15), difficulty="medium", stands_behind=True
    ),
    "hands_on_chair_back": Template(make=standing.hands_on_chair_back, suits=_railed, difficulty="medium", stands_behind=True),
    "hand_on_chair_beside": Template(make=standing.hand_on_chair_beside, suits=_railed, difficulty="hard"),
    "stand_foot_on_stool": Template(make=standing.foot_on_stool, suits=_low_step, difficulty="medium"),
    "lean_cabinet_side": Template(make=standing.lean_cabinet_side, suits=_table(0.70, 1.30), difficulty="hard"),
    "perch_armrest": Template(make=standing.perch_armrest, suits=_broad_arm, difficulty="hard"),
    "lie_on_back": Template(make=lying.lie_on_back, suits=_bed(1.40), difficulty="easy"),
    "recline": Template(make=lying.recline, suits=lambda f: _bed(1.15)(f) and has(f, "arm"), difficulty="easy"),
    "ladder_rung": Template(make=standing.ladder_rung, suits=_ladder, difficulty="hard"),
    "hold_handle": Template(make=standing.hold_handle, suits=_pushed, difficulty="hard"),
}
"""Every static interaction; `suits` and `beside` say on what."""


def stage_pose(spec: CaseSpec) -> Staged:
    """The person in the pose and the objects around them, in the world; raises `NotPosable`."""
    template = POSES[spec.interaction]
    reasons = []
    for attempt in range(ATTEMPTS):
        staged = stage_attempt(spec, template, np.random.default_rng([spec.seed, attempt]))
        figures = check_staged(staged)
        if is_true(figures):
            return staged
        reasons.append(", ".join(f"{name} {value:.0f}" for name, value in figures.items() if name.endswith("_mm")))
    raise NotPosable(spec.name, "no attempt is true: " + "; ".join(reasons))


def stage_attempt(spec: CaseSpec, template: Template, rng: np.random.Generator) -> Staged:
    """One draft of a case, settled, true or not."""
    setting = Setting(
        rng=rng,
        build=Build.of(spec.subject.betas),
        objects={_unique(spec, i): build_furniture(n) for i, n in enumerate(spec.objects)},
    )
    draft = template.make(setting)
    puppet = Puppet.of(spec.subject.betas, draft.goal.key)
    solids = {item.name: solid_of(item.furniture.name, item.T_stage_object) for item in draft.objects}
    posed = puppet.posed_body(settle(puppet, draft.goal, solids))
    yaw = np.radians(rng.uniform(-FACING_DEG, FACING_DEG))
    return _in_world(draft, posed, puppet.joints[0] + posed.transl, yaw)


def _unique(spec: CaseSpec, index: int) -> str:
    """An object's name in the scene: the catalogue's, numbered where it is there twice."""
    name = spec.objects[index]
    earlier = spec.objects[:index].count(name)
    return f"{name}_{earlier + 1}" if earlier else name


def _in_world(draft: Draft, posed: PosedBody, pelvis: Float[ndarray, "3"], yaw: float) -> Staged:
    """The stage turned by `yaw` and shifted so that the origin lies below the pelvis."""
    T = np.eye(4)
    T[:3, :3] = rotation_about_z(yaw)
    T[:2, 3] = -(T[:3, :3] @ pelvis)[:2]
    pose = posed.pose.copy()
    pose[0] = axis_angle_from_matrix(T[:3, :3] @ matrix_from_axis_angle(pose[0]))
    place = T[:3, :3] @ pelvis + T[:3, 3]
    objects = tuple(
        StagedObject(name=item.name, furniture=item.furniture, T_world_object=(T @ item.T_stage_object)[None])
        for item in draft.objects
    )
    held = tuple(HeldContact(part=part, target=target, first=0, last=0) for part, target in draft.contacts)
    transl = place - (pelvis - posed.transl)
    return Staged(
        objects=objects, betas=posed.betas, pose=pose[None], transl=transl[None], fps=30.0, contacts=held
    )  # fmt: skip
