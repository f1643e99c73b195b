"""Clicks on photos in the viewer: a photo hangs over the scene, points on it become prompts in the capture's capture.yaml."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from viser import IcosphereHandle, ImageHandle, SceneNodePointerEvent, ViserServer

from hsimul3r.artifacts import Capture
from hsimul3r.capture_notes import Click, save_clicks
from hsimul3r.conventions import OBJECT_CATEGORIES
from hsimul3r.errors import BadCapture
from hsimul3r.geometry.overlay import Picture
from hsimul3r.geometry.rotations import quaternion_from_matrix

INSIDE, OUTSIDE = "inside", "outside"
COLOURS = {True: (20, 160, 60), False: (210, 40, 40)}
MIDDLE = np.array([0.0, 0.0, 6.0])
"""Where photos hang, clear of the scene [m]."""
WIDTH_M = 4.0
PANEL_SHARE, FILLED = 0.36, 0.9
"""The control panel covers this share of a window's width, on the right; a photo fills so much of what is left."""
R_WORLD_PHOTO = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""A photo's right, down and into the wall: upright, seen from -Y."""


def clicked_pixel(
    origin: Float[ndarray, "3"], direction: Float[ndarray, "3"], size_px: tuple[int, int]
) -> Float[ndarray, "2"] | None:
    """Pixel of the hanging photo that a ray of the world meets; None beside it, or along it."""
    start, along = R_WORLD_PHOTO.T @ (np.asarray(origin) - MIDDLE), R_WORLD_PHOTO.T @ np.asarray(direction)
    if abs(along[2]) < 1e-9:
        return None
    at = (start - start[2] / along[2] * along)[:2]
    pixel = at * size_px[0] / WIDTH_M + (np.array(size_px) - 1) / 2
    is_on = (pixel >= -0.5).all() and (pixel <= np.array(size_px) - 0.5).all()
    return pixel if is_on else None


def place_of_pixel(pixel: Float[ndarray, "2"], size_px: tuple[int, int]) -> Float[ndarray, "3"]:
    """World point of a pixel of the hanging photo."""
    at = (pixel - (np.array(size_px) - 1) / 2) * WIDTH_M / size_px[0]
    return MIDDLE + R_WORLD_PHOTO[:, :2] @ at


def eye_before(
    size_px: tuple[int, int], fov: float, aspect: float
) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"]]:  # fmt: skip
    """Where a camera stands and looks that shows the whole hanging photo beside the control panel.

    `fov` is its vertical angle [rad], `aspect` the width of its window over the height.
    """
    half = np.tan(fov / 2)
    height = WIDTH_M * size_px[1] / size_px[0]
    distance = max(WIDTH_M / ((1 - PANEL_SHARE) * aspect), height) / (2 * half * FILLED)
    aside = np.array([PANEL_SHARE * half * aspect * distance, 0.0, 0.0])
    return MIDDLE + aside - (0.0, distance, 0.0), MIDDLE + aside


@dataclass
class Marks:
    """Clicks of one photo, in working pixels, and the balls that show them."""

    points: list[tuple[Float[ndarray, "2"], bool]] = field(default_factory=list)
    balls: list[IcosphereHandle] = field(default_factory=list)


