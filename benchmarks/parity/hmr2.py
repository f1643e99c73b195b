"""HMR2.0 against its golden tensors."""

from collections.abc import Iterator

import torch

from parity.golden import Compared, Golden, compared, without_gradient
from stages.adapters.networks.blocks import Tower
from stages.adapters.networks.hmr2_net import Hmr2, Hmr2Config, HmrHeadSizes, crop_translation

TOLERANCE = 1e-5
RELATIVE = 1e-5
"""Of the camera's translation, whose values reach 370."""


def network(golden: Golden) -> Hmr2:
    backbone, head = golden.config["backbone"], golden.config["head"]
    sizes = HmrHeadSizes(
        width=head["dim"], depth=head["depth"], heads=head["heads"], head_width=head["dim_head"], mlp_width=head["mlp_dim"],
        starts_from_mean=head["transformer_input"] == "mean_shape", iterations=head["ief_iters"],
    )  # fmt: skip
    tower = Tower(width=backbone["embed_dim"], depth=backbone["depth"], heads=backbone["num_heads"])
    net = Hmr2(Hmr2Config(image_size=golden.config["image_size"], backbone=tower, head=sizes))
    net.load_state_dict(golden.weights)
    return net


@without_gradient
def check(golden: Golden) -> Iterator[Compared]:
    net = network(golden)
    features = net.features(golden.io["img"])
    estimates = net.estimates(features)
    last = estimates[-1]
    ours = {
        "backbone_features": features.transpose(1, 2).unflatten(2, net.config.grid),
        "global_orient": last.rotations[:, :1],
        "body_pose": last.rotations[:, 1:],
        "betas": last.betas,
        "pred_cam": last.camera,
        "all_iters.body_pose": torch.cat([estimate.rotations[:, 1:] for estimate in estimates]),
        "all_iters.betas": torch.cat([estimate.betas for estimate in estimates]),
        "all_iters.cam": torch.cat([estimate.camera for estimate in estimates]),
    }
    for name, tensor in ours.items():
        yield compared(golden, name, tensor, TOLERANCE)
    shift = crop_translation(last.camera, focal=golden.config["focal_length"], side=net.config.image_size)
    yield compared(golden, "pred_cam_t", shift, RELATIVE * float(golden.io["pred_cam_t"].abs().max()))


CHECKS = {"hmr2": check, "hmr2_mean_shape": check}
