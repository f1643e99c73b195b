"""The one contract between this project and a physics engine; `conformance.check` is the suite that every backend must pass."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from hsimul3r.artifacts import SimScene
from hsimul3r.conventions import CONTACT_PARTS
from hsimul3r.tracking.simulation import Parameter, Simulation


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How time is cut. `is_discrete` asks for an integrator that is stable with stiff servos at long steps."""

    timestep_s: float
    is_discrete: bool


PLAN = Timing(timestep_s=1 / 60, is_discrete=True)
JUDGE = Timing(timestep_s=1 / 240, is_discrete=False)


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a backend can do beyond stepping; asking for a parameter that is not listed raises `UnsupportedParameter`."""

    is_bit_reproducible: bool
    """Same result at any thread count."""
    uses_gpu: bool
    parameters: tuple[Parameter, ...]
    reports_convergence: bool = True
    """Whether `capped_steps` says something; else it is zero."""


class SimBatch(Simulation, Protocol):
    """Everything of `Simulation`, and what only tests and tools read."""

    @property
    def body_names(self) -> tuple[str, ...]: ...

    def total_mass_kg(self) -> float:
        """Of everything that moves."""
        ...


class SimBackend(Protocol):
    """An engine."""

    @property
    def name(self) -> str: ...
    @property
    def capabilities(self) -> Capabilities: ...

    def load(self, scene: SimScene, *, count: int, timing: Timing, threads: int = 0) -> SimBatch:
        """Build the scene's model and open `count` simulations in its initial state, on `threads` threads (0: all CPUs)."""
        ...


@dataclass(frozen=True, kw_only=True)
class ContactPair:
    """A body part and an object whose contacts are reported under one name."""

    human: str
    part: str
    object: str

    @property
    def name(self) -> str:
        return f"{self.human}/{self.part}/{self.object}"


def contact_pairs(
    humans: tuple[str, ...], objects: tuple[str, ...], parts: Iterable[str] = tuple(CONTACT_PARTS)
) -> Iterator[ContactPair]:
    """All pairs of a scene, in the order in which backends report them."""
    for human in humans:
        for part in parts:
            for name in objects:
                yield ContactPair(human=human, part=part, object=name)
