from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.interactions import sit_on_chair
from hsimul3r.body.model import embedded_body
from hsimul3r.tracking.pd import follow_reconstruction
from hsimul3r.tracking.problem import tracking_problem
from hsimul3r.tracking.recording import Plan, RecordConfig, SoftStart, record, replay, rollout_of
from sim_envs import backend
from sim_envs.contract import JUDGE

SHORT = RecordConfig(duration_s=0.5)


def judge(scene, threads=1, count=1):
    return backend("mujoco_cpu").load(scene, count=count, timing=JUDGE, threads=threads)


def recorded(scene, cfg=SHORT):
    problem, simulation = tracking_problem(scene), judge(scene)
    plan = follow_reconstruction(problem, simulation.qpos_names, simulation.ctrl_names)
    return rollout_of(record(simulation, problem, [plan], cfg), 0, scene, problem, simulation, cfg)


@pytest.fixture(scope="module")
def scene(simulated):
    return simulated(sit_on_chair())


@pytest.fixture(scope="module")
def rollout(scene):
    return recorded(scene)


def test_frames_and_names(scene, rollout):
    assert rollout.qpos.shape == (31, len(scene.qpos))
    np.testing.assert_array_equal(rollout.qpos[0], scene.qpos)
    assert {"person0/buttocks/chair", "person0/left_thigh/chair"} <= set(rollout.contact_names)
    assert rollout.object_names == ("chair",)


@pytest.mark.parametrize("threads", [1, 2])
def test_replay_is_bit_equal_at_any_thread_count(scene, rollout, threads):
    assert replay(rollout, tracking_problem(scene), judge(scene, threads), SHORT) == rollout.replay_hash


def test_replay_notices_another_command(scene, rollout):
    nudged = replace(rollout, ctrl=rollout.ctrl + 1e-9)
    assert replay(nudged, tracking_problem(scene), judge(scene), SHORT) != rollout.replay_hash


def test_simulations_of_a_batch_are_recorded_as_alone(scene, rollout):
    problem, pair = tracking_problem(scene), judge(scene, threads=2, count=2)
    plan = follow_reconstruction(problem, pair.qpos_names, pair.ctrl_names)
    other = Plan(qpos=plan.qpos, ctrl=plan.ctrl + 0.05)
    both = record(pair, problem, [plan, other], SHORT)
    np.testing.assert_array_equal(both.qpos[:, 0], rollout.qpos)
    assert not np.array_equal(both.qpos[-1, 1], rollout.qpos[-1])


def test_recorded_motion_is_the_simulated_body(scene, rollout):
    """Forward kinematics of the recorded SMPL-X parameters puts every joint where the engine had it."""
    problem, simulation = tracking_problem(scene), judge(scene)
    plan = follow_reconstruction(problem, simulation.qpos_names, simulation.ctrl_names)
    recording = record(simulation, problem, [plan], SHORT)
    body = rollout.bodies[0]
    joints = embedded_body().joints(np.tile(body.betas, (31, 1)), body.pose, body.transl)
    np.testing.assert_allclose(joints[:, :22], recording.joints[:, 0, 0], atol=1e-9)


def test_deviation_starts_at_zero(rollout):
    assert rollout.body_deviation_m[0] == pytest.approx(0.0, abs=1e-9)
    assert 0 < rollout.body_deviation_m[-1] < 0.1


def test_commands_may_change_over_time(scene):
    problem, simulation = tracking_problem(scene), judge(scene)
    plan = follow_reconstruction(problem, simulation.qpos_names, simulation.ctrl_names)
    moving = plan.ctrl + np.linspace(0, 0.2, 11)[:, None]
    recording = record(simulation, problem, [Plan(qpos=plan.qpos, ctrl=moving)], SHORT)
    np.testing.assert_array_equal(recording.ctrl[:11, 0], moving)
    np.testing.assert_array_equal(recording.ctrl[-1, 0], moving[-1])


@pytest.mark.parametrize("depth_m", [0.04, 0.08])
def test_a_start_in_penetration_does_not_throw_the_chair(simulated, depth_m):
    aligned = sit_on_chair()
    body = aligned.bodies[0]
    sunk = simulated(replace(aligned, bodies=(replace(body, transl=body.transl - np.array([0, 0, depth_m])),)))
    cfg = RecordConfig(duration_s=1.5)
    gentle, hard = recorded(sunk, cfg), recorded(sunk, replace(cfg, soft_start=SoftStart(duration_s=0.0)))
    drift = [np.linalg.norm(r.object_pos[-1, 0] - r.object_pos[0, 0]) for r in (gentle, hard)]
    assert gentle.penetration_m[0] > depth_m and gentle.penetration_m[-1] < 0.005
    assert drift[0] < 0.005
    assert drift[1] > drift[0]


def test_a_clean_start_does_not_sag(rollout):
    assert abs(rollout.qpos[:, 2] - rollout.qpos[0, 2]).max() < 0.02


def test_peak_torques_are_within_the_servos_limits(scene, rollout):
    peaks = {name: value for name, value in rollout.report.items() if name.startswith("peak torque")}
    assert len(peaks) == 13 and 5.0 < peaks["peak torque, hip [N m]"] < 100.0, "a seat leaves little to the hips"
    assert all(0.0 < value <= 500.0 * scene.human_mass_kg[0] / 77.0 * (1 + 1e-9) for value in peaks.values())
    assert rollout.report["solver_capped_steps"] == 0.0


def test_a_person_s_own_torques_hold_the_seat_with_no_more_than_they_have(scene):
    weak = recorded(replace(scene, torques="human"))
    share = scene.human_mass_kg[0] / 77.0
    assert weak.report["peak torque, wrist [N m]"] <= 12.0 * share * (1 + 1e-9)
    assert weak.report["peak torque, hip [N m]"] <= 215.0 * share * (1 + 1e-9)
