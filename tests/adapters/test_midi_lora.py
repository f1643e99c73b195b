from dataclasses import replace

import numpy as np
import pytest
import torch
from golden_networks import MIDI, filled, noise

from hsimul3r.generator.dsro.feedback_set import FeedbackSet
from hsimul3r.generator.dsro.losses import LossConfig
from hsimul3r.generator.dsro.trainer import TuneConfig, tune
from stages.adapters.networks.midi_net import MidiConfig, MidiTransformer
from stages.adapters.networks.midi_sampler import Conditions, FlowSettings, add_noise, sample
from stages.adapters.torchvision_mend import mend_torchvision

mend_torchvision()
pytest.importorskip("peft", reason="needs the extra 'dsro'")

from stages.adapters.lora import LoraSettings, add_adapter, load_adapter, merged, save_adapter, without_adapter  # noqa: E402
from stages.adapters.midi_lora import ATTENTION, TunableMidi  # noqa: E402

CONDITIONS = Conditions(clip=noise("clip", 2, 1, 6), dino=noise("dino", 2, 3, 10))
SMALL = LoraSettings(rank=4, alpha=8)


def tunable():
    """Frozen, since torch takes other kernels for weights that want gradients, with other last bits."""
    network = filled(MidiTransformer(MIDI)).requires_grad_(False)
    return TunableMidi(network=network, conditions=CONDITIONS, tokens=5, flow=FlowSettings(steps=2))


def sampled(network):
    return sample(network, noise("start", 2, 5, 4), CONDITIONS, FlowSettings(steps=2), instances=1)


def test_velocity_is_noise_minus_x0_in_our_convention():
    midi, x0, eps = tunable(), noise("x0", 2, 5, 4), noise("eps", 2, 5, 4)
    t = torch.tensor([0.9, 0.2])
    xt = x0 + t[:, None, None] * (eps - x0)
    assert torch.allclose(xt, add_noise(x0, eps, 1000 * t), atol=1e-6)
    with torch.no_grad():
        ours = midi.velocity(xt, t, torch.tensor([0, 1]))
        theirs = midi.network(xt, 1000 * t, CONDITIONS.clip, CONDITIONS.dino)
        swapped = midi.velocity(xt, t, torch.tensor([1, 0]))
    assert torch.equal(ours, -theirs)
    assert not torch.allclose(swapped, ours)


def test_a_tiny_midi_samples_learns_from_feedback_and_comes_back_from_disk(tmp_path):
    midi = tunable()
    published = sampled(midi.network)
    apart = 0.3 * noise("apart", 2, 5, 4)
    judged = FeedbackSet(
        samples=torch.cat([published + apart, published - apart]), is_stable=np.array([True, True, False, False]),
        image=np.array([0, 1, 0, 1]),
    )  # fmt: skip
    cfg = TuneConfig(
        loss=LossConfig(kind="reflected"), lora=SMALL, steps=20, batch=4, learning_rate=1e-2, has_tensorboard=False
    )
    tuned = tune(midi, judged, cfg, folder=tmp_path / "tuning")
    learnt = sampled(midi.network)
    toward = [float((made - published).flatten() @ apart.flatten()) for made in (learnt, published)]
    assert toward[0] > 0.01 * float(apart.square().sum())
    with without_adapter(tuned.model):
        assert torch.equal(sampled(midi.network), published)
    save_adapter(tuned.model, tmp_path / "adapter")
    again = tunable()
    load_adapter(again.network, tmp_path / "adapter")
    assert torch.equal(sampled(again.network), learnt)
    whole = tunable()
    assert merged(load_adapter(whole.network, tmp_path / "adapter")) is whole.network
    assert torch.allclose(sampled(whole.network), learnt, atol=1e-4)
    resumed = tunable()
    tune(resumed, judged, replace(cfg, steps=20), folder=tmp_path / "tuning")
    assert torch.equal(sampled(resumed.network), learnt)


def test_adapters_start_from_their_seed():
    first, again, other = (add_adapter(tunable().network, ATTENTION, SMALL, seed=seed).state_dict() for seed in (1, 1, 2))
    name = next(name for name in first if "lora_A" in name)
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], other[name])


def test_published_rank_on_every_attention():
    with torch.device("meta"):
        tuned = add_adapter(MidiTransformer(MidiConfig()), ATTENTION, LoraSettings(), seed=0)
    assert sum(p.numel() for p in tuned.parameters() if p.requires_grad) == 59_867_136
