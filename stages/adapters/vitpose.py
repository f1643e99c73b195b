"""ViTPose (Xu et al. 2022): keypoints of people in given boxes, of the body or of the whole body with feet."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.conventions import KEYPOINTS
from hsimul3r.errors import WrongWeights
from stages.adapters.hub_models import load_model

LICENCES = ("ViTPose: Apache-2.0",)
BODY: Final = 17
"""COCO's keypoints, the first of KEYPOINTS."""
WHOLE_BODY: Final = 133
"""COCO-WholeBody: the body, then big toe, small toe and heel of the left and of the right foot, then face and hands."""
FEET: Final = {"left_heel": (19,), "right_heel": (22,), "left_toe": (17, 18), "right_toe": (20, 21)}
"""Where the whole body has what KEYPOINTS calls so; a toe is the middle of the two."""


@dataclass(frozen=True, kw_only=True)
class VitPose:
    """People's keypoints in a picture."""

    model: Any
    processor: Any
    licences: tuple[str, ...] = LICENCES

    @classmethod
    def load(cls, folder: Path) -> "VitPose":
        """From a folder of the transformers library, for example a download of usyd-community/vitpose-plus-base."""
        model, processor = load_model(folder, "VitPoseForPoseEstimation", "VitPoseImageProcessor")
        if model.config.num_labels not in (BODY, WHOLE_BODY):
            what = f"it has {model.config.num_labels} keypoints; {BODY} (COCO) or {WHOLE_BODY} (whole body) are known"
            raise WrongWeights(folder, "ViTPose", what)
        return cls(model=model, processor=processor)

    def estimate(
        self, image: UInt8[ndarray, "height width 3"], boxes_px: Float[ndarray, "people 4"]
    ) -> tuple[Float[ndarray, "people 21 2"], Float[ndarray, "people 21"]]:
        """Places and confidences of KEYPOINTS in boxes (x0, y0, x1, y1); nan and 0 for the feet of a model without them."""
        sides = np.concatenate([boxes_px[:, :2], boxes_px[:, 2:] - boxes_px[:, :2]], axis=1)
        inputs = self.processor(image, boxes=[sides.tolist()], return_tensors="pt")
        expert = {"dataset_index": torch.zeros(len(boxes_px), dtype=torch.int64)} if self._has_experts() else {}
        with torch.inference_mode():
            outputs = self.model(**inputs, **expert)
        outputs.heatmaps = outputs.heatmaps.clone()
        people = self.processor.post_process_pose_estimation(outputs, boxes=[sides.tolist()])[0]
        return named_keypoints(
            [person["keypoints"].numpy() for person in people], [person["scores"].numpy() for person in people]
        )

    def _has_experts(self) -> bool:
        return getattr(self.model.config.backbone_config, "num_experts", 1) > 1


def named_keypoints(
    points: list[Float[ndarray, "found 2"]], scores: list[Float[ndarray, "found"]]
) -> tuple[Float[ndarray, "people 21 2"], Float[ndarray, "people 21"]]:
    """KEYPOINTS of what is in COCO's order; nan and 0 for feet where there are none."""
    places = np.full((len(points), len(KEYPOINTS), 2), np.nan)
    confidence = np.zeros((len(points), len(KEYPOINTS)))
    for i, (found, score) in enumerate(zip(points, scores)):
        places[i, :BODY], confidence[i, :BODY] = found[:BODY], score[:BODY]
        for name, rows in FEET.items() if len(found) == WHOLE_BODY else ():
            j = KEYPOINTS.index(name)
            places[i, j], confidence[i, j] = found[list(rows)].mean(axis=0), score[list(rows)].min()
    return places, confidence
