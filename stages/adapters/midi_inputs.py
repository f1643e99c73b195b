"""What MIDI is shown of a photo's objects, and the two image encoders that turn it into conditions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from torch import Tensor
from torch.nn import functional

from stages.adapters.hub_models import load_model
from stages.adapters.networks.midi_sampler import Conditions

WHITE = 255
ROOM = 1.25
"""Side of the square canvas over twice the farthest that an object reaches from its middle."""


@dataclass(frozen=True, kw_only=True)
class ScenePictures:
    """A photo on a square canvas, white where it ends, and the pixels of each object on it."""

    scene: UInt8[ndarray, "side side 3"]
    masks: Bool[ndarray, "objects side side"]

    @classmethod
    def of(cls, image: UInt8[ndarray, "height width 3"], masks: Bool[ndarray, "objects height width"]) -> Self:
        """The photo in the middle of a canvas on which no object touches the border."""
        height, width = image.shape[:2]
        _, rows, columns = np.nonzero(masks)
        reach = max(np.abs(rows - (height - 1) / 2).max(initial=0), np.abs(columns - (width - 1) / 2).max(initial=0))
        side = max(height, width, int(np.ceil(2 * ROOM * reach)))
        top, left = (side - height) // 2, (side - width) // 2
        scene = np.full((side, side, 3), WHITE, np.uint8)
        placed = np.zeros((len(masks), side, side), bool)
        scene[top : top + height, left : left + width] = image
        placed[:, top : top + height, left : left + width] = masks
        return cls(scene=scene, masks=placed)

    def objects(self) -> UInt8[ndarray, "objects side side 3"]:
        """Each object alone on white."""
        return np.where(self.masks[..., None], self.scene, np.uint8(WHITE))


@dataclass(frozen=True, kw_only=True)
class MidiEyes:
    """CLIP sees each object alone; a DINOv2 with seven channels sees it alone, the scene, and where it is in it."""

    clip: Any
    clip_processor: Any
    dino: Any
    dino_processor: Any

    @classmethod
    def load(cls, folder: Path) -> Self:
        """From MIDI's published folder. Raises `BadWeights`, `WrongWeights`."""
        clip, clip_processor = load_model(
            folder / "image_encoder_1", "CLIPVisionModelWithProjection", "CLIPImageProcessor",
            processor_folder=folder / "feature_extractor_1",
        )  # fmt: skip
        dino, dino_processor = load_model(
            folder / "image_encoder_2", "Dinov2Model", "BitImageProcessor", processor_folder=folder / "feature_extractor_2"
        )
        return cls(clip=clip, clip_processor=clip_processor, dino=dino, dino_processor=dino_processor)

    def to(self, device: str, precision: torch.dtype) -> "MidiEyes":
        self.clip.to(device, precision)
        self.dino.to(device, precision)
        return self

    @torch.no_grad()
    def look(self, pictures: ScenePictures) -> Conditions:
        """One row an object: a single token of CLIP, all tokens of DINOv2."""
        objects = list(pictures.objects())
        alone = self._to_encoder(self.clip_processor(images=objects, return_tensors="pt").pixel_values)
        clip = self.clip(alone).image_embeds[:, None]
        dino = self.dino(self._to_encoder(self.seven_channels(pictures))).last_hidden_state
        return Conditions(clip=clip, dino=dino)

    def seven_channels(self, pictures: ScenePictures) -> Float[Tensor, "objects 7 height width"]:
        """Object, scene and mask; the mask is brought to the size of the others by the nearest pixel."""
        count = len(pictures.masks)
        alone = self.dino_processor(images=list(pictures.objects()), return_tensors="pt").pixel_values
        scene = self.dino_processor(images=[pictures.scene], return_tensors="pt").pixel_values.expand(count, -1, -1, -1)
        masks = torch.from_numpy(pictures.masks[:, None].astype(np.float32))
        return torch.cat([alone, scene, functional.interpolate(masks, size=alone.shape[-2:], mode="nearest")], 1)

    def _to_encoder(self, pixels: Tensor) -> Tensor:
        parameter = next(self.clip.parameters())
        return pixels.to(parameter.device, parameter.dtype)
