"""What objects are made from: sets of images by key, with the true shape and the person where they are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import HumanMotion, ObjectAsset, ObjectView, ObjectViews
from hsimul3r.errors import UnknownImage
from hsimul3r.generator.flow.crops import world_yaw
from hsimul3r.generator.flow.dataset import Batch, condition_of, read_split
from hsimul3r.generator.flow.furniture import drawn_family
from hsimul3r.generator.flow.network import Condition
from hsimul3r.generator.flow.primitives import Primitive, convex_parts
from hsimul3r.generator.flow.tokens import decode, read_outline
from hsimul3r.generator.objective import OBJECT, best_views
from hsimul3r.generator.observing import observe
from hsimul3r.generator.protocol import Observation
from hsimul3r.generator.supports import person_supports, posture
from hsimul3r.geometry.mesh import Surface, union

Known = tuple[bool, bool, bool, bool]
"""Which numbers the network is told: turns between the cameras, the object's yaw, the crops' widths, the extents."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The object that an image shows, in its own frame (conventions.py)."""

    surface: Surface
    yaw: float
    """Turn against the first view, as in tokens.Outline [rad]."""
    elevation: float
    """Of the first camera above the object's middle [rad]."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One photo of the object, for generators that take a single one."""

    photo: UInt8[ndarray, "height width 3"]
    mask: Bool[ndarray, "height width"]
    """The object's pixels."""
    category: str


@dataclass(frozen=True, kw_only=True)
class PersonScene:
    """The people of an image and where its objects are seen: a made object takes the place of the one that is called `name`."""

    motion: HumanMotion
    views: ObjectViews
    name: str
    others: tuple[ObjectAsset, ...] = ()
    """The rest of the furniture, as it is."""
    first_view: int | None = None
    """Photo that the generator is shown first, to which the object's turn is told; None: that which shows most of it."""

    @property
    def view(self) -> ObjectView:
        """Where the object is seen."""
        return next(view for view in self.views.objects if view.name == self.name)

    @cached_property
    def observation(self) -> Observation:
        """The object as its cameras and people show it."""
        return observe(self.view, self.motion, [person_supports(posture(body)) for body in self.motion.bodies])

    @property
    def first(self) -> int:
        """The place of that photo."""
        return best_views(self.observation)[0] if self.first_view is None else self.first_view

    @property
    def first_yaw(self) -> float:
        """Direction from the object to its camera (flow.crops) [rad]."""
        return world_yaw(self.observation, self.first)

    def picture(self, photos: Sequence[UInt8[ndarray, "height width 3"]]) -> Picture:
        """That photo of all."""
        labels = np.asarray(self.view.labels[self.first])
        return Picture(photo=photos[self.first], mask=labels == OBJECT, category=self.view.category)


class ImageSet(Protocol):
    """Images by key. Keys say all that the network is shown, so that the same key is the same condition everywhere.

    An image set is sent to worker processes: it holds paths and settings, and reads what it needs where it is.
    """

    def keys(self) -> tuple[str, ...]: ...

    def conditions(self, keys: Sequence[str]) -> Condition:
        """One row for each key, in their order. Raises `UnknownImage`."""
        ...

    def picture(self, key: str) -> Picture:
        """The same image for a generator that looks at one photo. Raises `UnknownImage`."""
        ...

    def truth(self, key: str) -> Truth | None:
        """None where nobody knows it."""
        ...

    def person(self, key: str) -> PersonScene | None:
        """None where nobody is there."""
        ...


@dataclass(frozen=True, kw_only=True)
class FurnitureImages:
    """Pictures of random furniture (flow.dataset); nobody uses it. A key is <split>/<seed>/<views>/<known>."""

    folder: Path
    split: Literal["train", "held_out"] = "train"
    first: int = 0
    """Objects before this one of the split are left out."""
    count: int = 96
    views: int = 1
    known: Known = (False, False, False, False)

    def keys(self) -> tuple[str, ...]:
        flags = "".join(str(int(flag)) for flag in self.known)
        return tuple(f"{self.split}/{seed}/{self.views}/{flags}" for seed in self._data.seeds)

    def conditions(self, keys: Sequence[str]) -> Condition:
        rows = np.array([self._row(key) for key in keys])
        known = np.tile(np.array(self.known, float), (len(keys), 1))
        return condition_of(self._data.take(rows), views=self.views, known=known)

    def picture(self, key: str) -> Picture:
        row = self._row(key)
        grey, labels = self._data.luminance[row, 0], self._data.labels[row, 0]
        category = drawn_family(int(self._data.seeds[row]))[1].category
        return Picture(photo=np.repeat(grey[:, :, None], 3, axis=2), mask=labels == OBJECT, category=category)

    def truth(self, key: str) -> Truth:
        tokens = self.tokens(key)
        outline = read_outline(tokens[-1])
        return Truth(surface=union(convex_parts(self.primitives(key)), key), yaw=outline.yaw, elevation=outline.elevation)

    def person(self, key: str) -> None:
        return None

    def tokens(self, key: str) -> Float[ndarray, "tokens channels"]:
        """The true object as the network is taught it."""
        return self._data.tokens[self._row(key)].astype(float)

    def primitives(self, key: str) -> tuple[Primitive, ...]:
        """The parts of the true object."""
        return decode(self.tokens(key))[0]

    def _row(self, key: str) -> int:
        try:
            return self._rows[key]
        except KeyError as error:
            raise UnknownImage(key, str(self.folder)) from error

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self.keys())}

    @cached_property
    def _data(self) -> Batch:
        data = read_split(self.folder, self.split, self.first + self.count)
        return data.take(np.arange(self.first, len(data.seeds)))

    def __getstate__(self) -> dict[str, object]:
        """Settings only: a worker reads the objects itself."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}
