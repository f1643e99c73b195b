"""MIDI's published folder with tiny random networks: everything real but the weights."""

import json
from pathlib import Path

import torch
import transformers
from golden_networks import MIDI, MIDI_VAE, filled
from safetensors.torch import save_file

from hsimul3r.generator.registration import RegistrationConfig
from stages.adapters.midi3d import MidiSettings
from stages.adapters.networks.midi_net import MidiTransformer
from stages.adapters.networks.midi_sampler import FlowSettings
from stages.adapters.networks.midi_surface import SurfaceSettings
from stages.adapters.networks.midi_vae import MidiVae

SIZE = 28


def write_tiny_midi(folder: Path, *, bump: float = 0.0, inside: float = 0.1) -> Path:
    """Every object is the whole box where `inside` is positive, nothing where it is not, less what a random function of its
    latents, of size `bump`, takes off."""
    vae = filled(MidiVae(MIDI_VAE))
    with torch.no_grad():
        vae.decoder.proj_out.weight.mul_(bump)
        vae.decoder.proj_out.bias.fill_(inside)
    save_network(filled(MidiTransformer(MIDI)), folder / "transformer", MIDI)
    save_network(vae, folder / "vae", MIDI_VAE)
    torch.manual_seed(0)
    vision = {"num_hidden_layers": 1, "num_attention_heads": 2, "image_size": SIZE, "patch_size": 14}
    clip = transformers.CLIPVisionConfig(hidden_size=8, intermediate_size=8, projection_dim=6, **vision)
    dino = transformers.Dinov2Config(hidden_size=10, num_channels=7, **vision)
    crop = {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}}
    transformers.CLIPVisionModelWithProjection(clip).save_pretrained(folder / "image_encoder_1")
    transformers.Dinov2Model(dino).save_pretrained(folder / "image_encoder_2")
    transformers.CLIPImageProcessor(**crop).save_pretrained(folder / "feature_extractor_1")
    transformers.BitImageProcessor(**crop).save_pretrained(folder / "feature_extractor_2")
    return folder


def save_network(network: torch.nn.Module, folder: Path, sizes: object) -> None:
    folder.mkdir(parents=True)
    save_file(network.state_dict(), folder / "diffusion_pytorch_model.safetensors")
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(sizes).items()}
    (folder / "config.json").write_text(json.dumps(plain))


def tiny_settings(folder: Path) -> MidiSettings:
    """A few steps, tokens and cells."""
    return MidiSettings(
        weights=str(folder), device="cpu", tokens=5, flow=FlowSettings(steps=2), points_a_call=1000,
        surface=SurfaceSettings(coarse_cells=8, refinements=1, smoothing_cells=0.0),
        registration=RegistrationConfig(fine_generations=30),
    )  # fmt: skip
