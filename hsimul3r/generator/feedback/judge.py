"""The judgement of a sampled object, cheap tests first: in one piece, standing, bearing a load, serving its person (Sec. 3.4).

A rigid body hides parts that float, so that connection is asked before gravity; gravity alone does not miss a leg, so that a
load is put on five points before the person is asked, who takes a thousand times as long.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Final

from hsimul3r import __version__
from hsimul3r.generator.feedback.alone import Tested, alone, support_of, up_to_failure
from hsimul3r.generator.feedback.forward import ForwardConfig, ask_person
from hsimul3r.generator.feedback.images import PersonScene, Truth
from hsimul3r.generator.feedback.record import Judgement
from hsimul3r.generator.feedback.shape import Shape, shape_figures
from hsimul3r.generator.flow.attach import AttachConfig, attach
from hsimul3r.generator.flow.generator import made_object
from hsimul3r.generator.flow.primitives import Primitive, bounds, without_mirrors
from hsimul3r.generator.registration import MadeObject
from sim_envs.object_tests import ObjectTests

BEARING: Final = ("seat", "top", "base", "shelf")
"""Roles that bear a load, the first that an object has; all of it where it has none of them."""
SUPPORT: Final = "support_m"
"""Among a rollout's figures: `support_margin` after attachment."""


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """All that a judgement depends on."""

    attach: AttachConfig = field(default_factory=AttachConfig)
    tests: ObjectTests = field(default_factory=ObjectTests)
    friction: float = 0.8
    asks_person: bool = True
    """Where there is one."""
    forward: ForwardConfig = field(default_factory=ForwardConfig)

    def settings(self) -> dict[str, Any]:
        """For `settings_id`: also who judges, and what is measured beside."""
        return asdict(self) | {"hsimul3r": __version__, "engine": f"mujoco {version('mujoco')}", "measured": [SUPPORT]}


@dataclass(frozen=True, kw_only=True)
class Solid(MadeObject):
    """An object of parts with roles."""

    primitives: tuple[Primitive, ...]
    """Without mirror images."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Both judgements of an object, and what it looks like."""

    as_made: Judgement
    attached: Judgement
    figures: dict[str, float]


def judge(
    primitives: Sequence[Primitive], cfg: JudgeConfig, *, turn: float = 0.0, person: PersonScene | None = None,
    truth: Truth | None = None,
) -> Judged:  # fmt: skip
    """Of parts as the decoder gives them, turned by `turn` against the first picture [rad]. An object whose parts all touch is
    the same with attachment and without."""
    asked = person if cfg.asks_person else None
    made = attach(without_mirrors(primitives), cfg.attach)
    solid = solid_of(made.primitives, cfg, turn=turn)
    attached = judge_solid(solid, made.pieces, cfg, person=asked)
    as_made = attached if made.pieces_before == 1 else judge_solid(solid, made.pieces_before, cfg, person=asked)
    figures = {"pieces_as_made": float(made.pieces_before), "pieces": float(made.pieces), "farthest_m": made.farthest_m}
    if solid is not None:
        figures |= shape_figures(Shape.of(solid.surface, len(made.primitives)), truth)
        figures[SUPPORT] = support_of(_tested(solid, made.pieces), cfg.tests)
    return Judged(as_made=as_made, attached=attached, figures=figures)


def judge_solid(solid: Solid | None, pieces: int, cfg: JudgeConfig, *, person: PersonScene | None = None) -> Judgement:
    """Of an object in so many pieces; None where its parts make no solid."""
    tested = None if solid is None else _tested(solid, pieces)
    checks = up_to_failure(alone(tested, cfg.tests))
    if solid is not None and person is not None and all(check.holds for check in checks):
        checks += ask_person(solid, person, cfg.forward)
    return Judgement(checks=checks, has_person=person is not None)


def solid_of(primitives: Sequence[Primitive], cfg: JudgeConfig, *, turn: float = 0.0) -> Solid | None:
    """The parts united, turned by `turn` against the first picture; None where nothing closed comes of them."""
    made = made_object(primitives, -turn, friction=cfg.friction)
    return None if made is None else Solid(**vars(made), primitives=tuple(primitives))


def bearing(primitives: Sequence[Primitive]) -> tuple[Primitive, ...]:
    """The parts that one sits on or puts things on."""
    for role in BEARING:
        found = tuple(part for part in primitives if part.role == role)
        if found:
            return found
    return tuple(primitives)


def _tested(solid: Solid, pieces: int) -> Tested:
    return Tested(
        surface=solid.surface, pieces=pieces, bearing=bounds(bearing(solid.primitives)), density_kg_m3=solid.density_kg_m3,
        friction=solid.friction,
    )  # fmt: skip
