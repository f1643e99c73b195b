"""Cameras of all views: scene features where enough match, people where they do not, then one adjustment of both together."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from scipy.ndimage import binary_dilation
from scipy.sparse.csgraph import connected_components

from hsimul3r.artifacts import CameraRig, Cameras, Capture, People, PointTracks, Provenance
from hsimul3r.body.model import embedded_body
from hsimul3r.errors import NoOverlap
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.bundle import (
    BundleProblem,
    BundleState,
    BundleWeights,
    adjust,
    bone_errors,
    cameras_of,
    initial_state,
    keypoint_errors,
    pointmap_errors,
    total_cost,
)
from hsimul3r.geometry.cameras import camera_centers, observation_errors, transform_cameras
from hsimul3r.geometry.people_rig import anchor_to_people, calibrate_by_people, restrict
from hsimul3r.geometry.pointmap_rows import PointmapRows, no_rows, select_rows, start_rows
from hsimul3r.geometry.skeletons import Sightings, bone_lengths
from hsimul3r.geometry.tracks import Correspondences, join_matches, no_tracks, select_tracks, triangulate_tracks
from hsimul3r.perception.identity import clothes_colour
from hsimul3r.progress import Progress
from stages.adapters import aliked_lightglue, colmap, dust3r, known_cameras
from stages.adapters.choices import PhotoChoice, open_photo_model
from stages.adapters.dense_scene import DenseScene, dense_views
from stages.adapters.dust3r import Dust3rConfig
from stages.adapters.gen3r import Gen3rConfig, read_scene, views_beside_people
from stages.adapters.photo_rig import rig_from_photo


@dataclass(frozen=True, kw_only=True)
class CalibrateCamerasConfig:
    """Settings of the calibration."""

    use_features: bool = True
    """False relates the cameras by the people alone."""
    features: aliked_lightglue.FeatureConfig = field(default_factory=aliked_lightglue.FeatureConfig)
    mapping: colmap.MappingConfig = field(default_factory=colmap.MappingConfig)
    dust3r: Dust3rConfig = field(default_factory=Dust3rConfig)
    """With weights given, DUSt3R relates the views in the place of features and mapping, its pointmaps count in the adjustment
    of people and cameras, and the rig holds its dense views."""
    gen3r: Gen3rConfig = field(default_factory=Gen3rConfig)
    """With results given, Gen3R does so for one or two photos; of one, people (`photo`) say how large its scene is."""
    known: str = ""
    """Cameras that are taken as they are, but for the scale, which people give, with the points that came with them: a COLMAP
    model's folder, a folder or file of HSfM, DUSt3R's saved alignment, or a folder of Human3R or CUT3R."""
    photo: PhotoChoice = field(default_factory=PhotoChoice)
    """Of a single photo."""
    weights: BundleWeights = field(default_factory=BundleWeights)
    mask_margin_px: int = 6
    """Features this close to a person count as the person's."""
    track_errors_px: tuple[float, ...] = (12.0, 5.0, 3.0)
    """Scene points are triangulated anew with these bounds, with an adjustment after each."""
    track_errors_from_people_px: tuple[float, ...] = (60.0, 25.0, 10.0, 4.0, 3.0)
    """The same where the cameras come from people, and are some degrees off at first."""
    track_min_angle_deg: float = 2.0
    min_tracks: int = 16
    """Fewer tracks say nothing of the cameras."""
    worst_keypoint_error_px: float = 40.0
    """Cameras whose people reproject worse than this (median) are refused."""
    focal_ratios: tuple[float, ...] = (0.55, 0.8, 1.1)
    """Starts of an unknown focal length over the long side."""
    focal_ratio: float = 0.75
    focal_spread: float = 0.15
    """Prior of an unknown focal length over the long side, and its spread (log)."""
    exif_focal_spread: float = 0.06
    stature_m: float = 1.70
    stature_spread: float = 0.05
    given_stature_spread: float = 0.01
    """Prior stature of people of whom nothing is known; spreads are relative."""
    worst_clothes_difference: float = 26.0
    """Photos without common scene features are not related by a person whose clothes differ more between them (CIELAB)."""
    min_baseline_deg: float = 2.0
    """Views closer together than this, as seen from the person, cannot be told apart."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class _Solution:
    """A calibrated problem."""

    problem: BundleProblem
    state: BundleState
    cameras: Cameras


def run(
    capture: Capture, images: tuple[UInt8[ndarray, "height width 3"], ...], people: People, *, cfg: CalibrateCamerasConfig,
    out: Path, progress: Progress,
) -> CameraRig:  # fmt: skip
    """Rig in the frame of the first registered view, in metres by the people's statures.

    Raises `NoOverlap` where fewer than two cameras can be related, or all photos were taken from one place, and what loading a
    model's weights raises.
    """
    if len(images) == 1:
        return _single(capture, images[0], people, cfg, progress)
    if cfg.known:
        return _with_known_cameras(capture, images, people, cfg, progress)
    return calibrate(capture, images, people, _dense_scene(capture, images, people, cfg, progress), cfg, progress)


def calibrate(
    capture: Capture, images: tuple[UInt8[ndarray, "height width 3"], ...], people: People, dense: DenseScene | None,
    cfg: CalibrateCamerasConfig, progress: Progress,
) -> CameraRig:  # fmt: skip
    """The rig of two or more photos by people and what a network saw of the scene, or else features. Raises `NoOverlap`."""
    persons, sightings = _linked_people(people)
    problem = _pose_problem(capture, sightings, len(persons), cfg)
    matches = dense.matches if dense is not None else _match_scene(images, people, cfg, progress)
    uv = _scene_tracks(matches, capture, cfg)
    starts = _start_from_features(problem, matches, uv, capture, cfg, dense=dense)
    rows = dense.rows if dense is not None else no_rows()
    solution = _best([*starts, *_start_from_people(problem, uv, capture, cfg, rows)], uv)
    solution = _require_cameras(solution, capture, matches, cfg)
    if len(solution.problem.tracks.points) < cfg.min_tracks:
        _require_same_clothes(capture, images, people, cfg)
    return _rig(solution, persons, images, matches, cfg, dense)


def _single(
    capture: Capture, image: UInt8[ndarray, "height width 3"], people: People, cfg: CalibrateCamerasConfig, progress: Progress
) -> CameraRig:
    """A learnt rig, with the dense view of Gen3R where its results are given."""
    model = open_photo_model(cfg.photo)
    if model is None:
        raise NoOverlap("there is one photo. Choose a model that sees cameras in one by --cameras.photo.kind ma_hmr, or:")
    dense = _dense_scene(capture, (image,), people, cfg, progress) if cfg.gen3r.results else None
    if dense is None:
        return rig_from_photo(model, capture, image, people)
    focal = np.where(np.isfinite(capture.focal_px), capture.focal_px, dense.cameras.focal_px)
    rig = rig_from_photo(model, dataclasses.replace(capture, focal_px=focal), image, people)
    made = dataclasses.replace(
        rig.provenance, adapter=f"{rig.provenance.adapter}+{dense.name}", licences=(*rig.provenance.licences, *dense.licences)
    )
    return dataclasses.replace(rig, provenance=made, dense=views_beside_people(dense, rig, people))


def _with_known_cameras(
    capture: Capture, images: tuple[UInt8[ndarray, "height width 3"], ...], people: People, cfg: CalibrateCamerasConfig,
    progress: Progress,
) -> CameraRig:  # fmt: skip
    """People who are seen in two or more of the cameras that the user gives, and scene points."""
    path = Path(cfg.known).expanduser()
    known = known_cameras.read_known_cameras(path, capture)
    seen = tuple(sighting for sighting in people.views if known.is_registered[sighting.view])
    persons, sightings = _linked_people(dataclasses.replace(people, views=seen))
    problem = _with_fixed_cameras(_pose_problem(capture, sightings, len(persons), cfg), known)
    matches = _match_scene(images, people, cfg, progress)
    uv = _scene_tracks(matches, capture, cfg)
    solution = _require_cameras(_start_from_known(problem, known, uv, cfg), capture, matches, cfg)
    rig = _rig(solution, persons, images, matches, cfg, None)
    licences = (*rig.provenance.licences, known_cameras.TERMS)
    made = dataclasses.replace(rig.provenance, adapter="given cameras+people", licences=licences)
    dense = known_cameras.read_dense_views(path, capture, _wide_masks(people, cfg), rig.cameras)
    return dataclasses.replace(rig, provenance=made, dense=dense)


def _wide_masks(people: People, cfg: CalibrateCamerasConfig) -> tuple[Bool[ndarray, "height width"], ...]:
    """People's pixels and those close to them."""
    return tuple(binary_dilation(mask, iterations=cfg.mask_margin_px) for mask in people.masks)


