"""Bodies of everybody seen, in metres: the body model fitted to all views at once; statures give the scene its scale."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image

from hsimul3r.artifacts import (
    BodySequence,
    Cameras,
    Capture,
    HumanMotion,
    People,
    PersonView,
    Provenance,
    ScaleSource,
    SceneGeometry,
)
from hsimul3r.body.fit import FittedBody, first_scale, fit_bodies
from hsimul3r.body.model import EMBEDDED, embedded_body
from hsimul3r.body.problem import FitConfig, PersonObservations
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.errors import NoPerson, NotFinite, ScaleUnknown
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import depth, project, transform_cameras, transform_tracks, undistort
from hsimul3r.geometry.overlay import PaintedMesh, draw_mesh_overlay, person_color
from hsimul3r.geometry.rotations import shortest_rotation
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.progress import Progress

METRIC: tuple[ScaleSource, ...] = ("calibrated", "given")
"""Sources of scale that are better than a stature and therefore kept."""
FEWEST_POINTS = 6
"""A person with fewer triangulated keypoints is not fitted."""


@dataclass(frozen=True, kw_only=True)
class FitHumansConfig:
    """Settings of the body fit."""

    fit: FitConfig = field(default_factory=FitConfig)
    report_confidence: float = 0.3
    """Keypoints at least this sure count in the reported reprojection error."""


def run(
    capture: Capture, images: tuple[UInt8[ndarray, "height width 3"], ...], people: People, scene: SceneGeometry, *,
    cfg: FitHumansConfig, out: Path, progress: Progress,
) -> HumanMotion:  # fmt: skip
    """Raises `NoPerson`, `ScaleUnknown` or `NotFinite` where the inputs do not allow a fit."""
    body = embedded_body()
    observed = observations(capture, people, scene)
    is_metric = scene.provenance.scale_source in METRIC
    if not is_metric and not np.isfinite(first_scale(body, observed, cfg.fit)):
        raise ScaleUnknown(capture.name)
    with progress.bar(f"fitting {len(observed)} bodies", 100 * len(observed)) as advance:
        fitted = fit_bodies(
            body, scene.cameras, observed, is_scale_fixed=is_metric, masks=people.masks, config=cfg.fit,
            on_step=lambda: advance(1),
        )  # fmt: skip
    if not np.isfinite(fitted.scale) or not all(
        np.isfinite(b.pose).all() and np.isfinite(b.transl).all() for b in fitted.bodies
    ):
        raise NotFinite("The fitted bodies", "Check the cameras of this run, then report the capture.")
    growth = Similarity(scale=fitted.scale, R=np.eye(3), t=np.zeros(3))
    cameras = transform_cameras(scene.cameras, growth)
    errors = {p.person: reprojection_px(p, b, cameras, cfg) for p, b in zip(observed, fitted.bodies)}
    bodies = tuple(sequence(b, errors[b.person]) for b in fitted.bodies)
    draw_overlays(images, bodies, cameras, out)
    return HumanMotion(
        provenance=Provenance(
            adapter="multi-view keypoint and outline fit", frame="world", licences=("body: CC0-1.0 and Apache-2.0",),
            scale_source=scene.provenance.scale_source if is_metric else "stature",
        ),
        body_model=EMBEDDED,
        bodies=bodies,
        cameras=cameras,
        tracks=transform_tracks(scene.tracks, growth),
        is_floor_point=scene.is_floor_point,
        person_masks=person_masks(people, bodies, cameras),
        report=summary(fitted.scale, np.concatenate(list(errors.values())), bodies),
    )  # fmt: skip


def observations(capture: Capture, people: People, scene: SceneGeometry) -> list[PersonObservations]:
    """What the registered views say of each person whom the cameras' adjustment placed in space.

    The capture's stature is that of the first of them.
    """
    for name, array in (("The cameras", scene.cameras.T_cam_world), ("Focal lengths", scene.cameras.focal_px)):
        if not np.isfinite(array[scene.cameras.is_registered]).all():
            raise NotFinite(name, "Run again with other photos, or give focal_px in capture.yaml.")
    found = []
    for person, skeleton in zip(scene.persons, scene.skeletons):
        seen = [v for v in people.views if v.person == person and scene.cameras.is_registered[v.view]]
        if seen and np.isfinite(skeleton).all(1).sum() >= FEWEST_POINTS:
            stature = capture.stature_m if not found else None
            found.append(_observations(person, seen, skeleton, scene.cameras, stature))
    if not found:
        raise NoPerson(f"Nobody in '{capture.name}' could be placed in space from two or more views.")
    return found


def _observations(
    person: int, seen: Sequence[PersonView], skeleton: ndarray, cameras: Cameras, stature_m: float | None
) -> PersonObservations:
    return PersonObservations(
        person=person,
        view=np.array([v.view for v in seen]),
        keypoints_px=np.stack([v.keypoints_px for v in seen]),
        confidence=np.stack([v.confidence for v in seen]),
        skeleton_m=np.stack([v.skeleton_m @ _turn_to_person(v, cameras).T for v in seen]),
        skeleton=skeleton,
        stature_m=stature_m,
    )


def _turn_to_person(seen: PersonView, cameras: Cameras) -> Float[ndarray, "3 3"]:
    """Rotation from a camera that looks straight at the person's hips, in whose axes its 3D estimate is, to this one."""
    hips = seen.keypoints_px[[KEYPOINTS.index("left_hip"), KEYPOINTS.index("right_hip")]].mean(0)
    xy = undistort(cameras, seen.view, hips)
    return shortest_rotation(np.array([0, 0, 1.0]), np.array([*xy, 1.0]))


