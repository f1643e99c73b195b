"""Do detectors for real people find the people of HSIBench? A check that its pictures are no toys.

    python benchmarks/detectors.py --data data/hsibench/built

Every photo of the built cases in which the person is unoccluded is judged: the whole bare body is in the picture and more than
`--visible` of its silhouette is labelled as the person. The person counts as found where `perceive_people` has a skeleton whose
similarity (OKS) to the projected truth is at least `--similarity`; distances are those of its confident keypoints.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro
from jaxtyping import Float, UInt8
from numpy import ndarray
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import Capture, People, Provenance
from hsimul3r.benchmark.truth import PERSON, Truth, load_truth
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.errors import NoPerson
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.perception.keypoints import COCO_COUNT, keypoint_similarity, visible_area
from hsimul3r.perception.pooling import VISIBLE
from hsimul3r.progress import Progress
from stages import perceive_people
from stages.perceive_people import PerceivePeopleConfig


@dataclass(frozen=True, kw_only=True)
class Args:
    """Detection rate on a built benchmark."""

    data: Path = Path("data/hsibench/built")
    """Folder of cases: photos, and their truth in truth/."""
    cases: tuple[str, ...] = ()
    """Names of cases; all by default."""
    visible: float = 0.85
    """Least visible share of the person's own silhouette."""
    similarity: float = 0.5
    """Least OKS of a found person with the truth."""
    limit: int = 0
    """Photos after which to stop; 0: none."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """One unoccluded photo: how like the truth the best skeleton is (0: none), and how far its confident keypoints are off."""

    case: str
    view: int
    similarity: float
    keypoints: tuple[str, ...]
    error_px: Float[ndarray, "keypoints"]
    height_px: float


def main(args: Args) -> None:
    console, looked = Console(width=140), []
    folders = [folder for folder in sorted(args.data.iterdir()) if any(folder.glob("*.jpg")) and (folder / "truth").is_dir()]
    for folder in folders:
        if args.cases and folder.name not in args.cases:
            continue
        looked += look_at_case(folder, args)
        console.print(f"{folder.name}: {len(looked)} photos so far", style="dim")
        if args.limit and len(looked) >= args.limit:
            break
    report(looked, args.similarity, console)


def look_at_case(folder: Path, args: Args) -> list[Looked]:
    """The unoccluded photos of a case, each seen by the project's people stage."""
    truth = load_truth(folder / "truth")
    views = [view for view in range(len(truth.frames)) if visible_share(truth, view) > args.visible]
    if not views:
        return []
    paths = sorted(folder.glob("*.jpg"))
    photos = tuple(_read(paths[view]) for view in views)
    people = perceive(photos)
    return [_compare(folder.name, truth, view, people, number) for number, view in enumerate(views)]


def visible_share(truth: Truth, view: int) -> float:
    """Share of the bare body's silhouette that is labelled person; 0 where the body leaves the picture."""
    skin = truth.body.vertices(int(truth.frames[view]))
    uv, z = project(truth.cameras, view, skin), depth(truth.cameras, view, skin)
    width, height = truth.cameras.size_px[view].tolist()
    if not (np.isfinite(uv).all() and (uv >= 0).all() and (uv <= (width - 1, height - 1)).all()):
        return 0.0
    body, _ = rasterize_depth(uv, z, embedded_body().faces, height=height, width=width)
    return float((truth.labels[view] == PERSON)[np.isfinite(body)].mean())


def perceive(photos: Sequence[UInt8[ndarray, "height width 3"]]) -> People | None:
    """What the people stage finds in photos; None where it gives up."""
    size = np.array([photo.shape[1::-1] for photo in photos])
    names = tuple(f"{number}.jpg" for number in range(len(photos)))
    capture = Capture(
        provenance=Provenance(adapter="benchmark"), name="benchmark", folder="", images=names, sources=names, size_px=size,
        original_size_px=size, focal_px=np.full(len(photos), np.nan), is_focal_given=False, stature_m=None, objects=(),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        try:
            return perceive_people.run(
                capture, tuple(photos), cfg=PerceivePeopleConfig(), out=Path(out), progress=Progress(None)
            )
        except NoPerson:
            return None


def _compare(case: str, truth: Truth, view: int, people: People | None, number: int) -> Looked:
    body, frame = truth.body, int(truth.frames[view])
    points = embedded_body().keypoints(body.betas, body.pose[frame], body.transl[frame])
    true_px = project(truth.cameras, view, points)
    found = [person for person in people.views if person.view == number] if people else []
    everywhere = np.ones(COCO_COUNT, bool)
    area = visible_area(true_px[:COCO_COUNT], everywhere)
    likeness = [
        keypoint_similarity(true_px[:COCO_COUNT], person.keypoints_px[:COCO_COUNT], area=area, is_visible=everywhere)
        for person in found
    ]
    best = int(np.argmax(likeness)) if found else -1
    is_sure = found[best].confidence > VISIBLE if found else np.zeros(len(KEYPOINTS), bool)
    off = np.linalg.norm(found[best].keypoints_px - true_px, axis=1)[is_sure] if found else np.zeros(0)
    return Looked(
        case=case, view=view, similarity=likeness[best] if found else 0.0,
        keypoints=tuple(np.array(KEYPOINTS)[is_sure].tolist()), error_px=off, height_px=float(np.ptp(true_px[:, 1])),
    )  # fmt: skip


def report(looked: Sequence[Looked], similarity: float, console: Console) -> None:
    """The table: share found, and distances of confident keypoints by part of the body."""
    found = [look for look in looked if look.similarity >= similarity]
    console.print(f"{len(looked)} unoccluded photos; found in {len(found)}: {100 * len(found) / max(1, len(looked)):.1f} %")
    for look in looked:
        if look.similarity < similarity:
            console.print(f"  not found: {look.case}, photo {look.view + 1} (OKS {look.similarity:.2f})")
    table = Table("keypoint", "n", "median px", "p90 px", "median % of height")
    for name in (*dict.fromkeys(_part(keypoint) for keypoint in KEYPOINTS), "all"):
        errors, shares = np.array(list(_errors(found, name))).reshape(-1, 2).T
        if len(errors):
            figures = (f"{np.median(errors):.1f}", f"{np.quantile(errors, 0.9):.1f}", f"{100 * np.median(shares):.1f}")
            table.add_row(name, str(len(errors)), *figures)
    console.print(table)


def _part(keypoint: str) -> str:
    return keypoint.removeprefix("left_").removeprefix("right_")


def _errors(found: Sequence[Looked], part: str) -> Iterator[tuple[float, float]]:
    for look in found:
        for name, error in zip(look.keypoints, look.error_px):
            if part in ("all", _part(name)):
                yield float(error), float(error) / look.height_px


def _read(path: Path) -> UInt8[ndarray, "height width 3"]:
    photo = cv2.imread(str(path))
    if photo is None:
        raise ValueError(f"{path} cannot be read")
    return np.ascontiguousarray(photo[..., ::-1])


if __name__ == "__main__":
    main(tyro.cli(Args))
