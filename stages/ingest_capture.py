"""Read a folder of photos of one moment: upright working images, and what `capture.yaml` says of them."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image

from hsimul3r.artifacts import Capture, ObjectHint, PointHints, Provenance
from hsimul3r.capture_notes import read_notes
from hsimul3r.conventions import OBJECT_CATEGORIES
from hsimul3r.errors import BadCapture
from hsimul3r.images import SUFFIXES, read_photo
from hsimul3r.progress import Progress

_OBJECT_KEYS = {"name", "category", "boxes", "masks", "clicks"}


@dataclass(frozen=True, kw_only=True)
class IngestCaptureConfig:
    """Sizes of the working images and bounds on what is accepted."""

    working_size_px: int = 1280
    """Long side of the working images; smaller photos keep their size."""
    smallest_side_px: int = 160
    fewest_photos: int = 2
    """1 where a model sees the camera in a single photo (--cameras.photo.kind)."""
    most_photos: int = 16
    stature_range_m: tuple[float, float] = (0.8, 2.3)
    stature_m: float | None = None
    """The subject's stature; wins over capture.yaml."""


def run(scene: Path, *, cfg: IngestCaptureConfig, out: Path, progress: Progress) -> Capture:
    """Raises `BadCapture` for anything in the folder that cannot be used."""
    paths = _photo_paths(scene, cfg)
    names, sizes, original_sizes, scales, focals, digests = [], [], [], [], [], {}
    for path in progress.track(paths, "reading photos"):
        photo, exif_focal = read_photo(path)
        _check_photo(path, photo, digests, cfg)
        scale = min(1.0, cfg.working_size_px / max(photo.shape[:2]))
        working = _resize(photo, scale)
        names.append(f"view_{len(names):02d}.png")
        Image.fromarray(working).save(out / names[-1], compress_level=3)
        sizes.append(working.shape[1::-1])
        original_sizes.append(photo.shape[1::-1])
        scales.append(scale)
        focals.append(exif_focal * max(working.shape[:2]) if exif_focal else np.nan)
    notes = read_notes(scene)
    given_focal = _given_focal(scene, notes, len(paths))
    return Capture(
        provenance=Provenance(adapter="folder of photos"),
        name=scene.resolve().name,
        folder=scene.name,
        images=tuple(names),
        sources=tuple(path.name for path in paths),
        size_px=np.array(sizes),
        original_size_px=np.array(original_sizes),
        focal_px=np.array(focals) if given_focal is None else given_focal * np.array(scales),
        is_focal_given=given_focal is not None,
        stature_m=_stature(scene, notes, cfg),
        objects=_objects(scene, notes, paths, np.array(original_sizes), np.array(scales)),
    )


def _photo_paths(scene: Path, cfg: IngestCaptureConfig) -> list[Path]:
    if scene.is_file():
        raise BadCapture(scene, "it is a file, not a folder", "Put 2 to 16 photos of one moment into a folder and give that.")
    if not scene.is_dir():
        raise BadCapture(scene, "there is no such folder", "Give a folder of photos.")
    paths = sorted((path for path in scene.iterdir() if path.suffix.lower() in SUFFIXES), key=_natural_order)
    if not paths:
        raise BadCapture(scene, f"the folder holds no photo ({', '.join(SUFFIXES)})", "Put 2 to 16 photos of one moment there.")
    if len(paths) < cfg.fewest_photos:
        raise BadCapture(
            scene, "the folder holds one photo",
            "Cameras need at least two photos of the same moment, or your weights of a model that sees them in one: "
            "--cameras.photo.kind ma_hmr --capture.fewest-photos 1.",
        )  # fmt: skip
    if len(paths) > cfg.most_photos:
        raise BadCapture(scene, f"the folder holds {len(paths)} photos", f"Keep the best {cfg.most_photos} or fewer.")
    return paths


def _natural_order(path: Path) -> list[int | str]:
    return [int(piece) if piece.isdigit() else piece.lower() for piece in re.split(r"(\d+)", path.name)]


def _check_photo(path: Path, photo: UInt8[ndarray, "h w 3"], digests: dict[str, str], cfg: IngestCaptureConfig) -> None:
    if min(photo.shape[:2]) < cfg.smallest_side_px:
        size = f"{photo.shape[1]} x {photo.shape[0]} px"
        raise BadCapture(path, f"the photo is only {size}", f"Give photos of at least {cfg.smallest_side_px} px a side.")
    digest = hashlib.sha256(photo.tobytes()).hexdigest()
    if digest in digests:
        raise BadCapture(
            path, f"the photo is identical to '{digests[digest]}'", "Each photo must be taken from its own place; remove one."
        )
    digests[digest] = path.name


def _resize(photo: UInt8[ndarray, "h w 3"], scale: float) -> UInt8[ndarray, "height width 3"]:
    if scale == 1.0:
        return photo
    size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def _stature(scene: Path, notes: dict[str, Any], cfg: IngestCaptureConfig) -> float | None:
    value = notes.get("stature_m") if cfg.stature_m is None else cfg.stature_m
    if value is None:
        return None
    low, high = cfg.stature_range_m
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadCapture(scene, f"a stature of {value} m", f"Give the subject's stature in metres, {low} to {high}.")
    return float(value)


