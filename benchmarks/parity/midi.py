"""MIDI's transformer, autoencoder and sampler against their golden tensors."""

from collections.abc import Iterator

from torch import Tensor

from parity.golden import Compared, Golden, compared, without_gradient
from stages.adapters.networks.midi_net import MidiTransformer, read_midi_config
from stages.adapters.networks.midi_sampler import Conditions, FlowSettings, add_noise, noise_levels, sample
from stages.adapters.networks.midi_vae import MidiVae, read_midi_vae_config

TOLERANCE = 8e-6
SAMPLING_TOLERANCE = 4e-5
INSTANCES = 2


def part(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Weights of one of the two networks, under its own names."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


@without_gradient
def check(golden: Golden) -> Iterator[Compared]:
    net = MidiTransformer(read_midi_config(golden.config["transformer"]))
    net.load_state_dict(part(golden.weights, "transformer."))
    vae = MidiVae(read_midi_vae_config(golden.config["vae"]))
    vae.load_state_dict(part(golden.weights, "vae."))
    io = golden.io
    for instances in (1, INSTANCES):
        v = net(io["dit.x"], io["dit.timestep"], io["dit.cond_clip"], io["dit.cond_dino"], instances=instances)
        yield compared(golden, f"dit.v_num_instances{instances}", v, TOLERANCE)
    mean, logvar = vae.encode(io["vae.encoder_queries"], io["vae.surface"])
    yield compared(golden, "vae.latent_mean", mean, TOLERANCE)
    yield compared(golden, "vae.latent_logvar", logvar, TOLERANCE)
    yield compared(golden, "vae.sdf", vae.decode(io["vae.latents"], io["vae.query_points"]), TOLERANCE)
    noised = add_noise(io["noising.x0"], io["noising.eps"], io["noising.timestep"])
    yield compared(golden, "noising.x_t", noised, TOLERANCE)
    for shift in golden.config["scheduler"]["shift"]:
        yield from check_sampling(golden, net, vae, shift)


def check_sampling(golden: Golden, net: MidiTransformer, vae: MidiVae, shift: float) -> Iterator[Compared]:
    """Every step's latents, and the signed distances at the end."""
    io, case = golden.io, f"sample.shift{int(shift)}"
    settings = FlowSettings(steps=golden.config["scheduler"]["steps"], shift=shift)
    yield compared(golden, f"{case}.sigmas", noise_levels(settings.steps, shift=shift), TOLERANCE)
    steps: list[Tensor] = []
    conditions = Conditions(clip=io["sample.cond_clip"], dino=io["sample.cond_dino"])
    x = sample(net, io["sample.noise"], conditions, settings, instances=INSTANCES, on_step=steps.append)
    for i, step in enumerate(steps):
        yield compared(golden, f"{case}.x{i + 1}", step, SAMPLING_TOLERANCE)
    yield compared(golden, f"{case}.sdf", vae.decode(x, io["vae.query_points"]), SAMPLING_TOLERANCE)


CHECKS = {"midi3d": check}
