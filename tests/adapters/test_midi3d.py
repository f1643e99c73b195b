from dataclasses import replace

import numpy as np
import pytest
import torch
from golden_networks import MIDI, MIDI_VAE, filled
from interaction import toys

from hsimul3r.artifacts import ObjectViews
from hsimul3r.errors import BadWeights, NoAccelerator, NoObject, WrongWeights
from hsimul3r.generator.families import family
from hsimul3r.generator.synthetic import CLEAN, HEIGHT, WIDTH, synthetic_observation
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.progress import Progress
from stages import generate_objects
from stages.adapters.torchvision_mend import mend_torchvision

mend_torchvision()
pytest.importorskip("transformers", reason="needs transformers")

from tiny_midi import SIZE, save_network, tiny_settings, write_tiny_midi  # noqa: E402

from stages.adapters.midi3d import MidiGenerator, MidiModel, clearest_view  # noqa: E402
from stages.adapters.midi_inputs import MidiEyes, ScenePictures  # noqa: E402
from stages.adapters.networks.midi_sampler import FlowSettings  # noqa: E402
from stages.adapters.networks.midi_vae import MidiVae  # noqa: E402


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return write_tiny_midi(tmp_path_factory.mktemp("midi"))


def test_a_box_is_generated_and_put_where_the_views_show_it(snapshot):
    observation, truth = synthetic_observation(7, CLEAN, kinds=(family("box"),))
    images = tuple(np.full((HEIGHT, WIDTH, 3), 90, np.uint8) for _ in observation.labels)
    generator = MidiGenerator(MidiModel.load(snapshot, "cpu"), images, tiny_settings(snapshot))
    first, second = generator.generate(observation, count=2, seed=1)
    assert first.energy <= second.energy < 0.1
    made = np.concatenate([part.vertices for part in first.parts])
    truth_size = np.ptp(truth.shape.vertices, axis=0)
    assert np.ptp(made, axis=0)[2] == pytest.approx(truth_size[2], rel=0.06)
    assert sorted(np.ptp(made, axis=0)[:2]) == pytest.approx(sorted(truth_size[:2]), rel=0.08)
    assert np.allclose(first.T_world_object[:2, 3], truth.pose[:2], atol=0.03)


def test_the_stage_makes_objects_with_the_users_weights(snapshot, tmp_path):
    block, cameras = toys.block(0.5, xy=(0.1, 0.05)), toys.cameras()
    world = block.vertices + block.T_world_object[:3, 3]
    labels = tuple(mesh_mask_of(cameras, view, world, block.faces) for view in range(4))
    motion, views, _ = toys.inputs([toys.body(toys.SIT)], [block])
    seen = replace(views.objects[0], labels=labels, category="box")
    cfg = generate_objects.GenerateObjectsConfig(generator="midi3d", candidates=1, midi=tiny_settings(snapshot))
    made = generate_objects.run(
        ObjectViews(provenance=views.provenance, objects=(seen,)), motion, (np.zeros((960, 1280, 3), np.uint8),) * 4, cfg=cfg,
        out=tmp_path, progress=Progress(None),
    )  # fmt: skip
    assert made.provenance.adapter == "generator:midi3d"
    assert any("HunyuanDiT" in line for line in made.provenance.licences)
    assert made.assets[0].category == "box"
    assert min(value for name, value in made.assets[0].report.items() if name.startswith("iou")) > 0.85


def mesh_mask_of(cameras, view, world, faces):
    uv, z = project(cameras, view, world), depth(cameras, view, world)
    return np.isfinite(rasterize_depth(uv, z, faces, height=960, width=1280)[0]).astype(np.uint8)


def test_samples_follow_their_seeds(snapshot):
    model = MidiModel.load(snapshot, "cpu")
    pictures = ScenePictures.of(np.full((30, 40, 3), 120, np.uint8), np.ones((2, 30, 40), bool))
    latents = model.latents(pictures, FlowSettings(steps=2), tokens=5, seeds=(1, 1, 2))
    assert latents.shape == (3, 2, 5, 4)
    assert torch.equal(latents[0], latents[1])
    assert not torch.equal(latents[0], latents[2])


def test_the_object_is_shown_alone_in_its_place_and_in_the_scene(snapshot):
    image = np.full((20, 60, 3), 50, np.uint8)
    mask = np.zeros((1, 20, 60), bool)
    mask[0, 2:18, 48:58] = True
    pictures = ScenePictures.of(image, mask)
    side = pictures.scene.shape[0]
    assert side == np.ceil(2 * 1.25 * (57 - 29.5))
    assert pictures.masks.sum() == mask.sum()
    alone = pictures.objects()[0]
    assert (alone[pictures.masks[0]] == 50).all()
    assert (alone[~pictures.masks[0]] == 255).all()
    channels = MidiEyes.load(snapshot).seven_channels(pictures)
    assert channels.shape == (1, 7, SIZE, SIZE)
    shown = channels[0, 6].mean().item()
    assert shown == pytest.approx(mask.sum() / side**2, rel=0.25)
    assert set(channels[0, 6].unique().tolist()) == {0.0, 1.0}


def test_the_clearest_view_shows_most_of_the_object():
    observation, _ = synthetic_observation(7, CLEAN, kinds=(family("box"),))
    _, mask = clearest_view(observation)
    assert mask.sum() == max((labels == 1).sum() for labels in observation.labels)
    blind = type(observation)(cameras=observation.cameras, labels=(None,) * 4, boxes_px=observation.boxes_px)
    with pytest.raises(NoObject):
        clearest_view(blind)


def test_a_wrong_folder_is_said(snapshot, tmp_path):
    with pytest.raises(BadWeights):
        MidiModel.load(tmp_path, "cpu")
    save_network(filled(MidiVae(MIDI_VAE)), tmp_path / "transformer", MIDI)
    save_network(filled(MidiVae(MIDI_VAE)), tmp_path / "vae", MIDI_VAE)
    with pytest.raises(WrongWeights):
        MidiModel.load(tmp_path, "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_said_how_long_it_would_take(snapshot):
    with pytest.raises(NoAccelerator, match="half a day"):
        MidiModel.load(snapshot, "cuda")
