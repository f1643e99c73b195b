import golden_networks
import pytest
import torch
from golden_networks import CASES, FOLDER, MIDI, MIDI_VAE, assert_as_remembered, filled, noise
from safetensors.torch import load_file

from stages.adapters.networks.hmr2_net import Hmr2, Hmr2Config, crop_translation
from stages.adapters.networks.midi_net import MidiConfig, MidiTransformer, read_midi_config
from stages.adapters.networks.midi_sampler import Conditions, FlowSettings, add_noise, noise_levels, sample
from stages.adapters.networks.midi_vae import MidiVae, MidiVaeConfig, embed_points
from stages.adapters.networks.rotations6d import from_columns, from_interleaved
from stages.adapters.networks.sat_decoder import logit
from stages.adapters.networks.sat_tokens import Cells, choose_tokens, z_order


@pytest.fixture(autouse=True)
def no_gradient():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("name", CASES)
def test_networks_compute_what_they_did_when_they_agreed_with_the_official_code(name):
    assert_as_remembered(name, CASES[name](), atol=1e-5)


def test_a_wrong_epsilon_would_be_noticed(monkeypatch):
    monkeypatch.setattr("stages.adapters.networks.midi_net.NORM_EPS", 1e-6)
    remembered = load_file(FOLDER / "midi.safetensors")
    assert float((golden_networks.midi()["velocity1"] - remembered["velocity1"]).abs().max()) > 1e-4


def size(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_full_sizes_are_the_published_ones():
    with torch.device("meta"):
        transformer, vae, hmr2 = MidiTransformer(MidiConfig()), MidiVae(MidiVaeConfig()), Hmr2(Hmr2Config())
    assert size(transformer) == 1_681_911_616
    assert len(transformer.state_dict()) == 743
    assert size(vae) == 242_662_017
    assert round(size(hmr2.backbone) / 1e6) == 631


def midi_inputs(sets):
    times = torch.linspace(1000, 10, sets)
    return noise("a", sets, 5, 4), times, noise("b", sets, 2, 6), noise("c", sets, 3, 10)


def test_objects_of_a_scene_see_one_another_and_other_scenes_do_not():
    network, (x, time, clip, dino) = filled(MidiTransformer(MIDI)), midi_inputs(4)
    before = network(x, time, clip, dino, instances=2)
    changed = x.clone()
    changed[3] += 1.0
    after = network(changed, time, clip, dino, instances=2)
    assert torch.equal(after[:2], before[:2])
    assert float((after[2] - before[2]).abs().max()) > 1e-4
    alone = network(changed, time, clip, dino) - network(x, time, clip, dino)
    assert torch.equal(alone[:3], torch.zeros_like(alone[:3]))


def test_the_order_of_objects_in_a_scene_does_not_matter():
    network, inputs = filled(MidiTransformer(MIDI)), midi_inputs(3)
    order = torch.tensor([2, 0, 1])
    direct = network(*inputs, instances=3)[order]
    torch.testing.assert_close(network(*(part[order] for part in inputs), instances=3), direct, atol=1e-5, rtol=0)


def test_published_configurations_are_read():
    found = read_midi_config({"width": 64, "num_layers": 3, "multi_instance_blocks": [1], "_class_name": "TripoSGDiTModel"})
    assert found == MidiConfig(width=64, num_layers=3, multi_instance_blocks=(1,))


def test_points_are_embedded_axis_by_axis():
    row = embed_points(torch.tensor([0.1, 0.2, 0.3]), 2)
    angles = torch.tensor([0.1, 0.2, 0.2, 0.4, 0.3, 0.6])
    torch.testing.assert_close(row, torch.cat([torch.tensor([0.1, 0.2, 0.3]), angles.sin(), angles.cos()]))


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_the_right_velocity_leads_to_the_clean_latents_in_any_number_of_steps(shift):
    x0, eps = noise("x0", 2, 5, 4), noise("eps", 2, 5, 4)
    conditions = Conditions(clip=torch.ones(2, 1, 6), dino=torch.ones(2, 1, 10))

    def network(x, timestep, clip, dino, *, instances):
        return torch.where(clip[:, :1, :1] > 0, (x0 - eps).repeat(len(x) // 2, 1, 1), 0.0)

    for steps in (1, 7):
        settings = FlowSettings(steps=steps, guidance=1.0, shift=shift)
        torch.testing.assert_close(sample(network, eps, conditions, settings, instances=1), x0, atol=1e-5, rtol=0)
    strong = sample(network, eps, conditions, FlowSettings(steps=4, guidance=3.0), instances=1)
    torch.testing.assert_close(strong, eps + 3 * (x0 - eps), atol=1e-5, rtol=0)


def test_noise_levels_run_from_noise_to_none():
    torch.testing.assert_close(noise_levels(4), torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0]))
    torch.testing.assert_close(noise_levels(2, shift=3.0), torch.tensor([1.0, 0.75, 0.0]))
    ones = torch.ones(2, 1, 1)
    noised = add_noise(ones, -ones, torch.tensor([250.0, 1000.0]))
    torch.testing.assert_close(noised.flatten(), torch.tensor([0.5, -1.0]))


def test_the_field_is_the_same_asked_at_once_or_point_by_point():
    vae = filled(MidiVae(MIDI_VAE))
    latents, points = noise("latents", 1, 5, 4), noise("where", 1, 6, 3)
    prepared = vae.prepare(latents)
    single = torch.cat([vae.query(prepared, points[:, i : i + 1]) for i in range(6)], 1)
    torch.testing.assert_close(single, vae.decode(latents, points), atol=1e-5, rtol=0)


def test_rotations_of_six_numbers():
    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    torch.testing.assert_close(from_columns(torch.cat([2 * turn[:, 0], turn[:, 1] + turn[:, 0]])), turn)
    torch.testing.assert_close(from_interleaved((3 * turn[:, :2]).flatten()), turn)


def test_the_crops_camera_is_where_its_scale_says():
    shift = crop_translation(torch.tensor([[0.5, 0.1, -0.2]]), focal=5000.0, side=256.0)
    torch.testing.assert_close(shift, torch.tensor([[0.1, -0.2, 2 * 5000 / 128]]))


def test_the_curve_goes_through_squares_in_squares():
    cells = Cells.grid(4, 4)
    assert list(zip(cells.row.tolist(), cells.column.tolist()))[:6] == [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (0, 3)]
    assert z_order(torch.tensor([3]), torch.tensor([3])).item() == 15
    assert cells.squares().row.tolist() == [0, 0, 1, 1]


def test_people_choose_the_tokens():
    empty, small, large = [0.1, 0.2], [0.9, 0.2], [0.9, 0.8]
    choice = choose_tokens(
        torch.tensor([small, empty, empty, empty, large, *[empty] * 3, *[empty] * 4]),
        confidence_threshold=0.3,
        scale_threshold=0.5,
    )
    assert choice.is_fine.nonzero().flatten().tolist() == [0]
    assert choice.is_middle.nonzero().flatten().tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert choice.is_coarse.tolist() == [False, False, True]


def test_logits_are_finite_everywhere():
    x = torch.tensor([0.0, 0.25, 1.0])
    torch.testing.assert_close(torch.sigmoid(logit(x)), x, atol=1e-4, rtol=0)
