from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.interactions import aligned_scene, chair_boxes, furniture, lean_on_table, sit_on_chair, with_noise
from hsimul3r.progress import Progress
from hsimul3r.tracking.criteria import InteractionThresholds, interaction_criteria
from hsimul3r.tracking.problem import tracking_problem
from hsimul3r.tracking.recording import SoftStart
from hsimul3r.tracking.sampling import antithetic, rank_weights, update
from hsimul3r.tracking.static_cem import Certificate, SearchSpace, StaticCemConfig, optimise, shooting_cost
from sim_envs import backend
from sim_envs.contract import PLAN
from stages import track_motion

SMALL = StaticCemConfig(samples=8, max_iterations=3, horizon_s=0.5, check_every=2)


def coarse(scene, count=SMALL.samples, threads=1):
    return backend("mujoco_cpu").load(scene, count=count, timing=PLAN, threads=threads)


def refuse(plans):
    return [Certificate(is_valid=False, score=-1.0) for _ in plans]


@pytest.fixture(scope="module")
def chair(simulated):
    return simulated(sit_on_chair())


def test_rank_weights_sum_to_one_and_fall():
    weights = rank_weights(12)
    assert weights.sum() == pytest.approx(1.0)
    assert (np.diff(weights) < 0).all() and weights[-1] > 0


def test_antithetic_samples_mirror_about_the_mean():
    mean, spread = np.full((1, 3), 2.0), np.full((1, 3), 0.5)
    samples = antithetic(np.random.default_rng(0), mean, spread, 10)
    np.testing.assert_allclose(samples[1:5] + samples[6:10], 2 * np.tile(mean, (4, 1, 1)))
    np.testing.assert_array_equal(samples[0], mean)


def test_each_person_moves_by_its_own_cost():
    rng = np.random.default_rng(1)
    mean, spread, scale = np.zeros((2, 2)), np.ones((2, 2)), np.ones(2)
    for _ in range(60):
        samples = antithetic(rng, mean, spread, 48)
        cost = np.stack([((samples[:, 0] - [1, 2]) ** 2).sum(-1), ((samples[:, 1] + [3, 1]) ** 2).sum(-1)], axis=1)
        mean, spread = update(samples, cost, mean, spread, scale, StaticCemConfig())
    np.testing.assert_allclose(mean, [[1, 2], [-3, -1]], atol=0.05)


def test_the_zero_sample_is_the_reconstruction(chair):
    problem, simulation = tracking_problem(chair), coarse(chair)
    space = SearchSpace.of(problem, simulation, SMALL)
    qpos, ctrl = space.states(np.zeros((2, 1, len(space.scale))))
    np.testing.assert_allclose(qpos, np.tile(chair.qpos, (2, 1)), atol=1e-9)
    np.testing.assert_allclose(ctrl[0], space.reference.ctrl[0], atol=1e-9)


def test_a_better_start_costs_less(chair):
    problem, simulation = tracking_problem(chair), coarse(chair)
    space = SearchSpace.of(problem, simulation, SMALL)
    samples = np.zeros((8, 1, len(space.scale)))
    samples[1, 0, 2] = 0.3
    cost = shooting_cost(samples, space, simulation, SMALL, SoftStart(), horizon_s=0.5)
    assert cost[0, 0] == cost[2, 0] < cost[1, 0]


def test_search_is_the_same_at_any_thread_count(chair):
    problem = tracking_problem(chair)
    plans = [
        optimise(problem, coarse(chair, threads=threads), refuse, SMALL, soft_start=SoftStart(), seed=3).plan
        for threads in (1, 2)
    ]
    np.testing.assert_array_equal(plans[0].qpos, plans[1].qpos)
    np.testing.assert_array_equal(plans[0].ctrl, plans[1].ctrl)


def test_a_certified_reconstruction_is_left_alone(chair):
    problem = tracking_problem(chair)

    def accept(plans):
        return [Certificate(is_valid=True, score=0.0) for _ in plans]

    solution = optimise(problem, coarse(chair), accept, SMALL, soft_start=SoftStart(), seed=0)
    assert solution.is_certified and solution.iterations == 0
    np.testing.assert_array_equal(solution.plan.qpos, chair.qpos)


def test_without_a_certificate_the_closest_candidate_is_kept(chair):
    problem = tracking_problem(chair)
    scores = iter([-3.0, -2.0, -0.5, -1.0, -4.0])
    seen = []

    def grade(plans):
        grades = [Certificate(is_valid=False, score=next(scores)) for _ in plans]
        seen.extend(zip(plans, grades))
        return grades

    solution = optimise(problem, coarse(chair), grade, SMALL, soft_start=SoftStart(), seed=0)
    assert not solution.is_certified
    assert solution.plan is max(seen, key=lambda item: item[1].score)[0]


def outcome(scene, controller, tmp_path):
    cfg = track_motion.TrackMotionConfig(controller=controller)
    rollout = track_motion.run(scene, cfg=cfg, out=tmp_path, progress=Progress(None))
    criteria = interaction_criteria(rollout, tracking_problem(scene), InteractionThresholds())
    return rollout, all(criterion.holds for criterion in criteria)


@pytest.mark.slow
def test_a_noisy_lean_falls_under_pd_and_holds_under_sampling_control(simulated, tmp_path):
    scene = simulated(with_noise(lean_on_table(), joint_deg=6, root_m=0.04, tilt_deg=4, seed=1))
    assert not outcome(scene, "pd", tmp_path)[1]
    rollout, is_stable = outcome(scene, "static", tmp_path)
    assert is_stable and rollout.report["is_certified"] == 1.0
    assert 0 < rollout.report["iterations"] <= 40


@pytest.mark.slow
def test_a_sitter_between_too_narrow_armrests_moves_the_thighs_together(simulated, tmp_path):
    """Each armrest reaches 2 cm into a thigh: as reconstructed they press the sitter with ten times the weight."""
    aligned = sit_on_chair()
    old = aligned.assets[0]
    seat, place = float(old.parts[4].vertices[:, 2].max()), tuple(old.T_world_object[:3, 3].tolist())
    arms = tuple(((side * 0.187, 0.0, seat + 0.1), (0.02, 0.2, 0.1)) for side in (-1, 1))
    narrow = furniture("chair", (*chair_boxes(seat), *arms), mass_kg=old.mass_kg, position=place)
    scene = simulated(replace(aligned, assets=(narrow,)))
    assert not outcome(scene, "pd", tmp_path)[1]
    assert outcome(scene, "static", tmp_path)[1]


def test_two_people_are_both_simulated(simulated, tmp_path):
    aligned = sit_on_chair()
    chair = aligned.assets[0]
    shift = np.eye(4)
    shift[0, 3] = 1.5
    second = replace(chair, name="chair2", T_world_object=shift @ chair.T_world_object)
    other = replace(aligned.bodies[0], person=1, transl=aligned.bodies[0].transl + np.array([1.5, 0, 0]))
    bodies, assets = (aligned.bodies[0], other), (chair, second)
    contacts = (
        *aligned_scene(bodies, assets, {"chair": ("buttocks",)}).contacts,
        *aligned_scene(bodies, assets, {"chair2": ("buttocks",)}, person=1).contacts,
    )
    scene = simulated(replace(aligned, bodies=bodies, assets=assets, contacts=contacts))
    rollout, is_stable = outcome(scene, "static", tmp_path)
    assert is_stable
    assert len(rollout.bodies) == 2
    assert {"person0/buttocks/chair", "person1/buttocks/chair2"} <= set(rollout.contact_names)
