"""Starting points for the joint adjustment: cameras from people alone, and cameras from features brought to people's metres."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.bundle import BundleProblem, BundleState, adjust, cameras_of, initial_state
from hsimul3r.geometry.cameras import transform_cameras, triangulate, undistort
from hsimul3r.geometry.skeletons import LIMBS, Sightings, bone_lengths, chain_views, length_ratio, lift, mean_skeletons


def calibrate_by_people(
    problem: BundleProblem, size_px: Int[ndarray, "views 2"], focal_ratios: Sequence[float]
) -> tuple[BundleState, Cameras, float]:
    """The best of many adjustments without scene points: every focal guess (over the long side) and every first view.

    Lenses with a known focal length start from it. Returns the state, its cameras and its cost; views that no shared person
    connects to the others are not registered. The start alone is 11 to 37 degrees off on real photos, so one is not enough.
    """
    tries = [
        _adjust_from(problem, size_px, ratio, root)
        for ratio in focal_ratios
        for root in np.unique(problem.sightings.view)
    ]  # fmt: skip
    most = max(int(cameras.is_registered.sum()) for _, cameras, _ in tries)
    state, cameras, _ = min((t for t in tries if t[1].is_registered.sum() == most), key=lambda t: t[2])
    final = restrict(problem, cameras.is_registered)
    state, cost = adjust(final, state, max_iterations=100)
    return state, cameras_of(final, state, size_px), cost


def _adjust_from(
    problem: BundleProblem, size_px: Int[ndarray, "views 2"], focal_ratio: float, root: int
) -> tuple[BundleState, Cameras, float]:
    start = guess_cameras(problem, size_px, focal_ratio)
    lifted = lift_all(start, problem)
    poses = chain_views(lifted, problem.sightings, {int(root): np.eye(4)})
    start = _with_poses(start, poses)
    skeletons = mean_skeletons(lifted, problem.sightings, poses)
    partial = restrict(problem, start.is_registered)
    state, cost = adjust(partial, initial_state(partial, start, skeletons), max_iterations=25)
    return state, cameras_of(partial, state, size_px), cost


def guess_cameras(problem: BundleProblem, size_px: Int[ndarray, "views 2"], focal_ratio: float) -> Cameras:
    """Cameras without poses whose unknown focal lengths are `focal_ratio` times the long side."""
    is_known = (problem.focal_spread < 0.2)[problem.lens]
    focal = np.where(is_known, problem.focal_px[problem.lens], focal_ratio * size_px.max(1))
    views = len(size_px)
    return Cameras(
        size_px=size_px, focal_px=focal, principal_px=problem.principal_px, k1=np.zeros(views),
        T_cam_world=np.tile(np.eye(4), (views, 1, 1)), is_registered=np.zeros(views, bool),
    )  # fmt: skip


def lift_all(cameras: Cameras, problem: BundleProblem) -> Float[ndarray, "rows 21 3"]:
    """Every sighting's skeleton in its camera, its limbs as long as the reference's."""
    seen = problem.sightings
    lifted = np.zeros_like(seen.skeleton)
    for row, view in enumerate(seen.view):
        metres = length_ratio(seen.skeleton[row], seen.confidence[row], problem.reference)
        xy = undistort(cameras, int(view), seen.uv_px[row])
        lifted[row] = lift(xy, seen.confidence[row], metres * seen.skeleton[row])
    return lifted


def restrict(problem: BundleProblem, is_registered: Bool[ndarray, "views"]) -> BundleProblem:
    """The problem with only these views registered; sightings in other views are left out, persons keep their numbers."""
    seen = problem.sightings
    rows = np.flatnonzero(is_registered[seen.view])
    kept = Sightings(
        view=seen.view[rows], person=seen.person[rows], uv_px=seen.uv_px[rows], confidence=seen.confidence[rows],
        skeleton=seen.skeleton[rows],
    )  # fmt: skip
    return dataclasses.replace(problem, is_registered=is_registered, sightings=kept)


def anchor_to_people(cameras: Cameras, problem: BundleProblem) -> tuple[Cameras, Float[ndarray, "persons 21 3"]] | None:
    """Cameras of a frame and scale of their own (features) in people's metres, with the views that only people connect.

    The scale is the median ratio of reference limbs to limbs triangulated between registered views. None where no person is
    seen in two registered views.
    """
    scale = _scale_to_people(cameras, problem)
    if scale is None:
        return None
    metric = transform_cameras(cameras, Similarity(scale=scale, R=np.eye(3), t=np.zeros(3)))
    lifted = lift_all(metric, problem)
    known = {int(v): metric.T_cam_world[v] for v in np.flatnonzero(metric.is_registered)}
    poses = chain_views(lifted, problem.sightings, known)
    return _with_poses(metric, poses), mean_skeletons(lifted, problem.sightings, poses)


def _with_poses(cameras: Cameras, poses: dict[int, Float[ndarray, "4 4"]]) -> Cameras:
    T, is_registered = cameras.T_cam_world.copy(), np.zeros(len(cameras.size_px), bool)
    for view, pose in poses.items():
        T[view], is_registered[view] = pose, True
    return dataclasses.replace(cameras, T_cam_world=T, is_registered=is_registered)


def _scale_to_people(cameras: Cameras, problem: BundleProblem) -> float | None:
    ratios = []
    for person in range(problem.sightings.persons()):
        skeleton = triangulate_person(cameras, problem.sightings, person)
        ratio = problem.reference[LIMBS] / bone_lengths(skeleton)[LIMBS]
        ratios += list(ratio[np.isfinite(ratio)])
    return float(np.median(ratios)) if len(ratios) >= 2 else None


def triangulate_person(cameras: Cameras, sightings: Sightings, person: int) -> Float[ndarray, "21 3"]:
    """Keypoints of a person seen with confidence in two registered views, nan elsewhere."""
    rows = np.flatnonzero((sightings.person == person) & cameras.is_registered[sightings.view])
    skeleton = np.full((21, 3), np.nan)
    for joint in range(21):
        sure = rows[sightings.confidence[rows, joint] > 0.3]
        if len(sure) >= 2:
            uv, weight = sightings.uv_px[sure, joint], sightings.confidence[sure, joint]
            skeleton[joint] = triangulate(cameras, sightings.view[sure], uv, weight)
    return skeleton
