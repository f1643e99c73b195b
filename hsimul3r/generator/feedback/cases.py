"""Photos of people with their furniture as an image set: cases of HSIBench with what is true of them, or runs of the pipeline
with what it found. Every object of a case is an image.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from hsimul3r.artifacts import Cameras, Capture, HumanMotion, ObjectSet, ObjectView, ObjectViews, Provenance
from hsimul3r.benchmark.camera.rig import VIEW_SETS
from hsimul3r.benchmark.check import scene_of
from hsimul3r.benchmark.truth import FIRST_OBJECT, PERSON, ROOM, load_truth
from hsimul3r.benchmark.truth import Truth as CaseTruth
from hsimul3r.errors import BadCapture, NoCases, UnknownImage
from hsimul3r.files import whole_folders
from hsimul3r.generator.feedback.images import PersonScene, Picture, Truth
from hsimul3r.generator.flow.crops import Crop, CropConfig, condition_from, make_crops
from hsimul3r.generator.flow.generator import SEAT_CATEGORIES
from hsimul3r.generator.flow.network import Condition
from hsimul3r.generator.objective import MIN_OBJECT_PX, OBJECT, UNKNOWN, is_usable
from hsimul3r.geometry.tracks import no_tracks
from hsimul3r.images import SUFFIXES, load_images, read_photo

Images = tuple[UInt8[ndarray, "height width 3"], ...]


@dataclass(frozen=True, kw_only=True)
class CaseImages:
    """Built cases of the benchmark: true cameras, masks and people. A key is <case>/<object>/<views>."""

    folder: Path
    names: tuple[str, ...] = ()
    """Cases; all poses where empty."""
    count: int = 0
    """Only the first so many of them; 0 for all."""
    views: int = 4
    """Photos of a case that are looked at: 4, 10 or 16; where a case has no such set, all."""
    crops: int = 3
    """Photos that the network is shown, those with most of the object in them."""
    is_each_photo: bool = False
    """Every photo in which the object is seen is an image of its own, as the paper has it; its place ends the key."""

    def keys(self) -> tuple[str, ...]:
        keys = tuple(f"{name}/{item}/{self.views}" for name, items in self._objects.items() for item in items)
        return tuple(f"{key}/{photo}" for key in keys for photo in self._seen(key)) if self.is_each_photo else keys

    def conditions(self, keys: Sequence[str]) -> Condition:
        return stacked([_condition(self._crops(key), self.person(key)) for key in keys])

    def picture(self, key: str) -> Picture:
        return self.person(key).picture(_case(self.folder / self._read(key)[0], self.views).photos)

    def truth(self, key: str) -> Truth:
        name, item = self._read(key)
        true = next(one for one in _case(self.folder / name, self.views).truth.objects if one.name == item)
        crop, R = self._crops(key)[0], true.pose()[:3, :3]
        return Truth(
            surface=(true.vertices, true.faces), yaw=crop.world_yaw - float(np.arctan2(R[1, 0], R[0, 0])),
            elevation=crop.elevation,
        )  # fmt: skip

    def person(self, key: str) -> PersonScene:
        name, item = self._read(key)
        scene = _true_scene(_case(self.folder / name, self.views).truth, item)
        return replace(scene, first_view=_photo(key)) if self.is_each_photo else scene

    def _crops(self, key: str) -> tuple[Crop, ...]:
        name, _ = self._read(key)
        seen, photos = self.person(key).observation, _case(self.folder / name, self.views).photos
        if self.is_each_photo:
            chosen = _photo(key)
            seen = replace(seen, labels=tuple(labels if i == chosen else None for i, labels in enumerate(seen.labels)))
        return make_crops(seen, photos, CropConfig(views=self.crops))

    def _seen(self, key: str) -> list[int]:
        name, item = self._read(key)
        observation = _true_scene(_case(self.folder / name, self.views).truth, item).observation
        return [view for view in range(len(observation.labels)) if is_usable(observation, view)]

    def _read(self, key: str) -> tuple[str, str]:
        name, item, views, *_ = key.split("/")
        if item not in self._objects.get(name, ()) or views != str(self.views):
            raise UnknownImage(key, str(self.folder))
        return name, item

    @cached_property
    def _objects(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the objects that are seen in enough photos, by case. Raises `NoCases`."""
        names = self.names or tuple(path.name for path in whole_folders(self.folder) if _is_pose(path))
        missing = [name for name in names if not (self.folder / name / "truth").is_dir()]
        if missing or not names:
            raise NoCases(f"'{self.folder}' has no case {', '.join(missing) or 'of a pose'}.")
        chosen = names[: self.count or None]
        return {name: tuple(json.loads((self.folder / name / "truth" / "objects.json").read_text())) for name in chosen}

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class RunImages:
    """Finished runs of the pipeline, up to their objects: estimated cameras, masks and people, and no truth. A key is
    <run>/<object>."""

    folder: Path
    names: tuple[str, ...] = ()
    """Runs; all that got as far as their objects where empty."""
    count: int = 0
    """Only the first so many of them; 0 for all."""
    crops: int = 3

    def keys(self) -> tuple[str, ...]:
        return tuple(f"{name}/{view.name}" for name in self._names for view in _run_views(self.folder / name).objects)

    def conditions(self, keys: Sequence[str]) -> Condition:
        return stacked([_condition(self._crops(key), self.person(key)) for key in keys])

    def picture(self, key: str) -> Picture:
        return self.person(key).picture(self._photos(key))

    def truth(self, key: str) -> None:
        return None

    def person(self, key: str) -> PersonScene:
        name, _, item = key.rpartition("/")
        if name not in self._names:
            raise UnknownImage(key, str(self.folder))
        folder = self.folder / name
        assets = ObjectSet.load(folder / "50_objects").assets
        return PersonScene(
            motion=HumanMotion.load(folder / "40_humans"), views=_run_views(folder), name=item,
            others=tuple(asset for asset in assets if asset.name != item),
        )  # fmt: skip

    def _crops(self, key: str) -> tuple[Crop, ...]:
        return make_crops(self.person(key).observation, self._photos(key), CropConfig(views=self.crops))

    def _photos(self, key: str) -> Images:
        folder = self.folder / key.rpartition("/")[0] / "00_capture"
        return load_images(folder, Capture.load(folder))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        found = self.names or tuple(path.name for path in whole_folders(self.folder) if (path / "50_objects").is_dir())
        if not found or not all((self.folder / name / "50_objects").is_dir() for name in found):
            raise NoCases(f"'{self.folder}' has no run with objects ({', '.join(found) or 'none at all'}).")
        return found[: self.count or None]

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def stacked(conditions: Sequence[Condition]) -> Condition:
    """Conditions of one image each as a batch; views that an image does not have are not seen."""
    most = max(one.is_seen.shape[1] for one in conditions)
    return Condition(
        crops=torch.cat([_padded(one.crops, most) for one in conditions]),
        is_seen=torch.cat([_padded(one.is_seen, most) for one in conditions]),
        views=torch.cat([_padded(one.views, most) for one in conditions]),
        size=torch.cat([one.size for one in conditions]),
    )


