"""People as HSfM's steps (Müller et al., CVPR 2025) found them: ViTPose's keypoints, SAM 2's masks, HMR2's poses."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.artifacts import Capture, People, PersonView, Provenance
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.errors import BadForeignFile
from hsimul3r.importers.hsfm_steps import PhotoSteps, SeenInPhoto, read_photo_steps
from stages.adapters.smpl_people import skeleton_of_pose
from stages.adapters.vitpose import named_keypoints

LICENCES = ("ViTPose: Apache-2.0", "SAM 2: Apache-2.0", "HMR2: MIT code; its SMPL bodies: non-commercial")


def people_of_steps(folder: Path, capture: Capture) -> People:
    """The people of HSfM's folder for these photos (demo_output/<name>), found by the numbers in the photos' names.

    Raises `BadForeignFile`, `UnsafeFile`.
    """
    if not folder.is_dir():
        raise BadForeignFile(folder, "there is no such folder of HSfM's results")
    steps = [read_photo_steps(folder, source) for source in capture.sources]
    for v, one in enumerate(steps):
        _require_size(one, capture, v, folder)
    persons = _persons(steps)
    views = tuple(
        _view(person, v, persons.get(person.identity, -1), capture) for v, one in enumerate(steps) for person in one.people
    )
    return People(
        provenance=Provenance(adapter="hsfm", licences=LICENCES),
        views=views,
        masks=tuple(_mask(one, capture.size_px[v]) for v, one in enumerate(steps)),
        person_count=len(persons),
    )


def _require_size(steps: PhotoSteps, capture: Capture, view: int, folder: Path) -> None:
    seen, real = steps.identities.shape[::-1], tuple(capture.original_size_px[view].tolist())
    if seen != real:
        what = f"its mask of '{capture.sources[view]}' is {seen[0]} x {seen[1]} px, the photo, upright, {real[0]} x {real[1]}"
        raise BadForeignFile(folder, what)


def _persons(steps: Sequence[PhotoSteps]) -> dict[int, int]:
    """Our number of every identity that is seen in two photos, or in the only one."""
    counts = Counter(person.identity for one in steps for person in one.people)
    linked = sorted(identity for identity, count in counts.items() if count > 1 or len(steps) == 1)
    return {identity: number for number, identity in enumerate(linked)}


def _view(seen: SeenInPhoto, view: int, person: int, capture: Capture) -> PersonView:
    scale = capture.size_px[view] / capture.original_size_px[view]
    points, confidence = (found[0] for found in named_keypoints([seen.keypoints[:, :2]], [seen.keypoints[:, 2]]))
    points = _with_feet(points)
    return PersonView(
        view=view,
        person=person,
        keypoints_px=(points + 0.5) * scale - 0.5,
        confidence=np.clip(confidence, 0, 1),
        skeleton_m=skeleton_of_pose(seen.pose),
        box_px=np.clip(seen.box_px * np.tile(scale, 2), 0, np.tile(capture.size_px[view] - 1, 2)),
        agreement=float("nan"),
    )


def _with_feet(points: Float[ndarray, "21 2"]) -> Float[ndarray, "21 2"]:
    """Heels and toes that are not known, at the ankles; their confidence is none."""
    ankles = [KEYPOINTS.index(f"{name.split('_')[0]}_ankle") if "_" in name else i for i, name in enumerate(KEYPOINTS)]
    return np.where(np.isfinite(points), points, points[ankles])


def _mask(steps: PhotoSteps, size_px: ndarray) -> Bool[ndarray, "height width"]:
    """Everybody in the working picture: what the photo shows at the middle of every pixel."""
    high, wide = steps.identities.shape
    column = ((np.arange(size_px[0]) + 0.5) * wide / size_px[0]).astype(int)
    row = ((np.arange(size_px[1]) + 0.5) * high / size_px[1]).astype(int)
    return steps.identities[row][:, column] > 0
