"""One robust bundle adjustment over intrinsics, camera poses, people's skeletons, their sizes and scene points together.

Metres come from the people: each has a size (log factor on the reference bone lengths) with a prior spread, and the bones tie
the skeletons, hence the cameras, to it. Scene points, where there are any, tie the cameras to each other at pixel precision.
Pointmaps of a network, where there are any, say of all that the pictures show how far it is (Eq. 1).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras, PointTracks
from hsimul3r.geometry.cameras import project_with_jacobian, undistort
from hsimul3r.geometry.levenberg import Term, minimise
from hsimul3r.geometry.pointmap_rows import PointmapRows, no_rows
from hsimul3r.geometry.rotations import matrix_from_axis_angle, skew
from hsimul3r.geometry.skeletons import (
    BONE_SPREAD,
    BONES,
    HIPS,
    MIN_CONFIDENCE,
    MIRRORED,
    Sightings,
    bone_lengths,
    hips_centre,
    length_ratio,
    ray_rotation,
)


@dataclass(frozen=True, kw_only=True)
class BundleWeights:
    """Standard deviations of the terms (relative where without unit) and where their losses turn linear (in these)."""

    track_px: float = 1.0
    track_huber: float = 2.0
    keypoint_px: float = 1.5
    keypoint_box: float = 0.004
    """Keypoint noise is `keypoint_px` plus this share of the person's extent in the picture, over the confidence."""
    keypoint_huber: float = 1.0
    keypoint_confidence: float = 0.2
    """Keypoints below it do not count in the picture."""
    pose_m: float = 0.15
    pose_huber: float = 1.5
    lift: float = 0.15
    symmetry: float = 0.05
    k1: float = 0.06
    pointmap: float = 0.02
    """Of a pointmap's point, over its distance."""
    pointmap_huber: float = 1.5
    pointmap_worth: float = 300.0
    """A network errs in the same way all over a picture: all rows of a pair count like so many that err on their own."""


@dataclass(frozen=True, kw_only=True)
class BundleProblem:
    """What is observed and known beforehand; views of one lens group share focal length and k1."""

    lens: Int[ndarray, "views"]
    principal_px: Float[ndarray, "views 2"]
    focal_px: Float[ndarray, "lenses"]
    focal_spread: Float[ndarray, "lenses"]
    """Standard deviation of log focal; 0 keeps the focal length fixed."""
    is_registered: Bool[ndarray, "views"]
    sightings: Sightings
    """Of registered views only."""
    reference: Float[ndarray, "bones"]
    """Bone lengths [m] of a person of the prior stature."""
    stature_spread: Float[ndarray, "persons"]
    tracks: PointTracks
    pointmaps: PointmapRows = field(default_factory=no_rows)
    """Of registered views only."""
    weights: BundleWeights = BundleWeights()
    are_cameras_fixed: bool = False
    """Cameras and lenses stay as they are in the initial state."""


