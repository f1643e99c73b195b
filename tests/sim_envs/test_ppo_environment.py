"""The vectorised environment over real simulations of a person on a chair."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.check import sim_scene_of
from hsimul3r.benchmark.interactions import sit_on_sofa
from hsimul3r.errors import MixedLayouts
from hsimul3r.tracking.problem import tracking_problem
from sim_envs import backend
from sim_envs.conformance import seated_scene
from sim_envs.ppo.environment import Clip, EnvironmentConfig, ImitationEnvironment, StartNoise, layout_of
from sim_envs.ppo.servos import servo_gains

STILL = StartNoise(joint_rad=0.0, root_m=0.0, speed=0.0)
QUIET = EnvironmentConfig(simulations=4, episode_s=0.5, noise=STILL)


@pytest.fixture(scope="module")
def scene():
    return seated_scene()


@pytest.fixture(scope="module")
def sofa_scene():
    return sim_scene_of(sit_on_sofa())


def environment(scene, cfg=QUIET, seed=0, clips=1) -> ImitationEnvironment:
    return ImitationEnvironment([Clip(scene=scene)] * clips, backend("mujoco_cpu"), cfg, seed=seed, threads=1)


def nothing(env) -> np.ndarray:
    return np.zeros((env.count, 63))


def test_a_sitter_who_is_held_earns_nearly_everything(scene):
    env = environment(scene)
    env.reset()
    outcomes = [env.step(nothing(env)) for _ in range(10)]
    weights = QUIET.rewards
    best = 1.0 + weights.scene.weight + weights.objects.weight
    assert 0.8 * best < outcomes[-1].reward.mean() <= best
    assert not any(o.has_failed.any() for o in outcomes) and outcomes[-1].deviation_m.max() < 0.03


def test_episodes_end_after_their_time_and_start_anew(scene):
    env = environment(scene)
    first = env.reset()
    for _ in range(14):
        assert not env.step(nothing(env)).is_over.any()
    outcome = env.step(nothing(env))
    assert outcome.is_over.all() and not outcome.has_failed.any()
    np.testing.assert_allclose(outcome.observation, first, atol=1e-5)


def test_who_leaves_the_reference_fails_alone(scene):
    env = environment(scene)
    env.reset()
    actions = nothing(env)
    actions[2] = 8.0
    failures, rewards = np.zeros(4, int), []
    for _ in range(12):
        outcome = env.step(actions)
        failures += outcome.has_failed
        rewards.append(outcome.reward[outcome.has_failed])
    assert failures[2] > 0 and not failures[[0, 1, 3]].any()
    assert not np.concatenate(rewards).any()
    kept = 0.99 ** failures[2]
    assert env.worlds[0].sampler.failure_rate[0] == pytest.approx(kept * 0.5 + 1 - kept)


def test_starts_are_disturbed_by_as_much_as_asked(scene):
    cfg = replace(QUIET, simulations=64, noise=StartNoise(joint_rad=0.1, root_m=0.02, speed=0.3))
    env = environment(scene, cfg)
    env.reset()
    world = env.worlds[0]
    qpos, qvel = world.simulation.state()
    layout = world.reference.skeleton.layout
    assert (qpos - world.reference.qpos[0])[:, layout.root[:3]].std() == pytest.approx(0.02, rel=0.3)
    assert qvel[:, world.reference.skeleton.balls].std() == pytest.approx(0.3, rel=0.1)
    chair = [i for i, name in enumerate(world.simulation.qvel_names) if name.startswith("chair")]
    assert not qvel[:, chair].any()


def test_the_same_seed_and_actions_give_the_same_bits(scene):
    cfg = replace(QUIET, noise=StartNoise())
    runs = []
    for seed in (3, 3, 4):
        env, rng = environment(scene, cfg, seed=seed), np.random.default_rng(0)
        env.reset()
        runs.append(np.stack([env.step(2 * rng.normal(size=(4, 63))).observation for _ in range(18)]))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_clips_share_the_simulations(scene):
    env = environment(scene, replace(QUIET, simulations=5), clips=2)
    assert [world.simulation.count for world in env.worlds] == [3, 2]
    assert env.reset().shape == (5, env.spec.layout.size)
    assert env.step(nothing(env)).reward.shape == (5,)


def test_clips_of_other_objects_are_refused(sofa_scene, scene):
    problems = [tracking_problem(scene), tracking_problem(sofa_scene)]
    with pytest.raises(MixedLayouts, match="their objects differ \\(chair / sofa\\)"):
        layout_of(problems, QUIET)
    assert layout_of(problems[:1], QUIET).contacts == (
        "person0/buttocks/chair", "person0/left_thigh/chair", "person0/right_thigh/chair",
    )  # fmt: skip


def test_servos_exert_what_their_description_says(scene):
    env = environment(scene)
    world = env.worlds[0]
    gains, balls = world.gains, world.reference.skeleton.balls
    rng = np.random.default_rng(0)
    qvel = np.zeros((4, len(world.simulation.qvel_names)))
    qvel[:, balls] = rng.normal(size=(4, 21, 3))
    world.simulation.reset(world.reference.qpos[[0] * 4], qvel)
    angle = world.reference.ctrl[0][world.reference.skeleton.layout.servos].ravel()
    offset = rng.uniform(-0.4, 0.4, size=(4, 63))
    ctrl = world.reference.ctrl[[0] * 4]
    ctrl[:, world.reference.skeleton.layout.servos.ravel()] = angle + offset
    world.simulation.step(ctrl, 1)
    torque = world.simulation.servo_torques()[:, world.reference.skeleton.layout.servos.ravel()]
    law = gains.stiffness * offset - gains.damping * qvel[:, balls].reshape(4, 63)
    expected = np.clip(law, -gains.limit_n_m, gains.limit_n_m)
    np.testing.assert_allclose(torque, expected, atol=1e-6 * gains.limit_n_m.max())


def test_who_has_human_muscles_says_so():
    phc, human = (servo_gains(77.0, preset) for preset in ("phc", "human"))
    assert phc.stiffness[0] == 800.0 and phc.damping[0] == 80.0 and phc.limit_n_m[0] == 500.0
    np.testing.assert_array_equal(human.stiffness, phc.stiffness)
    assert (human.limit_n_m <= phc.limit_n_m).all() and human.limit_n_m[0] < 500.0


@pytest.mark.slow
def test_every_backend_gives_the_same_episodes(scene):
    pytest.importorskip("mujoco_warp", reason="mujoco_warp is not installed")
    from sim_envs.mujoco_warp import MujocoWarp

    runs = []
    for engine in (backend("mujoco_cpu"), MujocoWarp("cpu")):
        env = ImitationEnvironment([Clip(scene=scene)], engine, replace(QUIET, episode_s=0.2), seed=0, threads=1)
        env.reset()
        rng = np.random.default_rng(0)
        runs.append([env.step(0.3 * rng.normal(size=(4, 63))) for _ in range(8)])
    assert any(outcome.is_over.any() for outcome in runs[0])
    for one, other in zip(*runs):
        np.testing.assert_allclose(one.observation, other.observation, atol=2e-3)
        np.testing.assert_allclose(one.reward, other.reward, atol=1e-4)
