"""PPO by rl-games, its warm start, its checkpoints and the policy file, on a few simulations of a sitter."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rl_games", reason="rl-games is not installed (pip install -e '.[rl]')")
pytest.importorskip("onnx", reason="onnx is not installed (pip install -e '.[rl]')")

import torch

from hsimul3r.artifacts import Rollout
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.errors import PolicyMismatch
from hsimul3r.progress import Progress
from hsimul3r.tracking.policy import METADATA
from sim_envs import backend
from sim_envs.conformance import seated_scene
from sim_envs.ppo.cloning import CloningConfig, Demonstrations, clone, demonstrate
from sim_envs.ppo.environment import Clip, EnvironmentConfig, ImitationEnvironment, StartNoise
from sim_envs.ppo.learner import NetworkConfig, PpoConfig, learn, make_agent, resume_training, save_training
from sim_envs.ppo.policy_file import act_of, description, write_policy
from stages import track_motion
from stages.adapters.policy_network import load_policy

SIMULATIONS, HORIZON = 8, 8
SMALL = PpoConfig(
    steps=3 * SIMULATIONS * HORIZON,
    horizon=HORIZON,
    minibatch=32,
    epochs=1,
    critic_only=0,
    network=NetworkConfig(units=(16,)),
)


@pytest.fixture(scope="module")
def solved() -> Clip:
    scene = seated_scene()
    cfg = track_motion.TrackMotionConfig(controller="pd", threads=1, hold_s=1.0)
    rollout = track_motion.run(scene, cfg=cfg, out=Path(), progress=Progress())
    return Clip(scene=scene, solved=(rollout,))


@pytest.fixture
def environment(solved) -> ImitationEnvironment:
    cfg = EnvironmentConfig(simulations=SIMULATIONS, episode_s=0.5)
    return ImitationEnvironment([solved], backend("mujoco_cpu"), cfg, seed=0, threads=1)


def agent_of(environment, folder, cfg=SMALL, seed=0):
    return make_agent(environment, cfg, folder=folder / "tensorboard", seed=seed)


def weights(agent) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy().copy() for name, value in agent.model.a2c_network.state_dict().items()}


def observations(environment, count=50) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, environment.spec.layout.size)).astype(np.float32)


def test_an_untrained_policy_asks_for_the_reference(environment, tmp_path):
    assert np.abs(act_of(agent_of(environment, tmp_path))(observations(environment))).max() < 0.05


def test_training_counts_steps_and_writes_its_curve(environment, tmp_path, capsys):
    agent = agent_of(environment, tmp_path)
    before = weights(agent)
    curve = learn(agent, SMALL, curve=[])
    assert [row.steps for row in curve] == [64, 128, 192]
    assert all(0 < row.reward < 1.5 and np.isfinite(row.kl) for row in curve)
    changed = {name for name, value in weights(agent).items() if not np.array_equal(value, before[name])}
    assert {"actor_mlp.0.weight", "critic_mlp.0.weight", "mu.weight", "value.weight"} <= changed
    assert "sigma" not in changed
    assert list((tmp_path / "tensorboard" / "summaries").glob("events*"))
    assert capsys.readouterr().out == ""


def test_at_first_only_the_value_learns(environment, tmp_path):
    agent = agent_of(environment, tmp_path)
    before = weights(agent)
    learn(agent, replace(SMALL, critic_only=9), curve=[])
    changed = {name for name, value in weights(agent).items() if not np.array_equal(value, before[name])}
    assert changed == {name for name in before if name.startswith(("critic_mlp", "value"))}


def test_training_goes_on_from_a_checkpoint(environment, tmp_path):
    first = agent_of(environment, tmp_path)
    save_training(first, learn(first, SMALL, curve=[]), tmp_path / "checkpoint.pt")
    resumed = []
    for _ in range(2):
        agent = agent_of(environment, tmp_path, seed=5)
        curve = resume_training(agent, tmp_path / "checkpoint.pt", seed=0)
        assert all(np.array_equal(value, weights(first)[name]) for name, value in weights(agent).items())
        curve = learn(agent, replace(SMALL, steps=256), curve=curve)
        assert [row.steps for row in curve] == [64, 128, 192, 256]
        resumed.append(weights(agent))
    assert all(np.array_equal(resumed[0][name], resumed[1][name]) for name in resumed[0])
    assert [path.name for path in tmp_path.glob("*checkpoint*")] == ["checkpoint.pt"]


def test_a_checkpoint_that_names_code_is_not_run(environment, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"model": Trap()}, tmp_path / "checkpoint.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        resume_training(agent_of(environment, tmp_path), tmp_path / "checkpoint.pt", seed=0)
    assert not (tmp_path / "sprung").exists()


def test_demonstrations_are_what_was_commanded(environment, solved):
    shown = demonstrate(environment.worlds[0], solved.solved, CloningConfig(rounds=1, first_share=1.0))
    assert shown.held_share == 1.0
    assert shown.observation.shape == (SIMULATIONS * 15, environment.spec.layout.size)
    np.testing.assert_allclose(shown.action, 0.0, atol=1e-5)


def test_demonstrations_that_fail_are_left_out(solved):
    rollout = solved.solved[0]
    pushed = replace(rollout, ctrl=rollout.ctrl + 0.5)
    cfg = EnvironmentConfig(simulations=4, episode_s=0.5, noise=StartNoise(joint_rad=0.0, root_m=0.0, speed=0.0))
    environment = ImitationEnvironment([solved], backend("mujoco_cpu"), cfg, seed=0, threads=1)
    shown = demonstrate(environment.worlds[0], [pushed], CloningConfig(rounds=1))
    assert shown.held_share == 0.0 and len(shown.action) == 0


def test_cloning_learns_a_teacher(environment, tmp_path):
    rng, seen = np.random.default_rng(0), observations(environment, 2000)
    seen[:, 7] = 3.0
    teacher = np.zeros((seen.shape[1], 63), np.float32)
    teacher[:6] = rng.normal(size=(6, 63)) / np.sqrt(6)
    shown = Demonstrations(observation=seen, action=seen @ teacher, held_share=1.0)
    agent = agent_of(environment, tmp_path, replace(SMALL, network=NetworkConfig(units=(128,))))
    before = float(np.sqrt((shown.action**2).mean()))
    error = clone(agent, shown, CloningConfig(epochs=30, minibatch=100), seed=0)
    assert error < 0.6 * before
    assert np.sqrt(((act_of(agent)(seen) - shown.action) ** 2).mean()) < 0.6 * before
    normal = agent.model.running_mean_std
    assert float(normal.running_mean[7]) == pytest.approx(3.0) and float(normal.running_var[7]) == pytest.approx(0.01)


@pytest.mark.parametrize("activation", ["elu", "swish"])
def test_the_policy_file_is_the_agent(environment, tmp_path, activation):
    agent = agent_of(environment, tmp_path, replace(SMALL, network=NetworkConfig(units=(32, 16), activation=activation)))
    with torch.no_grad():
        agent.model.a2c_network.mu.weight.normal_()
        agent.model.running_mean_std.running_mean.normal_()
        agent.model.running_mean_std.running_var.uniform_(0.1, 2.0)
    path = tmp_path / "policy.onnx"
    write_policy(agent, description(environment.spec, environment.worlds[0].gains, trained_on="chair"), path)
    act, spec = load_policy(path)
    assert spec == environment.spec
    seen = 3 * observations(environment)
    np.testing.assert_allclose(act(seen), act_of(agent)(seen), atol=1e-5)


def test_the_policy_file_says_how_to_connect_it(environment, tmp_path):
    import onnx

    write_policy(
        agent_of(environment, tmp_path),
        description(environment.spec, environment.worlds[0].gains, trained_on="chair"),
        tmp_path / "policy.onnx",
    )
    properties = {entry.key: entry.value for entry in onnx.load(tmp_path / "policy.onnx").metadata_props}
    details = json.loads(properties[METADATA])
    assert sum(details["observation"].values()) == environment.spec.layout.size
    assert details["actions"][:3] == [f"{BODY_JOINTS[1]}/{axis}" for axis in "xyz"] and len(details["actions"]) == 63
    assert details["layout"]["fps"] == 30.0 and details["layout"]["objects"] == ["chair"]
    assert len(details["stiffness_n_m_rad"]) == len(details["torque_limit_n_m"]) == 63


def test_files_that_are_no_such_policy_are_refused(environment, tmp_path):
    path = tmp_path / "policy.onnx"
    with pytest.raises(PolicyMismatch, match="cannot be read"):
        load_policy(path)
    path.write_bytes(b"no policy")
    with pytest.raises(PolicyMismatch, match="is no ONNX policy"):
        load_policy(path)
    described = description(environment.spec, environment.worlds[0].gains, trained_on="chair")
    write_policy(agent_of(environment, tmp_path), described | {"layout": {}}, path)
    with pytest.raises(PolicyMismatch, match="is no ONNX policy"):
        load_policy(path)
    with pytest.raises(PolicyMismatch, match="another policy"):
        load_policy(path, "0" * 64)


def test_a_followed_policy_is_a_rollout_like_any_other(environment, solved, tmp_path):
    agent = agent_of(environment, tmp_path)
    write_policy(
        agent, description(environment.spec, environment.worlds[0].gains, trained_on="chair"), tmp_path / "policy.onnx"
    )
    cfg = track_motion.TrackMotionConfig(controller="ppo", policy=str(tmp_path / "policy.onnx"), threads=1, hold_s=0.5)
    rollout = track_motion.run(solved.scene, cfg=cfg, out=tmp_path, progress=Progress())
    assert isinstance(rollout, Rollout) and rollout.controller == "ppo"
    assert rollout.body_deviation_m.max() < 0.05
    assert np.abs(rollout.ctrl - solved.solved[0].ctrl[0]).max() > 0.0
