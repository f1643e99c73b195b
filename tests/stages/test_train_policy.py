"""The stage that trains a policy: warm start, stop and resume, several clips, and the rollout of what it made."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("rl_games", reason="rl-games is not installed (pip install -e '.[rl]')")
pytest.importorskip("onnx", reason="onnx is not installed (pip install -e '.[rl]')")

from hsimul3r.artifacts import Rollout
from hsimul3r.errors import MixedLayouts
from hsimul3r.progress import Progress
from sim_envs.conformance import seated_scene
from sim_envs.ppo.cloning import CloningConfig
from sim_envs.ppo.environment import EnvironmentConfig, StartNoise
from sim_envs.ppo.learner import NetworkConfig, PpoConfig
from stages import track_motion, train_policy

CFG = train_policy.TrainPolicyConfig(
    threads=1,
    environment=EnvironmentConfig(simulations=8, episode_s=0.5, noise=StartNoise(joint_rad=0.0, root_m=0.0, speed=0.0)),
    cloning=CloningConfig(rounds=1, epochs=2),
    ppo=PpoConfig(
        steps=128, horizon=8, minibatch=64, epochs=1, critic_only=1, save_every=1, network=NetworkConfig(units=(16,))
    ),
)


@pytest.fixture(scope="module")
def scene():
    return seated_scene()


@pytest.fixture(scope="module")
def solved(scene) -> Rollout:
    cfg = track_motion.TrackMotionConfig(controller="pd", threads=1, hold_s=1.0)
    return track_motion.run(scene, cfg=cfg, out=Path(), progress=Progress())


def train(scene, solved, folder: Path, *others, cfg=CFG):
    folder.mkdir(exist_ok=True)
    return train_policy.run(scene, solved, *others, cfg=cfg, out=folder, progress=Progress())


def test_it_makes_a_policy_its_curve_and_its_warm_start(scene, solved, tmp_path):
    made = train(scene, solved, tmp_path / "82_policy.tmp")
    assert made.curve.shape == (2, len(made.columns)) and made.curve[:, 0].tolist() == [64, 128]
    assert made.columns[:2] == ("steps", "reward")
    assert {path.name for path in (tmp_path / "82_policy.tmp").iterdir()} == {"policy.onnx", "warm_start.onnx", "curve.png"}
    assert made.report["demonstrated_pairs"] == 8 * 15 and made.report["demonstrations_held"] == 1.0
    assert (tmp_path / "82_policy.training").is_dir()
    made.save(tmp_path / "82_policy.tmp")
    again = train_policy.TrainedPolicy.load(tmp_path / "82_policy.tmp")
    assert again.sha256 == made.sha256 and again.columns == made.columns
    cfg = track_motion.TrackMotionConfig(
        controller="ppo", policy=str(tmp_path / "82_policy.tmp" / made.policy), policy_sha256=made.sha256, threads=1, hold_s=0.5
    )
    assert track_motion.run(scene, cfg=cfg, out=tmp_path, progress=Progress()).controller == "ppo"


def test_a_stopped_training_goes_on_where_it_was(scene, solved, tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train_policy, "write_policy", _only_first(train_policy.write_policy, stopped))
        with pytest.raises(KeyboardInterrupt):
            train(scene, solved, tmp_path / "a.tmp")
    monkeypatch.setattr(train_policy, "demonstrate", stopped)
    longer = replace(CFG, ppo=replace(CFG.ppo, steps=192))
    made = train(scene, solved, tmp_path / "a.tmp", cfg=longer)
    assert made.curve[:, 0].tolist() == [64, 128, 192]
    other = replace(CFG, ppo=replace(CFG.ppo, gamma=0.9))
    with pytest.raises(KeyboardInterrupt):
        train(scene, solved, tmp_path / "a.tmp", cfg=other)


def _only_first(write, then):
    calls = []

    def wrapped(*args):
        calls.append(args)
        return write(*args) if len(calls) == 1 else then()

    return wrapped


def test_one_policy_learns_several_clips(scene, solved, tmp_path):
    moved = replace(scene.bodies[0], pose=scene.bodies[0].pose.copy())
    moved.pose[:, 15, 1] += 0.2
    other = replace(scene, bodies=(moved,))
    for name, artifact in (("scene", other), ("rollout", solved)):
        (tmp_path / name).mkdir()
        artifact.save(tmp_path / name)
    made = train(scene, solved, tmp_path / "82_policy.tmp", tmp_path / "scene", tmp_path / "rollout")
    assert made.report["clips"] == 2.0
    assert made.report["demonstrated_pairs"] == 8 * 15


def test_clips_of_other_scenes_are_refused(scene, solved, tmp_path):
    renamed = replace(scene.assets[0], name="stool")
    other = replace(
        scene,
        assets=(renamed,),
        contacts=tuple(replace(contact, target="stool") for contact in scene.contacts),
        qpos_names=tuple(name.replace("chair:", "stool:") for name in scene.qpos_names),
    )
    for name, artifact in (("scene", other), ("rollout", solved)):
        (tmp_path / name).mkdir()
        artifact.save(tmp_path / name)
    with pytest.raises(MixedLayouts, match="chair / stool"):
        train(scene, solved, tmp_path / "82_policy.tmp", tmp_path / "scene", tmp_path / "rollout")
