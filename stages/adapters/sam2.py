"""SAM 2 (Ravi et al. 2024): masks from boxes or clicks, in one picture or followed through a video."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.perception.segmenter import Clicks, thing_count
from stages.adapters.hub_models import load_model

LICENCES = ("SAM 2: Apache-2.0",)


@dataclass(frozen=True, kw_only=True)
class Sam2:
    """Masks of prompted things in a picture; satisfies `hsimul3r.perception.segmenter.Segmenter`."""

    model: torch.nn.Module
    processor: object
    licences: tuple[str, ...] = LICENCES

    @classmethod
    def load(cls, folder: Path) -> "Sam2":
        """From a folder of the transformers library, for example a download of facebook/sam2.1-hiera-large."""
        model, processor = load_model(folder, "Sam2Model", "Sam2Processor")
        return cls(model=model, processor=processor)

    def segment(
        self, image: UInt8[ndarray, "height width 3"], boxes_px: Float[ndarray, "things 4"] | None,
        clicks: Clicks | None = None,
    ) -> Bool[ndarray, "things height width"]:  # fmt: skip
        """One mask a box (x0, y0, x1, y1), refined by clicks where given; without boxes one mask a row of clicks."""
        thing_count(boxes_px, clicks)
        prompts = {} if boxes_px is None else {"input_boxes": [boxes_px.tolist()]}
        if clicks is not None:
            prompts |= {"input_points": [clicks.points_px.tolist()], "input_labels": [clicks.is_inside.astype(int).tolist()]}
        inputs = self.processor(images=image, return_tensors="pt", **prompts)  # pyright: ignore[reportCallIssue]
        with torch.inference_mode():
            found = self.model(**inputs, multimask_output=False).pred_masks
        masks = self.processor.post_process_masks(found, inputs["original_sizes"])[0]  # pyright: ignore[reportAttributeAccessIssue]
        return masks[:, 0].numpy().astype(bool)


@dataclass(frozen=True, kw_only=True)
class Sam2Video:
    """Things followed through a video from their boxes in the first frame."""

    model: torch.nn.Module
    processor: object

    @classmethod
    def load(cls, folder: Path) -> "Sam2Video":
        """From the same folder as `Sam2`."""
        model, processor = load_model(folder, "Sam2VideoModel", "Sam2VideoProcessor")
        return cls(model=model, processor=processor)

    def follow(
        self, frames: Sequence[UInt8[ndarray, "height width 3"]], boxes_px: Mapping[int, Float[ndarray, "4"]]
    ) -> Iterator[dict[int, Bool[ndarray, "height width"]]]:
        """Masks by identity, frame after frame; `boxes_px` are those of the first."""
        height, width = frames[0].shape[:2]
        session = self.processor.init_video_session(video=list(frames), inference_device="cpu")  # pyright: ignore[reportAttributeAccessIssue]
        self.processor.add_inputs_to_inference_session(  # pyright: ignore[reportAttributeAccessIssue]
            inference_session=session,
            frame_idx=0,
            obj_ids=list(boxes_px),
            input_boxes=[[box.tolist() for box in boxes_px.values()]],
        )
        with torch.inference_mode():
            self.model(inference_session=session, frame_idx=0)
            for output in self.model.propagate_in_video_iterator(session):  # pyright: ignore[reportCallIssue]
                masks = self.processor.post_process_masks(  # pyright: ignore[reportAttributeAccessIssue]
                    [output.pred_masks], original_sizes=[[height, width]], binarize=True
                )[0]
                yield {identity: mask[0].numpy().astype(bool) for identity, mask in zip(session.obj_ids, masks)}
