from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.errors import NoObject
from hsimul3r.generator.families import family
from hsimul3r.generator.registration import RegistrationConfig, centred, register
from hsimul3r.generator.synthetic import CLEAN, synthetic_observation
from hsimul3r.geometry.rotations import rotation_about_z

QUICK = RegistrationConfig(turns=6, generations=45)


@pytest.mark.parametrize(("kind", "seed"), [("chair_sled_arms", 6), ("club", 1)])
def test_a_shape_without_metres_is_put_where_the_views_show_it(kind, seed):
    observation, truth = synthetic_observation(seed, CLEAN, kinds=(family(kind),))
    shape = 2.3 * truth.shape.vertices @ rotation_about_z(1.1).T + [0.3, 0.1, -0.4]
    found = register(shape, truth.shape.faces, observation, cfg=QUICK, seed=0)
    world = found.vertices @ found.T_world_object[:3, :3].T + found.T_world_object[:3, 3]
    assert np.linalg.norm(world - truth.vertices, axis=1).mean() < 0.02
    assert found.energy < 0.06
    assert world[:, 2].min() == pytest.approx(0.0, abs=1e-9)


def test_the_same_seed_gives_the_same_bits():
    observation, truth = synthetic_observation(1, CLEAN, kinds=(family("box"),))
    cfg = RegistrationConfig(turns=2, first_generations=3, generations=5)
    first, again = (register(truth.shape.vertices, truth.shape.faces, observation, cfg=cfg, seed=4) for _ in range(2))
    assert np.array_equal(first.vertices, again.vertices)
    assert np.array_equal(first.T_world_object, again.T_world_object)


def test_no_mask_is_said():
    observation, truth = synthetic_observation(1, CLEAN, kinds=(family("box"),))
    blind = replace(observation, labels=(None,) * len(observation.labels))
    with pytest.raises(NoObject):
        register(truth.shape.vertices, truth.shape.faces, blind, cfg=QUICK, seed=0)


def test_the_origin_lies_under_the_middle_of_the_box():
    moved = centred(np.array([[1.0, 2, 3], [3, 2, 5], [2, 6, 4]]))
    assert np.allclose((moved.min(0) + moved.max(0))[:2], 0)
    assert moved[:, 2].min() == 0
