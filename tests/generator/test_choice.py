from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.errors import BadMesh, NoObject
from hsimul3r.generator.choice import ChoiceConfig, ChoiceGenerator
from hsimul3r.generator.protocol import Candidate, Observation, Support
from hsimul3r.generator.supports import carries
from hsimul3r.generator.synthetic import CLEAN, synthetic_observation
from hsimul3r.geometry.mesh import convex_part

STOOL = convex_part(np.array([[x, y, z] for x in (-0.2, 0.2) for y in (-0.2, 0.2) for z in (0, 0.45)], float))
CFG = ChoiceConfig(learnt_margin=0.02)


def made(family, energy):
    return Candidate(
        family=family, parameters={}, parts=(STOOL,), T_world_object=np.eye(4), energy=energy, density_kg_m3=1, friction=1
    )  # fmt: skip


class Makes:
    def __init__(self, name, *energies, error=None):
        self.name, self.energies, self.error = name, energies, error

    def generate(self, observation: Observation, *, count: int, seed: int):
        if self.error is not None:
            raise self.error
        return tuple(made(self.name, energy) for energy in self.energies)[:count]


@pytest.fixture(scope="module")
def observation():
    return synthetic_observation(0, CLEAN)[0]


def chosen(fit, learnt, observation, count=1):
    found = ChoiceGenerator(fit, learnt, CFG).generate(observation, count=count, seed=0)
    return [(one.family, one.energy) for one in found]


def test_the_learnt_one_must_be_better_by_the_margin(observation):
    assert chosen(Makes("fit", 0.2), Makes("learnt", 0.19), observation) == [("fit", 0.2)]
    assert chosen(Makes("fit", 0.2), Makes("learnt", 0.17), observation) == [("learnt", 0.17)]
    both = chosen(Makes("fit", 0.2, 0.3), Makes("learnt", 0.1, 0.29), observation, count=3)
    assert both == [("learnt", 0.1), ("fit", 0.2), ("fit", 0.3)]


def test_a_learnt_one_without_a_solid_is_passed_over(observation):
    assert chosen(Makes("fit", 0.2), Makes("learnt", error=BadMesh("chair", "is flat")), observation) == [("fit", 0.2)]
    with pytest.raises(NoObject):
        chosen(Makes("fit", error=NoObject("No view.")), Makes("learnt", 0.1), observation)


def test_what_a_made_object_carries_is_seen_from_its_parts():
    stool = replace(made("part_flow", 0.0), T_world_object=np.array([[1.0, 0, 0, 2], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    for point, holds in (([2.0, 0, 0.47], True), ([2.25, 0, 0.44], True), ([2.5, 0, 0.45], False), ([2.0, 0, 0.6], False)):
        assert carries(stool, Support(kind="seat", point=np.array(point))) is holds
