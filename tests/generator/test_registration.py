from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.errors import NoObject
from hsimul3r.generator.objective import XY_UNIT_M, box_centre
from hsimul3r.generator.protocol import Support
from hsimul3r.generator.registration import (
    Guess,
    Place,
    RegistrationConfig,
    centred,
    fitting_size,
    place_coarsely,
    place_finely,
    placed_parts,
)
from hsimul3r.generator.synthetic import CLEAN, Shape, mesh_observation, placed
from hsimul3r.geometry.mesh import convex_part, sample_surface, union

CFG = RegistrationConfig(fine_generations=25)


def box(x, y, z, wide, deep, tall):
    corners = np.array([[a, b, c] for a in (-0.5, 0.5) for b in (-0.5, 0.5) for c in (0, 1)])
    return convex_part(corners * [wide, deep, tall] + [x, y, z])


STEPS = (box(0, 0, 0, 0.9, 0.5, 0.4), box(-0.25, 0.1, 0.4, 0.4, 0.3, 0.35))
"""Not its own mirror image, so that its turn can be told."""
VERTICES, FACES = union(STEPS)
SHAPE = Shape(
    name="steps", categories=("box",), vertices=VERTICES, faces=FACES, support=np.zeros(3), width_m=0.9, is_seat=False
)


def guess_of(stretch, yaw):
    parts = tuple(replace(part, vertices=part.vertices * stretch) for part in STEPS)
    return Guess(parts=parts, outlines=parts, yaw=yaw, knee=0.4 * float(stretch[2]), is_seat=False, has_front=False)


def placed_once(guess, observation, cfg):
    return place_finely(place_coarsely(guess, observation, cfg=cfg, seed=0), observation, cfg=cfg, seed=0)


def test_extents_place_and_turn_come_from_the_views():
    observation, truth = mesh_observation(2, CLEAN, SHAPE)
    guess = guess_of(np.array([1.2, 0.85, 0.9]), float(truth.pose[2]) + 1.2)
    coarse = place_coarsely(guess, observation, cfg=CFG, seed=0)
    fine = place_finely(coarse, observation, cfg=CFG, seed=0)
    parts, T = placed_parts(fine, observation)
    vertices = np.concatenate([part.vertices for part in parts])
    assert fine.energy < 0.04
    assert np.ptp(vertices, axis=0) == pytest.approx([0.9, 0.5, 0.75], rel=0.05)
    assert np.linalg.norm(T[:2, 3] - truth.pose[:2]) < 0.03
    turn = np.arctan2(T[1, 0], T[0, 0]) - truth.pose[2]
    assert np.degrees(np.arccos(np.cos(turn))) < 4
    assert vertices[:, 2].min() == pytest.approx(0.0, abs=1e-12)


def test_the_seat_is_raised_to_its_sitter_though_the_top_stays():
    observation, truth = mesh_observation(2, CLEAN, SHAPE)
    low = (box(0, 0, 0, 0.9, 0.5, 0.32), box(-0.25, 0.1, 0.32, 0.4, 0.3, 0.43))
    guess = Guess(parts=low, outlines=low, yaw=float(truth.pose[2]), knee=0.32, is_seat=False, has_front=False)
    seat = placed(np.array([[0.25, 0.0, 0.4]]), truth.pose)[0]
    seen = replace(observation, supports=(Support(kind="seat", point=seat),))
    fine = place_finely(place_coarsely(guess, seen, cfg=CFG, seed=0), seen, cfg=CFG, seed=0)
    parts, _ = placed_parts(fine, seen)
    assert parts[0].vertices[:, 2].max() == pytest.approx(0.4, abs=0.012)
    assert parts[1].vertices[:, 2].max() == pytest.approx(0.75, abs=0.03)


def test_what_a_person_rests_on_and_scene_points_count_where_they_are():
    observation, truth = mesh_observation(4, CLEAN, SHAPE)
    guess = guess_of(np.ones(3), float(truth.pose[2]))
    top = placed(np.array([[-0.25, 0.1, 0.75]]), truth.pose)[0]
    surface = placed(sample_surface(VERTICES, FACES, 60, np.random.default_rng(0)), truth.pose)
    short = replace(CFG, fine_generations=8)
    start = Place(guess=guess, z=np.array([*(truth.pose[:2] - box_centre(observation)) / XY_UNIT_M, 0, 0, 0, 0, 0]), energy=1.0)

    def energy(seen):
        return place_finely(start, seen, cfg=short, seed=0).energy

    alone, weights = energy(observation), CFG.weights
    for away, reward in ((0.0, weights.support), (0.15, 0.0)):
        hand = Support(kind="hand", point=top + np.array([0, 0, away]))
        assert alone - energy(replace(observation, supports=(hand,))) == pytest.approx(reward, abs=0.01)
    assert energy(replace(observation, points=surface)) - alone < 0.2 * CFG.points
    assert energy(replace(observation, points=surface + np.array([0.4, 0, 0]))) - alone > 0.5 * CFG.points


def test_no_mask_is_said():
    observation, _ = mesh_observation(2, CLEAN, SHAPE)
    blind = replace(observation, labels=(None,) * len(observation.labels))
    with pytest.raises(NoObject):
        place_coarsely(guess_of(np.ones(3), 0.0), blind, cfg=CFG, seed=0)


def test_a_shape_without_metres_or_turn_is_put_where_the_views_show_it():
    observation, truth = mesh_observation(2, CLEAN, SHAPE)
    mean = np.ptp(VERTICES, axis=0).mean()
    size = fitting_size(VERTICES / mean, observation)
    assert size == pytest.approx(mean, rel=0.1)
    guess = replace(guess_of(np.full(3, size / mean), 0.0), yaw=None)
    parts, T = placed_parts(placed_once(guess, observation, CFG), observation)
    for part, step in zip(parts, STEPS, strict=True):
        world = part.vertices @ T[:3, :3].T + T[:3, 3]
        true = placed(step.vertices, truth.pose)
        assert np.linalg.norm(world.mean(axis=0) - true.mean(axis=0)) < 0.02
        assert np.ptp(world, axis=0) == pytest.approx(np.ptp(true, axis=0), rel=0.06)


def test_the_same_seed_gives_the_same_bits():
    observation, truth = mesh_observation(2, CLEAN, SHAPE)
    cfg = RegistrationConfig(turns=2, first_generations=3, coarse_generations=5, fine_generations=5)
    first, again = (placed_once(guess_of(np.ones(3), float(truth.pose[2])), observation, cfg) for _ in range(2))
    assert first.energy == again.energy
    assert np.array_equal(first.z, again.z)


def test_the_origin_lies_under_the_middle_of_the_box():
    moved = centred(np.array([[1.0, 2, 3], [3, 2, 5], [2, 6, 4]]))
    assert np.allclose((moved.min(0) + moved.max(0))[:2], 0)
    assert moved[:, 2].min() == 0