class ClickPanel:
    """The folder of the control panel in which a user points at an object."""

    def __init__(self, server: ViserServer, capture: Capture, photos: Sequence[Picture], folder: Path):
        self.server, self.capture, self.photos, self.folder = server, capture, photos, folder
        self.marks = [Marks() for _ in photos]
        self.picture: ImageHandle | None = None
        with server.gui.add_folder("Point at an object", expand_by_default=False):
            self.photo = server.gui.add_dropdown("Photo", ("none", *capture.sources))
            self.name = server.gui.add_text("Object", "chair")
            self.category = server.gui.add_dropdown("Category", OBJECT_CATEGORIES)
            self.side = server.gui.add_dropdown("A click lies", (INSIDE, OUTSIDE))
            self.words = server.gui.add_markdown("")
            undo, save = server.gui.add_button("Undo"), server.gui.add_button("Save to capture.yaml")
        self.photo.on_update(lambda _: self.show())
        undo.on_click(lambda _: self.undo())
        save.on_click(lambda _: self.save())

    @property
    def view(self) -> int | None:
        """The photo that hangs."""
        return None if self.photo.value == "none" else self.capture.sources.index(self.photo.value)

    def show(self) -> None:
        """Hang the chosen photo and turn every visitor's camera to it."""
        if self.picture is not None:
            self.picture.remove()
            self.picture = None
        for v, marks in enumerate(self.marks):
            for ball in marks.balls:
                ball.visible = v == self.view
        if self.view is None:
            return
        width, height = self._size(self.view)
        self.picture = self.server.scene.add_image(
            "/photo", self.photos[self.view], WIDTH_M, WIDTH_M * height / width, format="jpeg",
            wxyz=quaternion_from_matrix(R_WORLD_PHOTO), position=MIDDLE,
        )  # fmt: skip
        self.picture.on_click(self.clicked)
        for client in self.server.get_clients().values():
            eye, target = eye_before((width, height), client.camera.fov, client.camera.aspect)
            client.camera.position, client.camera.look_at = tuple(eye), tuple(target)

    def clicked(self, event: SceneNodePointerEvent) -> None:
        """Take a point of the hanging photo."""
        if self.view is None:
            return
        pixel = clicked_pixel(np.array(event.ray_origin), np.array(event.ray_direction), self._size(self.view))
        if pixel is None:
            return
        marks, is_inside = self.marks[self.view], self.side.value == INSIDE
        name = f"/clicks/{self.view}_{len(marks.points)}"
        at = place_of_pixel(pixel, self._size(self.view))
        marks.balls.append(self.server.scene.add_icosphere(name, radius=0.025, color=COLOURS[is_inside], position=at))
        marks.points.append((pixel, is_inside))

    def undo(self) -> None:
        """Take the last point of the hanging photo back."""
        if self.view is not None and self.marks[self.view].points:
            self.marks[self.view].points.pop()
            self.marks[self.view].balls.pop().remove()

    def save(self) -> None:
        """Write the points of all photos; what is wrong is said in the panel."""
        clicks = {self.capture.sources[v]: self._originals(v) for v, marks in enumerate(self.marks) if marks.points}
        name = self.name.value.strip()
        if not clicks or not name:
            self.words.content = "Name the object and click on it first."
            return
        try:
            save_clicks(self.folder, name, self.category.value, clicks)
        except (BadCapture, OSError) as error:
            self.words.content = f"Not saved: {error}"
            return
        self.words.content = "Saved. Reconstruct again with `--object-views.segmenter.kind sam2` (or `sam`)."

    def _originals(self, view: int) -> list[Click]:
        """Points of a photo in its own pixels."""
        size = self.capture.original_size_px[view]
        ratio = size / self.capture.size_px[view]
        pixels = [np.clip(np.round(at * ratio), 0, size - 1).astype(int).tolist() for at, _ in self.marks[view].points]
        return [(x, y, is_inside) for (x, y), (_, is_inside) in zip(pixels, self.marks[view].points)]

    def _size(self, view: int) -> tuple[int, int]:
        width, height = self.capture.size_px[view].tolist()
        return width, height


def click_panel(server: ViserServer, capture: Capture | None, photos: Sequence[Picture], run: Path) -> ClickPanel | None:
    """None for a run without photos, and where the folder that they came from is gone."""
    source = run / "source"
    folder = Path(source.read_text().strip()) if source.is_file() else None
    if capture is None or folder is None or not all((folder / name).is_file() for name in capture.sources):
        return None
    return ClickPanel(server, capture, photos, folder)
