import pytest
import torch
from golden_networks import MIDI, filled, noise

from stages.adapters.networks.midi_net import MidiConfig, MidiTransformer
from stages.adapters.networks.midi_sampler import Conditions, FlowSettings, sample
from stages.adapters.torchvision_mend import mend_torchvision

mend_torchvision()
pytest.importorskip("peft", reason="needs the extra 'dsro'")

from stages.adapters.midi_lora import LoraSettings, add_lora, flow_error, load_lora, save_lora, without_lora  # noqa: E402

CONDITIONS = Conditions(clip=noise("clip", 2, 1, 6), dino=noise("dino", 2, 3, 10))
SMALL = LoraSettings(rank=4, alpha=8)


def published_network():
    """Frozen, since torch takes other kernels for weights that want gradients, with other last bits."""
    return filled(MidiTransformer(MIDI)).requires_grad_(False)


def sampled(network):
    return sample(network, noise("start", 2, 5, 4), CONDITIONS, FlowSettings(steps=2), instances=2)


def test_a_tiny_midi_samples_learns_and_comes_back_from_disk(tmp_path):
    published = sampled(published_network())
    tuned = add_lora(published_network(), SMALL, seed=3)
    assert torch.equal(sampled(tuned), published)
    x0, eps, time = noise("x0", 2, 5, 4), noise("eps", 2, 5, 4), torch.tensor([900.0, 200.0])
    optimiser = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=1e-2)
    errors = []
    for _ in range(8):
        error = flow_error(tuned, x0, eps, time, CONDITIONS).mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.9 * errors[0]
    learnt = sampled(tuned)
    assert not torch.equal(learnt, published)
    with without_lora(tuned):
        assert torch.equal(sampled(tuned), published)
    save_lora(tuned, tmp_path)
    assert torch.equal(sampled(load_lora(published_network(), tmp_path)), learnt)


def test_adapters_start_from_their_seed():
    first, again, other = (add_lora(published_network(), SMALL, seed=seed).state_dict() for seed in (1, 1, 2))
    name = next(name for name in first if "lora_A" in name)
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], other[name])


def test_published_rank_on_every_attention():
    with torch.device("meta"):
        tuned = add_lora(MidiTransformer(MidiConfig()), LoraSettings(), seed=0)
    assert sum(p.numel() for p in tuned.parameters() if p.requires_grad) == 59_867_136