def _padded(values: Tensor, views: int) -> Tensor:
    """(1, views, ...) with zeros for what is not there."""
    return torch.cat([values, values.new_zeros(1, views - values.shape[1], *values.shape[2:])], dim=1)


def _condition(crops: tuple[Crop, ...], person: PersonScene) -> Condition:
    return condition_from(crops, person.observation.facing if person.view.category in SEAT_CATEGORIES else None)


@dataclass(frozen=True, kw_only=True)
class _Case:
    truth: CaseTruth
    photos: Images


@lru_cache(maxsize=2)
def _case(folder: Path, views: int) -> _Case:
    """A case with the chosen photos only."""
    truth = load_truth(folder / "truth")
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if len(photos) != len(truth.labels):
        raise BadCapture(folder, f"{len(photos)} photos, {len(truth.labels)} views in the truth", "Build the case again.")
    chosen = _chosen(folder, len(photos), views)
    return _Case(truth=_with_views(truth, chosen), photos=tuple(read_photo(photos[view])[0] for view in chosen))


def _chosen(folder: Path, count: int, views: int) -> tuple[int, ...]:
    """Places in the list of photos; all where the ring has no such set."""
    record = folder / "truth" / "case.json"
    ring = json.loads(record.read_text()).get("ring", []) if record.is_file() else []
    wanted = VIEW_SETS.get(views, ())
    if not wanted or not set(wanted) <= set(ring):
        return tuple(range(count))
    return tuple(ring.index(place) for place in wanted)


def _with_views(truth: CaseTruth, chosen: Sequence[int]) -> CaseTruth:
    rows = np.array(chosen)
    cameras = Cameras(**{name: value[rows] for name, value in vars(truth.cameras).items()})
    return CaseTruth(
        cameras=cameras, frames=truth.frames[rows], body=truth.body, objects=truth.objects, contacts=truth.contacts,
        labels=tuple(truth.labels[view] for view in chosen), depth=(None,) * len(chosen),
    )  # fmt: skip


def _photo(key: str) -> int:
    """Place of the photo that ends a key."""
    return int(key.rsplit("/", 1)[1])


def _is_pose(folder: Path) -> bool:
    record = folder / "truth" / "case.json"
    return record.is_file() and json.loads(record.read_text())["kind"] == "pose"


def _true_scene(truth: CaseTruth, item: str) -> PersonScene:
    """A case as if it had been perceived without error."""
    scene, provenance = scene_of(truth), Provenance(adapter="truth of the benchmark", scale_source="given", frame="world")
    motion = HumanMotion(
        provenance=provenance, body_model=scene.body_model, bodies=scene.bodies, cameras=truth.cameras, tracks=no_tracks(),
        is_floor_point=np.zeros(0, bool), person_masks=tuple(labels == PERSON for labels in truth.labels), report={},
    )  # fmt: skip
    objects = tuple(_object_view(truth, index) for index in range(len(truth.objects)))
    return PersonScene(
        motion=motion, views=ObjectViews(provenance=provenance, objects=objects), name=item,
        others=tuple(asset for asset in scene.assets if asset.name != item),
    )  # fmt: skip


def _object_view(truth: CaseTruth, index: int) -> ObjectView:
    """What hides the object leaves unknown pixels."""
    value = FIRST_OBJECT + index
    labels = tuple(
        np.where(image == value, OBJECT, np.where(image == ROOM, 0, UNKNOWN)).astype(np.uint8) for image in truth.labels
    )
    return ObjectView(
        name=truth.objects[index].name, category=truth.objects[index].category, score=1.0,
        boxes_px=np.stack([_box(image) for image in labels]), labels=labels,
    )  # fmt: skip


def _box(labels: UInt8[ndarray, "height width"]) -> Float[ndarray, "4"]:
    rows, columns = np.nonzero(labels == OBJECT)
    if len(rows) < MIN_OBJECT_PX:
        return np.full(4, np.nan)
    return np.array([columns.min(), rows.min(), columns.max(), rows.max()], float)


def _run_views(folder: Path) -> ObjectViews:
    return ObjectViews.load(folder / "45_object_views")
