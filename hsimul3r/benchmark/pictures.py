"""Photograph or film a composed case: JPEGs or a video in its folder, and what every pixel of them shows."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from hsimul3r.benchmark.camera.develop import Phone, develop, jpeg
from hsimul3r.benchmark.camera.rig import VIEW_SETS, centre_of, outline
from hsimul3r.benchmark.camera.shot import Picture, View
from hsimul3r.benchmark.compose import Composed
from hsimul3r.film import Film

VIDEO = "video.mp4"
CRF = 18
SHUTTER = 0.5
"""Share of the time between two frames of a film in which its shutter is open."""
DEPTH_EVERY = 10
"""Of a film, every so many frames keep their depth."""
FILMING = Phone(white_balance=0.0)
"""A film's white balance holds still."""

Timer = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the pixels of each picture show."""

    labels: tuple[UInt8[ndarray, "height width"], ...]
    depth: tuple[Float32[ndarray, "height width"] | None, ...]


def ring_of(views: int) -> tuple[int, ...]:
    """Places in the ring of cameras that a number of photos is taken from."""
    return VIEW_SETS[views]


def seen_from(composed: Composed, ring: tuple[int, ...]) -> Composed:
    """The same case before some of its cameras only."""
    return replace(composed, views=tuple(composed.views[i] for i in ring), frames=composed.frames[list(ring)])


def take_photos(composed: Composed, ring: tuple[int, ...], folder: Path, step: Timer) -> Seen:
    """Write `00001.jpg` ... in the order of the views, which have the places `ring`; a photo is the same in any selection."""
    from sim_envs.photograph import photograph

    (shot,) = composed.shots
    labels, depth = [], []
    for number, (picture, view, place) in enumerate(zip(_timed(photograph(shot), step), composed.views, ring), 1):
        with step("develop"):
            photo = develop(picture, view, np.random.default_rng([composed.seed, 3, place]))
        with step("write"):
            (folder / f"{number:05d}.jpg").write_bytes(jpeg(photo.image))
        labels.append(photo.labels)
        depth.append(photo.depth)
    return Seen(labels=tuple(labels), depth=tuple(depth))


def take_video(composed: Composed, folder: Path, step: Timer) -> Seen:
    """Write `video.mp4`, one frame a view."""
    from sim_envs.photograph import film

    size, fps = composed.views[0].size_px, round(composed.staged.fps)
    labels, depth, smears = [], [], _smears(composed)
    with ExitStack() as stack:
        video = stack.enter_context(Film(folder / VIDEO, size, fps=fps, crf=CRF))
        for frame, (picture, view) in enumerate(zip(_timed(film(composed.shots), step), composed.views)):
            with step("develop"):
                rng = np.random.default_rng([composed.seed, 3, frame])
                photo = develop(picture, view, rng, phone=FILMING, smear_px=smears[frame])
            with step("write"):
                video.add(photo.image)
            labels.append(photo.labels)
            depth.append(photo.depth if frame % DEPTH_EVERY == 0 else None)
        with step("write"):
            stack.close()
    return Seen(labels=tuple(labels), depth=tuple(depth))


def _timed(pictures: Iterator[Picture], step: Timer) -> Iterator[Picture]:
    """The same pictures; the time that making them takes counts as rendering."""
    while True:
        with step("render"):
            picture = next(pictures, None)
        if picture is None:
            return
        yield picture


def _smears(composed: Composed) -> list[tuple[float, float]]:
    """How far the middle of the scene moves in the picture, right and down, while the shutter of each frame is open [px]."""
    middle = centre_of(outline(composed.staged))
    places = np.array([_place(view, middle) for view in composed.views])
    moves = SHUTTER * np.diff(places, axis=0, append=places[-1:])
    return [(float(right), float(down)) for right, down in moves]


def _place(view: View, point: Float[ndarray, "3"]) -> Float[ndarray, "2"]:
    local = view.T_cam_world[:3, :3] @ point + view.T_cam_world[:3, 3]
    return view.focal_px * local[:2] / local[2]