def reprojection_px(person: PersonObservations, body: FittedBody, cameras: Cameras, cfg: FitHumansConfig) -> ndarray:
    """Distance of fitted and detected keypoints [px], of those that are seen surely."""
    uv = np.stack([project(cameras, int(v), body.keypoints) for v in person.view])
    error = np.linalg.norm(uv - person.keypoints_px, axis=-1)
    return error[(person.confidence >= cfg.report_confidence) & np.isfinite(error)]


def sequence(body: FittedBody, errors_px: ndarray) -> BodySequence:
    """One frame of a body, with its report."""
    gaps = body.soles[..., 2].min(-1)
    report = {
        **_statistics(errors_px),
        "floor_gap_left_m": float(gaps[0]),
        "floor_gap_right_m": float(gaps[1]),
        "floor_gap_left_by_views_m": float(body.free_gap_m[0]),
        "floor_gap_right_by_views_m": float(body.free_gap_m[1]),
        "stands_left": float(body.stands[0]),
        "stands_right": float(body.stands[1]),
    }
    return BodySequence(
        person=body.person,
        betas=body.betas,
        pose=body.pose[None],
        transl=body.transl[None],
        fps=0.0,
        stature_m=float(embedded_body().stature(body.betas)),
        report=report,
    )


def _statistics(errors_px: ndarray) -> dict[str, float]:
    if not len(errors_px):
        return {}
    return {
        "reprojection_mean_px": float(errors_px.mean()),
        "reprojection_median_px": float(np.median(errors_px)),
        "reprojection_p90_px": float(np.quantile(errors_px, 0.9)),
    }


def summary(scale: float, errors_px: ndarray, bodies: Sequence[BodySequence]) -> dict[str, float]:
    """The report over all people."""
    statures = {f"stature_{body.person}_m": body.stature_m for body in bodies}
    return {"scale": scale, "people": float(len(bodies)), **_statistics(errors_px), **statures}


def skins(bodies: Sequence[BodySequence]) -> list[ndarray]:
    """Vertices of each body in its first frame."""
    model = embedded_body()
    return [model.vertices(body.betas, body.pose[0], body.transl[0]) for body in bodies]


def person_masks(people: People, bodies: Sequence[BodySequence], cameras: Cameras) -> tuple[Bool[ndarray, "height width"], ...]:
    """Perceived people united with the silhouettes of the fitted bodies."""
    masks = [mask.copy() for mask in people.masks]
    for vertices in skins(bodies):
        for v in np.flatnonzero(cameras.is_registered).tolist():
            height, width = masks[v].shape
            uv, z = project(cameras, v, vertices), depth(cameras, v, vertices)
            masks[v] |= rasterize_depth(uv, z, embedded_body().faces, height=height, width=width)[1] >= 0
    return tuple(masks)


def draw_overlays(
    images: Sequence[UInt8[ndarray, "height width 3"]], bodies: Sequence[BodySequence], cameras: Cameras, out: Path
) -> None:
    """Write `body_<v>.png`: all bodies as each registered camera sees them."""
    meshes = [
        PaintedMesh(name=f"person {b.person}", vertices=vertices, faces=embedded_body().faces, color=person_color(b.person))
        for b, vertices in zip(bodies, skins(bodies))
    ]
    for v in np.flatnonzero(cameras.is_registered).tolist():
        Image.fromarray(draw_mesh_overlay(images[v], meshes, cameras, v)).save(out / f"body_{v}.png", compress_level=3)