def _with_fixed_cameras(problem: BundleProblem, known: Cameras) -> BundleProblem:
    """The problem with a lens of its own for every view, as it is known."""
    views = len(known.is_registered)
    return dataclasses.replace(
        problem,
        lens=np.arange(views),
        focal_px=np.where(known.is_registered, known.focal_px, problem.focal_px[problem.lens]),
        focal_spread=np.zeros(views),
        principal_px=known.principal_px,
        are_cameras_fixed=True,
    )


def _start_from_known(
    problem: BundleProblem, known: Cameras, uv_px: Float[ndarray, "tracks views 2"], cfg: CalibrateCamerasConfig
) -> _Solution | None:
    """People and points adjusted to known cameras in people's metres; None where nobody is seen in two of them."""
    anchored = anchor_to_people(known, problem)
    if anchored is None:
        return None
    cameras = dataclasses.replace(anchored[0], is_registered=known.is_registered)
    start = restrict(problem, known.is_registered)
    state = initial_state(start, cameras, anchored[1])
    if len(uv_px) >= cfg.min_tracks:
        return _refine(_Solution(problem=start, state=state, cameras=cameras), uv_px, cfg.track_errors_px, cfg)
    state, _ = adjust(start, state, max_iterations=100)
    return _Solution(problem=start, state=state, cameras=cameras)


