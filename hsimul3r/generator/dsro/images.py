"""Image sets cut and joined: a round's share of them, furniture alone together with furniture in use."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hsimul3r.errors import UnknownImage
from hsimul3r.generator.feedback.cases import stacked
from hsimul3r.generator.feedback.images import ImageSet, PersonScene, Picture, Truth
from hsimul3r.generator.flow.network import Condition


@dataclass(frozen=True, kw_only=True)
class SomeImages:
    """Some of the images of a set."""

    images: ImageSet
    chosen: tuple[str, ...]

    def keys(self) -> tuple[str, ...]:
        return self.chosen

    def conditions(self, keys: Sequence[str]) -> Condition:
        return self.images.conditions(keys)

    def picture(self, key: str) -> Picture:
        return self.images.picture(key)

    def truth(self, key: str) -> Truth | None:
        return self.images.truth(key)

    def person(self, key: str) -> PersonScene | None:
        return self.images.person(key)


@dataclass(frozen=True, kw_only=True)
class JoinedImages:
    """Several sets as one, a set's images spread evenly among the others'."""

    sets: tuple[ImageSet, ...]

    def keys(self) -> tuple[str, ...]:
        return tuple(self._owners)

    def conditions(self, keys: Sequence[str]) -> Condition:
        return stacked([self._owner(key).conditions([key]) for key in keys])

    def picture(self, key: str) -> Picture:
        return self._owner(key).picture(key)

    def truth(self, key: str) -> Truth | None:
        return self._owner(key).truth(key)

    def person(self, key: str) -> PersonScene | None:
        return self._owner(key).person(key)

    def _owner(self, key: str) -> ImageSet:
        try:
            return self.sets[self._owners[key]]
        except KeyError as error:
            raise UnknownImage(key, f"{len(self.sets)} joined sets") from error

    @cached_property
    def _owners(self) -> dict[str, int]:
        """Number of the set that a key belongs to."""
        placed = [
            (place / len(keys), number, key)
            for number, images in enumerate(self.sets)
            for keys in [images.keys()]
            for place, key in enumerate(keys)
        ]
        return {key: number for _, number, key in sorted(placed)}

    def __getstate__(self) -> dict[str, object]:
        return {"sets": self.sets}
