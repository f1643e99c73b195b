from dataclasses import replace

import numpy as np
import pytest
import torch

from hsimul3r.errors import BadWeights, NoDataset
from hsimul3r.generator.flow import train as training
from hsimul3r.generator.flow.dataset import Batch, Chances, make_objects, write_shard
from hsimul3r.generator.flow.evaluate import EvaluateConfig, evaluate
from hsimul3r.generator.flow.network import NetworkConfig
from hsimul3r.generator.flow.sampling import SamplingConfig
from hsimul3r.generator.flow.train import TrainConfig, train
from hsimul3r.generator.flow.weights import load_network

TINY = NetworkConfig(width=32, blocks=1, heads=2, eye_blocks=0)
FEW = EvaluateConfig(objects=2, points=200, sampling=SamplingConfig(steps=2))


@pytest.fixture
def cfg(tmp_path):
    objects = make_objects(range(4), 2)
    for split in ("train", "held_out"):
        write_shard(tmp_path / "data" / split / "00000.npz", objects)
    return TrainConfig(
        data=tmp_path / "data", out=tmp_path / "run", steps=4, batch=2, report_every=2, sample_every=4, warm_up=1,
        has_tensorboard=False, network=TINY, evaluate=FEW,
    )  # fmt: skip


class Killed(Exception):
    pass


def test_an_interrupted_training_is_the_same_as_a_whole_one(cfg, monkeypatch):
    whole, part = train(cfg), replace(cfg, out=cfg.out.with_name("part"))

    def dies_at_three(state, *rest):
        if state.step == 3:
            raise Killed
        return step(state, *rest)

    step = training._step
    monkeypatch.setattr(training, "_step", dies_at_three)
    with pytest.raises(Killed):
        train(part)
    monkeypatch.setattr(training, "_step", step)
    again = train(part)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_it_leaves_weights_and_a_curve(cfg):
    made = train(cfg)
    loaded = load_network(cfg.out)
    assert torch.allclose(loaded.enter.weight, made.enter.weight, atol=1e-3)
    names = [line.split(",")[1] for line in (cfg.out / "curve.csv").read_text().splitlines() if line.startswith("4,")]
    assert {"loss/train", "loss/held_out_parts", "held_out/f_score", "held_out/one_piece"} <= set(names)
    assert not list(cfg.out.rglob("*.pt")) and not list(cfg.out.rglob("*.pkl"))


def test_a_finished_training_is_left_alone(cfg):
    train(cfg)
    before = (cfg.out / "state.safetensors").read_bytes()
    train(cfg)
    assert (cfg.out / "state.safetensors").read_bytes() == before


def test_what_does_not_fit_is_said(cfg, tmp_path):
    with pytest.raises(NoDataset):
        train(replace(cfg, data=tmp_path / "nothing"))
    train(cfg)
    with pytest.raises(BadWeights, match="another training"):
        train(replace(cfg, network=NetworkConfig(width=64, blocks=2, heads=2), steps=6))


@pytest.mark.slow
def test_eight_objects_can_be_learnt_by_heart(tmp_path):
    objects = make_objects(range(8), 1)
    for split in ("train", "held_out"):
        write_shard(tmp_path / "data" / split / "00000.npz", objects)
    told = Chances(everything=0.0, cameras=0.0, yaw=0.0, side=0.0, size=0.0, cut_out=0.0)
    seen = EvaluateConfig(objects=8, known=(1.0, 1.0, 1.0, 1.0), sampling=SamplingConfig(guidance=1.0, steps=8))
    cfg = TrainConfig(
        data=tmp_path / "data", out=tmp_path / "run", steps=150, batch=8, learning_rate=1e-2, warm_up=10, average=0.97,
        report_every=1000, sample_every=1000, has_tensorboard=False, chances=told, evaluate=replace(seen, objects=1),
        network=NetworkConfig(width=64, blocks=3, heads=4, eye_blocks=0),
    )  # fmt: skip
    network = train(cfg)
    own = evaluate(network, objects, seen)
    others = evaluate(network, Batch(**{**vars(objects), "tokens": np.roll(objects.tokens, 1, axis=0)}), seen)
    assert own.f_score > max(30.0, 3 * others.f_score)
    assert own.extent_error < 0.12 < others.extent_error
    assert own.yaw_error_deg < 15.0