def _dense_scene(
    capture: Capture, images: tuple[ndarray, ...], people: People, cfg: CalibrateCamerasConfig, progress: Progress
) -> DenseScene | None:
    """What Gen3R's results or the user's DUSt3R say of all views, where they are given."""
    if not (cfg.gen3r.results or cfg.dust3r.weights):
        return None
    masks = _wide_masks(people, cfg)
    if cfg.gen3r.results:
        return read_scene(images, masks, cfg=cfg.gen3r)
    return dust3r.reconstruct_views(images, masks, capture.focal_px, cfg=cfg.dust3r, progress=progress)


def _linked_people(people: People) -> tuple[tuple[int, ...], Sightings]:
    """Identities seen in two or more views, and their sightings with persons numbered in that order."""
    views = {p: {s.view for s in people.views if s.person == p} for p in range(people.person_count)}
    persons = tuple(p for p in sorted(views) if len(views[p]) >= 2)
    rows = [s for s in people.views if s.person in persons]
    return persons, Sightings(
        view=np.array([s.view for s in rows], int),
        person=np.array([persons.index(s.person) for s in rows], int),
        uv_px=np.array([s.keypoints_px for s in rows]).reshape(-1, 21, 2),
        confidence=np.array([s.confidence for s in rows]).reshape(-1, 21),
        skeleton=np.array([s.skeleton_m for s in rows]).reshape(-1, 21, 3),
    )


def _pose_problem(capture: Capture, sightings: Sightings, persons: int, cfg: CalibrateCamerasConfig) -> BundleProblem:
    keys = [_lens_key(capture, v) for v in range(len(capture.images))]
    distinct = list(dict.fromkeys(keys))
    lens = np.array([distinct.index(key) for key in keys])
    first = np.array([keys.index(key) for key in distinct])
    known = capture.focal_px[first]
    spread = 0.0 if capture.is_focal_given else cfg.exif_focal_spread
    stature = np.full(persons, cfg.stature_spread)
    if capture.stature_m is not None:
        stature[:1] = cfg.given_stature_spread
    return BundleProblem(
        lens=lens,
        principal_px=(capture.size_px - 1) / 2,
        focal_px=np.where(np.isfinite(known), known, cfg.focal_ratio * capture.size_px[first].max(1)),
        focal_spread=np.where(np.isfinite(known), spread, cfg.focal_spread),
        is_registered=np.ones(len(lens), bool),
        sightings=sightings,
        reference=_reference_bones(capture.stature_m or cfg.stature_m),
        stature_spread=stature,
        tracks=no_tracks(),
        weights=cfg.weights,
    )


