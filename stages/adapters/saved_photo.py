"""What SAT-HMR or MA-HMR returned for a photo in its own environment, in the place of the network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from hsimul3r.errors import BadForeignFile
from hsimul3r.importers.sat_hmr import Predictions, read_predictions
from stages.adapters.sat_hmr import LICENCES, MULTIPLE, PhotoOfPeople
from stages.adapters.smpl_people import SmplPerson

INPUT_SIZES = (1288, 644)
"""Sides of the network's pictures as published; photos fill them down to a whole number of coarsest tokens."""
SAME_SHAPE = 0.02
"""Relative difference up to which the shapes of a photo and of the network's picture of it are the same."""


@dataclass(frozen=True, kw_only=True)
class SavedPhoto:
    """The people of one photo."""

    path: Path
    found: Predictions
    licences: tuple[str, ...]

    @classmethod
    def load(cls, path: Path, model: Literal["sat_hmr", "ma_hmr"]) -> "SavedPhoto":
        """Raises `BadForeignFile`, `UnsafeFile`."""
        return cls(path=path, found=read_predictions(path), licences=LICENCES[model])

    def estimate(self, image: UInt8[ndarray, "height width 3"], *, threshold: float = 0.5) -> PhotoOfPeople:
        """People of at least this confidence, as `SatHmrModel.estimate`. Raises `BadForeignFile` for another photo's."""
        K, size = self.found.K, np.array(image.shape[1::-1], float)
        own = 2 * K[:2, 2]
        if abs(own[0] * size[1] / (own[1] * size[0]) - 1) > SAME_SHAPE:
            shapes = f"{own[0]:.0f} x {own[1]:.0f}, the photo {size[0]:.0f} x {size[1]:.0f}"
            raise BadForeignFile(self.path, f"its picture is {shapes}: it belongs to another photo")
        scale = float(own.max() / size.max())
        side = next((one for one in INPUT_SIZES if one // MULTIPLE * MULTIPLE == round(own.max())), own.max()) / scale
        focal = float(K[0, 0]) / scale
        order = [i for i in np.argsort(-self.found.confidence, kind="stable") if self.found.confidence[i] >= threshold]
        return PhotoOfPeople(focal_px=focal, people=tuple(self._person(i, focal, side) for i in order))

    def _person(self, i: int, focal_px: float, side_px: float) -> SmplPerson:
        middle, half = side_px * self.found.boxes[i, :2], side_px * self.found.boxes[i, 2:] / 2
        return SmplPerson(
            pose=self.found.poses[i], betas=self.found.betas[i], transl=self.found.transl[i], focal_px=focal_px,
            box_px=np.concatenate([middle - half, middle + half]), score=float(self.found.confidence[i]),
        )  # fmt: skip
