"""People as 21-keypoint skeletons: bones and their lengths, lifting to the camera, relating cameras through people."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.conventions import KEYPOINTS
from hsimul3r.geometry.alignment import Similarity, robust_align_points
from hsimul3r.geometry.rotations import shortest_rotation

_INDEX: Final = {name: i for i, name in enumerate(KEYPOINTS)}
HIPS: Final = (_INDEX["left_hip"], _INDEX["right_hip"])
MIN_CONFIDENCE: Final = 0.1
"""Keypoints below it are guesses."""

_BONES: Final = (
    ("left_shoulder", "right_shoulder", 0.10), ("left_hip", "right_hip", 0.12),
    ("left_shoulder", "left_elbow", 0.07), ("right_shoulder", "right_elbow", 0.07),
    ("left_elbow", "left_wrist", 0.07), ("right_elbow", "right_wrist", 0.07),
    ("left_shoulder", "left_hip", 0.10), ("right_shoulder", "right_hip", 0.10),
    ("left_hip", "left_knee", 0.07), ("right_hip", "right_knee", 0.07),
    ("left_knee", "left_ankle", 0.07), ("right_knee", "right_ankle", 0.07),
    ("left_ankle", "left_heel", 0.30), ("right_ankle", "right_heel", 0.30),
    ("left_heel", "left_toe", 0.15), ("right_heel", "right_toe", 0.15),
    ("left_ear", "right_ear", 0.15), ("left_eye", "right_eye", 0.20),
    ("nose", "left_ear", 0.15), ("nose", "right_ear", 0.15), ("nose", "left_eye", 0.30), ("nose", "right_eye", 0.30),
    ("left_ear", "left_shoulder", 0.25), ("right_ear", "right_shoulder", 0.25),
)  # fmt: skip
BONES: Final[Int[ndarray, "bones 2"]] = np.array([(_INDEX[a], _INDEX[b]) for a, b, _ in _BONES])
BONE_SPREAD: Final[Float[ndarray, "bones"]] = np.array([spread for _, _, spread in _BONES])
"""Relative standard deviation of a length: people differ, spines and necks bend, detectors place joints their own way."""
LIMBS: Final[Int[ndarray, "limbs"]] = np.flatnonzero(BONE_SPREAD <= 0.07)
MIRRORED: Final[Int[ndarray, "pairs 2"]] = np.array([(i, i + 1) for i in range(2, 16, 2)])
"""Rows of BONES that are a left bone and its right twin."""


@dataclass(frozen=True, kw_only=True)
class Sightings:
    """Every person in every view, one row each."""

    view: Int[ndarray, "rows"]
    person: Int[ndarray, "rows"]
    """Index into the persons of the problem, not an identity."""
    uv_px: Float[ndarray, "rows 21 2"]
    confidence: Float[ndarray, "rows 21"]
    skeleton: Float[ndarray, "rows 21 3"]
    """The detector's skeleton, root-relative, along axes whose Z is the ray to the person; its scale does not matter."""

    def of_view(self, view: int) -> Int[ndarray, "found"]:
        """Rows of one view."""
        return np.flatnonzero(self.view == view)

    def persons(self) -> int:
        """Number of persons."""
        return int(self.person.max()) + 1 if len(self.person) else 0


def bone_lengths(skeleton: Float[ndarray, "*batch 21 3"]) -> Float[ndarray, "*batch bones"]:
    """Lengths of BONES [m]."""
    return np.linalg.norm(skeleton[..., BONES[:, 0], :] - skeleton[..., BONES[:, 1], :], axis=-1)


def length_ratio(
    skeleton: Float[ndarray, "21 3"], confidence: Float[ndarray, "21"], reference: Float[ndarray, "bones"]
) -> float:
    """Weighted median of reference / own length over the limbs that are seen: detectors' metres are up to 16% small."""
    own = bone_lengths(skeleton)[LIMBS]
    weight = confidence[BONES[LIMBS]].min(1) + 1e-3
    ratio = reference[LIMBS] / np.maximum(own, 1e-6)
    order = np.argsort(ratio, kind="stable")
    cumulative = np.cumsum(weight[order])
    return float(ratio[order][np.searchsorted(cumulative, cumulative[-1] / 2)])