def _lens_key(capture: Capture, view: int) -> tuple:
    """Views with equal keys share a lens: same size up to a quarter turn, before and after scaling, and same known focal."""
    focal = float(capture.focal_px[view])
    known = round(focal, 3) if np.isfinite(focal) else None
    return (*sorted(capture.size_px[view].tolist()), *sorted(capture.original_size_px[view].tolist()), known)


def _reference_bones(stature_m: float) -> Float[ndarray, "bones"]:
    """Bone lengths of the mean body of this stature."""
    body = embedded_body()
    return bone_lengths(body.keypoints(body.betas_of_stature(stature_m), np.zeros((55, 3)), np.zeros(3)))


def _match_scene(
    images: tuple[ndarray, ...], people: People, cfg: CalibrateCamerasConfig, progress: Progress
) -> Correspondences | None:
    if not cfg.use_features:
        return None
    masks = _wide_masks(people, cfg)
    return aliked_lightglue.match_images(images, masks, cfg=cfg.features, progress=progress)


def _scene_tracks(
    matches: Correspondences | None, capture: Capture, cfg: CalibrateCamerasConfig
) -> Float[ndarray, "tracks views 2"]:
    """Tracks of the matches that agree with one geometry per pair of views."""
    if matches is None:
        return np.zeros((0, len(capture.images), 2))
    return join_matches(colmap.verify_matches(matches, capture.size_px, cfg=cfg.mapping, seed=cfg.seed))


def _start_from_features(
    problem: BundleProblem,
    matches: Correspondences | None,
    uv_px: Float[ndarray, "tracks views 2"],
    capture: Capture,
    cfg: CalibrateCamerasConfig,
    *,
    dense: DenseScene | None,
) -> list[_Solution]:
    """Cameras of the dense scene, or by incremental mapping, brought to people's metres, refined together; none where features
    relate too little."""
    if matches is None or len(uv_px) < cfg.min_tracks:
        return []
    lenses = [
        colmap.Lens(
            group=_mapping_group(capture, v),
            focal_px=float(problem.focal_px[g]),
            is_trusted=bool(problem.focal_spread[g] < 0.2),
        )
        for v, g in enumerate(problem.lens)
    ]
    mapped = dense.cameras if dense is not None else None
    if mapped is None:
        mapped = colmap.map_views(matches, capture.size_px, lenses, cfg=cfg.mapping, seed=cfg.seed)
    anchored = anchor_to_people(mapped, problem) if mapped is not None else None
    if anchored is None:
        return []
    cameras, skeletons = anchored
    start = restrict(problem, cameras.is_registered)
    solution = _Solution(problem=start, state=initial_state(start, cameras, skeletons), cameras=cameras)
    return [_refine(_with_pointmaps(solution, dense.rows if dense is not None else no_rows()), uv_px, cfg.track_errors_px, cfg)]


def _mapping_group(capture: Capture, view: int) -> int:
    """COLMAP shares a camera between views of equal size only."""
    keys = [(*capture.size_px[v].tolist(), _lens_key(capture, v)) for v in range(len(capture.images))]
    return list(dict.fromkeys(keys)).index(keys[view])


def _start_from_people(
    problem: BundleProblem, uv_px: Float[ndarray, "tracks views 2"], capture: Capture, cfg: CalibrateCamerasConfig,
    rows: PointmapRows,
) -> list[_Solution]:  # fmt: skip
    """Cameras from people, as they are and refined by the scene."""
    if not len(problem.sightings.view):
        return []
    state, cameras, _ = calibrate_by_people(problem, capture.size_px, cfg.focal_ratios)
    alone = _Solution(problem=restrict(problem, cameras.is_registered), state=state, cameras=cameras)
    if len(uv_px) < cfg.min_tracks:
        return [alone]
    return [alone, _refine(_with_pointmaps(alone, rows), uv_px, cfg.track_errors_from_people_px, cfg)]


def _with_pointmaps(solution: _Solution, rows: PointmapRows) -> _Solution:
    """The solution with what pointmaps say of its views, their scales and points as its cameras see them."""
    kept = select_rows(rows, solution.cameras.is_registered)
    if not len(kept.sample):
        return solution
    start = start_rows(kept, solution.cameras)
    return dataclasses.replace(
        solution,
        problem=dataclasses.replace(solution.problem, pointmaps=kept),
        state=dataclasses.replace(solution.state, log_pair=start.log_scale, samples=start.samples),
    )


