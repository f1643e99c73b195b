"""Films on disk: H.264 in MP4, the same bits for the same pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream


class Film:
    """An H.264 file that takes RGB pictures; use as a context manager. Odd sizes lose their last row or column.

    `crf` is H.264's quality, smaller is better. One thread encodes, so that the file does not depend on the machine's number.
    """

    def __init__(self, path: Path, size_px: tuple[int, int], *, fps: int, crf: int = 23):
        import av

        self._container: OutputContainer = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        stream = self._container.add_stream(
            "libx264", rate=fps, options={"crf": str(crf), "preset": "veryfast", "threads": "1"}
        )
        self._stream: VideoStream = stream
        stream.width, stream.height, stream.pix_fmt = size_px[0] // 2 * 2, size_px[1] // 2 * 2, "yuv420p"

    def __enter__(self) -> "Film":
        return self

    def add(self, picture: UInt8[ndarray, "height width 3"]) -> None:
        import av

        even = np.ascontiguousarray(picture[: self._stream.height, : self._stream.width])
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._container.mux(self._stream.encode())
        self._container.close()
