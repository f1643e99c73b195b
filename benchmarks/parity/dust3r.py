"""DUSt3R against its golden tensors."""

from collections.abc import Iterator
from pathlib import Path

import torch

from hsimul3r.geometry.global_alignment import (
    ADAPTOR_UNIT,
    BASE_SCALE,
    FOCAL_UNIT,
    PRINCIPAL_UNIT,
    AlignmentParameters,
    AlignmentProblem,
    PairPointmaps,
    align_globally,
    alignment_loss,
    alignment_problem,
    camera_poses,
    pair_maps,
    world_points,
)
from parity.golden import Compared, Golden, compared, without_gradient
from stages.adapters.networks.checkpoints import Checkpoint, network_of
from stages.adapters.networks.dust3r_net import Dust3r
from stages.adapters.networks.pictures import prepare
from stages.adapters.networks.sizes import dust3r_sizes

CASES = ("landscape", "portrait", "mixed")
PICTURE_TOLERANCE = 1e-2
"""Of image loading: Pillow's versions differ."""
TOLERANCES = {"linear": 8e-5, "dpt": 1e-5}


def checkpoint_of(golden: Golden, **arguments: int) -> Checkpoint:
    """The golden weights as if from a file."""
    return Checkpoint(path=Path("golden"), weights=golden.weights, arguments=golden.config | arguments)


@without_gradient
def check(golden: Golden) -> Iterator[Compared]:
    checkpoint = checkpoint_of(golden)
    net = network_of(lambda: Dust3r(dust3r_sizes(checkpoint)), checkpoint, model="DUSt3R")
    tolerance = TOLERANCES[golden.config["head_type"]]
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


def aligner_problem(golden: Golden, *, has_common_scale: bool) -> AlignmentProblem:
    io, config = golden.io, golden.config
    assert (config["base_scale"], config["focal_break"], config["pw_break"], config["pp_scale"]) == (
        BASE_SCALE, FOCAL_UNIT, ADAPTOR_UNIT, PRINCIPAL_UNIT,
    )  # fmt: skip
    maps = [
        PairPointmaps(
            first=int(i), second=int(j),
            points_first=io[f"edge{e}.pred_i"].numpy(), confidence_first=io[f"edge{e}.conf_i"].numpy(),
            points_second=io[f"edge{e}.pred_j"].numpy(), confidence_second=io[f"edge{e}.conf_j"].numpy(),
        )
        for e, (i, j) in enumerate(io["edges"])
    ]  # fmt: skip
    return alignment_problem(maps, has_common_scale=has_common_scale)


def check_aligner(golden: Golden) -> Iterator[Compared]:
    weights, tolerance = {OUR_NAMES[name]: value for name, value in golden.weights.items()}, 1e-5
    parameters = AlignmentParameters(**{name: value.clone().requires_grad_() for name, value in weights.items()})
    for kind in ("normscale", "freescale"):
        problem = aligner_problem(golden, has_common_scale=kind == "normscale")
        loss = alignment_loss(problem, parameters)
        yield compared(golden, f"{kind}.loss", loss, tolerance)
        linear, translation = pair_maps(problem, parameters)
        stretch = golden.io[f"{kind}.pw_adaptors_xyz"]
        expected = golden.io[f"{kind}.pw_poses_4x4"]
        difference = (linear.detach() - expected[:, :3, :3] * stretch[:, None]).abs().max()
        yield Compared(name=f"{kind}.pw_poses_4x4 x pw_adaptors", difference=float(difference), tolerance=tolerance)
        difference = (translation.detach() - expected[:, :3, 3]).abs().max()
        yield Compared(name=f"{kind}.pw_poses_4x4 translation", difference=float(difference), tolerance=tolerance)
    problem = aligner_problem(golden, has_common_scale=True)
    alignment_loss(problem, parameters).backward()
    for name in ("im_depthmaps", "im_focals", "im_poses", "pw_poses"):
        yield compared(golden, f"normscale.grad.{name}", getattr(parameters, OUR_NAMES[name]).grad, tolerance)
    start = AlignmentParameters(**weights)
    points = world_points(problem, start)
    for view, (height, width) in enumerate(problem.shapes):
        ours = points[view, : height * width].reshape(height, width, 3)
        yield compared(golden, f"img{view}.pts3d", ours, tolerance)
    yield compared(golden, "im_poses_4x4", torch.as_tensor(camera_poses(start)), tolerance)
    end, losses = align_globally(problem, start, iterations=golden.config["adam"]["niter"])
    yield compared(golden, "adam20.loss", torch.tensor(losses[:-1]), tolerance)
    yield compared(golden, "adam20.final_loss", torch.tensor(losses[-1]), tolerance)
    for name in ("im_focals", "im_poses", "pw_poses"):
        yield compared(golden, f"adam20.final.{name}", getattr(end, OUR_NAMES[name]), tolerance)


OUR_NAMES = {
    "im_depthmaps": "log_depth", "im_poses": "poses", "im_focals": "focals", "im_pp": "principals",
    "pw_poses": "pair_poses", "pw_adaptors": "pair_adaptors",
}  # fmt: skip
CHECKS = {"dust3r_linear": check, "dust3r_dpt": check, "dust3r_aligner": check_aligner}
