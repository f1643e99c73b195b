"""Tiny DUSt3R, CUT3R and Human3R and what they computed when `benchmarks/golden_parity.py` held (see golden_networks.py).

PYTHONPATH=. python tests/golden_pointmap_networks.py
"""

from collections.abc import Callable

import torch
from golden_networks import FOLDER, filled, noise
from safetensors.torch import save_file
from torch import Tensor

from stages.adapters.networks.blocks import Tower
from stages.adapters.networks.cut3r_net import Cut3r, Cut3rSizes, FrameOutput
from stages.adapters.networks.dinov2 import DinoSizes
from stages.adapters.networks.dpt import DptSizes
from stages.adapters.networks.dust3r_net import Dust3r, Dust3rSizes
from stages.adapters.networks.human3r_net import Human3r, Human3rSizes

DPT = DptSizes(feature=8, last=4, layers=(4, 4, 6, 8))
ENCODER, DECODER = Tower(width=16, depth=1, heads=2), Tower(width=16, depth=4, heads=2)
RECURRENT = {
    "encoder": ENCODER, "decoder": DECODER, "dpt": DPT, "state_tokens": 6, "state_heads": 1, "memory_tokens": 4,
    "memory_blocks": 1, "ray_blocks": 0,
}  # fmt: skip
DINO = DinoSizes(width=16, depth=1, heads=2, table=3)
KEPT = 97
"""One value in so many is remembered."""


def tiny_dust3r(head: str = "dpt") -> Dust3r:
    return filled(Dust3r(Dust3rSizes(head=head, encoder=ENCODER, decoder=DECODER, dpt=DPT)))  # pyright: ignore[reportArgumentType]


def tiny_cut3r() -> Cut3r:
    return filled(Cut3r(Cut3rSizes(**RECURRENT)))


def tiny_human3r() -> Human3r:
    net = filled(Human3r(Human3rSizes(**RECURRENT, dino=DINO, detector_px=84)))
    net.downstream_head.mlp_classif[2].weight.data *= 8
    return net


def picture(name: str, size: tuple[int, int] = (48, 80)) -> Tensor:
    return noise(name, 1, 3, *size)


def dust3r(head: str) -> dict[str, Tensor]:
    net = tiny_dust3r(head)
    first, second = net.decode(net.encode(picture("left", (48, 32))), net.encode(picture("right")))
    return {
        "points1": first.points, "points2": second.points, "confidence1": first.confidence, "confidence2": second.confidence,
    }  # fmt: skip


def frame(out: FrameOutput) -> dict[str, Tensor]:
    return {
        "pose": out.camera_pose, "own": out.own_view.points, "world": out.world.points, "colours": out.colours,
        "confidence": out.world.confidence,
    }  # fmt: skip


def cut3r() -> dict[str, Tensor]:
    net, found = tiny_cut3r(), {}
    state = net.start()
    for n, update in enumerate((True, False, True)):
        out, state = net.step(picture(f"frame{n}"), state, update=update)
        found |= {f"{n}.{name}": value for name, value in frame(out).items()}
    return found | {"state": state.tokens, "memory": state.memory}


def human3r() -> dict[str, Tensor]:
    net, found = tiny_human3r(), {}
    for is_gated in (False, True):
        state = net.begin()
        for n in range(3):
            out, people, state = net.see(picture(f"frame{n}"), state, is_gated=is_gated)
        for name in ("rotations", "shape", "expression", "head", "ids"):
            found[f"{is_gated}.{name}"] = getattr(people, name).float()
        found |= {f"{is_gated}.{name}": value for name, value in frame(out).items()}
        found |= {f"{is_gated}.mask": people.detections.mask, f"{is_gated}.places": people.detections.places_px}
    return found


def thinned(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Large tensors by some of their values."""
    return {name: value.flatten()[:: KEPT if value.numel() > 200 else 1].contiguous() for name, value in found.items()}


CASES: dict[str, Callable[[], dict[str, Tensor]]] = {
    "dust3r_linear": lambda: thinned(dust3r("linear")),
    "dust3r_dpt": lambda: thinned(dust3r("dpt")),
    "cut3r": lambda: thinned(cut3r()),
    "human3r": lambda: thinned(human3r()),
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, case in CASES.items():
        with torch.no_grad():
            save_file(case(), FOLDER / f"{name}.safetensors")


if __name__ == "__main__":
    main()
