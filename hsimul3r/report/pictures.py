"""Pictures of a run as data URIs: photos with what was found in them, the pictures that stages wrote, the video."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from hsimul3r.artifacts import Cameras, People
from hsimul3r.geometry.overlay import (
    PaintedMesh,
    Picture,
    draw_boxes,
    draw_label_mask,
    draw_mesh_overlay,
    draw_skeletons,
    object_color,
    person_color,
)
from hsimul3r.images import SUFFIXES, load_images
from hsimul3r.run_record import RunRecord

MAX_WIDTH_PX = 900
MOST_STAGE_PICTURES = 8
MAX_VIDEO_BYTES = 8_000_000


@dataclass(frozen=True, kw_only=True)
class PhotoPair:
    """A photo and the same with bodies and objects drawn on it."""

    title: str
    photo: str
    overlay: str
    what: str


@dataclass(frozen=True, kw_only=True)
class StagePicture:
    title: str
    uri: str


def photo_pairs(record: RunRecord, meshes: Sequence[PaintedMesh], cameras: Cameras | None) -> tuple[PhotoPair, ...]:
    """Every photo with the best that the run knows of it: surfaces, else masks and skeletons, else nothing."""
    if record.capture is None:
        return ()
    pairs = []
    for view, image in enumerate(load_images(record.folder / "00_capture", record.capture)):
        drawn, what = _best_overlay(record, image, view, meshes, cameras)
        title = f"view {view}: {record.capture.sources[view]}"
        pairs.append(PhotoPair(title=title, photo=data_uri(image), overlay=data_uri(drawn), what=what))
    return tuple(pairs)


def stage_pictures(folder: Path) -> tuple[StagePicture, ...]:
    """The first pictures that a stage wrote beside its artifact; damaged ones are left out."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    pictures = [(path.stem.replace("_", " "), _file_uri(path)) for path in paths[:MOST_STAGE_PICTURES]]
    return tuple(StagePicture(title=title, uri=uri) for title, uri in pictures if uri is not None)


def video_uri(path: Path) -> str | None:
    """The video as a data URI, None where it is too large to embed."""
    if path.stat().st_size > MAX_VIDEO_BYTES:
        return None
    return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"


def video_stills(path: Path, shares: Sequence[float] = (0.0, 0.5, 1.0)) -> tuple[str, ...]:
    """Frames of a video at the given shares of its length, as data URIs; none where it cannot be decoded."""
    try:
        with av.open(path) as container:
            last = max(container.streams.video[0].frames - 1, 0)
            wanted = {round(share * last) for share in shares}
            frames = enumerate(container.decode(video=0))
            return tuple(data_uri(frame.to_ndarray(format="rgb24")) for i, frame in frames if i in wanted)
    except FFmpegError:
        return ()


def data_uri(image: UInt8[ndarray, "height width 3"]) -> str:
    """A JPEG at most `MAX_WIDTH_PX` wide."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    if picture.width > MAX_WIDTH_PX:
        picture = picture.resize((MAX_WIDTH_PX, round(picture.height * MAX_WIDTH_PX / picture.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _file_uri(path: Path) -> str | None:
    try:
        with Image.open(path) as picture:
            return data_uri(np.asarray(picture.convert("RGB")))
    except OSError:
        return None


def _best_overlay(
    record: RunRecord, image: Picture, view: int, meshes: Sequence[PaintedMesh], cameras: Cameras | None
) -> tuple[Picture, str]:
    if cameras is not None and meshes and cameras.is_registered[view]:
        names = "bodies and objects" if record.objects or record.aligned else "bodies"
        return draw_mesh_overlay(image, meshes, cameras, view), f"{names} as reconstructed"
    if record.people is None:
        return image, "photo"
    drawn = _draw_people(image, record.people, view)
    for i, seen in enumerate(record.views.objects if record.views else ()):
        if (labels := seen.labels[view]) is not None:
            drawn = draw_label_mask(drawn, labels, color=object_color(i))
            drawn = draw_boxes(drawn, seen.boxes_px[view : view + 1], [seen.name], [object_color(i)])
    return drawn, "people and objects as found in the photo"


def _draw_people(image: Picture, people: People, view: int) -> Picture:
    seen = [person for person in people.views if person.view == view]
    if not seen:
        return image
    return draw_skeletons(
        image, np.stack([person.keypoints_px for person in seen]), np.stack([person.confidence for person in seen]),
        colors=[person_color(person.person) for person in seen],
        labels=[f"person {person.person}" if person.person >= 0 else "not linked" for person in seen],
    )  # fmt: skip
