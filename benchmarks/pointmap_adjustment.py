"""Pointmaps in the joint adjustment of people and cameras: errors with their matches alone, and with their points as rows too.

Pairwise pointmaps of the benchmark's cases, spoilt as in `dust3r_alignment.py`, and the people of these cases with errors of
detectors, are adjusted as the calibration stage does it. The answer is known: cameras, lens and metres of the case.

python benchmarks/pointmap_adjustment.py --seeds 8
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
import tyro
from dust3r_alignment import ORBIT, Args, View, is_usable, pair_pointmaps, pinhole_views, quartiles
from jaxtyping import Bool
from numpy import ndarray
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import CameraRig, Cameras, Capture, People, PersonView, Provenance
from hsimul3r.benchmark.truth import PERSON, load_truth
from hsimul3r.body.model import embedded_body
from hsimul3r.geometry.alignment import align_points
from hsimul3r.geometry.cameras import camera_centers, project, transform_points
from hsimul3r.geometry.pointmap_rows import no_rows
from hsimul3r.geometry.rotations import angle_between, shortest_rotation
from hsimul3r.geometry.skeletons import hips_centre
from hsimul3r.progress import Progress
from stages.adapters.dense_scene import DenseScene, join_pairs
from stages.adapters.dust3r import Dust3rConfig
from stages.adapters.networks.pictures import Prepared
from stages.calibrate_cameras import CalibrateCamerasConfig, calibrate

RATIO = 2.5
"""Working pixels in a pixel of the network's pictures: 1280 over 512."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Benchmark of pointmaps in the joint adjustment."""

    seeds: int = 8
    """One case a seed, evenly over all cases that have depth."""
    maps: Args = field(default_factory=lambda: Args(width=128, iterations=150))
    """Where the cases are, and how wrong the network is."""
    keypoint_share: float = 0.006
    """Standard deviation of keypoints over the long side of the photo."""
    skeleton_m: float = 0.06
    """Of the joints of a detector's skeleton."""


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Of one rig."""

    rotation_deg: float
    centre_percent: float
    """After the best similarity, over the mean distance between cameras."""
    focal_percent: float
    scale_percent: float
    tracks: float
    seconds: float


def main(settings: Settings) -> None:
    console = Console(width=170)
    torch.set_num_threads(1)
    cases = [folder for folder in sorted(settings.maps.cases.iterdir()) if is_usable(folder)]
    folders = [cases[k] for k in np.linspace(0, len(cases) - 1, settings.seeds).astype(int)]
    found: dict[str, list[Errors]] = {}
    for seed, folder in enumerate(folders):
        for name, errors in measure(folder, settings, seed).items():
            found.setdefault(name, []).append(errors)
    names = list(vars(found["matches only"][0]))
    table = Table("adjustment", "n", *names, title=f"{settings.seeds} seeds on as many cases: median [quartiles]")
    for name, each in found.items():
        table.add_row(name, str(len(each)), *(quartiles([getattr(e, column) for e in each]) for column in names))
    console.print(table)
    for seed, folder in enumerate(folders):
        rows = "; ".join(
            f"{name} {each[seed].rotation_deg:.2f} deg {each[seed].focal_percent:.2f} %" for name, each in found.items()
        )
        console.print(f"{folder.name}: {rows}", highlight=False)


def measure(folder: Path, settings: Settings, seed: int) -> dict[str, Errors]:
    """The case's errors by the start alone, with matches, and with matches and rows."""
    views, rng = pinhole_views(folder, settings.maps.width), np.random.default_rng(seed)
    truth = working_cameras(views)
    people = people_of(folder, truth, settings, rng)
    maps = pair_pointmaps(views, settings.maps, rng)
    prepared = [picture_of(view) for view in views]
    begin = time.process_time()
    cfg = Dust3rConfig(iterations=settings.maps.iterations, match_stride=4, min_confidence=3.0)
    unknown = np.full(len(views), np.nan)
    dense = join_pairs(maps, prepared, people.masks, unknown, cfg=cfg, progress=Progress(None))
    spent = time.process_time() - begin
    found = {"Eq. 1 alone": errors(truth, dense.cameras, 0, spent)}
    for name, scene in (("matches only", replace(dense, rows=no_rows())), ("matches and rows", dense)):
        begin = time.process_time()
        rig = adjusted(truth, people, scene)
        found[name] = errors(truth, rig.cameras, len(rig.tracks.points), time.process_time() - begin)
    return found


