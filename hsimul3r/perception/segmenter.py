"""What a segmenter has to do, whatever model it is: the mask of what a box or clicks point at."""

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Bool, Float, UInt8
from numpy import ndarray


@dataclass(frozen=True, kw_only=True)
class Clicks:
    """Points of a picture that lie inside or outside of each thing."""

    points_px: Float[ndarray, "things clicks 2"]
    is_inside: Bool[ndarray, "things clicks"]


class Segmenter(Protocol):
    """A promptable segmenter."""

    @property
    def licences(self) -> tuple[str, ...]: ...

    def segment(
        self, image: UInt8[ndarray, "height width 3"], boxes_px: Float[ndarray, "things 4"], clicks: Clicks | None = None
    ) -> Bool[ndarray, "things height width"]:
        """One mask a box (x0, y0, x1, y1); clicks, where given, refine them."""
        ...
