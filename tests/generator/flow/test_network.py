import json

import pytest
import torch

from hsimul3r.errors import BadWeights, WrongWeights
from hsimul3r.generator.flow.network import Condition, NetworkConfig, PartFlow
from hsimul3r.generator.flow.sampling import SamplingConfig, flow_loss, noise_of, sample, times
from hsimul3r.generator.flow.tokens import CHANNELS, TOKENS
from hsimul3r.generator.flow.weights import load_network, save_network
from stages.adapters.torchvision_mend import mend_torchvision

SMALL = NetworkConfig(width=32, blocks=1, heads=2, crop_px=32)


def small_network():
    torch.manual_seed(0)
    network = PartFlow(SMALL)
    torch.nn.init.normal_(network.leave.weight, std=0.3)
    return network.eval()


def condition(batch=2, views=2):
    generator = torch.Generator().manual_seed(1)
    return Condition(
        crops=torch.randn(batch, views, 2, 32, 32, generator=generator),
        is_seen=torch.ones(batch, views, dtype=torch.bool),
        views=torch.randn(batch, views, 9, generator=generator),
        size=torch.randn(batch, 4, generator=generator),
    )


def test_the_path_leads_from_noise_to_data():
    path = times(SamplingConfig(steps=4, shift=3.0))
    assert (path[0], path[-1]) == (1.0, 0.0)
    assert (path.diff() < 0).all()
    assert path[2] == pytest.approx(3 * 0.5 / 2.0)


class Knows(torch.nn.Module):
    """A network that always says the same object."""

    def __init__(self, x0):
        super().__init__()
        self.x0 = x0

    def clean(self, x, t, memory):
        return self.x0.expand(len(x), -1, -1)

    def forward(self, x, t, memory):
        return (x - self.clean(x, t, memory)) / t[:, None, None]

    def nothing_seen(self, memory):
        return memory


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_a_network_that_knows_the_object_samples_it(guidance):
    x0 = torch.randn(1, TOKENS, CHANNELS, generator=torch.Generator().manual_seed(3))
    memory = small_network().remember(condition())
    found = sample(Knows(x0), memory, noise_of([0, 1]), SamplingConfig(steps=3, guidance=guidance))
    assert torch.allclose(found, x0.expand(2, -1, -1), atol=1e-5)
    loss = flow_loss(Knows(x0), memory, x0.expand(2, -1, -1), torch.tensor([0.3, 0.9]), noise_of([4, 5]))
    assert float(loss.max()) == 0.0


def test_the_loss_is_the_velocitys_error_times_t():
    network, memory, t = small_network(), None, torch.tensor([0.4, 0.7])
    x0, noise = noise_of([8, 9]), noise_of([10, 11])
    with torch.no_grad():
        memory = network.remember(condition())
        velocity = network(x0 + t[:, None, None] * (noise - x0), t, memory)
        loss = flow_loss(network, memory, x0, t, noise)
    assert torch.allclose(loss, ((velocity - (noise - x0)) ** 2).mean(-1) * t[:, None], rtol=1e-4)


def test_seeds_mean_the_same_whatever_is_drawn_beside_them():
    assert torch.equal(noise_of([5, 6])[1], noise_of([6])[0])
    network = small_network()
    with torch.no_grad():
        memory = network.remember(condition(batch=1))
    two = sample(network, memory.repeated(2), noise_of([5, 6]), SamplingConfig(steps=2))
    one = sample(network, memory, noise_of([6]), SamplingConfig(steps=2))
    assert torch.allclose(two[1:], one, atol=1e-5)


def test_views_that_are_not_there_do_not_matter():
    network, seen = small_network(), condition()
    half = torch.tensor([[True, False], [True, False]])
    other = Condition(crops=seen.crops.clone(), is_seen=half, views=seen.views.clone(), size=seen.size)
    other.crops[:, 1], other.views[:, 1] = 7.0, -3.0
    without = Condition(crops=seen.crops, is_seen=half, views=seen.views, size=seen.size)
    x, t = noise_of([1, 2]), torch.tensor([0.5, 0.5])
    with torch.no_grad():
        first, second, full = (network(x, t, network.remember(c)) for c in (without, other, seen))
    assert torch.allclose(first, second, atol=1e-6)
    assert not torch.allclose(first, full, atol=1e-4)


def test_weights_come_back(tmp_path):
    network = small_network()
    save_network(network, tmp_path, about={"steps": 3})
    again = load_network(tmp_path)
    assert again.cfg == SMALL
    for name, value in network.state_dict().items():
        assert torch.allclose(again.state_dict()[name], value, atol=2e-3), name
    assert json.loads((tmp_path / "config.json").read_text())["about"] == {"steps": 3}


def test_other_weights_are_refused(tmp_path):
    with pytest.raises(BadWeights, match="no such file"):
        load_network(tmp_path)
    save_network(small_network(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"tokens": 3}))
    with pytest.raises(WrongWeights, match="another set of parts"):
        load_network(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(BadWeights, match="not whole"):
        load_network(tmp_path)


def test_lora_finds_the_attention_projections():
    names = PartFlow(NetworkConfig()).finetunable()
    assert len(names) == 5 * 2 * 4
    assert "blocks.0.cross.to_out" in names
    assert not any(name.startswith("eye") for name in names)


@pytest.mark.slow
def test_lora_steps_reach_every_named_layer():
    mend_torchvision()
    peft = pytest.importorskip("peft", reason="needs the extra 'dsro'")
    network = small_network()
    names = network.finetunable()
    tuned = peft.get_peft_model(network, peft.LoraConfig(r=4, target_modules=list(names)))
    memory = tuned.remember(condition())
    flow_loss(tuned, memory, noise_of([0, 1]), torch.tensor([0.4, 0.6]), noise_of([2, 3])).mean().backward()
    grown = {name.split(".lora_B")[0] for name, p in tuned.named_parameters() if "lora_B" in name and p.grad.abs().max() > 0}
    assert len(grown) == len(names) == 8


def test_the_network_is_small():
    count = sum(parameter.numel() for parameter in PartFlow(NetworkConfig()).parameters())
    assert 1.5e6 < count < 2.5e6
