"""DUSt3R against its golden tensors."""

from collections.abc import Iterator
from typing import Any

from parity.golden import Compared, Golden, compared, without_gradient
from stages.adapters.networks.dpt import DptSizes
from stages.adapters.networks.dust3r_net import Dust3r, Dust3rSizes, tower
from stages.adapters.networks.pictures import prepare

CASES = ("landscape", "portrait", "mixed")
PICTURE_TOLERANCE = 1e-2
"""Of image loading: Pillow's versions differ."""
TOLERANCES = {"linear": 8e-5, "dpt": 1e-5}


def dpt_sizes(config: dict[str, Any]) -> DptSizes:
    """Of a golden folder's configuration."""
    found = config["dpt"]
    return DptSizes(feature=found["feature_dim"], last=found["last_dim"], layers=tuple(found["layer_dims"]))


def network(golden: Golden) -> Dust3r:
    sizes = {"dpt": dpt_sizes(golden.config)} if golden.config["head_type"] == "dpt" else {}
    config = golden.config
    net = Dust3r(Dust3rSizes(head=config["head_type"], encoder=tower(config, "enc"), decoder=tower(config, "dec"), **sizes))
    net.load_state_dict(golden.weights)
    return net.eval()


@without_gradient
def check(golden: Golden) -> Iterator[Compared]:
    net, tolerance = network(golden), TOLERANCES[golden.config["head_type"]]
    for case in CASES:
        encoded = [net.encode(golden.io[f"{case}.img{i}"]) for i in (1, 2)]
        first, second = net.decode(*encoded)
        ours = {
            "out1.pts3d": first.points, "out1.conf": first.confidence,
            "out2.pts3d_in_other_view": second.points, "out2.conf": second.confidence,
        }  # fmt: skip
        if case == "mixed":
            layers = net.decoder_layers(*encoded)
            ours |= {f"enc{i}": encoded[i - 1].tokens for i in (1, 2)}
            ours |= {f"dec{i}_{name}": layers[i - 1][k] for i in (1, 2) for name, k in (("1", 1), ("last", -1))}
        for name, tensor in ours.items():
            yield compared(golden, f"{case}.{name}", tensor, tolerance)
    for name in [name.removesuffix(".u8") for name in golden.io if name.endswith(".u8")]:
        picture = prepare(golden.io[f"{name}.u8"].numpy(), 64).image
        yield compared(golden, f"{name}.size64", picture, PICTURE_TOLERANCE)


CHECKS = {"dust3r_linear": check, "dust3r_dpt": check}
