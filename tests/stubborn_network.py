"""A network that always makes about the same object, whatever it sees: for tests of what comes after sampling."""

import numpy as np
import torch

from hsimul3r.generator.flow.furniture import sample_furniture
from hsimul3r.generator.flow.network import NetworkConfig, PartFlow
from hsimul3r.generator.flow.primitives import extents
from hsimul3r.generator.flow.tokens import Outline, encode


def stubborn(furniture_seed: int, *, wander: float) -> PartFlow:
    """x0 is that object's tokens and `wander` times a function of the noise."""
    torch.manual_seed(0)
    network = PartFlow(NetworkConfig(width=64, blocks=0, eye_blocks=0))
    primitives = sample_furniture(furniture_seed).primitives
    tokens = encode(primitives, Outline(extents_m=extents(primitives), yaw=0.3, elevation=0.3)).astype(float)
    with torch.no_grad():
        network.enter.weight *= wander
        network.enter.bias.zero_()
        network.slot.normal_()
        shown = network.norm(network.slot[0]).double().numpy()
        network.leave.bias.zero_()
        network.leave.weight.copy_(torch.from_numpy(np.linalg.lstsq(shown, tokens, rcond=None)[0].T))
    return network.eval()
