"""Each setting of the scene term switches what it names, and nothing else does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hsimul3r.artifacts import Rollout
from hsimul3r.benchmark.interactions import sit_on_chair
from hsimul3r.progress import Progress
from hsimul3r.tracking.costs import CostWeights
from hsimul3r.tracking.criteria import InteractionThresholds
from hsimul3r.tracking.moment import MomentCost
from hsimul3r.tracking.problem import searched, tracking_problem
from sim_envs import backend
from sim_envs.contract import PLAN
from stages import track_motion

ONLY_SCENE = CostWeights(
    position=0, rotation=0, root=0, velocity=0, object_drift=0, object_tilt=0, scene=1, missing_contact=1, penetration=0
)


@pytest.fixture(scope="module")
def chair(simulated):
    return simulated(sit_on_chair())


@pytest.fixture(scope="module")
def moved(chair):
    """Simulations in which the person is shifted: not at all, by 10 cm and 30 cm up, by 10 cm to the side."""
    simulation = backend("mujoco_cpu").load(chair, count=4, timing=PLAN, threads=1)
    qpos = np.tile(chair.qpos, (4, 1))
    place = [chair.qpos_names.index(f"person0/root:{axis}") for axis in "xyz"]
    qpos[1, place[2]] += 0.1
    qpos[2, place[2]] += 0.3
    qpos[3, place[0]] += 0.1
    simulation.reset(qpos)
    simulation.step(np.zeros((4, len(simulation.ctrl_names))), 1)
    return simulation


def cost(chair, moved, term):
    return MomentCost.of(searched(tracking_problem(chair), term), moved, ONLY_SCENE)(moved)[:, 0]


def test_without_the_term_neither_distance_nor_force_at_contacts_costs(chair, moved):
    np.testing.assert_array_equal(cost(chair, moved, "none"), np.zeros(4))


def test_with_it_distance_from_the_surface_costs(chair, moved):
    surface = cost(chair, moved, "surface")
    assert surface[0] < surface[1] < surface[2] and surface[0] < surface[3]


def test_without_it_nothing_in_the_cost_depends_on_where_contacts_are(chair, moved):
    problem = tracking_problem(chair)
    elsewhere = tuple(replace(t, patch_centre=t.patch_centre + 1.0, keypoint=t.keypoint + 0.2) for t in problem.targets)
    for weights in (CostWeights(), CostWeights(scene=100, missing_contact=100)):
        values = [
            MomentCost.of(searched(replace(problem, targets=targets), "none"), moved, weights)(moved)
            for targets in (problem.targets, elsewhere, ())
        ]
        np.testing.assert_array_equal(values[0], values[1])
        np.testing.assert_array_equal(values[0], values[2])


def test_the_centre_term_is_least_at_the_middle_of_the_object_s_box(chair, moved):
    problem = tracking_problem(chair)
    asset = chair.assets[0]
    middle = (asset.vertices.min(axis=0) + asset.vertices.max(axis=0)) / 2
    central, surface = searched(problem, "center"), searched(problem, "surface")
    assert surface is problem and len(central.targets) == len(problem.targets) > 0
    for target, original in zip(central.targets, problem.targets):
        np.testing.assert_allclose(target.patch_centre, middle)
        assert target.patch_spread == 0
        np.testing.assert_array_equal(target.keypoint, original.keypoint)
        assert np.linalg.norm(original.patch_centre - middle) > 0.02


def fallen(chair) -> Rollout:
    """A rollout in which everything rests where it was reconstructed, but no contact bears anything."""
    cfg = track_motion.TrackMotionConfig(controller="pd", hold_s=0.1)
    rollout = track_motion.run(chair, cfg=cfg, out=Path(), progress=Progress(None))
    still = np.repeat(rollout.qpos[:1], len(rollout.qpos), axis=0)
    return replace(
        rollout, qpos=still, qvel=np.zeros_like(rollout.qvel), contact_force_n=np.zeros_like(rollout.contact_force_n),
        body_deviation_m=np.zeros(len(still)), penetration_m=np.full(len(still), 0.5),
        object_pos=np.repeat(rollout.object_pos[:1], len(still), axis=0),
        object_quat=np.repeat(rollout.object_quat[:1], len(still), axis=0),
    )  # fmt: skip


@pytest.mark.parametrize(("term", "is_valid"), [("none", True), ("center", False), ("surface", False)])
def test_without_the_term_the_certificate_asks_for_rest_and_place_only(chair, term, is_valid):
    cfg = track_motion.TrackMotionConfig(scene_term=term)
    known = searched(tracking_problem(chair), term)
    assert track_motion._certificate(fallen(chair), known, cfg).is_valid == is_valid


def test_without_the_term_the_certificate_still_refuses_whoever_moves_away(chair):
    cfg = track_motion.TrackMotionConfig(scene_term="none")
    known = searched(tracking_problem(chair), "none")
    gone = fallen(chair)
    gone = replace(gone, body_deviation_m=np.full(len(gone.qpos), 2 * InteractionThresholds().deviation_m))
    assert not track_motion._certificate(gone, known, cfg).is_valid