def adjusted(truth: Cameras, people: People, dense: DenseScene) -> CameraRig:
    """The rig as the stage makes it; the focal length and the stature are not known."""
    views = len(truth.size_px)
    names = tuple(f"{v}.png" for v in range(views))
    capture = Capture(
        provenance=Provenance(adapter="benchmark"), name="benchmark", folder="", images=names, sources=names,
        size_px=truth.size_px, original_size_px=truth.size_px, focal_px=np.full(views, np.nan), is_focal_given=False,
        stature_m=None, objects=(),
    )  # fmt: skip
    grey = tuple(np.full((height, width, 3), 128, np.uint8) for width, height in truth.size_px)
    return calibrate(capture, grey, people, dense, CalibrateCamerasConfig(), Progress(None))


def picture_of(view: View) -> Prepared:
    """A picture of the network, its axis in the middle of the photo."""
    return Prepared(image=torch.zeros(1, 3, *view.depth.shape), scale=np.full(2, RATIO), offset_px=np.full(2, -0.5))


def working_cameras(views: Sequence[View]) -> Cameras:
    """The true cameras of the photos."""
    size = np.array([[round(RATIO * side) for side in view.depth.shape[::-1]] for view in views])
    return Cameras(
        size_px=size, focal_px=np.array([RATIO * view.focal_px for view in views]),
        principal_px=np.array([RATIO * np.array(view.depth.shape[::-1]) / 2 - 0.5 for view in views]),
        k1=np.zeros(len(views)), T_cam_world=np.linalg.inv(np.stack([view.T_world_cam for view in views])),
        is_registered=np.ones(len(views), bool),
    )  # fmt: skip


def people_of(folder: Path, cameras: Cameras, settings: Settings, rng: np.random.Generator) -> People:
    """The case's person as detectors might see it."""
    body = load_truth(folder / "truth").body
    points = embedded_body().keypoints(body.betas, body.pose[0], body.transl[0])
    seen = []
    for v in range(len(cameras.size_px)):
        uv = project(cameras, v, points)
        uv = uv + settings.keypoint_share * cameras.size_px[v].max() * rng.standard_normal(uv.shape)
        cam = transform_points(cameras.T_cam_world[v], points)
        root = hips_centre(cam)
        skeleton = (cam - root) @ shortest_rotation(root, np.array([0, 0, 1.0])).T
        seen.append(
            PersonView(
                view=v, person=0, keypoints_px=uv, confidence=np.full(21, 0.8),
                skeleton_m=skeleton + settings.skeleton_m * rng.standard_normal(skeleton.shape),
                box_px=np.concatenate([uv.min(0), uv.max(0)]), agreement=0.9,
            )
        )  # fmt: skip
    masks = tuple(person_mask(folder, cameras, v) for v in range(len(cameras.size_px)))
    return People(provenance=Provenance(adapter="benchmark"), views=tuple(seen), masks=masks, person_count=1)


def person_mask(folder: Path, cameras: Cameras, view: int) -> Bool[ndarray, "height width"]:
    """The person's pixels in the photo, looked up where the real lens sees them."""
    truth, number = load_truth(folder / "truth").cameras, list(range(0, ORBIT, 4))[view]
    path = sorted((folder / "truth" / "labels").glob("*.png"))[number]
    labels = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    width, height = cameras.size_px[view]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    xy = (np.stack([x, y], axis=-1) - cameras.principal_px[view]) / cameras.focal_px[view]
    lens = truth.focal_px[number] * (1 + truth.k1[number] * (xy**2).sum(-1, keepdims=True))
    column, row = np.moveaxis(np.round(lens * xy + truth.principal_px[number]).astype(int), -1, 0)
    inside = np.clip(row, 0, labels.shape[0] - 1), np.clip(column, 0, labels.shape[1] - 1)
    return labels[inside] == PERSON


def errors(truth: Cameras, ours: Cameras, tracks: int, seconds: float) -> Errors:
    a, b = truth.T_cam_world[:, :3, :3], ours.T_cam_world[:, :3, :3]
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    centres, true = camera_centers(ours), camera_centers(truth)
    fit = align_points(centres, true, with_scale=True)
    apart = np.mean([np.linalg.norm(true[i] - true[j]) for i, j in pairs])
    return Errors(
        rotation_deg=float(np.degrees(np.mean([angle_between(a[i] @ a[j].T, b[i] @ b[j].T) for i, j in pairs]))),
        centre_percent=100 * float(np.linalg.norm(fit.apply(centres) - true, axis=1).mean() / apart),
        focal_percent=100 * float(np.abs(ours.focal_px / truth.focal_px - 1).mean()),
        scale_percent=100 * abs(1 / fit.scale - 1),
        tracks=float(tracks),
        seconds=seconds,
    )


if __name__ == "__main__":
    main(tyro.cli(Settings))
