"""Which parts of a picture SAT-HMR reads finely, which coarsely (Su et al., CVPR 2025, Sec. 3.2).

Patches of 28 pixels are kept in z-order, so that four in a row are a square. Where people are small, a patch becomes four fine
tokens; a square of four patches without anyone becomes one coarse token.
"""

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

FINE, MIDDLE, COARSE = 0, 1, 2
"""Levels of tokens: 14, 28 and 56 pixels."""
BITS = 16
PATCHES_A_SQUARE = 4


def z_order(row: Int[Tensor, "*cells"], column: Int[Tensor, "*cells"]) -> Int[Tensor, "*cells"]:
    """Place along the curve through squares in squares: the column's bits at even places, the row's at odd ones."""
    code = torch.zeros_like(row)
    for bit in range(BITS):
        code = code | ((column >> bit & 1) << 2 * bit) | ((row >> bit & 1) << (2 * bit + 1))
    return code


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Rows and columns of patches or tokens, each in units of its own level's size."""

    row: Int[Tensor, "cells"]
    column: Int[Tensor, "cells"]

    @classmethod
    def grid(cls, rows: int, columns: int, device: torch.device | None = None) -> Self:
        """All patches of a picture, in z-order."""
        row, column = torch.meshgrid(
            torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij"
        )  # fmt: skip
        row, column = row.flatten(), column.flatten()
        order = z_order(row, column).argsort()
        return cls(row=row[order], column=column[order])

    def where(self, chosen: Bool[Tensor, "cells"]) -> "Cells":
        return Cells(row=self.row[chosen], column=self.column[chosen])

    def quartered(self) -> "Cells":
        """The four cells of the next finer level in each, row by row."""
        step = torch.tensor([0, 0, 1, 1], device=self.row.device), torch.tensor([0, 1, 0, 1], device=self.row.device)
        row, column = (
            (2 * place[:, None] + offset).flatten() for place, offset in zip((self.row, self.column), step)
        )  # fmt: skip
        return Cells(row=row, column=column)

    def squares(self) -> "Cells":
        """The cells of the next coarser level that each four in a row make."""
        return Cells(row=self.row[::PATCHES_A_SQUARE] // 2, column=self.column[::PATCHES_A_SQUARE] // 2)

    def of(self, grid: Float[Tensor, "rows columns width"]) -> Float[Tensor, "cells width"]:
        """What a grid holds at the cells."""
        return grid[self.row, self.column]


@dataclass(frozen=True, kw_only=True)
class TokenChoice:
    """What becomes of the patches of a picture, in z-order."""

    is_fine: Bool[Tensor, "patches"]
    is_middle: Bool[Tensor, "patches"]
    is_coarse: Bool[Tensor, "squares"]


def choose_tokens(scale_map: Float[Tensor, "patches 2"], *, confidence_threshold: float, scale_threshold: float) -> TokenChoice:
    """Fine where a small person is, coarse where a square holds nobody, middle elsewhere."""
    is_person = scale_map[:, 0] > confidence_threshold
    is_fine = is_person & (scale_map[:, 1] < scale_threshold)
    is_inhabited = is_person.view(-1, PATCHES_A_SQUARE).any(1)
    is_middle = is_inhabited.repeat_interleave(PATCHES_A_SQUARE) & ~is_fine
    return TokenChoice(is_fine=is_fine, is_middle=is_middle, is_coarse=~is_inhabited)


@dataclass(frozen=True, kw_only=True)
class TokenPlaces:
    """Level and centre (over the input's size) of every token of a picture."""

    level: Int[Tensor, "tokens"]
    y: Float[Tensor, "tokens"]
    x: Float[Tensor, "tokens"]

    @classmethod
    def of(cls, fine: Cells, middle: Cells, coarse: Cells, *, fine_side: float) -> Self:
        """Of the three levels one after the other; `fine_side` is how many fine tokens the input's size holds."""
        levels = [torch.full_like(cells.row, level) for level, cells in enumerate((fine, middle, coarse))]
        y, x = (
            torch.cat(
                [(getattr(cells, axis) + 0.5) / (fine_side / 2**level) for level, cells in enumerate((fine, middle, coarse))]
            )
            for axis in ("row", "column")
        )
        return cls(level=torch.cat(levels), y=y, x=x)
