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
        self, image: UInt8[ndarray, "height width 3"], boxes_px: Float[ndarray, "things 4"] | None,
        clicks: Clicks | None = None,
    ) -> Bool[ndarray, "things height width"]:  # fmt: skip
        """One mask a box (x0, y0, x1, y1) that the clicks, where given, refine; without boxes one mask a row of clicks.

        Raises `ValueError` where there is neither.
        """
        ...


def thing_count(boxes_px: Float[ndarray, "things 4"] | None, clicks: Clicks | None) -> int:
    """Masks that prompts ask for. Raises `ValueError` where there is no prompt."""
    if boxes_px is not None:
        return len(boxes_px)
    if clicks is None:
        raise ValueError("a segmenter needs boxes or clicks")
    return len(clicks.points_px)
