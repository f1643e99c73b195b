from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from stages.adapters.torchvision_mend import mend_torchvision

mend_torchvision()
pytest.importorskip("peft", reason="needs the extra 'dsro'")

from hsimul3r.errors import BadWeights, NothingToLearn  # noqa: E402
from hsimul3r.generator.dsro.feedback_set import FeedbackSet  # noqa: E402
from hsimul3r.generator.dsro.losses import LossConfig  # noqa: E402
from hsimul3r.generator.dsro.trainer import TuneConfig, tune  # noqa: E402
from hsimul3r.generator.dsro.tunable import TunableFlow  # noqa: E402
from hsimul3r.generator.flow.network import Condition, Memory, NetworkConfig, PartFlow  # noqa: E402
from hsimul3r.generator.flow.sampling import SamplingConfig, noise_of, sample  # noqa: E402
from hsimul3r.generator.flow.tokens import CHANNELS, TOKENS  # noqa: E402
from stages.adapters.lora import LoraSettings, load_adapter, merged, save_adapter  # noqa: E402

QUICK = TuneConfig(
    lora=LoraSettings(rank=4, alpha=8), steps=60, batch=32, learning_rate=1e-2, warm_up=2, check_every=20, has_tensorboard=False
)  # fmt: skip


class GaussianFlow(nn.Module):
    """The velocity whose samples are normal numbers, and a layer that says nothing yet."""

    def __init__(self):
        super().__init__()
        self.push = nn.Linear(4, 2, bias=False)
        nn.init.zeros_(self.push.weight)

    def forward(self, x, t):
        t = t[:, None, None].expand_as(x[:, :, :1])
        exact = x * (2 * t - 1) / (t**2 + (1 - t) ** 2)
        return exact + self.push(torch.cat([torch.ones_like(t), t, x], dim=-1))


@dataclass(frozen=True)
class TunableGaussian:
    """Two tokens of two numbers; the second token is held."""

    network: GaussianFlow
    layers: tuple[str, ...] = ("push",)
    levels: torch.Tensor = torch.linspace(1, 0, 9)[:-1]
    is_held: torch.Tensor = torch.tensor([False, True])  # noqa: RUF009

    def velocity(self, x, t, rows):
        return self.network(x, t)

    def weight(self, t):
        return t


