"""Segment Anything (Kirillov et al. 2023) by the package segment-anything, from one of its official checkpoints."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.errors import WrongWeights
from hsimul3r.perception.segmenter import Clicks, thing_count
from hsimul3r.require import require
from stages.adapters.networks.checkpoints import load_weights, read_checkpoint
from stages.adapters.torchvision_mend import mend_torchvision

LICENCES = ("Segment Anything: Apache-2.0",)
SIZES: Final = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}
"""Which of the three published models, by the width of its image encoder."""


@dataclass(frozen=True, kw_only=True)
class Sam:
    """Masks of prompted things in a picture; satisfies `hsimul3r.perception.segmenter.Segmenter`."""

    model: Any
    licences: tuple[str, ...] = LICENCES

    @classmethod
    def load(cls, path: Path) -> "Sam":
        """From sam_vit_b, _l or _h as published (.pth)."""
        checkpoint = read_checkpoint(path)
        table = checkpoint.weights.get("image_encoder.pos_embed")
        size = None if table is None else SIZES.get(table.shape[-1])
        if size is None:
            raise WrongWeights(path, "Segment Anything", "it has no image encoder of a published size")
        mend_torchvision()
        model = require("segment_anything", "masks by Segment Anything").sam_model_registry[size]()
        load_weights(model, checkpoint, model="Segment Anything")
        return cls(model=model.eval())

    def segment(
        self, image: UInt8[ndarray, "height width 3"], boxes_px: Float[ndarray, "things 4"] | None,
        clicks: Clicks | None = None,
    ) -> Bool[ndarray, "things height width"]:  # fmt: skip
        """One mask a box (x0, y0, x1, y1), refined by clicks where given; without boxes one mask a row of clicks."""
        predictor = require("segment_anything", "masks by Segment Anything").SamPredictor(self.model)
        predictor.set_image(image)
        masks, count = [], thing_count(boxes_px, clicks)
        for i in range(count):
            found, _, _ = predictor.predict(
                box=None if boxes_px is None else boxes_px[i],
                point_coords=None if clicks is None else clicks.points_px[i],
                point_labels=None if clicks is None else clicks.is_inside[i].astype(int),
                multimask_output=False,
            )
            masks.append(found[0])
        return np.array(masks, bool).reshape(count, *image.shape[:2])