def _require_same_clothes(
    capture: Capture, images: tuple[UInt8[ndarray, "height width 3"], ...], people: People, cfg: CalibrateCamerasConfig
) -> None:
    """Raises `NoOverlap` where only a person relates the photos, and the person is dressed otherwise in some of them."""
    for person in range(people.person_count):
        seen = [sighting for sighting in people.views if sighting.person == person]
        colours = np.array([clothes_colour(images[s.view], s.keypoints_px) for s in seen])
        alike = np.linalg.norm(colours[:, None] - colours[None], axis=-1) <= cfg.worst_clothes_difference
        count, group = connected_components(alike, directed=False)
        if count > 1:
            other = seen[int(np.argmax(group != group[0]))].view
            raise NoOverlap(
                f"'{capture.sources[seen[0].view]}' and '{capture.sources[other]}' share no scene features, "
                "and the person in them wears other clothes."
            )


def _best(solutions: list[_Solution], uv_px: Float[ndarray, "tracks views 2"]) -> _Solution | None:
    """Of the solutions with the most views, that which explains people and scene at the least cost."""
    return min(solutions, key=lambda s: (-int(s.cameras.is_registered.sum()), _cost(s, uv_px)), default=None)


def _cost(solution: _Solution, uv_px: Float[ndarray, "tracks views 2"]) -> float:
    """Cost of all terms of people and lenses, and of the scene with a bounded price: local minima leave tracks unexplained.

    A track costs its squared errors, at most 9 (three standard deviations) for each view beyond the first.
    """
    bound = 3 * solution.problem.weights.track_px
    found = triangulate_tracks(solution.cameras, uv_px, max_error_px=bound, min_angle_deg=0.0)
    errors = observation_errors(solution.cameras, found) / solution.problem.weights.track_px
    views = np.isfinite(uv_px[:, solution.cameras.is_registered, 0]).sum(1)
    unexplained = np.maximum(views - 1, 0).sum() - (len(found.view) - len(found.points))
    people = dataclasses.replace(solution.problem, tracks=no_tracks(), pointmaps=no_rows())
    state = dataclasses.replace(solution.state, points=np.zeros((0, 3)))
    return total_cost(people, state) + float((errors**2).sum()) + 9.0 * float(unexplained)


def _refine(
    solution: _Solution, uv_px: Float[ndarray, "tracks views 2"], bounds_px: tuple[float, ...], cfg: CalibrateCamerasConfig
) -> _Solution:
    """Triangulate and adjust in turns, with ever closer bounds."""
    problem, state, cameras = solution.problem, solution.state, solution.cameras
    for bound in bounds_px:
        tracks = triangulate_tracks(cameras, uv_px, max_error_px=bound, min_angle_deg=cfg.track_min_angle_deg)
        problem = dataclasses.replace(problem, tracks=tracks)
        state, _ = adjust(problem, dataclasses.replace(state, points=tracks.points), max_iterations=100)
        cameras = cameras_of(problem, state, cameras.size_px)
    found = dataclasses.replace(problem.tracks, points=state.points)
    kept = select_tracks(found, observation_errors(cameras, found) < bounds_px[-1])
    problem = dataclasses.replace(problem, tracks=kept)
    state, _ = adjust(problem, dataclasses.replace(state, points=kept.points), max_iterations=100)
    return _Solution(problem=problem, state=state, cameras=cameras_of(problem, state, cameras.size_px))


def _keypoint_error(solution: _Solution) -> float:
    return float(np.nanmedian(keypoint_errors(solution.problem, solution.state)))


def _require_cameras(
    solution: _Solution | None, capture: Capture, matches: Correspondences | None, cfg: CalibrateCamerasConfig
) -> _Solution:
    views = len(capture.images)
    if solution is None or solution.cameras.is_registered.sum() < 2:
        best = max((len(pair.index) for pair in matches.pairs), default=0) if matches is not None else 0
        raise NoOverlap(
            f"of {views} photos no two share enough scene features ({best} match at best), "
            "and nobody was recognised in two of them."
        )
    error = _keypoint_error(solution)
    if not error < cfg.worst_keypoint_error_px:
        raise NoOverlap(f"no cameras explain the people seen in {views} photos (they miss by {error:.0f} px).")
    parallax = np.degrees(_widest_parallax(solution))
    if parallax < cfg.min_baseline_deg:
        raise NoOverlap(f"all {views} photos were taken from nearly the same place ({parallax:.1f} degrees apart).")
    return solution


