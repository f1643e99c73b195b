"""RF-DETR (Robinson et al. 2025): boxes of things among the kinds that its checkpoint knows, COCO's as published."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from stages.adapters.hub_models import load_model
from stages.adapters.nanodet import Detection

LICENCES = ("RF-DETR: Apache-2.0 up to size large",)
NO_KIND: Final = ("N/A", "background", "")
"""What classes without a name are called."""


@dataclass(frozen=True, kw_only=True)
class RfDetr:
    """Finds things of fixed kinds."""

    model: Any
    processor: Any
    licences: tuple[str, ...] = LICENCES

    @classmethod
    def load(cls, folder: Path) -> "RfDetr":
        """From a folder of the transformers library, for example a download of Roboflow/rf-detr-medium."""
        model, processor = load_model(folder, "RfDetrForObjectDetection", "RfDetrImageProcessor")
        return cls(model=model, processor=processor)

    def detect(self, image: UInt8[ndarray, "height width 3"], *, threshold: float = 0.35) -> tuple[Detection, ...]:
        """Things by the names of the checkpoint, best first."""
        inputs = self.processor(images=image, return_tensors="pt")
        with torch.inference_mode():
            outputs = self.model(**inputs)
        found = self.processor.post_process_object_detection(outputs, threshold=threshold, target_sizes=[image.shape[:2]])[0]
        limit = np.array(image.shape[1::-1] * 2) - 1.0
        detections = [
            Detection(name=name, score=float(score), box_px=np.clip(box.numpy(), 0, limit))
            for score, label, box in zip(found["scores"], found["labels"], found["boxes"])
            if (name := self.model.config.id2label.get(int(label), "")) not in NO_KIND
        ]
        return tuple(sorted(detections, key=lambda one: -one.score))
