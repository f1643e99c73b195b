"""The models that users bring: what each gives, its licence in one line, its size, its file and where it is looked for.

Sizes are of the published weights in float32; costs are what this project measured, and say so where it did not.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from hsimul3r.errors import LicenceRefused, WeightsNotGiven, WrongWeights

Terms = Literal["permissive", "restricted"]
LicencePolicy = Literal["any", "commercial-safe"]
CHECKED_BYTES: Final = 1 << 20
"""Read at a time when a file is checked."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """One model."""

    name: str
    gives: str
    licence: str
    terms: Terms
    parameters: str
    file: str
    """Its place in the weights folder; empty where its own program runs it and only results are read."""
    source: str
    """Where its authors publish it."""
    option: str
    """The setting that takes another path."""
    cost: str = "not measured"
    sha256_start: str = ""
    """Beginning of the published file's SHA-256, where its authors say it."""


NC: Final = "CC BY-NC-SA 4.0"
CATALOGUE: Final[tuple[ModelCard, ...]] = (
    ModelCard(
        name="dust3r", gives="cameras and dense points of all photos (Eq. 1)", licence=NC, terms="restricted",
        parameters="571 M", file="DUSt3R_ViTLarge_BaseDecoder_512_dpt.pth", source="naver/dust3r (GitHub)",
        option="cameras.dust3r.weights", cost="120 CPU s for 4 photos, 3.0 GB",
    ),
    ModelCard(
        name="cut3r", gives="cameras and points of a video, frame by frame", licence=NC, terms="restricted",
        parameters="793 M", file="cut3r_512_dpt_4_64.pth", source="CUT3R/CUT3R (GitHub)",
        option="video.model.weights",
    ),
    ModelCard(
        name="human3r", gives="cameras, points and SMPL-X people of a video", licence=NC, terms="restricted",
        parameters="", file="human3r.pth", source="fanegg/Human3R (GitHub)",
        option="video.model.weights",
    ),
    ModelCard(
        name="hmr2", gives="SMPL pose of one person in a box", licence="MIT (code); SMPL body: non-commercial",
        terms="restricted", parameters="670 M", file="hmr2.ckpt", source="shubham-goel/4D-Humans (GitHub)",
        option="people.skeleton.weights", cost="2.9 CPU s a person, 2.9 GB",
    ),
    ModelCard(
        name="sat_hmr", gives="all people of a photo, metric", licence="Apache-2.0 (code); SMPL body: non-commercial",
        terms="restricted", parameters="222 M at ViT-B", file="sat_hmr.pth", source="ChiSu001/SAT-HMR (GitHub)",
        option="cameras.photo.weights", cost="4.8 CPU s a photo, 1.4 GB",
    ),
    ModelCard(
        name="ma_hmr", gives="all people of a photo, metric, and its focal length", licence="CC BY-NC 4.0",
        terms="restricted", parameters="", file="ma_hmr.pth", source="MA-HMR's page",
        option="cameras.photo.weights",
    ),
    ModelCard(
        name="smpl", gives="the body to which HMR2, SAT-HMR and MA-HMR give parameters",
        licence="SMPL: non-commercial scientific research", terms="restricted", parameters="", file="SMPL_NEUTRAL.npz",
        source="smpl.is.tue.mpg.de", option="cameras.photo.smpl",
    ),
    ModelCard(
        name="midi3d", gives="the objects of a photo as meshes",
        licence="Apache-2.0; its design under Tencent's HunyuanDiT licence, not granted in the EU", terms="restricted",
        parameters="1,682 M + VAE 243 M", file="midi3d", source="VAST-AI/MIDI-3D (Hugging Face)",
        option="objects.midi.weights",
    ),
    ModelCard(
        name="sam", gives="masks from boxes or clicks", licence="Apache-2.0", terms="permissive", parameters="94 to 641 M",
        file="sam_vit_b_01ec64.pth", source="facebookresearch/segment-anything (GitHub)",
        option="object_views.segmenter.weights", sha256_start="01ec64",
    ),
    ModelCard(
        name="sam2", gives="masks from boxes or clicks, followed through videos", licence="Apache-2.0", terms="permissive",
        parameters="39 to 224 M", file="sam2.1-hiera-large", source="facebook/sam2.1-hiera-large (Hugging Face)",
        option="object_views.segmenter.weights",
    ),
    ModelCard(
        name="vitpose", gives="keypoints of people, feet included where whole-body", licence="Apache-2.0", terms="permissive",
        parameters="", file="vitpose-plus-base", source="usyd-community/vitpose-plus-base (Hugging Face)",
        option="people.pose.weights",
    ),
    ModelCard(
        name="grounding_dino", gives="boxes of objects by name", licence="Apache-2.0", terms="permissive", parameters="172 M",
        file="grounding-dino-tiny", source="IDEA-Research/grounding-dino-tiny (Hugging Face)",
        option="object_views.detector.weights",
    ),
    ModelCard(
        name="rf_detr", gives="boxes of objects among COCO's 80 kinds", licence="Apache-2.0 up to size large; others: PML 1.0",
        terms="permissive", parameters="30 to 34 M", file="rf-detr-medium", source="Roboflow/rf-detr-medium (Hugging Face)",
        option="object_views.detector.weights",
    ),
    ModelCard(
        name="gen3r", gives="cameras and points of one or two photos, by its own program",
        licence="MIT (code); it builds on VGGT's weights: CC BY-NC 4.0", terms="restricted", parameters="", file="",
        source="JaceyHuang/Gen3R (GitHub)", option="cameras.gen3r.results",
    ),
)  # fmt: skip


NAMES: Final = tuple(one.name for one in CATALOGUE)


def card(name: str) -> ModelCard:
    """A model by name; raises `KeyError`."""
    return {one.name: one for one in CATALOGUE}[name]


def weights_folder() -> Path:
    """Where weights are looked for: $HSIMUL3R_WEIGHTS, or ~/.hsimul3r/weights."""
    return Path(os.environ.get("HSIMUL3R_WEIGHTS", "~/.hsimul3r/weights")).expanduser()


def weights_place(name: str, given: str) -> Path:
    """The user's path, or the model's place in the weights folder, whether there is anything or not."""
    return Path(given).expanduser() if given else weights_folder() / card(name).file


def weights_path(name: str, given: str) -> Path:
    """The user's path, or the model's place in the weights folder. Raises `WeightsNotGiven` where neither is there."""
    path = weights_place(name, given)
    if not given and not path.exists():
        raise WeightsNotGiven(name, card(name).option, path)
    return path


def require_licence(name: str, policy: LicencePolicy) -> None:
    """Raises `LicenceRefused` for a model that commercial work may not use freely, where only such are wanted."""
    if policy == "commercial-safe" and card(name).terms == "restricted":
        allowed = [one.name for one in CATALOGUE if one.terms == "permissive"]
        raise LicenceRefused(name, card(name).licence, allowed)


def check_published(name: str, path: Path) -> bool:
    """True for the published file, `WrongWeights` for another; False where its authors gave no checksum."""
    start = card(name).sha256_start
    if not start:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHECKED_BYTES):
            digest.update(block)
    if not digest.hexdigest().startswith(start):
        raise WrongWeights(path, name, f"its SHA-256 begins with {digest.hexdigest()[:8]}, the published file's with {start}")
    return True
