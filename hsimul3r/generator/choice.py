"""The better of the parametric fit and a learnt generator, object by object, by what the photos and the people say."""

from dataclasses import dataclass

from hsimul3r.errors import BadMesh
from hsimul3r.generator.protocol import Candidate, Generator, Observation


@dataclass(frozen=True, kw_only=True)
class ChoiceConfig:
    """How the two are weighed against each other."""

    learnt_margin: float = 0.0
    """Added to the learnt generator's energies; what was measured of it stands in docs/generator.md."""


class ChoiceGenerator:
    """All candidates of two generators whose energies compare (silhouettes, priors, supports), the best first."""

    def __init__(self, parametric: Generator, learnt: Generator, cfg: ChoiceConfig):
        self.parametric, self.learnt, self.cfg = parametric, learnt, cfg

    @property
    def name(self) -> str:
        return f"{self.parametric.name} or {self.learnt.name}"

    def generate(self, observation: Observation, *, count: int, seed: int) -> tuple[Candidate, ...]:
        """The `count` best of both, see `Generator`. Raises what the parametric one raises; a learnt one without a solid is
        passed over."""
        fitted = self.parametric.generate(observation, count=count, seed=seed)
        try:
            drawn = self.learnt.generate(observation, count=count, seed=seed)
        except BadMesh:
            return fitted
        weighed = [(one.energy, one) for one in fitted] + [(one.energy + self.cfg.learnt_margin, one) for one in drawn]
        return tuple(candidate for _, candidate in sorted(weighed, key=lambda one: one[0])[:count])
