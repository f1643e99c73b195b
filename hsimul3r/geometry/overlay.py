"""Pictures on photographs: skeletons, masks, boxes, shaded meshes and legends. Pure: RGB uint8 (H, W, 3) in, a new one out."""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from hsimul3r.artifacts import Cameras
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.geometry.cameras import depth, project, transform_points
from hsimul3r.geometry.silhouette import rasterize_depth

Color = tuple[int, int, int]
Picture = UInt8[ndarray, "height width 3"]

PERSON_COLORS: tuple[Color, ...] = ((255, 138, 61), (255, 86, 130), (255, 203, 46), (201, 104, 255), (255, 166, 158))
OBJECT_COLORS: tuple[Color, ...] = ((52, 178, 255), (38, 208, 150), (96, 122, 255), (140, 220, 60), (0, 205, 214))
UNKNOWN_COLOR: Color = (205, 205, 205)
INK: Color = (18, 20, 24)

BONES: tuple[tuple[str, str], ...] = (
    ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
    ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
    ("left_hip", "right_hip"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
    ("left_ankle", "left_heel"), ("left_heel", "left_toe"), ("right_ankle", "right_heel"), ("right_heel", "right_toe"),
)  # fmt: skip


LIGHT = np.array((-0.62, -0.66, -0.42))
"""Direction to the light along the camera's axes (right, down, forward): from above its left shoulder."""

CREASE_COS = 0.8
"""Faces that meet at a sharper angle than its arc cosine are not shaded smoothly."""


@dataclass(frozen=True, kw_only=True)
class PaintedMesh:
    """A surface in the world frame, to be drawn in one colour."""

    name: str
    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    color: Color


def person_color(person: int) -> Color:
    """The colour of a person in every picture; grey for the unlinked (-1)."""
    return UNKNOWN_COLOR if person < 0 else PERSON_COLORS[person % len(PERSON_COLORS)]


def object_color(index: int) -> Color:
    """The colour of an object in every picture."""
    return OBJECT_COLORS[index % len(OBJECT_COLORS)]


def draw_skeletons(
    image: Picture,
    keypoints_px: Float[ndarray, "people 21 2"],
    confidence: Float[ndarray, "people 21"],
    *,
    colors: Sequence[Color] | None = None,
    labels: Sequence[str] = (),
    min_confidence: float = 0.3,
) -> Picture:
    """Bones and joints (conventions.KEYPOINTS) of every person; points below `min_confidence` or not finite are left out."""
    canvas = np.ascontiguousarray(image).copy()
    colors = colors or [person_color(i) for i in range(len(keypoints_px))]
    for i, (points, trust) in enumerate(zip(keypoints_px, confidence)):
        seen = (np.asarray(trust) >= min_confidence) & np.isfinite(points).all(axis=1)
        _draw_bones(canvas, points, seen, colors[i])
        if i < len(labels) and seen.any():
            top = points[seen][np.argmin(points[seen, 1])]
            canvas = draw_tag(canvas, labels[i], (float(top[0]), float(top[1]) - 8.0 * _unit(canvas)), colors[i])
    return canvas


def draw_boxes(image: Picture, boxes_px: Float[ndarray, "boxes 4"], labels: Sequence[str], colors: Sequence[Color]) -> Picture:
    """Boxes (x0, y0, x1, y1) with a name on each; rows that are not finite are left out."""
    canvas = np.ascontiguousarray(image).copy()
    for box, label, color in zip(boxes_px, labels, colors):
        if not np.isfinite(box).all():
            continue
        corner, opposite = _pixel(box[:2]), _pixel(box[2:])
        cv2.rectangle(canvas, corner, opposite, INK, 3 * _unit(canvas), cv2.LINE_AA)
        cv2.rectangle(canvas, corner, opposite, color, _unit(canvas) + 1, cv2.LINE_AA)
        canvas = draw_tag(canvas, label, (float(box[0]), float(box[1])), color)
    return canvas


def draw_label_mask(
    image: Picture, labels: UInt8[ndarray, "height width"], *, color: Color = OBJECT_COLORS[0], alpha: float = 0.45
) -> Picture:
    """Label image of `ObjectView`: 1 (object) tinted with a contour, 2 (unknown) hatched grey, 0 as it was."""
    canvas = np.ascontiguousarray(image).copy()
    rows, columns = np.indices(labels.shape)
    stripe = (rows + columns) // (4 * _unit(canvas)) % 2 == 0
    _tint(canvas, labels == 1, color, alpha)
    _tint(canvas, (labels == 2) & stripe, UNKNOWN_COLOR, 0.45)
    _contour(canvas, labels == 1, color)
    return canvas


def draw_mesh_overlay(
    image: Picture, meshes: Sequence[PaintedMesh], cameras: Cameras, view: int, *, alpha: float = 0.72, legend: bool = True
) -> Picture:
    """Shaded translucent surfaces as the camera of `view` sees them, nearer ones in front, with outlines and a legend.

    `image` may be of another size than the working image, at the same aspect.
    """
    height, width = image.shape[:2]
    scale = width / float(cameras.size_px[view, 0])
    canvas = np.ascontiguousarray(image).copy()
    if meshes:
        vertices, faces, owner = _stack(meshes)
        uv = (project(cameras, view, vertices) + 0.5) * scale - 0.5
        _, face = rasterize_depth(uv, depth(cameras, view, vertices), faces, height=height, width=width)
        shown = face >= 0
        bright = _interpolated(_corner_shades(vertices, faces, cameras.T_cam_world[view]), uv, faces, face)
        ink = np.array([mesh.color for mesh in meshes], float)[owner[face[shown]]] * bright[:, None]
        canvas[shown] = ((1 - alpha) * canvas[shown] + alpha * np.clip(ink, 0, 255)).round().astype(np.uint8)
        for i, mesh in enumerate(meshes):
            _contour(canvas, shown & (owner[face] == i), mesh.color)
    return draw_legend(canvas, [(mesh.name, mesh.color) for mesh in meshes]) if legend else canvas


def draw_tag(image: Picture, text: str, at_px: tuple[float, float], color: Color) -> Picture:
    """A name on a coloured plate whose lower left corner is `at_px`, kept inside the picture."""
    text = _printable(text)
    size = 11 + 3 * _unit(image)
    font = _font(size)
    pad = max(3, size // 4)
    width = int(font.getlength(text)) + 2 * pad
    height = size + 2 * pad
    x = int(np.clip(at_px[0], 0, max(0, image.shape[1] - width)))
    y = int(np.clip(at_px[1] - height, 0, max(0, image.shape[0] - height)))
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((x, y, x + width, y + height), radius=pad, fill=color)
    draw.text((x + pad, y + height // 2), text, font=font, fill=INK, anchor="lm")
    return np.array(picture)


def draw_text(
    image: Picture,
    text: str,
    at_px: tuple[int, int],
    size_px: int,
    color: Color,
    *,
    anchor: str = "lm",
    plate: Color | None = None,
) -> Picture:
    """One line of text; `anchor` as in Pillow ('lm' left middle, 'rm' right middle), on a plate where its colour is given."""
    text, font = _printable(text), _font(size_px)
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    if plate is not None:
        x0, y0, x1, y1 = draw.textbbox(at_px, text, font=font, anchor=anchor)
        draw.rounded_rectangle((x0 - 5, y0 - 4, x1 + 5, y1 + 4), radius=4, fill=plate)
    draw.text(at_px, text, font=font, fill=color, anchor=anchor)
    return np.array(picture)


def draw_legend(image: Picture, entries: Sequence[tuple[str, Color]]) -> Picture:
    """A translucent plate in the lower left corner with a coloured square and a name per entry."""
    if not entries:
        return image.copy()
    entries = [(_printable(name), color) for name, color in entries]
    size = 11 + 5 * _unit(image)
    font, pad, row = _font(size), size // 2, int(size * 1.5)
    width = int(max(font.getlength(name) for name, _ in entries)) + size + 3 * pad
    top = max(0, image.shape[0] - row * len(entries) - 2 * pad)
    canvas = image.copy()
    _tint(canvas[top:, :width], np.ones(canvas[top:, :width].shape[:2], bool), INK, 0.65)
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    for i, (name, color) in enumerate(entries):
        middle = top + pad + row * i + row // 2
        draw.rectangle((pad, middle - size // 2, pad + size, middle + size // 2), fill=color)
        draw.text((2 * pad + size, middle), name, font=font, fill=(245, 245, 245), anchor="lm")
    return np.array(picture)


def contact_sheet(images: Sequence[Picture], titles: Sequence[str] = (), *, columns: int = 2, width_px: int = 1600) -> Picture:
    """Pictures of any sizes in a grid of equal cells, `width_px` wide in all, with a title on each where given."""
    columns = min(columns, len(images))
    gap = 6
    cell = (width_px - gap * (columns + 1)) // columns
    scaled = [_fit_width(image, cell) for image in images]
    scaled = [draw_tag(s, titles[i], (0.0, 0.0), (240, 240, 240)) if i < len(titles) else s for i, s in enumerate(scaled)]
    rows = [scaled[i : i + columns] for i in range(0, len(scaled), columns)]
    heights = [max(picture.shape[0] for picture in row) for row in rows]
    sheet = np.full((sum(heights) + gap * (len(rows) + 1), width_px, 3), 24, np.uint8)
    y = gap
    for row, height in zip(rows, heights):
        for i, picture in enumerate(row):
            x = gap + i * (cell + gap)
            sheet[y : y + picture.shape[0], x : x + cell] = picture
        y += height + gap
    return sheet


def _fit_width(image: Picture, width: int) -> Picture:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    method = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def _stack(meshes: Sequence[PaintedMesh]) -> tuple[ndarray, ndarray, Int[ndarray, "faces"]]:
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    faces = np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets)])
    return vertices, faces, np.repeat(np.arange(len(meshes)), [len(mesh.faces) for mesh in meshes])


def _corner_shades(vertices: ndarray, faces: ndarray, T_cam_world: Float[ndarray, "4 4"]) -> Float[ndarray, "faces 3"]:
    """Brightness at the corners of each face, Lambert's law on both sides with an ambient share; creases stay sharp."""
    corners = transform_points(T_cam_world, vertices)[faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    blended = np.zeros((len(vertices), 3))
    np.add.at(blended, faces.ravel(), np.repeat(area, 3, axis=0))
    flat, smooth = _unit_vectors(area)[:, None], _unit_vectors(blended)[faces]
    normal = np.where((flat * smooth).sum(axis=2, keepdims=True) > CREASE_COS, smooth, flat)
    facing = np.sign(np.einsum("fi,fi->f", area, corners[:, 0]))[:, None]
    return 0.42 + 0.66 * np.clip(-facing * (normal @ (LIGHT / np.linalg.norm(LIGHT))), 0, 1)


def _unit_vectors(vectors: Float[ndarray, "count 3"]) -> Float[ndarray, "count 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _interpolated(
    corner_values: Float[ndarray, "faces 3"],
    uv_px: Float[ndarray, "vertices 2"],
    faces: ndarray,
    face: Int[ndarray, "height width"],
) -> Float[ndarray, "shown"]:
    """Values at the pixels that show a face, linear in the picture between the face's corners."""
    rows, columns = np.nonzero(face >= 0)
    of_pixel = face[rows, columns]
    a, b, c = (uv_px[faces[of_pixel, k]] for k in range(3))
    point = np.stack([columns, rows], axis=1)
    area = _cross(b - a, c - a)
    weight_b, weight_c = _cross(point - a, c - a) / area, _cross(b - a, point - a) / area
    weights = np.stack([1.0 - weight_b - weight_c, weight_b, weight_c], axis=1)
    return (weights * corner_values[of_pixel]).sum(axis=1)


def _cross(a: Float[ndarray, "count 2"], b: Float[ndarray, "count 2"]) -> Float[ndarray, "count"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _draw_bones(canvas: Picture, points: Float[ndarray, "21 2"], seen: ndarray, color: Color) -> None:
    unit = _unit(canvas)
    index = {name: i for i, name in enumerate(KEYPOINTS)}
    pairs = [(index[a], index[b]) for a, b in BONES if seen[index[a]] and seen[index[b]]]
    for ink, thickness in ((INK, 3 * unit + 2), (color, 2 * unit)):
        for a, b in pairs:
            cv2.line(canvas, _pixel(points[a]), _pixel(points[b]), ink, thickness, cv2.LINE_AA)
    for i in np.flatnonzero(seen):
        cv2.circle(canvas, _pixel(points[i]), 2 * unit + 1, INK, -1, cv2.LINE_AA)
        cv2.circle(canvas, _pixel(points[i]), 2 * unit - 1, (255, 255, 255), -1, cv2.LINE_AA)


def _tint(canvas: Picture, mask: ndarray, color: Color, alpha: float) -> None:
    blended = (1.0 - alpha) * canvas[mask] + alpha * np.array(color, float)
    canvas[mask] = blended.round().astype(np.uint8)


def _contour(canvas: Picture, mask: ndarray, color: Color) -> None:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, INK, _unit(canvas) + 2, cv2.LINE_AA)
    cv2.drawContours(canvas, outlines, -1, color, _unit(canvas), cv2.LINE_AA)


def _pixel(point: ndarray) -> tuple[int, int]:
    x, y = np.clip(np.round(point), -30_000, 30_000)
    return int(x), int(y)


def _unit(image: ndarray) -> int:
    """Line width that looks the same on pictures of every size."""
    return max(1, round(max(image.shape[:2]) / 640))


def _printable(text: str) -> str:
    """The letters that the built-in font has: accents are dropped, other scripts become '?'."""
    return (
        "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        .encode("ascii", "replace")
        .decode()
    )


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
