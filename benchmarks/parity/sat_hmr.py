"""SAT-HMR and MA-HMR against their golden tensors."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from hsimul3r.geometry.rotations import axis_angle_from_matrix
from parity.golden import Compared, Golden, compared, without_gradient
from stages.adapters.networks.sat_hmr_net import EncodedPicture, QueriedPeople, SatConfig, SatHmr

TOLERANCE = 1e-5
FOCAL_TOLERANCE = 2e-4


def sizes(config: dict[str, Any], grid_side: int) -> SatConfig:
    encoder, decoder, choice = config["encoder"], config["decoder"], config["sat_cfg"]
    return SatConfig(
        input_size=config["input_size"], width=encoder["embed_dim"], depth=encoder["depth"], heads=encoder["num_heads"],
        scale_blocks=choice["get_map_layer"], hidden=decoder["hidden_dim"], decoder_heads=decoder["nheads"],
        decoder_layers=decoder["dec_layers"], feedforward=decoder["dim_feedforward"], queries=decoder["num_queries"],
        sees_field_of_view=config["use_fov"], confidence_threshold=choice["conf_thresh"],
        scale_threshold=choice["scale_thresh"], grid_side=grid_side,
    )  # fmt: skip


@without_gradient
def check(golden: Golden) -> Iterator[Compared]:
    net = SatHmr(sizes(golden.config, len(golden.weights["z_order_map"])))
    net.load_state_dict(golden.weights)
    pictures = [net.encode(golden.io[f"img{i}"]) for i in range(2)]
    people = [net.people(picture, (int(h), int(w))) for picture, (h, w) in zip(pictures, golden.io["img_size"])]
    yield from check_pictures(golden, pictures)
    yield from check_people(golden, people)


def check_pictures(golden: Golden, pictures: list[EncodedPicture]) -> Iterator[Compared]:
    for i, picture in enumerate(pictures):
        for name, tensor in (("lvl", picture.tokens.level), ("pos_x", picture.tokens.x), ("pos_y", picture.tokens.y)):
            yield compared(golden, f"tokens{i}.{name}", tensor, TOLERANCE)
    for name in ("features", "places"):
        tensor = torch.cat([getattr(picture, name) for picture in pictures])
        yield compared(golden, {"features": "encoder_features", "places": "encoder_pos"}[name], tensor, TOLERANCE)
    yield compared(golden, "scale_map", torch.cat([picture.scale_map for picture in pictures]), TOLERANCE)


def check_people(golden: Golden, people: list[QueriedPeople]) -> Iterator[Compared]:
    def stacked(name: str) -> Tensor:
        return torch.stack([getattr(one, name) for one in people])

    poses = torch.as_tensor(axis_angle_from_matrix(stacked("rotations").double().numpy()))
    ours = {
        "pred_poses": poses.flatten(2), "pred_betas": stacked("betas"), "pred_boxes": stacked("boxes"),
        "pred_confs": stacked("confidence")[..., None], "pred_transl": stacked("translation"),
    }  # fmt: skip
    focal = stacked("focal_px")
    if "fov" in golden.io:
        depth = stacked("translation")[..., 2]
        ours |= {"fov": stacked("field_of_view")[:, None], "pred_depths": torch.stack([depth, depth / focal[:, None]], -1)}
    for name, tensor in ours.items():
        yield compared(golden, name, tensor, TOLERANCE)
    intrinsics = torch.eye(3).repeat(len(people), 1, 1)
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal
    intrinsics[:, :2, 2] = golden.io["img_size"].flip(1) / 2
    yield compared(golden, "pred_intrinsics", intrinsics[:, None], FOCAL_TOLERANCE)


CHECKS = {"sat_hmr": check, "ma_hmr": check}
