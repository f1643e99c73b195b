"""Sizes of the DUSt3R family's networks, read off their weights; what shapes do not tell comes from recorded arguments."""

import re
from typing import Any

from hsimul3r.errors import WrongWeights
from stages.adapters.networks.blocks import Tower
from stages.adapters.networks.checkpoints import Checkpoint
from stages.adapters.networks.cut3r_net import Cut3rSizes
from stages.adapters.networks.dinov2 import DinoSizes
from stages.adapters.networks.dpt import DptSizes
from stages.adapters.networks.dust3r_net import Dust3rSizes
from stages.adapters.networks.human3r_net import Human3rSizes

HEAD_WIDTH = 64
"""Of an attention head in every published checkpoint of the family."""
MODES = {"depth_mode": "exp", "conf_mode": "exp", "pose_mode": "exp"}
"""How raw outputs become points, confidence and poses, where a checkpoint records it: the one way that is built here."""


def dust3r_sizes(checkpoint: Checkpoint) -> Dust3rSizes:
    """Raises `WrongWeights` where the file is another model's."""
    weights = _Weights(checkpoint, "DUSt3R")
    is_linear = "downstream_head1.proj.weight" in checkpoint.weights
    return Dust3rSizes(
        head="linear" if is_linear else "dpt",
        encoder=weights.tower("enc", "patch_embed.proj.weight"),
        decoder=weights.tower("dec", "decoder_embed.weight"),
        dpt=DptSizes() if is_linear else weights.dpt("downstream_head1.dpt"),
    )


def cut3r_sizes(checkpoint: Checkpoint) -> Cut3rSizes:
    """Raises `WrongWeights` where the file is another model's."""
    return Cut3rSizes(**_Weights(checkpoint, "CUT3R").recurrent())


def human3r_sizes(checkpoint: Checkpoint) -> Human3rSizes:
    """Raises `WrongWeights` where the file is another model's."""
    weights = _Weights(checkpoint, "Human3R")
    width = weights.size("backbone.encoder.cls_token", 2)
    dino = DinoSizes(
        width=width,
        depth=weights.count("backbone.encoder.blocks"),
        heads=weights.argument("dino_heads", width // HEAD_WIDTH),
        table=round((weights.size("backbone.encoder.pos_embed", 1) - 1) ** 0.5),
    )
    return Human3rSizes(
        **weights.recurrent(),
        dino=dino,
        detector_px=weights.argument("mhmr_img_res", 896),
        shapes=weights.size("downstream_head.decshape.mlp.layers.2.weight", 0),
        expressions=weights.size("downstream_head.decexpression.mlp.layers.2.weight", 0),
    )


class _Weights:
    """A checkpoint asked for its sizes."""

    def __init__(self, checkpoint: Checkpoint, model: str):
        self.checkpoint, self.model = checkpoint, model
        for name, mode in MODES.items():
            found = checkpoint.arguments.get(name)
            if found is not None and found[0] != mode:
                raise WrongWeights(checkpoint.path, model, f"they were trained with {name} '{found[0]}', not '{mode}'")

    def size(self, name: str, axis: int) -> int:
        """Size of a tensor along an axis."""
        tensor = self.checkpoint.weights.get(name)
        if tensor is None or tensor.dim() <= axis:
            raise WrongWeights(self.checkpoint.path, self.model, f"they have no '{name}'")
        return tensor.shape[axis]

    def count(self, prefix: str) -> int:
        """How many numbered blocks there are under a name."""
        pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.")
        return 1 + max((int(m[1]) for m in map(pattern.match, self.checkpoint.weights) if m), default=-1)

    def argument(self, name: str, default: int) -> Any:
        return self.checkpoint.arguments.get(name, default)

    def tower(self, which: str, name: str) -> Tower:
        width = self.size(name, 0)
        heads = self.argument(f"{which}_num_heads", width // HEAD_WIDTH)
        return Tower(width=width, depth=self.count(f"{which}_blocks"), heads=heads)

    def dpt(self, prefix: str) -> DptSizes:
        a, b, c, d = (self.size(f"{prefix}.act_postprocess.{i}.0.weight", 0) for i in range(4))
        feature = self.size(f"{prefix}.scratch.refinenet1.out_conv.weight", 0)
        return DptSizes(feature=feature, last=self.size(f"{prefix}.head.2.weight", 0), layers=(a, b, c, d))

    def recurrent(self) -> dict[str, Any]:
        return {
            "encoder": self.tower("enc", "patch_embed.proj.weight"),
            "decoder": self.tower("dec", "decoder_embed.weight"),
            "dpt": self.dpt("downstream_head.dpt_self"),
            "state_tokens": self.size("register_tokens.weight", 0),
            "state_heads": self.argument("state_dec_num_heads", 16),
            "memory_tokens": self.size("pose_retriever.mem", 1),
            "memory_blocks": self.count("pose_retriever.read_blocks"),
            "ray_blocks": self.count("enc_blocks_ray_map"),
        }
