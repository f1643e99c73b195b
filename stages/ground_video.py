"""A video's scene in the world: gravity and floor from its points, its people's feet and how it was held; its surface."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import PersonTrack, SceneGeometry, VideoScene
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import KEYPOINTS, SMPLX_JOINTS
from hsimul3r.errors import BadCapture
from hsimul3r.export.scene import write_glb
from hsimul3r.geometry.cameras import transform_cameras
from hsimul3r.geometry.floor import FloorModel, fit_floor, up_direction, world_from_floor
from hsimul3r.geometry.overlay import PaintedMesh
from hsimul3r.geometry.tracks import no_tracks
from hsimul3r.geometry.tsdf import FusionConfig, fuse_views
from hsimul3r.progress import Progress

STONE = (168, 164, 156)
_HIPS = [KEYPOINTS.index(name) for name in ("left_hip", "right_hip")]


@dataclass(frozen=True, kw_only=True)
class GroundVideoConfig:
    """How the floor of a video is found."""

    floor: FloorModel = field(
        default_factory=lambda: FloorModel(point=0.04, foot=0.06, up=np.radians(10.0), most_tilt=np.radians(30.0))
    )  # fmt: skip
    """A network's points and people are less exact than triangulated ones."""
    stature_m: float = 1.70
    """Of the people, whose betas only the licensed body can read."""
    moments: int = 12
    """Frames of each person that count, evenly."""
    points: int = 4000
    """Points of the scene that count."""
    trials: int = 2000
    seed: int = 0
    surface: FusionConfig = field(default_factory=FusionConfig)


def run(video: VideoScene, *, cfg: GroundVideoConfig, out: Path, progress: Progress) -> SceneGeometry:
    """Cameras and points in the world (conventions.py), the network's metres; writes `surface.glb` into `out`.

    Raises `BadCapture` where the video shows neither a sure point nor a person.
    """
    people = [keypoints_of(track, cfg) for track in video.people]
    skeletons = np.concatenate([np.zeros((0, len(KEYPOINTS), 3)), *people])
    up = up_direction(video.cameras, skeletons, cfg.floor)
    points = _sure_points(video, cfg)
    soles = np.concatenate([np.zeros((0, 3)), *(soles_of(track, cfg) for track in video.people)])
    if not len(points) + len(soles):
        fix = "Take another video, or give a lower --video.min-confidence."
        raise BadCapture(video.name, "the network is sure of no point in it and sees nobody", fix)
    floor = fit_floor(
        points, soles, np.full(len(soles), 0.2), up, model=cfg.floor, seed=cfg.seed, trials=cfg.trials
    )  # fmt: skip
    origin = skeletons[0][_HIPS].mean(0) if len(skeletons) else points.mean(0)
    world = world_from_floor(floor, origin, video.cameras.T_cam_world[0, 2, :3])
    cameras = transform_cameras(video.cameras, world)
    dense = tuple(replace(view, points=world.apply(view.points).astype(np.float32)) for view in video.dense)
    if dense:
        vertices, faces = fuse_views(dense, cameras, cfg=cfg.surface)
        write_glb([PaintedMesh(name="scene", vertices=vertices, faces=faces, color=STONE)], out / "surface.glb")
    tilt = np.degrees(np.arccos(np.clip(floor.normal @ up, -1, 1)))
    return SceneGeometry(
        provenance=replace(video.provenance, adapter=f"{video.provenance.adapter}, floor and feet", frame="world"),
        cameras=cameras, tracks=no_tracks(), persons=tuple(track.person for track in video.people),
        skeletons=world.apply(np.array([one[0] for one in people]).reshape(-1, len(KEYPOINTS), 3)),
        T_world_rig=world.matrix(), rig_scale=1.0, is_floor_point=np.zeros(0, bool), dense=dense,
        report={"frames": float(len(video.numbers)), "people": float(len(people)), "floor_tilt_from_prior_deg": float(tilt)},
    )  # fmt: skip


def keypoints_of(track: PersonTrack, cfg: GroundVideoConfig) -> Float[ndarray, "moments 21 3"]:
    """The person at some moments, as an embedded body of that stature with its head where it was seen."""
    chosen, betas, transl = _placed(track, cfg)
    return embedded_body().keypoints(betas, track.pose[chosen], transl)


def soles_of(track: PersonTrack, cfg: GroundVideoConfig) -> Float[ndarray, "points 3"]:
    """The soles at these moments."""
    chosen, betas, transl = _placed(track, cfg)
    return embedded_body().soles(betas, track.pose[chosen], transl).reshape(-1, 3)


def _placed(track: PersonTrack, cfg: GroundVideoConfig) -> tuple[ndarray, ndarray, ndarray]:
    """Rows of the track, betas, and translations of the embedded body."""
    body = embedded_body()
    chosen = np.unique(np.linspace(0, len(track.frames) - 1, cfg.moments).astype(int))
    betas, pose = body.betas_of_stature(cfg.stature_m), track.pose[chosen]
    at_rest = body.joints(betas, pose, np.zeros((len(pose), 3)))[:, SMPLX_JOINTS.index("head")]
    return chosen, betas, track.head[chosen] - at_rest


def _sure_points(video: VideoScene, cfg: GroundVideoConfig) -> Float[ndarray, "points 3"]:
    """Some of the static points, the same for the same video."""
    points = np.concatenate([np.zeros((0, 3)), *(view.points[view.is_static] for view in video.dense)])
    step = max(1, len(points) // cfg.points)
    return points[::step][: cfg.points]