def _widest_parallax(solution: _Solution) -> float:
    """Largest angle [rad] between two registered views as seen from the middle of the people."""
    centres = camera_centers(solution.cameras)[solution.cameras.is_registered]
    d = solution.state.skeletons.mean((0, 1)) - centres
    d = d / np.linalg.norm(d, axis=1, keepdims=True)
    return float(np.arccos(np.clip((d @ d.T).min(), -1, 1)))


def _rig(
    solution: _Solution,
    persons: tuple[int, ...],
    images: tuple[ndarray, ...],
    matches: Correspondences | None,
    cfg: CalibrateCamerasConfig,
    dense: DenseScene | None,
) -> CameraRig:
    first = solution.cameras.T_cam_world[np.argmax(solution.cameras.is_registered)]
    to_first = Similarity(scale=1.0, R=first[:3, :3], t=first[:3, 3])
    tracks = dataclasses.replace(solution.problem.tracks, points=to_first.apply(solution.state.points))
    cameras = transform_cameras(solution.cameras, to_first)
    adapter, licences = _credits(dense) if len(tracks.points) else ("people", ())
    return CameraRig(
        provenance=Provenance(
            adapter=adapter,
            scale_source="stature",
            frame="first registered camera",
            seed=cfg.seed,
            licences=licences,
        ),
        cameras=cameras,
        tracks=_coloured(tracks, images),
        persons=persons,
        skeletons=to_first.apply(solution.state.skeletons),
        report=_report(solution, matches),
        dense=dense_views(dense, cameras, tracks) if dense is not None and len(tracks.points) else (),
    )


def _credits(dense: DenseScene | None) -> tuple[str, tuple[str, ...]]:
    """What related the views, and its licences."""
    if dense is not None:
        return f"{dense.name}+colmap+people", (*dense.licences, *colmap.LICENCES)
    return "aliked+lightglue+colmap+people", (*aliked_lightglue.LICENCES, *colmap.LICENCES)


def _coloured(tracks: PointTracks, images: tuple[ndarray, ...]) -> PointTracks:
    """Colour of each point in the first view that sees it."""
    colors = np.zeros((len(tracks.points), 3), np.uint8)
    for i in range(len(tracks.view))[::-1]:
        x, y = np.round(tracks.uv_px[i]).astype(int)
        image = images[tracks.view[i]]
        colors[tracks.point[i]] = image[np.clip(y, 0, image.shape[0] - 1), np.clip(x, 0, image.shape[1] - 1)]
    return dataclasses.replace(tracks, colors=colors)


def _report(solution: _Solution, matches: Correspondences | None) -> dict[str, float]:
    """Each term of the adjustment in px or cm."""
    problem, state, cameras = solution.problem, solution.state, solution.cameras
    report = {
        "views": float(len(problem.lens)),
        "registered_views": float(cameras.is_registered.sum()),
        "parallax_deg": float(np.degrees(_widest_parallax(solution))),
        "feature_matches": float(sum(len(pair.index) for pair in matches.pairs)) if matches is not None else 0.0,
        "scene_points": float(len(state.points)),
    }
    errors = {"keypoints": keypoint_errors(problem, state)}
    if len(state.points):
        errors["tracks"] = observation_errors(cameras, dataclasses.replace(problem.tracks, points=state.points))
    if len(problem.pointmaps.sample):
        report["pointmap_rows"] = float(len(problem.pointmaps.sample))
        report["pointmaps_percent_median"] = 100 * float(np.median(pointmap_errors(problem, state)))
    for name, error in errors.items():
        seen = error[np.isfinite(error)]
        report |= {f"{name}_px_mean": float(seen.mean()), f"{name}_px_median": float(np.median(seen))}
        report[f"{name}_px_p90"] = float(np.percentile(seen, 90))
    report["bones_cm_mean"] = 100 * float(bone_errors(problem, state).mean())
    for i, log_size in enumerate(state.log_size):
        report[f"size_of_person_{i}"] = float(np.exp(log_size))
    for g in range(len(problem.focal_px)):
        report |= {f"focal_px_of_lens_{g}": float(np.exp(state.log_focal[g])), f"k1_of_lens_{g}": float(state.k1[g])}
    return report
