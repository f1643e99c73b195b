"""The static scene: gravity, the floor, and the rig moved into the world frame."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import CameraRig, Capture, People, Provenance, SceneGeometry
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.export.scene import write_glb
from hsimul3r.geometry.cameras import transform_cameras, transform_tracks
from hsimul3r.geometry.floor import FOOT_KEYPOINTS, FloorModel, Plane, fit_floor, up_direction, world_from_floor
from hsimul3r.geometry.overlay import PaintedMesh
from hsimul3r.geometry.plane_match import PlaneMatch, match_plane
from hsimul3r.geometry.tsdf import FusionConfig, fuse_views
from hsimul3r.progress import Progress

_FEET = [KEYPOINTS.index(name) for name in FOOT_KEYPOINTS]
STONE = (168, 164, 156)
_HIPS = [KEYPOINTS.index(name) for name in ("left_hip", "right_hip")]


@dataclass(frozen=True, kw_only=True)
class ReconstructSceneConfig:
    """How the floor is found."""

    floor: FloorModel = field(default_factory=FloorModel)
    floor_of_photo: FloorModel = field(
        default_factory=lambda: FloorModel(up=np.radians(12.0), most_tilt=np.radians(35.0))
    )  # fmt: skip
    """Of a single photo: no scene points and one camera, of which nobody knows how far down it looked; feet have to say it."""
    below_hips_m: float = 0.2
    reach_m: float = 5.0
    """Floor points lie at least this far below the lowest hips and within this distance of a person."""
    min_foot_confidence: float = 0.3
    inlier_m: float = 0.04
    """Scene points this close to the floor belong to it."""
    trials: int = 3000
    seed: int = 0
    use_pictures: bool = True
    """Whether the floor is made exact by how alike the views are when warped by it."""
    match: PlaneMatch = field(default_factory=PlaneMatch)
    min_gain: float = 0.02
    """Likeness that the pictures' floor must have over that of points and feet."""
    surface: FusionConfig = field(default_factory=FusionConfig)
    """Of the surface that is made of dense views, where there are any."""


def run(
    capture: Capture, images: tuple[UInt8[ndarray, "height width 3"], ...], people: People, rig: CameraRig, *,
    cfg: ReconstructSceneConfig, out: Path, progress: Progress,
) -> SceneGeometry:  # fmt: skip
    """Scene in the world frame (conventions.py): floor z = 0, origin below the first person, +Y ahead of the first camera.

    Where the rig has dense views, their surface is written as `surface.glb` into `out`.
    """
    model = cfg.floor if rig.cameras.is_registered.sum() > 1 else cfg.floor_of_photo
    up = up_direction(rig.cameras, rig.skeletons, model)
    feet, weights = _soles(people, rig, up, cfg)
    is_candidate = _may_be_floor(rig, up, cfg)
    floor = fit_floor(rig.tracks.points[is_candidate], feet, weights, up, model=model, seed=cfg.seed, trials=cfg.trials)
    floor, likeness = _matched(images, people, rig, floor, feet, weights, cfg) if cfg.use_pictures else (floor, {})
    is_floor = is_candidate & (np.abs(floor.height(rig.tracks.points)) < cfg.inlier_m)
    first = rig.cameras.T_cam_world[int(np.argmax(rig.cameras.is_registered))]
    world = world_from_floor(floor, rig.skeletons[0][_HIPS].mean(0), first[2, :3])
    cameras = transform_cameras(rig.cameras, world)
    dense = tuple(replace(view, points=world.apply(view.points).astype(np.float32)) for view in rig.dense)
    if dense:
        vertices, faces = fuse_views(dense, cameras, cfg=cfg.surface)
        write_glb([PaintedMesh(name="scene", vertices=vertices, faces=faces, color=STONE)], out / "surface.glb")
    return SceneGeometry(
        provenance=Provenance(
            adapter="floor and feet", seed=cfg.seed, scale_source=rig.provenance.scale_source, frame="world",
            licences=rig.provenance.licences,
        ),
        cameras=cameras,
        tracks=transform_tracks(rig.tracks, world),
        persons=rig.persons,
        skeletons=world.apply(rig.skeletons),
        T_world_rig=world.matrix(),
        rig_scale=1.0,
        is_floor_point=is_floor,
        report=_report(rig, floor, feet, weights, is_floor, up) | likeness,
        dense=dense,
    )  # fmt: skip


