"""Tiny instances of our networks and what they compute, remembered once their code was shown to agree with the official one.

    PYTHONPATH=. python tests/golden_networks.py

remakes `tests/adapters/golden/*.safetensors`; do so only after `benchmarks/golden_parity.py` holds. Weights and inputs come
from a tensor's name and shape, so that only outputs are kept and a renamed parameter is noticed.
"""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from stages.adapters.networks.blocks import Tower
from stages.adapters.networks.hmr2_net import Hmr2, Hmr2Config, HmrHeadSizes
from stages.adapters.networks.midi_net import MidiConfig, MidiTransformer
from stages.adapters.networks.midi_sampler import Conditions, FlowSettings, sample
from stages.adapters.networks.midi_vae import MidiVae, MidiVaeConfig
from stages.adapters.networks.sat_hmr_net import SatConfig, SatHmr

SHARPNESS, BIAS = 30.0, (-7.0, -0.5)
"""Of the last layer of the scale map, so that tokens of all three levels occur."""
FOLDER = Path(__file__).parent / "adapters" / "golden"
TOLERANCE = 5e-5
FIRST = ("patch_embed.proj", "encoder_patch_proj.0", "encoder_patch_proj.1", "proj_in", "proj_query")
"""Layers kept small, so that the norms after them feel their epsilon."""
MIDI = MidiConfig(
    width=16, num_attention_heads=2, in_channels=4, num_layers=3, cross_attention_dim=6, cross_attention_2_dim=10,
    multi_instance_blocks=(1,),
)  # fmt: skip
MIDI_VAE = MidiVaeConfig(
    latent_channels=4, num_attention_heads=2, width_encoder=16, width_decoder=24, num_layers_encoder=1, num_layers_decoder=1,
    embed_frequency=3,
)  # fmt: skip
SAT = {
    "input_size": 112, "width": 16, "depth": 3, "heads": 2, "scale_blocks": 1, "hidden": 16, "decoder_heads": 2,
    "decoder_layers": 2, "feedforward": 12, "queries": 4, "grid_side": 4,
}  # fmt: skip


def assert_as_remembered(name: str, now: dict[str, Tensor], *, atol: float) -> None:
    """What a network computes now is what was stored of the case of that name."""
    remembered = load_file(FOLDER / f"{name}.safetensors")
    assert remembered.keys() == now.keys()
    for key, value in remembered.items():
        torch.testing.assert_close(now[key], value, atol=atol, rtol=1e-6, msg=lambda text, key=key: f"{key}: {text}")


def noise(name: str, *shape: int) -> Tensor:
    """Uniform in -1 to 1; depends on its name and shape alone."""
    return torch.as_tensor(2 * np.random.default_rng(zlib.crc32(name.encode())).random(shape) - 1).float()


def filled(network):
    """The network with every parameter and floating buffer set by its name; small first layers, so that epsilons matter."""
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    with torch.no_grad():
        for name, tensor in tensors.items():
            if not tensor.is_floating_point():
                continue
            value = noise(name, *tensor.shape)
            if tensor.dim() > 1:
                fan = tensor[0].numel()
                value = value * (0.1 if name.rsplit(".", 1)[0].endswith(FIRST) else 1.5) / fan**0.5
            elif name.endswith("weight") or name.endswith("gamma"):
                value = 1 + 0.3 * value
            else:
                value = 0.1 * value
            tensor.copy_(value)
    return network.eval()


def midi() -> dict[str, Tensor]:
    net, vae = filled(MidiTransformer(MIDI)), filled(MidiVae(MIDI_VAE))
    x, time = noise("x", 4, 5, 4), torch.tensor([1000.0, 800.0, 300.0, 10.0])
    clip, dino = noise("clip", 4, 2, 6), noise("dino", 4, 3, 10)
    found = {f"velocity{n}": net(x, time, clip, dino, instances=n) for n in (1, 2)}
    conditions = Conditions(clip=clip[:2], dino=dino[:2])
    latents = sample(net, noise("noise", 2, 5, 4), conditions, FlowSettings(steps=3, shift=3.0), instances=2)
    surface, points = 0.9 * noise("surface", 2, 12, 6), 0.8 * noise("points", 2, 9, 3)
    found["mean"], found["logvar"] = vae.encode(surface[:, :5], surface)
    return found | {"latents": latents, "distance": vae.decode(latents, points)}


def hmr2() -> dict[str, Tensor]:
    found = {}
    for name, mean, iterations in (("zero", False, 1), ("mean", True, 2)):
        head = HmrHeadSizes(
            width=12, depth=2, heads=2, head_width=6, mlp_width=10, starts_from_mean=mean, iterations=iterations
        )
        net = filled(Hmr2(Hmr2Config(image_size=64, backbone=Tower(width=16, depth=2, heads=2), head=head)))
        estimate = net(noise("image", 1, 3, 64, 64))
        found |= {f"{name}.{key}": getattr(estimate, key) for key in ("rotations", "betas", "camera")}
    return found


def sat_hmr() -> dict[str, Tensor]:
    found = {}
    for name, sees in (("sat", False), ("ma", True)):
        net = filled(SatHmr(SatConfig(**SAT, sees_field_of_view=sees)))
        net.scale_head.layers[-1].weight.mul_(SHARPNESS)
        net.scale_head.layers[-1].bias.copy_(torch.tensor(BIAS))
        if sees:
            net.fov_head.layers[-1].bias.fill_(1.0)
        picture = net.encode(noise("picture", 3, 112, 112) * torch.linspace(0, 2, 112)[:, None])
        people = net.people(picture, (100, 112))
        found |= {f"{name}.{key}": getattr(people, key) for key in ("rotations", "betas", "boxes", "confidence", "translation")}
        found |= {f"{name}.focal": people.focal_px, f"{name}.scale_map": picture.scale_map}
        found[f"{name}.level"] = picture.tokens.level.float()
    return found


CASES: dict[str, Callable[[], dict[str, Tensor]]] = {"midi": midi, "hmr2": hmr2, "sat_hmr": sat_hmr}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, case in CASES.items():
        with torch.no_grad():
            save_file({key: value.contiguous() for key, value in case().items()}, FOLDER / f"{name}.safetensors")


if __name__ == "__main__":
    main()
