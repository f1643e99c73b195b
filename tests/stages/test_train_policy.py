"""The stage that trains a policy: warm start, stop and resume, several clips, and the rollout of what it made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rl_games", reason="rl-games is not installed (pip install -e '.[rl]')")
pytest.importorskip("onnx", reason="onnx is not installed (pip install -e '.[rl]')")

from hsimul3r.artifacts import AlignedScene, Rollout, SimScene
from hsimul3r.benchmark.interactions import sit_on_chair
from hsimul3r.config import PipelineConfig
from hsimul3r.errors import MixedLayouts, NoRun, NothingToClone
from hsimul3r.pipeline import build_simulation, hold, train
from hsimul3r.progress import Progress
from hsimul3r.run_store import RunStore
from sim_envs.conformance import seated_scene
from sim_envs.ppo.cloning import CloningConfig
from sim_envs.ppo.environment import EnvironmentConfig, StartNoise
from sim_envs.ppo.learner import NetworkConfig, PpoConfig
from stages import judge_stability, track_motion, train_policy

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


def trained(scene, solved, folder: Path, *others, cfg=CFG):
    folder.mkdir(exist_ok=True)
    return train_policy.run(scene, solved, *others, cfg=cfg, out=folder, progress=Progress())


def test_it_makes_a_policy_its_curve_and_its_warm_start(scene, solved, tmp_path):
    made = trained(scene, solved, tmp_path / "82_policy.tmp")
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
            trained(scene, solved, tmp_path / "a.tmp")
    monkeypatch.setattr(train_policy, "demonstrate", stopped)
    longer = replace(CFG, ppo=replace(CFG.ppo, steps=192))
    made = trained(scene, solved, tmp_path / "a.tmp", cfg=longer)
    assert made.curve[:, 0].tolist() == [64, 128, 192]
    other = replace(CFG, ppo=replace(CFG.ppo, gamma=0.9))
    with pytest.raises(KeyboardInterrupt):
        trained(scene, solved, tmp_path / "a.tmp", cfg=other)


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
    made = trained(scene, solved, tmp_path / "82_policy.tmp", tmp_path / "scene", tmp_path / "rollout")
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
        trained(scene, solved, tmp_path / "82_policy.tmp", tmp_path / "scene", tmp_path / "rollout")


def test_without_anything_that_holds_there_is_no_warm_start(scene, solved, tmp_path):
    fallen = replace(solved, ctrl=solved.ctrl + 0.6)
    with pytest.raises(NothingToClone, match="None of 8 replays"):
        trained(scene, fallen, tmp_path / "82_policy.tmp")
    made = trained(scene, fallen, tmp_path / "82_policy.tmp", cfg=replace(CFG, cloning=CloningConfig(rounds=0)))
    assert len(made.curve) == 2 and "demonstrated_pairs" not in made.report


def test_the_curve_is_smoothed_over_the_updates_before():
    values = np.array([4.0, 2.0, 0.0, 6.0])
    np.testing.assert_allclose(train_policy.moving_mean(values, 2), [4.0, 3.0, 1.0, 3.0])
    np.testing.assert_allclose(train_policy.moving_mean(values, 1), values)


def given(*, cfg, out, progress) -> AlignedScene:
    return sit_on_chair()


@pytest.mark.slow
def test_a_run_is_trained_on_and_judged_once(tmp_path):
    cfg = PipelineConfig(
        tracking=track_motion.TrackMotionConfig(threads=1, hold_s=1.0),
        verdict=judge_stability.JudgeStabilityConfig(threads=1, gravity_s=0.5),
        policy=CFG,
    )
    with RunStore(tmp_path / "run") as store:
        scene = build_simulation(store.stage("60_aligned", AlignedScene, given, cfg=None), store, cfg)
        hold(scene, store, replace(cfg, tracking=replace(cfg.tracking, controller="static")))
        rollout, verdict = train(store, [], cfg)
        folders = {path.name for path in store.folder.iterdir() if path.is_dir()}
        times = {name: (store.folder / name / "stage.json").stat().st_mtime_ns for name in ("82_policy", "80_rollout_ppo")}
    assert rollout.controller == verdict.controller == "ppo"
    assert {"82_policy", "82_policy.training", "80_rollout_ppo", "85_verdict_ppo"} <= folders
    with RunStore(tmp_path / "run") as store:
        store.load("70_sim", SimScene)
        train(store, [], cfg)
        assert times == {name: (store.folder / name / "stage.json").stat().st_mtime_ns for name in times}
        with pytest.raises(NoRun):
            train(store, [tmp_path], cfg)
