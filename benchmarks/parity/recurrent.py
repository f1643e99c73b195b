"""CUT3R and Human3R against their golden tensors."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from parity.dust3r import checkpoint_of
from parity.golden import Compared, Golden, compared, without_gradient
from stages.adapters.networks.checkpoints import network_of
from stages.adapters.networks.cut3r_net import Cut3r, FrameOutput
from stages.adapters.networks.human3r_net import Human3r, SeenPeople, fit_square
from stages.adapters.networks.sizes import cut3r_sizes, human3r_sizes

TOLERANCE = 1e-5
WIDER = 5e-5
"""Of points in the own view (up to 8.4) and of the state."""
ROUNDED = 5e-3
"""Of tensors with the official code's float16 rounding before RoPE."""


def dense(out: FrameOutput) -> dict[str, tuple[Any, float]]:
    """Official names, ours, and how far they may be apart."""
    return {
        "pts3d_in_self_view": (out.own_view.points, WIDER), "conf_self": (out.own_view.confidence, TOLERANCE),
        "pts3d_in_other_view": (out.world.points, TOLERANCE), "conf": (out.world.confidence, TOLERANCE),
        "camera_pose": (out.camera_pose, TOLERANCE), "rgb": (out.colours, TOLERANCE),
    }  # fmt: skip


@without_gradient
def check_cut3r(golden: Golden) -> Iterator[Compared]:
    checkpoint = checkpoint_of(golden)
    net = network_of(lambda: Cut3r(cut3r_sizes(checkpoint)), checkpoint, model="CUT3R")
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


@without_gradient
def check_human3r(golden: Golden) -> Iterator[Compared]:
    net = human3r(golden)
    for case, frames in (("landscape", 3), ("portrait", 2)):
        outputs = watch(net, [golden.io[f"{case}.frame{n}.img"] for n in range(frames)], is_gated=False)
        for n, (out, people) in enumerate(outputs):
            ours = {"camera_pose": (out.camera_pose, TOLERANCE)} if n < frames - 1 else dense(out)
            for name, (tensor, tolerance) in (ours | of_people(people)).items():
                yield compared(golden, f"{case}.frame{n}.{name}", tensor, tolerance)
        out, people = outputs[-1]
        yield compared(golden, f"{case}.frame{frames - 1}.msk", people.detections.mask[None, ..., None], TOLERANCE)
        for name in ("camera_pose", "smpl_rotmat", "smpl_shape", "smpl_transl"):
            tensor = ({"camera_pose": (out.camera_pose, 0)} | of_people(people))[name][0]
            yield compared(golden, f"{case}.official_fp16_rope.frame{frames - 1}.{name}", tensor, ROUNDED, official_only=True)
    square = fit_square(golden.io["landscape.frame0.img"], golden.config["mhmr_img_res"])
    yield compared(golden, "landscape.frame0.img_mhmr", square, TOLERANCE)
    out, people = watch(net, [golden.io[f"landscape.frame{n}.img"] for n in range(3)], is_gated=True)[-1]
    yield compared(golden, "landscape.ttt3r.frame2.camera_pose", out.camera_pose, TOLERANCE)
    for name in ("smpl_rotmat", "smpl_shape", "smpl_transl"):
        yield compared(golden, f"landscape.ttt3r.frame2.{name}", *of_people(people)[name])


def human3r(golden: Golden) -> Human3r:
    checkpoint = checkpoint_of(golden, dino_heads=golden.config["backbone"]["num_heads"])
    return network_of(lambda: Human3r(human3r_sizes(checkpoint)), checkpoint, model="Human3R")


def watch(net: Human3r, images: list[Tensor], *, is_gated: bool) -> list[tuple[FrameOutput, SeenPeople]]:
    state, outputs = net.begin(), []
    for image in images:
        out, people, state = net.see(image, state, is_gated=is_gated)
        outputs.append((out, people))
    return outputs


def of_people(people: SeenPeople) -> dict[str, tuple[Tensor, float]]:
    """Official names, ours, and how far they may be apart; identities must be equal."""
    return {
        "smpl_id": (people.ids[None], 0), "smpl_rotmat": (people.rotations[None], 1.5e-4),
        "smpl_shape": (people.shape[None], TOLERANCE), "smpl_expression": (people.expression[None], TOLERANCE),
        "smpl_transl": (people.head[None], 3e-5), "smpl_loc": (people.detections.places_px[None], 6e-5),
        "smpl_scores": (people.detections.scores[None, ..., None], TOLERANCE),
    }  # fmt: skip


CHECKS = {"cut3r": check_cut3r, "human3r": check_human3r}
