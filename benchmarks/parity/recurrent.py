"""CUT3R and Human3R against their golden tensors."""

from collections.abc import Iterator
from typing import Any

from parity.dust3r import dpt_sizes
from parity.golden import Compared, Golden, compared, without_gradient
from stages.adapters.networks.cut3r_net import Cut3r, Cut3rSizes, FrameOutput
from stages.adapters.networks.dust3r_net import tower

TOLERANCE = 1e-5
WIDER = 5e-5
"""Of points in the own view (up to 8.4) and of the state."""
ROUNDED = 5e-3
"""Of tensors with the official code's float16 rounding before RoPE."""


def cut3r_sizes(config: dict[str, Any]) -> dict[str, Any]:
    """The golden networks have no encoder of ray maps."""
    return {
        "encoder": tower(config, "enc"), "decoder": tower(config, "dec"), "dpt": dpt_sizes(config),
        "state_tokens": config["state_size"], "state_heads": config["state_dec_num_heads"],
        "memory_tokens": config["local_mem_size"], "memory_blocks": config["local_mem_blocks"], "ray_blocks": 0,
    }  # fmt: skip


def dense(out: FrameOutput) -> dict[str, tuple[Any, float]]:
    """Official names, ours, and how far they may be apart."""
    return {
        "pts3d_in_self_view": (out.own_view.points, WIDER), "conf_self": (out.own_view.confidence, TOLERANCE),
        "pts3d_in_other_view": (out.world.points, TOLERANCE), "conf": (out.world.confidence, TOLERANCE),
        "camera_pose": (out.camera_pose, TOLERANCE), "rgb": (out.colours, TOLERANCE),
    }  # fmt: skip


@without_gradient
def check_cut3r(golden: Golden) -> Iterator[Compared]:
    net = Cut3r(Cut3rSizes(**cut3r_sizes(golden.config)))
    net.load_state_dict(golden.weights)
    for case in ("landscape", "portrait"):
        state = net.start()
        flags = zip(golden.io[f"{case}.update"].tolist(), golden.io[f"{case}.reset"].tolist())
        for n, (update, reset) in enumerate(flags):
            out, state = net.step(golden.io[f"{case}.frame{n}.img"], state, update=update, reset=reset)
            for name, (tensor, tolerance) in dense(out).items():
                yield compared(golden, f"{case}.frame{n}.{name}", tensor, tolerance)
            yield compared(golden, f"{case}.state{n + 1}.state_feat", state.tokens, WIDER)
            yield compared(golden, f"{case}.state{n + 1}.mem", state.memory, WIDER)
            rounded = f"{case}.official_fp16_rope.frame{n}.camera_pose"
            yield compared(golden, rounded, out.camera_pose, ROUNDED, official_only=True)


CHECKS = {"cut3r": check_cut3r}