def hips_centre(uv_px: Float[ndarray, "*batch 21 2"]) -> Float[ndarray, "*batch 2"]:
    """Middle of the hips, the root of detectors' skeletons."""
    return uv_px[..., HIPS, :].mean(-2)


def ray_rotation(xy: Float[ndarray, "2"]) -> Float[ndarray, "3 3"]:
    """Rotation from a camera that looks straight at the normalised point `xy` to the camera itself."""
    return shortest_rotation(np.array([0.0, 0.0, 1.0]), np.array([xy[0], xy[1], 1.0]))


def lift(
    xy: Float[ndarray, "21 2"], confidence: Float[ndarray, "21"], skeleton: Float[ndarray, "21 3"]
) -> Float[ndarray, "21 3"]:
    """Place a skeleton in the camera so that its keypoints fall on the normalised (undistorted) coordinates `xy`.

    Linear least squares for the translation: X + t on the ray (x, y, 1) is (X + t)_xy = xy (X + t)_z.
    """
    posed = skeleton @ ray_rotation(hips_centre(xy)).T
    w = np.where(confidence > MIN_CONFIDENCE, confidence, 0)[:, None, None]
    rows = np.concatenate([np.broadcast_to(np.eye(2), (len(xy), 2, 2)), -xy[:, :, None]], axis=2)
    target = xy * posed[:, 2:] - posed[:, :2]
    return posed + np.linalg.lstsq((w * rows).reshape(-1, 3), (w[..., 0] * target).ravel(), rcond=None)[0]


def relate_views(
    lifted: Float[ndarray, "rows 21 3"], sightings: Sightings, view: int, other: int
) -> tuple[Similarity, float] | None:
    """Rigid motion from the camera of `view` to that of `other` through the people both see, and its mean residual [m]."""
    rows_a, rows_b = sightings.of_view(view), sightings.of_view(other)
    pairs = [(a, b) for a in rows_a for b in rows_b if sightings.person[a] == sightings.person[b]]
    if not pairs:
        return None
    source = np.concatenate([lifted[a] for a, _ in pairs])
    target = np.concatenate([lifted[b] for _, b in pairs])
    weights = np.concatenate([np.minimum(sightings.confidence[a], sightings.confidence[b]) + 0.02 for a, b in pairs])
    motion = robust_align_points(source, target, weights=weights, sigma=0.15)
    residual = np.linalg.norm(motion.apply(source) - target, axis=1)
    return motion, float(np.average(residual, weights=weights))


def chain_views(
    lifted: Float[ndarray, "rows 21 3"], sightings: Sightings, known: dict[int, Float[ndarray, "4 4"]]
) -> dict[int, Float[ndarray, "4 4"]]:
    """Add to the known cameras (T_cam_world) all views that people connect to them, the best pair first."""
    cameras = dict(known)
    views = [int(v) for v in np.unique(sightings.view)]
    relations = {(a, b): relate_views(lifted, sightings, a, b) for a in views for b in views if a != b}
    while True:
        open_edges = [
            (relation[1] + 0.05 / _shared(sightings, a, b), a, b, relation[0])
            for (a, b), relation in relations.items()
            if relation is not None and a in cameras and b not in cameras
        ]
        if not open_edges:
            return cameras
        _, a, b, motion = min(open_edges, key=lambda edge: edge[:3])
        cameras[b] = motion.matrix() @ cameras[a]


def _shared(sightings: Sightings, a: int, b: int) -> int:
    return len(np.intersect1d(sightings.person[sightings.of_view(a)], sightings.person[sightings.of_view(b)]))


def mean_skeletons(
    lifted: Float[ndarray, "rows 21 3"], sightings: Sightings, cameras: dict[int, Float[ndarray, "4 4"]]
) -> Float[ndarray, "persons 21 3"]:
    """World skeleton of each person: confidence-weighted mean over the views with a camera."""
    total, weight = np.zeros((sightings.persons(), 21, 3)), np.zeros((sightings.persons(), 21, 1))
    for row, (view, person) in enumerate(zip(sightings.view, sightings.person)):
        if int(view) in cameras:
            T = cameras[int(view)]
            w = (sightings.confidence[row] + 0.02)[:, None]
            total[person] += w * ((lifted[row] - T[:3, 3]) @ T[:3, :3])
            weight[person] += w
    return total / np.maximum(weight, 1e-9)