def _matched(
    images: tuple[UInt8[ndarray, "height width 3"], ...], people: People, rig: CameraRig, floor: Plane,
    feet: Float[ndarray, "feet 3"], weights: Float[ndarray, "feet"], cfg: ReconstructSceneConfig,
) -> tuple[Plane, dict[str, float]]:  # fmt: skip
    """The floor by which the views match best, where that is clearly better, and the likeness before and after."""
    middle = rig.skeletons[:, _HIPS].mean((0, 1))
    matched, before, after = match_plane(
        images, people.masks, rig.cameras, floor, middle, cfg.match, feet=feet, foot_weights=weights, seed=cfg.seed
    )
    is_better = after >= before + cfg.min_gain
    report = {"floor_likeness_of_points": before, "floor_likeness": after if is_better else before}
    return (matched if is_better else floor), report


def _soles(
    people: People, rig: CameraRig, up: Float[ndarray, "3"], cfg: ReconstructSceneConfig
) -> tuple[Float[ndarray, "feet 3"], Float[ndarray, "feet"]]:
    """Foot keypoints lowered to the sole, and their weight: the mean confidence of the two views that see them best."""
    clearance = _clearance()
    soles = rig.skeletons[:, _FEET] - clearance[:, None] * up
    weights = np.zeros((len(rig.persons), len(_FEET)))
    for p, person in enumerate(rig.persons):
        seen = [s.confidence[_FEET] for s in people.views if s.person == person and rig.cameras.is_registered[s.view]]
        best = np.sort(np.array(seen), axis=0)[-2:]
        weights[p] = np.where(best[0] >= cfg.min_foot_confidence, best.mean(0), 0.05 * best.mean(0))
    return soles.reshape(-1, 3), weights.ravel()


def _clearance() -> Float[ndarray, "feet"]:
    """Height of the foot keypoints of a standing body over its soles [m]."""
    body = embedded_body()
    rest = np.zeros(10), np.zeros((55, 3)), np.zeros(3)
    return body.keypoints(*rest)[_FEET, 1] - body.soles(*rest)[..., 1].min()


def _may_be_floor(rig: CameraRig, up: Float[ndarray, "3"], cfg: ReconstructSceneConfig) -> Bool[ndarray, "points"]:
    """Points below everybody's hips and near somebody."""
    hips = rig.skeletons[:, _HIPS].mean(1)
    is_below = rig.tracks.points @ up < (hips @ up).min() - cfg.below_hips_m
    distance = np.linalg.norm(rig.tracks.points[:, None] - hips, axis=2).min(1, initial=np.inf)
    return is_below & (distance < cfg.reach_m)


def _report(
    rig: CameraRig, floor: Plane, feet: Float[ndarray, "feet 3"], weights: Float[ndarray, "feet"],
    is_floor: Bool[ndarray, "points"], up: Float[ndarray, "3"],
) -> dict[str, float]:  # fmt: skip
    """Support of the floor, and the height of every person's lower sole above it."""
    tilt = np.degrees(np.arccos(np.clip(floor.normal @ up, -1, 1)))
    report = {"floor_points": float(is_floor.sum()), "floor_tilt_from_prior_deg": float(tilt)}
    if is_floor.any():
        height = floor.height(rig.tracks.points[is_floor])
        report["floor_points_cm_rms"] = 100 * float(np.sqrt((height**2).mean()))
    heights, weights = floor.height(feet).reshape(len(rig.persons), -1), weights.reshape(len(rig.persons), -1)
    for p, person in enumerate(rig.persons):
        sure = weights[p] >= 0.3
        if sure.any():
            report[f"sole_cm_of_person_{person}"] = 100 * float(heights[p][sure].min())
            report[f"feet_cm_median_of_person_{person}"] = 100 * float(np.median(heights[p][sure]))
    return report