def sampled(tunable, seed, count=400):
    x = torch.randn(count, 2, 2, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for now, then in pairwise([*tunable.levels, torch.tensor(0.0)]):
            x = x + (then - now) * tunable.velocity(x, now.expand(count), None)
    return x


def gaussian():
    """A generator and its own samples, of which those to the right are called stable."""
    flow = TunableGaussian(GaussianFlow())
    made = sampled(flow, seed=1)
    return flow, FeedbackSet(samples=made, is_stable=(made[:, 0, 0] > 0).numpy(), image=np.arange(400) // 20)


@pytest.mark.parametrize("kind", ["literal", "bounded", "reflected", "dro", "dpo", "sft"])
def test_every_loss_moves_samples_to_where_they_are_called_stable(kind, tmp_path):
    flow, judged = gaussian()
    before = sampled(flow, seed=2)
    tune(flow, judged, replace(QUICK, loss=LossConfig(kind=kind, dpo_beta=2.0), guard=None), folder=tmp_path)
    moved = sampled(flow, seed=2) - before
    assert moved[:, 0, 0].mean() > 0.1
    assert ((before + moved)[:, 0, 0] > 0).float().mean() > 0.55
    assert moved[:, 0, 1].mean().abs() < 0.5 * moved[:, 0, 0].mean()


def test_held_tokens_stay(tmp_path):
    shifts = []
    for hold in (0.0, 30.0):
        flow, judged = gaussian()
        before = sampled(flow, seed=2)
        tune(flow, judged, replace(QUICK, hold=hold), folder=tmp_path / str(hold))
        shifts.append(float((sampled(flow, seed=2) - before)[:, 1, 0].mean()))
    assert shifts[1] < 0.3 * shifts[0]


def test_interrupted_tuning_goes_on_to_the_same_bits(tmp_path):
    cfg = replace(QUICK, cooling=0.0)
    whole, judged = gaussian()
    tune(whole, judged, cfg, folder=tmp_path / "whole")
    for steps in (40, 60):
        halves, _ = gaussian()
        done = tune(halves, judged, replace(cfg, steps=steps), folder=tmp_path / "halves")
    assert done.last_step == 60
    assert torch.equal(sampled(halves, seed=2), sampled(whole, seed=2))
    with pytest.raises(BadWeights, match="another tuning"):
        tune(gaussian()[0], judged, replace(cfg, lora=LoraSettings(rank=2, alpha=4)), folder=tmp_path / "halves")


def test_the_guard_stops_the_literal_loss_before_it_breaks(tmp_path):
    cfg = replace(QUICK, loss=LossConfig(kind="literal"), hold=0.0, steps=150, cooling=0.0, check_every=1000)
    flow, judged = gaussian()
    stopped = tune(flow, judged, cfg, folder=tmp_path / "guarded")
    guarded = sampled(flow, seed=2)
    assert stopped.last_step < 150
    assert (guarded[:, 0, 0] > 0).float().mean() > 0.6
    flow, judged = gaussian()
    tune(flow, judged, replace(cfg, guard=None), folder=tmp_path / "free")
    assert sampled(flow, seed=2)[:, 0].abs().mean() > 3 * guarded[:, 0].abs().mean()


def test_the_best_score_on_other_images_is_kept_and_ends_the_tuning(tmp_path):
    flow, judged = gaussian()
    scores = iter([0.5, 0.6, 0.4, 0.3, 0.2, 0.9])
    cfg = replace(QUICK, steps=100, check_every=5, patience=2)
    tuned = tune(flow, judged, cfg, folder=tmp_path, measure=lambda model: {"score": next(scores)})
    assert (tuned.step, tuned.score, tuned.last_step) == (5, 0.6, 15)
    curve = (tmp_path / "curve.csv").read_text().splitlines()
    assert [line for line in curve if ",score," in line] == ["0,score,0.5", "5,score,0.6", "10,score,0.4", "15,score,0.3"]
    assert any(",ratio/unstable," in line for line in curve)


def part_flow():
    torch.manual_seed(0)
    network = PartFlow(NetworkConfig(width=32, blocks=1, heads=2, crop_px=16, eye_blocks=0)).requires_grad_(False)
    nn.init.normal_(network.leave.weight, std=0.1)
    condition = Condition(
        crops=torch.randn(2, 1, 2, 16, 16), is_seen=torch.ones(2, 1, dtype=torch.bool), views=torch.zeros(2, 1, 9),
        size=torch.zeros(2, 4),
    )  # fmt: skip
    sampling = SamplingConfig(steps=3)
    with torch.no_grad():
        return TunableFlow(network=network, memory=network.remember(condition), sampling=sampling, has_bfloat16=False)


def objects(flow):
    rows = torch.arange(2).repeat_interleave(4)
    memory = Memory(tokens=flow.memory.tokens[rows], is_used=flow.memory.is_used[rows])
    return sample(flow.network, memory, noise_of(range(8)), flow.sampling)


def test_of_the_part_flow_the_reference_stays_and_the_adapter_comes_back_to_the_bit(tmp_path):
    flow = part_flow()
    before = objects(flow)
    judged = FeedbackSet(samples=before, is_stable=np.arange(8) % 2 == 0, image=np.arange(8) // 4)
    tuned = tune(flow, judged, replace(QUICK, steps=4, batch=8), folder=tmp_path / "tuning")
    after = objects(flow)
    assert not torch.equal(after, before)
    with tuned.model.disable_adapter():
        assert torch.equal(objects(flow), before)
    save_adapter(tuned.model, tmp_path / "adapter")
    again = part_flow()
    load_adapter(again.network, tmp_path / "adapter")
    assert torch.equal(objects(again), after)
    whole = part_flow()
    assert merged(load_adapter(whole.network, tmp_path / "adapter")) is whole.network
    assert torch.allclose(objects(whole), after, atol=1e-4)


def numbers(is_stable, image):
    samples = torch.zeros(len(image), TOKENS, CHANNELS)
    return FeedbackSet(samples=samples, is_stable=np.array(is_stable, bool), image=np.array(image))


def test_images_that_say_one_thing_only_are_not_drawn():
    judged = numbers([1, 1, 0, 0, 0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 2, 2, 2, 3, 3, 3])
    assert judged.mixed.tolist() == [2]
    assert judged.mixed_share == 0.25
    rows = judged.draw(40, np.random.default_rng(0))
    assert (rows[0::2] == 5).all()
    assert set(rows[1::2].tolist()) == {4, 6}
    assert set(judged.draw_stable(100, np.random.default_rng(0)).tolist()) == {0, 1, 5}
    with pytest.raises(NothingToLearn, match="no image has"):
        numbers([1, 1, 0], [0, 0, 1]).require_mixed()


def test_classes_and_images_weigh_the_same():
    """One image has 90 samples of which 80 are stable, the other 2."""
    judged = numbers([1] * 80 + [0] * 10 + [1, 0], [0] * 90 + [1] * 2)
    rows = judged.draw(2000, np.random.default_rng(0))
    assert judged.is_stable[rows].mean() == 0.5
    assert judged.image[rows].mean() == pytest.approx(0.5, abs=0.05)
    alone = np.array([judged.draw(1, np.random.default_rng(i))[0] for i in range(400)])
    assert judged.is_stable[alone].mean() == pytest.approx(0.5, abs=0.08)