def _given_focal(scene: Path, notes: dict[str, Any], count: int) -> Float[ndarray, "views"] | None:
    """Focal lengths of capture.yaml in the photos' own pixels: one for all, or a list with one each."""
    if "focal_px" not in notes:
        return None
    try:
        focal = np.broadcast_to(np.asarray(notes["focal_px"], float), (count,))
    except (ValueError, TypeError) as error:
        raise BadCapture(scene, "focal_px does not fit the photos", f"Give one number, or a list of {count}.") from error
    if not (np.isfinite(focal).all() and (focal > 0).all()):
        raise BadCapture(scene, f"focal_px of {notes['focal_px']}", "Give positive focal lengths in pixels of the photos.")
    return focal


def _objects(scene: Path, notes: dict[str, Any], paths: list[Path], sizes: ndarray, scales: ndarray) -> tuple[ObjectHint, ...]:
    entries = notes.get("objects", [])
    if not isinstance(entries, list):
        raise BadCapture(scene, "'objects' is not a list", "docs/capture.md shows the format.")
    return tuple(_object(scene, entry, paths, sizes, scales) for entry in entries)


def _object(scene: Path, entry: Any, paths: list[Path], sizes: ndarray, scales: ndarray) -> ObjectHint:
    if not isinstance(entry, dict) or not set(entry) <= _OBJECT_KEYS or "name" not in entry:
        raise BadCapture(scene, f"object entry {entry}", f"An object has a name and any of: {', '.join(sorted(_OBJECT_KEYS))}.")
    name, category = str(entry["name"]), str(entry.get("category", entry["name"]))
    if category not in OBJECT_CATEGORIES:
        raise BadCapture(scene, f"object '{name}' has the category '{category}'", f"Known: {', '.join(OBJECT_CATEGORIES)}.")
    index = {path.name: view for view, path in enumerate(paths)}
    boxes = np.full((len(paths), 4), np.nan)
    masks: list[Bool[ndarray, "height width"] | None] = [None] * len(paths)
    for photo, box in (entry.get("boxes") or {}).items():
        view = _view_of(scene, name, photo, index)
        boxes[view] = _checked_box(scene, name, photo, box, sizes[view]) * scales[view]
    for photo, mask in (entry.get("masks") or {}).items():
        view = _view_of(scene, name, photo, index)
        masks[view] = _read_mask(scene, str(mask), sizes[view], scales[view])
    clicks: list[PointHints | None] = [None] * len(paths)
    for photo, points in (entry.get("clicks") or {}).items():
        view = _view_of(scene, name, photo, index)
        x, y, is_inside = _checked_clicks(scene, name, photo, points, sizes[view]).T
        if not is_inside.any() and not np.isfinite(boxes[view]).all():
            what = f"object '{name}', photo '{photo}': no click lies inside it, and it has no box there"
            raise BadCapture(scene, what, "Add a click [x, y, true] on the object, or its box.")
        clicks[view] = PointHints(points_px=np.stack([x, y], axis=1) * scales[view], is_inside=is_inside > 0)
    return ObjectHint(name=name, category=category, boxes_px=boxes, masks=tuple(masks), clicks=tuple(clicks))


def _view_of(scene: Path, name: str, photo: Any, index: dict[str, int]) -> int:
    if photo not in index:
        raise BadCapture(scene, f"object '{name}' names the photo '{photo}'", f"Photos: {', '.join(index)}.")
    return index[photo]


def _checked_box(scene: Path, name: str, photo: str, box: Any, size: ndarray) -> Float[ndarray, "4"]:
    advice = f"Give [x0, y0, x1, y1] in pixels of that photo, which is {size[0]} x {size[1]}."
    try:
        x0, y0, x1, y1 = (float(value) for value in box)
    except (TypeError, ValueError) as error:
        raise BadCapture(scene, f"object '{name}', photo '{photo}': box {box}", advice) from error
    if not (np.isfinite([x0, y0, x1, y1]).all() and 0 <= x0 < x1 <= size[0] and 0 <= y0 < y1 <= size[1]):
        raise BadCapture(scene, f"object '{name}', photo '{photo}': box {box} does not lie inside the picture", advice)
    return np.array([x0, y0, x1, y1])


def _checked_clicks(scene: Path, name: str, photo: str, points: Any, size: ndarray) -> Float[ndarray, "clicks 3"]:
    """Rows of x, y and whether the point lies inside the object (1) or outside (0)."""
    advice = f"Give a list of [x, y, true or false] in pixels of that photo, which is {size[0]} x {size[1]}."
    where = f"object '{name}', photo '{photo}'"
    if not isinstance(points, list) or not points:
        raise BadCapture(scene, f"{where}: clicks {points}", advice)
    for point in points:
        if not isinstance(point, list) or len(point) != 3 or not isinstance(point[2], bool) or not _are_numbers(point[:2]):
            raise BadCapture(scene, f"{where}: click {point}", advice)
        if not (0 <= point[0] <= size[0] and 0 <= point[1] <= size[1]):
            raise BadCapture(scene, f"{where}: click {point} does not lie inside the picture", advice)
    return np.array(points, float)


def _are_numbers(values: list[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _read_mask(scene: Path, name: str, size: ndarray, scale: float) -> Bool[ndarray, "height width"]:
    path = (scene / name).resolve()
    if not path.is_relative_to(scene.resolve()):
        raise BadCapture(scene, f"mask '{name}' lies outside the capture's folder", "Put masks into that folder.")
    mask = read_photo(path)[0].max(axis=2) > 127
    if mask.shape != (size[1], size[0]):
        raise BadCapture(path, f"the mask is {mask.shape[1]} x {mask.shape[0]} px", f"Its photo is {size[0]} x {size[1]} px.")
    return _resize(mask.astype(np.uint8)[..., None].repeat(3, 2), scale)[..., 0] > 0