@dataclass(frozen=True, kw_only=True)
class BundleState:
    """What is estimated. Rotations are updated as exp(w) R, so every step is by minimal parameters."""

    log_focal: Float[ndarray, "lenses"]
    k1: Float[ndarray, "lenses"]
    R: Float[ndarray, "views 3 3"]
    t: Float[ndarray, "views 3"]
    log_size: Float[ndarray, "persons"]
    log_lift: Float[ndarray, "rows"]
    """Log factor on each sighting's detected skeleton, whose metres mean little."""
    skeletons: Float[ndarray, "persons 21 3"]
    points: Float[ndarray, "points 3"]
    log_pair: Float[ndarray, "pairs"] = field(default_factory=lambda: np.zeros(0))
    """Log scale of every pair of pointmaps."""
    samples: Float[ndarray, "samples 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    """Scene points of the pointmaps' samples."""


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """First column of every parameter block."""

    lenses: int
    views: int
    persons: int
    rows: int
    pairs: int
    tracked: int

    def k1(self) -> int:
        return self.lenses

    def pose(self) -> int:
        return 2 * self.lenses

    def size(self) -> int:
        return self.pose() + 6 * self.views

    def lift(self) -> int:
        return self.size() + self.persons

    def skeleton(self) -> int:
        return self.lift() + self.rows

    def pair(self) -> int:
        return self.skeleton() + 63 * self.persons

    def points(self) -> int:
        return self.pair() + self.pairs

    def samples(self) -> int:
        return self.points() + 3 * self.tracked


def _columns(problem: BundleProblem) -> _Columns:
    return _Columns(
        lenses=len(problem.focal_px), views=len(problem.lens), persons=len(problem.stature_spread),
        rows=len(problem.sightings.view), pairs=len(problem.pointmaps.first), tracked=len(problem.tracks.points),
    )  # fmt: skip


def initial_state(problem: BundleProblem, cameras: Cameras, skeletons: Float[ndarray, "persons 21 3"]) -> BundleState:
    """State from cameras (the first view of each lens gives its intrinsics), skeletons and the problem's points."""
    first = [int(np.argmax(problem.lens == g)) for g in range(len(problem.focal_px))]
    focal = np.where(problem.focal_spread > 0, cameras.focal_px[first], problem.focal_px)
    return BundleState(
        log_focal=np.log(focal), k1=cameras.k1[first],
        R=cameras.T_cam_world[:, :3, :3], t=cameras.T_cam_world[:, :3, 3],
        log_size=np.zeros(len(skeletons)), log_lift=np.zeros(len(problem.sightings.view)),
        skeletons=skeletons, points=problem.tracks.points,
    )  # fmt: skip


def cameras_of(problem: BundleProblem, state: BundleState, size_px: Int[ndarray, "views 2"]) -> Cameras:
    """The state's cameras."""
    T = np.tile(np.eye(4), (len(state.R), 1, 1))
    T[:, :3, :3], T[:, :3, 3] = state.R, state.t
    focal, k1 = np.exp(state.log_focal)[problem.lens], state.k1[problem.lens]
    return Cameras(
        size_px=size_px, focal_px=focal, principal_px=problem.principal_px, k1=k1, T_cam_world=T,
        is_registered=problem.is_registered,
    )  # fmt: skip


def adjust(problem: BundleProblem, state: BundleState, *, max_iterations: int = 60) -> tuple[BundleState, float]:
    """Minimise all terms from `state`; the first registered view and fixed focal lengths stay. Returns state and cost."""
    columns = _columns(problem)
    posed = _posed_skeletons(problem, state)
    solution = minimise(
        state,
        terms=lambda s: bundle_terms(problem, s, posed),
        retract=lambda s, step: retract(s, step),
        is_free=_free_parameters(problem, columns),
        points=len(state.points) + len(state.samples),
        max_iterations=max_iterations,
    )
    return solution.state, solution.cost


def total_cost(problem: BundleProblem, state: BundleState) -> float:
    """Robust cost of all terms."""
    return sum(term.cost() for term in bundle_terms(problem, state, _posed_skeletons(problem, state)))


def retract(state: BundleState, step: Float[ndarray, "parameters"]) -> BundleState:
    """Move a state by a step in the order of the columns."""
    lenses, views, persons, rows = len(state.log_focal), len(state.R), len(state.skeletons), len(state.log_lift)
    sizes = [lenses, lenses, 6 * views, persons, rows, 63 * persons, len(state.log_pair), 3 * len(state.points)]
    parts = np.split(step, np.cumsum(sizes))
    pose = parts[2].reshape(views, 6)
    return dataclasses.replace(
        state,
        log_focal=state.log_focal + parts[0],
        k1=np.clip(state.k1 + parts[1], -0.5, 0.5),
        R=matrix_from_axis_angle(pose[:, :3]) @ state.R,
        t=state.t + pose[:, 3:],
        log_size=state.log_size + parts[3],
        log_lift=state.log_lift + parts[4],
        skeletons=state.skeletons + parts[5].reshape(persons, 21, 3),
        log_pair=state.log_pair + parts[6],
        points=state.points + parts[7].reshape(-1, 3),
        samples=state.samples + parts[8].reshape(-1, 3),
    )


def bundle_terms(problem: BundleProblem, state: BundleState, posed: Float[ndarray, "rows 21 3"]) -> Sequence[Term]:
    """All residuals with their Jacobians; `posed` are the detector's skeletons along the camera's axes, in metres."""
    columns = _columns(problem)
    terms = [_lens_term(problem, state, columns)]
    if len(state.points):
        terms.append(_track_term(problem, state, columns))
    if len(problem.pointmaps.first):
        terms += [_sample_term(problem, state, columns), _pointmap_term(problem, state, columns)]
    if len(state.skeletons):
        terms += [
            _keypoint_term(problem, state, columns),
            _pose_term(problem, state, columns, posed),
            _bone_term(problem, state, columns),
            _symmetry_term(problem, state, columns),
            _size_term(problem, state, columns),
            _lift_term(problem, state, columns),
        ]
    return terms


def _free_parameters(problem: BundleProblem, columns: _Columns) -> Bool[ndarray, "dense"]:
    is_free = np.ones(columns.points(), bool)
    is_free[: columns.lenses] = problem.focal_spread > 0
    pose_free = problem.is_registered.copy()
    pose_free[np.argmax(problem.is_registered)] = False
    is_free[columns.pose() : columns.size()] = np.repeat(pose_free, 6)
    if problem.are_cameras_fixed:
        is_free[: columns.size()] = False
    return is_free


def _posed_skeletons(problem: BundleProblem, state: BundleState) -> Float[ndarray, "rows 21 3"]:
    cameras = cameras_of(problem, state, np.zeros((len(problem.lens), 2), int))
    seen, posed = problem.sightings, np.zeros_like(problem.sightings.skeleton)
    for row, view in enumerate(seen.view):
        turn = ray_rotation(undistort(cameras, int(view), hips_centre(seen.uv_px[row])))
        metres = length_ratio(seen.skeleton[row], seen.confidence[row], problem.reference)
        posed[row] = metres * seen.skeleton[row] @ turn.T
    return posed


def _reprojection_term(
    problem: BundleProblem,
    state: BundleState,
    columns: _Columns,
    *,
    name: str,
    view: Int[ndarray, "rows"],
    points: Float[ndarray, "rows 3"],
    point_column: Int[ndarray, "rows"],
    uv_px: Float[ndarray, "rows 2"],
    weight: Float[ndarray, "rows"],
    huber: float,
) -> Term:
    lens = problem.lens[view]
    turned = np.einsum("nij,nj->ni", state.R[view], points)
    uv, by_cam, by_focal, by_k1 = project_with_jacobian(
        turned + state.t[view], np.exp(state.log_focal[lens]), problem.principal_px[view], state.k1[lens]
    )
    jacobian = np.concatenate(
        [by_focal[:, :, None], by_k1[:, :, None], -by_cam @ skew(turned), by_cam, by_cam @ state.R[view]], axis=2
    )
    pose = columns.pose() + 6 * view
    column = np.concatenate(
        [lens[:, None], columns.k1() + lens[:, None], pose[:, None] + np.arange(6), point_column[:, None] + np.arange(3)],
        axis=1,
    )
    return Term(
        name=name, values=(uv - uv_px) * weight[:, None], columns=column,
        jacobian=jacobian * weight[:, None, None], huber=huber,
    )  # fmt: skip


def _track_term(problem: BundleProblem, state: BundleState, columns: _Columns) -> Term:
    tracks = problem.tracks
    return _reprojection_term(
        problem, state, columns, name="tracks", view=tracks.view, points=state.points[tracks.point],
        point_column=columns.points() + 3 * tracks.point, uv_px=tracks.uv_px,
        weight=np.full(len(tracks.view), 1 / problem.weights.track_px), huber=problem.weights.track_huber,
    )  # fmt: skip


def _sample_term(problem: BundleProblem, state: BundleState, columns: _Columns) -> Term:
    """A sample's point is seen at its pixel."""
    rows = problem.pointmaps
    return _reprojection_term(
        problem, state, columns, name="samples", view=rows.view, points=state.samples,
        point_column=columns.samples() + 3 * np.arange(len(rows.view)), uv_px=rows.uv_px,
        weight=np.full(len(rows.view), 1 / problem.weights.track_px), huber=np.inf,
    )  # fmt: skip


def _pointmap_term(problem: BundleProblem, state: BundleState, columns: _Columns) -> Term:
    """Eq. 1: log-confidence weights, a scale a pair; the pair stands where its first picture's camera stands."""
    rows, weights = problem.pointmaps, problem.weights
    view, scale = rows.first[rows.pair], np.exp(-state.log_pair[rows.pair])
    turned = np.einsum("nij,nj->ni", state.R[view], state.samples[rows.sample])
    placed = scale[:, None] * (turned + state.t[view])
    share = np.sqrt(weights.pointmap_worth * len(rows.first) / len(rows.sample))
    weight = share * np.sqrt(rows.weight) / (weights.pointmap * rows.distances())
    by_t = scale[:, None, None] * np.eye(3)
    jacobian = np.concatenate(
        [-scale[:, None, None] * skew(turned), by_t, -placed[:, :, None], scale[:, None, None] * state.R[view]], axis=2
    )
    pose, point = columns.pose() + 6 * view, columns.samples() + 3 * rows.sample
    column = np.concatenate(
        [pose[:, None] + np.arange(6), columns.pair() + rows.pair[:, None], point[:, None] + np.arange(3)], axis=1
    )
    return Term(
        name="pointmaps", values=(placed - rows.points) * weight[:, None], columns=column,
        jacobian=jacobian * weight[:, None, None], huber=share * weights.pointmap_huber,
    )  # fmt: skip


def keypoint_sigma(sightings: Sightings, weights: BundleWeights) -> Float[ndarray, "rows"]:
    """Standard deviation [px] of each sighting's keypoints, by the person's extent in the picture."""
    seen = np.where(sightings.confidence[..., None] > MIN_CONFIDENCE, sightings.uv_px, np.nan)
    extent = np.nanmax(seen, axis=1) - np.nanmin(seen, axis=1)
    return weights.keypoint_px + weights.keypoint_box * np.linalg.norm(extent, axis=1)


def _keypoint_term(problem: BundleProblem, state: BundleState, columns: _Columns) -> Term:
    seen = problem.sightings
    row, joint = np.nonzero(seen.confidence >= problem.weights.keypoint_confidence)
    person = seen.person[row]
    weight = seen.confidence[row, joint] / keypoint_sigma(seen, problem.weights)[row]
    return _reprojection_term(
        problem, state, columns, name="keypoints", view=seen.view[row], points=state.skeletons[person, joint],
        point_column=columns.skeleton() + 63 * person + 3 * joint, uv_px=seen.uv_px[row, joint],
        weight=weight, huber=problem.weights.keypoint_huber,
    )  # fmt: skip


def _pose_term(problem: BundleProblem, state: BundleState, columns: _Columns, posed: Float[ndarray, "rows 21 3"]) -> Term:
    """Skeleton about its root, turned to the camera and brought to the detector's size, against the detector's.

    exp(-lift) R (X_j - root) - W_j: noise is the detector's alone, so that no smaller scene fits it better.
    """
    seen, (left, right) = problem.sightings, HIPS
    row, joint = np.repeat(np.arange(len(seen.view)), 21), np.tile(np.arange(21), len(seen.view))
    person, view = seen.person[row], seen.view[row]
    X, R = state.skeletons[person], np.exp(-state.log_lift[row])[:, None, None] * state.R[view]
    turned = np.einsum("nij,nj->ni", R, X[np.arange(len(row)), joint] - (X[:, left] + X[:, right]) / 2)
    weight = (0.3 + 0.7 * seen.confidence[row, joint]) / problem.weights.pose_m
    jacobian = np.concatenate([R, -R / 2, -R / 2, -skew(turned), -turned[:, :, None]], axis=2)
    base = columns.skeleton() + 63 * person[:, None]
    column = np.concatenate(
        [base + 3 * joint[:, None] + np.arange(3), base + 3 * left + np.arange(3), base + 3 * right + np.arange(3),
         columns.pose() + 6 * view[:, None] + np.arange(3), columns.lift() + row[:, None]], axis=1,
    )  # fmt: skip
    return Term(
        name="pose", values=(turned - posed[row, joint]) * weight[:, None], columns=column,
        jacobian=jacobian * weight[:, None, None], huber=problem.weights.pose_huber,
    )  # fmt: skip


def _bone_term(problem: BundleProblem, state: BundleState, columns: _Columns) -> Term:
    """Log of bone length against log of size times the reference: relative, so that no smaller scene fits it better."""
    person, bone = np.divmod(np.arange(len(state.skeletons) * len(BONES)), len(BONES))
    length, gradient, column = _log_lengths(state, columns, person, bone)
    jacobian = np.concatenate([gradient, -np.ones((len(bone), 1))], axis=1) / BONE_SPREAD[bone, None]
    column = np.concatenate([column, columns.size() + person[:, None]], axis=1)
    values = (length - state.log_size[person] - np.log(problem.reference[bone])) / BONE_SPREAD[bone]
    return Term(name="bones", values=values[:, None], columns=column, jacobian=jacobian[:, None], huber=2.0)


def _symmetry_term(problem: BundleProblem, state: BundleState, columns: _Columns) -> Term:
    """A left bone is as long as its right twin."""
    person, pair = np.divmod(np.arange(len(state.skeletons) * len(MIRRORED)), len(MIRRORED))
    left = _log_lengths(state, columns, person, MIRRORED[pair, 0])
    right = _log_lengths(state, columns, person, MIRRORED[pair, 1])
    jacobian = np.concatenate([left[1], -right[1]], axis=1) / problem.weights.symmetry
    values = (left[0] - right[0]) / problem.weights.symmetry
    column = np.concatenate([left[2], right[2]], axis=1)
    return Term(name="symmetry", values=values[:, None], columns=column, jacobian=jacobian[:, None], huber=2.0)


def _log_lengths(
    state: BundleState, columns: _Columns, person: Int[ndarray, "rows"], bone: Int[ndarray, "rows"]
) -> tuple[Float[ndarray, "rows"], Float[ndarray, "rows 6"], Int[ndarray, "rows 6"]]:
    """Log of bone lengths, its derivative by both joints, and their columns."""
    a, b = BONES[bone].T
    d = state.skeletons[person, a] - state.skeletons[person, b]
    length = np.maximum(np.linalg.norm(d, axis=1), 1e-3)
    gradient = d / length[:, None] ** 2
    base = columns.skeleton() + 63 * person[:, None] + np.arange(3)
    column = np.concatenate([base + 3 * a[:, None], base + 3 * b[:, None]], axis=1)
    return np.log(length), np.concatenate([gradient, -gradient], axis=1), column


def _size_term(problem: BundleProblem, state: BundleState, columns: _Columns) -> Term:
    column = columns.size() + np.arange(len(state.log_size))[:, None]
    jacobian = (1 / problem.stature_spread)[:, None, None]
    return Term(name="size", values=(state.log_size / problem.stature_spread)[:, None], columns=column, jacobian=jacobian)


def _lift_term(problem: BundleProblem, state: BundleState, columns: _Columns) -> Term:
    """A detected skeleton, brought to the reference's limbs, is about as large as its person."""
    rows, person = np.arange(len(state.log_lift)), problem.sightings.person
    spread = problem.weights.lift
    column = np.stack([columns.lift() + rows, columns.size() + person], axis=1)
    jacobian = np.broadcast_to(np.array([1.0, -1.0]) / spread, (len(rows), 1, 2))
    values = (state.log_lift - state.log_size[person]) / spread
    return Term(name="lift", values=values[:, None], columns=column, jacobian=jacobian)


def _lens_term(problem: BundleProblem, state: BundleState, columns: _Columns) -> Term:
    """Priors of log focal and k1."""
    lenses = columns.lenses
    spread = np.where(problem.focal_spread > 0, problem.focal_spread, 1.0)
    focal = (state.log_focal - np.log(problem.focal_px)) / spread
    values = np.concatenate([focal, state.k1 / problem.weights.k1])[:, None]
    scale = np.concatenate([1 / spread, np.full(lenses, 1 / problem.weights.k1)])
    return Term(name="lens", values=values, columns=np.arange(2 * lenses)[:, None], jacobian=scale[:, None, None])


def keypoint_errors(problem: BundleProblem, state: BundleState) -> Float[ndarray, "rows 21"]:
    """Reprojection error [px] of every keypoint, nan where its confidence is below 0.3."""
    seen = problem.sightings
    X = state.skeletons[seen.person]
    cam = np.einsum("nij,nkj->nki", state.R[seen.view], X) + state.t[seen.view][:, None]
    lens = np.repeat(problem.lens[seen.view], 21)
    principal = np.repeat(problem.principal_px[seen.view], 21, axis=0)
    uv = project_with_jacobian(cam.reshape(-1, 3), np.exp(state.log_focal[lens]), principal, state.k1[lens])[0]
    error = np.linalg.norm(uv.reshape(-1, 21, 2) - seen.uv_px, axis=2)
    return np.where(seen.confidence >= 0.3, error, np.nan)


def pointmap_errors(problem: BundleProblem, state: BundleState) -> Float[ndarray, "rows"]:
    """Distance of every pointmap's point from the adjusted one, over its distance from the camera."""
    rows = problem.pointmaps
    view = rows.first[rows.pair]
    placed = np.einsum("nij,nj->ni", state.R[view], state.samples[rows.sample]) + state.t[view]
    scaled = np.exp(-state.log_pair[rows.pair])[:, None] * placed
    return np.linalg.norm(scaled - rows.points, axis=1) / rows.distances()


def bone_errors(problem: BundleProblem, state: BundleState) -> Float[ndarray, "persons bones"]:
    """Absolute difference [m] of bone lengths from each person's size times the reference."""
    return np.abs(bone_lengths(state.skeletons) - np.exp(state.log_size)[:, None] * problem.reference)
