"""The tests of an object by itself, cheap ones first: a closed solid in one piece, that stands, that bears a load."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jaxtyping import Float
from numpy import ndarray

from hsimul3r.generator.feedback.record import Check, TestName
from hsimul3r.generator.feedback.support import support_margin
from hsimul3r.geometry.mesh import Surface
from sim_envs.object_tests import POINT_NAMES, ObjectBench, ObjectTests, Stood, body_of, load_points


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A closed surface in metres, and what the tests ask of it."""

    surface: Surface
    pieces: int
    bearing: tuple[Float[ndarray, "3"], Float[ndarray, "3"]]
    """Box of what one sits on or puts things on: lowest and highest corner."""
    density_kg_m3: float
    friction: float


def alone(tested: Tested | None, tests: ObjectTests, *, why: str = "") -> Iterator[Check]:
    """Every test in its order; the caller stops where one fails. None, with the reason, is of what is no solid."""
    yield at_most("solid", f"objects that are no solid{why and f': {why}'}", float(tested is None), 0.5)
    if tested is None:
        return
    yield at_most("connected", "pieces", float(tested.pieces), 1.0)
    bench = ObjectBench(body_of(*tested.surface, density_kg_m3=tested.density_kg_m3, friction=tested.friction), tests)
    yield from _stood("gravity", "standing alone", bench.stand(), tests)
    points = load_points(*tested.bearing, tests) - [0.0, 0.0, tested.surface[0][:, 2].min()]
    for name, stood in zip(POINT_NAMES, bench.bear(points)):
        yield from _stood("payload", f"under {tests.payload_n:g} N in {name}", stood, tests)


def support_of(tested: Tested, tests: ObjectTests) -> float:
    """How far an object is from tipping over in the tests of gravity and payload [m]."""
    points = load_points(*tested.bearing, tests)
    return support_margin(*tested.surface, density_kg_m3=tested.density_kg_m3, points=points, load_n=tests.payload_n)


def up_to_failure(checks: Iterable[Check]) -> tuple[Check, ...]:
    """All of the first test that fails, and none after it."""
    found: list[Check] = []
    for check in checks:
        if found and check.test != found[-1].test and not all(one.holds for one in found):
            break
        found.append(check)
    return tuple(found)


def at_most(test: TestName, name: str, value: float, limit: float) -> Check:
    """A quantity that must not exceed its limit."""
    return Check(test=test, name=name, value=value, limit=limit, margin=(limit - value) / limit)


def _stood(test: TestName, how: str, stood: Stood, limits: ObjectTests) -> Iterator[Check]:
    yield at_most(test, f"tilt {how} [deg]", stood.tilt_deg, limits.tilt_deg)
    yield at_most(test, f"speed {how}", stood.speed, limits.speed)
