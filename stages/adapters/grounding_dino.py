"""Grounding DINO (Liu et al. 2023): boxes of things by their names in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from stages.adapters.hub_models import load_model
from stages.adapters.nanodet import Detection

LICENCES = ("Grounding DINO: Apache-2.0",)


@dataclass(frozen=True, kw_only=True)
class GroundingDino:
    """Finds what words say."""

    model: Any
    processor: Any
    licences: tuple[str, ...] = LICENCES

    @classmethod
    def load(cls, folder: Path) -> "GroundingDino":
        """From a folder of the transformers library, for example a download of IDEA-Research/grounding-dino-tiny."""
        model, processor = load_model(folder, "GroundingDinoForObjectDetection", "GroundingDinoProcessor")
        return cls(model=model, processor=processor)

    def detect(
        self, image: UInt8[ndarray, "height width 3"], names: Sequence[str], *, threshold: float = 0.35
    ) -> tuple[Detection, ...]:
        """Things of these names, best first; a box goes by the one of `names` that the model's words for it contain."""
        inputs = self.processor(images=image, text=" ".join(f"{name.lower()}." for name in names), return_tensors="pt")
        with torch.inference_mode():
            outputs = self.model(**inputs)
        found = self.processor.post_process_grounded_object_detection(
            outputs, inputs["input_ids"], threshold=threshold, text_threshold=threshold, target_sizes=[image.shape[:2]]
        )[0]
        limit = np.array(image.shape[1::-1] * 2) - 1.0
        detections = [
            Detection(name=name, score=float(score), box_px=np.clip(box.numpy(), 0, limit))
            for score, label, box in zip(found["scores"], found["text_labels"], found["boxes"])
            if (name := next((name for name in names if name.lower() in label), None)) is not None
        ]
        return tuple(sorted(detections, key=lambda one: -one.score))
