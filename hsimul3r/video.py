"""Frames of a video file, one at a time and upright: a video may be as long as it likes."""

import filecmp
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from hsimul3r.errors import BadCapture
from hsimul3r.files import fresh_folder

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".avi", ".webm")
UNKNOWN_FPS = 30.0
"""Rate of a file that does not say its own."""


def is_video(path: Path) -> bool:
    """Whether a file's name says that it is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def copy_video(path: Path, folder: Path) -> Path:
    """The video alone in a folder of a run, by which a change of it is noticed; what is there already is not copied again."""
    copy = folder / f"video{path.suffix.lower()}"
    if not (copy.is_file() and filecmp.cmp(path, copy, shallow=False)):
        with fresh_folder(folder) as out:
            shutil.copyfile(path, out / copy.name)
    return folder


def frame_stride(path: Path, fps: float) -> tuple[int, float, int]:
    """Every how many frames make about `fps` a second, the rate that this gives, and how many they are about (0: unknown).

    Raises `BadCapture`.
    """
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            rate, count = float(stream.average_rate or UNKNOWN_FPS), int(stream.frames)
    except (FFmpegError, IndexError, OSError) as error:
        raise _unreadable(path, error) from error
    stride = max(round(rate / fps), 1)
    return stride, rate / stride, math.ceil(count / stride)


def read_frames(path: Path, *, stride: int = 1, first: int = 0) -> Iterator[tuple[int, UInt8[ndarray, "height width 3"]]]:
    """Every `stride`-th frame with its number, RGB and turned as the file says, from frame `first` on.

    Raises `BadCapture` where the file cannot be decoded.
    """
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number >= first and number % stride == 0:
                    turns = round(frame.rotation / 90)
                    yield number, np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))
    except (FFmpegError, IndexError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadCapture:
    return BadCapture(path, f"the video cannot be decoded ({error})", "Give a file that a video player plays.")
