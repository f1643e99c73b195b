"""The receding horizon: curves of knots, their shift, commands, and what is executed is what is replayed."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.interactions import lean_on_table, sit_on_chair, with_noise
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS, SMPLX_JOINTS
from hsimul3r.errors import NotForMotions
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.progress import Progress
from hsimul3r.tracking.controllers import controller_for
from hsimul3r.tracking.criteria import InteractionThresholds, interaction_criteria
from hsimul3r.tracking.problem import at_rate, tracking_problem
from hsimul3r.tracking.recording import RecordConfig, SoftStart, replay
from hsimul3r.tracking.sampling import antithetic
from hsimul3r.tracking.static_cem import StaticCemConfig
from hsimul3r.tracking.window import (
    CANDIDATES,
    Horizon,
    Rehearsal,
    WindowConfig,
    WindowPlanner,
    WindowSpace,
    knot_basis,
    persistent,
    shifted,
)
from sim_envs import backend
from sim_envs.contract import JUDGE, PLAN
from stages import track_motion

QUICK = WindowConfig(
    samples=8,
    horizon_s=0.3,
    rest_horizon_s=0.6,
    commit_s=0.1,
    iterations=1,
    knot_s=0.1,
    start=StaticCemConfig(samples=8, max_iterations=0),
)
FRAMES = 16


def test_knots_are_joined_by_straight_lines():
    basis = knot_basis(6, 0.1, 0.2)
    assert basis.shape == (6, 4)
    np.testing.assert_allclose(basis @ [0.0, 2.0, 1.0, 1.0], [0, 1, 2, 1.5, 1, 1], atol=1e-12)
    np.testing.assert_allclose(basis.sum(axis=1), 1.0)


def test_a_shifted_curve_is_the_same_curve_later():
    knots = np.array([0.0, 2.0, 1.0, 5.0])[None, :, None]
    np.testing.assert_allclose(shifted(knots, 1.0)[0, :, 0], [2, 1, 5, 5])
    np.testing.assert_allclose(shifted(knots, 0.5)[0, :, 0], [1, 1.5, 3, 5])
    np.testing.assert_allclose(shifted(knots, 0.5, 2.0)[0, :, 0], [1, 3, 5, 5])
    basis = knot_basis(6, 0.1, 0.2)
    np.testing.assert_allclose(basis[2:] @ knots[0], basis[:4] @ shifted(knots, 1.0)[0])


def test_persistent_noise_keeps_its_variance_and_is_as_correlated_as_asked():
    mixing = persistent(5, 0.7)
    covariance = mixing @ mixing.T
    np.testing.assert_allclose(np.diag(covariance), 1.0)
    np.testing.assert_allclose(np.diag(covariance, 1), 0.7)
    np.testing.assert_allclose(np.diag(covariance, 2), 0.49)
    mean, spread = np.zeros((2, 5, 3)), np.ones((2, 5, 3))
    samples = antithetic(np.random.default_rng(0), mean, spread, 4000, mixing=mixing)
    np.testing.assert_allclose(samples[1:2000] + samples[2001:], 0.0, atol=1e-12)
    drawn = np.moveaxis(samples[1:2000], 2, 0).reshape(5, -1)
    np.testing.assert_allclose(np.corrcoef(drawn), covariance, atol=0.05)


@pytest.fixture(scope="module")
def rising(simulated):
    """A sitter who bends forward by 50 degrees within half a second, and is still moving when the motion ends."""
    scene = simulated(sit_on_chair())
    body = scene.bodies[0]
    pose = np.repeat(body.pose, FRAMES, axis=0)
    pose[:, BODY_JOINTS.index("spine1"), 0] += np.radians(50) * np.linspace(0, 1, FRAMES)
    pose[:, SMPLX_JOINTS.index("left_index1"), 2] += np.linspace(0, 0.5, FRAMES)
    return replace(scene, bodies=(replace(body, pose=pose, transl=np.repeat(body.transl, FRAMES, axis=0), fps=30.0),))


def test_without_offsets_the_servos_are_asked_for_the_reference_at_the_end_of_each_step(rising):
    simulation = backend("mujoco_cpu").load(rising, count=2, timing=PLAN, threads=1)
    problem = at_rate(tracking_problem(rising), 60.0)
    space = WindowSpace.of(problem, simulation, QUICK)
    horizon = Horizon(frame=4, frames=2, knot_s=0.1, basis=knot_basis(30, 1 / 30, 0.1))
    samples = np.zeros((2, 1, horizon.basis.shape[1], 63))
    samples[1] += 0.1
    commands = space.commands(samples, horizon)
    reference = space.reference.ctrl
    np.testing.assert_array_equal(commands[0, 0], reference[6])
    np.testing.assert_array_equal(commands[-1, 0], reference[-1])
    np.testing.assert_allclose(commands[:, 1] - commands[:, 0], 0.1)
    np.testing.assert_allclose(space.offsets_of(reference[0] + 0.2, 0, 3), np.full((1, 3, 63), 0.2))


def test_leaning_turns_ankles_then_hips_about_the_axes_of_the_world(rising):
    simulation = backend("mujoco_cpu").load(rising, count=1, timing=PLAN, threads=1)
    problem = at_rate(tracking_problem(rising), 60.0)
    leans = WindowSpace.of(problem, simulation, QUICK).leans(10).reshape(4, 21, 3)
    for joint in ("left_ankle", "right_ankle", "left_hip", "right_hip"):
        bone = BODY_JOINTS.index(joint)
        turned = leans[:, bone - 1] @ matrix_from_quaternion(problem.people[0].quats[10, bone]).T
        wanted = np.zeros((4, 3))
        wanted[[0, 1] if joint.endswith("ankle") else [2, 3]] = np.eye(3)[:2]
        np.testing.assert_allclose(turned, wanted, atol=1e-9)
    assert np.count_nonzero(leans.any(axis=(0, 2))) == 4


def test_leads_are_added_to_what_the_servos_are_asked(rising):
    simulation = backend("mujoco_cpu").load(rising, count=1, timing=PLAN, threads=1)
    problem = at_rate(tracking_problem(rising), 60.0)
    lead = np.random.default_rng(0).normal(0, 0.1, (problem.frames, 63))
    plain, leading = (WindowSpace.of(problem, simulation, QUICK, leads) for leads in ((), (lead,)))
    np.testing.assert_allclose((leading.reference.ctrl - plain.reference.ctrl)[:, leading.servos[0]], lead)


def tracked(scene, tmp_path, **changes):
    cfg = track_motion.TrackMotionConfig(**{"controller": "window", "window": QUICK, "rest_s": 0.2, "threads": 1, **changes})
    return track_motion.run(scene, cfg=cfg, out=tmp_path, progress=Progress(None)), cfg


@pytest.fixture(scope="module")
def rollout(rising, tmp_path_factory):
    return tracked(rising, tmp_path_factory.mktemp("window"))[0]


def test_a_motion_takes_its_time_and_is_followed(rising, rollout):
    assert rollout.controller == "window" and len(rollout.qpos) == 2 * (FRAMES - 1) + 1
    assert rollout.report["searches"] == 5
    assert rollout.body_deviation_m.max() < 0.12
    assert {"person0/buttocks/chair"} <= set(rollout.contact_names)


def test_the_rollout_is_the_simulated_motion_in_smplx_parameters(rising, rollout):
    """Forward kinematics puts joints where the engine had them; fingers move as reconstructed."""
    body = rollout.bodies[0]
    joints = embedded_body().joints(np.tile(body.betas, (len(body.pose), 1)), body.pose, body.transl)
    judge = backend("mujoco_cpu").load(rising, count=len(rollout.qpos), timing=JUDGE, threads=1)
    judge.reset(rollout.qpos)
    position, _ = judge.body_poses([f"person0/{joint}" for joint in BODY_JOINTS])
    np.testing.assert_allclose(joints[:, : len(BODY_JOINTS)], position, atol=1e-9)
    curled = SMPLX_JOINTS.index("left_index1")
    np.testing.assert_array_equal(body.pose[::2, curled], rising.bodies[0].pose[:, curled])
    assert np.ptp(body.pose[:, curled, 2]) > 0.4


@pytest.mark.parametrize("threads", [1, 2])
def test_what_was_executed_is_what_a_fresh_simulation_replays(rising, rollout, threads):
    judge = backend("mujoco_cpu").load(rising, count=1, timing=JUDGE, threads=threads)
    problem = at_rate(tracking_problem(rising), rollout.fps)
    cfg = RecordConfig(duration_s=(len(rollout.qpos) - 1) / rollout.fps)
    assert replay(rollout, problem, judge, cfg) == rollout.replay_hash


def planned(scene, threads, cfg=QUICK):
    """A planner of a motion."""
    problem, batch = at_rate(tracking_problem(scene), 60.0), backend("mujoco_cpu")
    coarse, fine = (batch.load(scene, count=c, timing=t, threads=threads) for c, t in ((8, PLAN), (CANDIDATES, JUDGE)))
    return WindowPlanner(
        space=WindowSpace.of(problem, coarse, cfg),
        cfg=cfg,
        soft_start=SoftStart(),
        fps=60.0,
        coarse=Rehearsal.of(problem, coarse, cfg.weights),
        fine=Rehearsal.of(problem, fine, cfg.weights),
    )


def searched(scene, threads):
    """Costs of the same samples, and what a search finds, from a state of the motion."""
    planner = planned(scene, threads)
    horizon = planner.horizon(6)
    samples = np.random.default_rng(0).normal(0, 0.05, (8, 1, horizon.basis.shape[1], 63))
    start = scene.qpos, np.zeros(len(planner.coarse.simulation.qvel_names))
    found, _ = planner.search(np.random.default_rng(0), start, samples[0], horizon)
    return planner.cost(samples, start, horizon, planner.coarse), found


def test_it_looks_farther_once_the_motion_is_over_with_as_many_knots(rising):
    planner = planned(rising, 1)
    moving, over = planner.horizon(0), planner.horizon(2 * FRAMES)
    assert len(over.basis) == 2 * len(moving.basis) and over.knot_s == 2 * moving.knot_s
    assert over.basis.shape[1] == moving.basis.shape[1]


def test_what_is_good_already_is_not_searched_for(rising):
    planner = planned(rising, 1, replace(QUICK, good_cost=np.inf))
    horizon = planner.horizon(6)
    start = rising.qpos, np.zeros(len(planner.coarse.simulation.qvel_names))
    wild = np.full((1, horizon.basis.shape[1], 63), 0.5)
    found, iterations = planner.search(np.random.default_rng(0), start, wild, horizon)
    assert iterations == 0
    np.testing.assert_array_equal(found, 0.0)


def test_the_search_is_the_same_at_any_thread_count(rising):
    (one, first), (two, second) = searched(rising, 1), searched(rising, 2)
    assert len(np.unique(one)) == 8
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(first, second)


def test_auto_holds_poses_and_follows_motions(rising, simulated):
    assert controller_for(tracking_problem(rising)) == "window"
    assert controller_for(tracking_problem(simulated(sit_on_chair()))) == "static"


def test_static_control_refuses_a_motion(rising, tmp_path):
    with pytest.raises(NotForMotions, match="16 frames"):
        tracked(rising, tmp_path, controller="static", fps=30.0)


def turning_lean(simulated, seed):
    """Somebody who leans on a table with the errors of a reconstruction, and turns the head by 30 degrees within a second."""
    scene = simulated(with_noise(lean_on_table(), joint_deg=6, root_m=0.04, tilt_deg=4, seed=seed))
    body = scene.bodies[0]
    pose = np.repeat(body.pose, 31, axis=0)
    pose[:, BODY_JOINTS.index("neck"), 1] += np.radians(30) * np.linspace(0, 1, 31)
    return replace(scene, bodies=(replace(body, pose=pose, transl=np.repeat(body.transl, 31, axis=0), fps=30.0),))


@pytest.mark.slow
def test_a_noisy_motion_falls_under_pd_and_is_followed_by_the_window(simulated, tmp_path):
    scene = turning_lean(simulated, seed=1)
    problem = at_rate(tracking_problem(scene), 60.0)
    held = {}
    for controller in ("pd", "window"):
        rollout, _ = tracked(scene, tmp_path, controller=controller, window=WindowConfig(), rest_s=1.0)
        held[controller] = all(c.holds for c in interaction_criteria(rollout, problem, InteractionThresholds()))
    assert held == {"pd": False, "window": True}
