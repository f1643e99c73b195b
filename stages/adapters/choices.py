"""Which model does a job, and where the user's weights of it are: chosen in the config, opened here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from jaxtyping import UInt8
from numpy import ndarray
from torch import Tensor

from hsimul3r.body.licensed import load_licensed_body
from hsimul3r.conventions import OBJECT_CATEGORIES
from hsimul3r.perception.segmenter import Segmenter
from stages.adapters import cut3r, human3r, nanodet
from stages.adapters.catalogue import NAMES, weights_path, weights_place
from stages.adapters.cut3r import Cut3rStream, Sight, load_cut3r
from stages.adapters.hmr2 import Hmr2Model
from stages.adapters.human3r import Human3rStream, load_human3r
from stages.adapters.nanodet import Detection
from stages.adapters.photo_rig import PhotoModel
from stages.adapters.sat_hmr import SatHmrModel
from stages.adapters.saved_photo import SavedPhoto
from stages.adapters.vitpose import VitPose

Detect = Callable[[UInt8[ndarray, "height width 3"], float], Sequence[Detection]]
"""Things in a picture above a score, by the names of the detector."""


class _Brought(Protocol):
    """A choice among models that come with the program and models that users bring."""

    @property
    def kind(self) -> str: ...
    @property
    def weights(self) -> str: ...


class _Choice:
    """What all choices have in common."""

    def files(self: _Brought) -> tuple[Path, ...]:
        """What the chosen model is loaded from, where the user brings it."""
        return (weights_place(self.kind, self.weights),) if self.kind in NAMES else ()


@dataclass(frozen=True, kw_only=True)
class SegmenterChoice(_Choice):
    """What cuts objects out: their colours, or a promptable segmenter."""

    kind: Literal["colour", "sam", "sam2"] = "colour"
    weights: str = ""
    """Of sam an official .pth file, of sam2 a folder of the transformers library."""


@dataclass(frozen=True, kw_only=True)
class DetectorChoice(_Choice):
    """What finds objects."""

    kind: Literal["nanodet", "grounding_dino", "rf_detr"] = "nanodet"
    weights: str = ""
    """Of grounding_dino and rf_detr a folder of the transformers library."""


@dataclass(frozen=True, kw_only=True)
class PoseChoice(_Choice):
    """What has the last word on the keypoints of people who were found."""

    kind: Literal["fused", "vitpose"] = "fused"
    weights: str = ""
    """Of vitpose a folder of the transformers library."""


@dataclass(frozen=True, kw_only=True)
class SkeletonChoice(_Choice):
    """What says how people are bent in depth, as each photo shows it."""

    kind: Literal["blazepose", "hmr2"] = "blazepose"
    weights: str = ""
    """Of hmr2 the published checkpoint."""
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class PhotoChoice(_Choice):
    """What says where people stand and how the camera sees, where there is one photo only."""

    kind: Literal["none", "sat_hmr", "ma_hmr"] = "none"
    weights: str = ""
    """The published checkpoint."""
    results: str = ""
    """What the network returned for this photo elsewhere (.npz, .pkl or .pt); it is not run then."""
    smpl: str = ""
    """SMPL's .npz, to which the network's people belong."""
    device: str = "cpu"

    def files(self) -> tuple[Path, ...]:
        """The network's weights, unless there are its results, and SMPL."""
        if self.kind == "none":
            return ()
        return (*(() if self.results else super().files()), weights_place("smpl", self.smpl))


@dataclass(frozen=True, kw_only=True)
class VideoChoice:
    """What sees cameras, scene and, Human3R, people in a video, frame by frame."""

    kind: Literal["none", "cut3r", "human3r"] = "none"
    weights: str = ""
    """The published checkpoint."""
    device: str = "cpu"
    size: int = 512
    """What the checkpoint was trained for: 512 or 224."""
    is_gated: bool = False
    """TTT3R's rule for long videos: each token of the state takes up as much as it looked at the frame."""


class VideoStream(Protocol):
    """Frames in, in their order, one by one."""

    def watch(self, photo: UInt8[ndarray, "height width 3"]) -> Sight: ...

    def kept(self) -> dict[str, Tensor]: ...

    def restore(self, kept: Mapping[str, Tensor]) -> None: ...


def open_segmenter(choice: SegmenterChoice) -> Segmenter | None:
    """None for colours. Raises `WeightsNotGiven`, `BadWeights`, `WrongWeights`, `UnsafeWeights`."""
    match choice.kind:
        case "colour":
            return None
        case "sam":
            from stages.adapters.sam import Sam

            return Sam.load(weights_path("sam", choice.weights))
        case "sam2":
            from stages.adapters.sam2 import Sam2

            return Sam2.load(weights_path("sam2", choice.weights))


def open_detector(choice: DetectorChoice) -> tuple[Detect, tuple[str, ...]]:
    """The detector and its licences. Raises as `open_segmenter` does."""
    if choice.kind == "nanodet":
        return lambda image, score: nanodet.detect_objects(image, threshold=score), ("NanoDet: Apache-2.0",)
    if choice.kind == "rf_detr":
        from stages.adapters.rf_detr import RfDetr

        detector = RfDetr.load(weights_path("rf_detr", choice.weights))
        return lambda image, score: detector.detect(image, threshold=score), detector.licences
    from stages.adapters.grounding_dino import GroundingDino

    model = GroundingDino.load(weights_path("grounding_dino", choice.weights))
    return lambda image, score: model.detect(image, OBJECT_CATEGORIES, threshold=score), model.licences


def open_pose_estimator(choice: PoseChoice) -> VitPose | None:
    """None for the two embedded estimators alone. Raises as `open_segmenter` does."""
    return None if choice.kind == "fused" else VitPose.load(weights_path("vitpose", choice.weights))


def open_skeleton_estimator(choice: SkeletonChoice) -> Hmr2Model | None:
    """None for the embedded estimator. Raises as `open_segmenter` does."""
    if choice.kind == "blazepose":
        return None
    return Hmr2Model.load(weights_path("hmr2", choice.weights), device=choice.device)


def open_photo_model(choice: PhotoChoice) -> PhotoModel | None:
    """None where none is chosen. Raises as `open_segmenter` does, `BadBody`, and for results `BadForeignFile`, `UnsafeFile`."""
    if choice.kind == "none":
        return None
    if choice.results:
        network = SavedPhoto.load(Path(choice.results).expanduser(), choice.kind)
        return PhotoModel(name=choice.kind, network=network, smpl=load_licensed_body(weights_path("smpl", choice.smpl)))
    network = SatHmrModel.load(weights_path(choice.kind, choice.weights), choice.kind, device=choice.device)
    return PhotoModel(name=choice.kind, network=network, smpl=load_licensed_body(weights_path("smpl", choice.smpl)))


def open_video_model(choice: VideoChoice) -> tuple[VideoStream, tuple[str, ...]] | None:
    """The stream and its licences; None where none is chosen. Raises as `open_segmenter` does."""
    if choice.kind == "none":
        return None
    path = weights_path(choice.kind, choice.weights)
    if choice.kind == "cut3r":
        network = load_cut3r(path, device=choice.device)
        return Cut3rStream(network, size=choice.size, is_gated=choice.is_gated), cut3r.LICENCES
    people = load_human3r(path, device=choice.device)
    return Human3rStream(people, size=choice.size, is_gated=choice.is_gated), human3r.LICENCES
