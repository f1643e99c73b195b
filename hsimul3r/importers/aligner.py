"""What users keep of DUSt3R's global alignment (`scene = global_aligner(...)`), photos in the order of their names.

parameters  torch.save(scene.state_dict()): im_poses (n, 7): quaternion xyzw of any length, then translation as
            sign(t) log(1 + |t|), camera to world; im_focals (n, 1): 20 log f; im_pp (n, 2): a tenth of principal - size / 2;
            im_depthmaps (n, pixels): log depth row by row, padded to the largest picture. Sizes of pictures are not in it:
            they follow from the photos'.
results     what its README calls so, pickled or by torch.save: {focals: scene.get_focals(), poses: scene.get_im_poses()
            (n, 4, 4), pts3d: scene.get_pts3d() n of (h, w, 3) in the world, confidence_masks: scene.get_masks() n of (h, w)}

Pixels are at whole numbers. The scene itself, pickled, is a program's object: it is refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.errors import BadForeignFile
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.importers.cameras import KnownCamera, SeenPoints

PARAMETERS: Final = ("im_poses", "im_focals", "im_depthmaps")
RESULTS: Final = ("focals", "poses", "pts3d", "confidence_masks")
FOCAL_UNIT: Final = 20.0
PRINCIPAL_UNIT: Final = 10.0
CERTAIN: Final = 10.0
"""Confidence of what is said to be there, where a file holds none."""


def is_alignment(content: Any) -> bool:
    """Whether a file's content looks like one of the two."""
    return isinstance(content, Mapping) and any(all(name in content for name in names) for names in (PARAMETERS, RESULTS))


def read_alignment(
    content: Mapping[str, Any], path: Path, sizes_px: Sequence[Sequence[tuple[int, int]]]
) -> tuple[KnownCamera, ...]:
    """Cameras and points, named by their places. `sizes_px`: (width, height) of all pictures, for each way that photos are made
    ready for the network. Raises `BadForeignFile`."""
    try:
        if all(name in content for name in PARAMETERS):
            used = (*PARAMETERS, *(name for name in ("im_pp",) if name in content))
            return _of_parameters({name: np.asarray(content[name], float) for name in used}, path, sizes_px)
        return _of_results(content)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, np.linalg.LinAlgError) as error:
        raise BadForeignFile(path, f"it is no alignment of DUSt3R ({type(error).__name__}: {error})") from error


def _of_parameters(
    values: Mapping[str, ndarray], path: Path, sizes_px: Sequence[Sequence[tuple[int, int]]]
) -> tuple[KnownCamera, ...]:
    poses, depths = values["im_poses"], values["im_depthmaps"]
    fitting = [one for one in sizes_px if max(w * h for w, h in one) == depths.shape[1] and len(one) == len(poses)]
    if not fitting:
        what = f"its {len(poses)} pictures, the largest of {depths.shape[1]} pixels, are not those of this capture's photos"
        raise BadForeignFile(path, what)
    T_world_cam = np.tile(np.eye(4), (len(poses), 1, 1))
    quaternions = np.roll(poses[:, :4], 1, axis=1)
    lengths = np.linalg.norm(quaternions, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise ValueError("a pose without a rotation")
    T_world_cam[:, :3, :3] = matrix_from_quaternion(quaternions / lengths)
    T_world_cam[:, :3, 3] = np.sign(poses[:, 4:7]) * np.expm1(np.abs(poses[:, 4:7]))
    focal = np.exp(values["im_focals"].reshape(len(poses)) / FOCAL_UNIT)
    off = PRINCIPAL_UNIT * values.get("im_pp", np.zeros((len(poses), 2)))
    return tuple(
        _camera(i, T, float(focal[i]), np.array([w, h]) / 2 + off[i], np.exp(depths[i, : w * h].reshape(h, w)))
        for i, (T, (w, h)) in enumerate(zip(T_world_cam, fitting[0]))
    )


def _camera(
    index: int, T_world_cam: Float[ndarray, "4 4"], focal: float, principal: Float[ndarray, "2"],
    depth: Float[ndarray, "height width"],
) -> KnownCamera:  # fmt: skip
    seen = everywhere(points_of_depth(depth, np.array([focal, focal]), principal, T_world_cam))
    return _known(index, T_world_cam, focal, principal, seen)


def _of_results(content: Mapping[str, Any]) -> tuple[KnownCamera, ...]:
    poses = np.asarray(content["poses"], float).reshape(-1, 4, 4)
    focals = np.asarray(content["focals"], float).reshape(len(poses))
    found = []
    for i, (points, mask) in enumerate(zip(content["pts3d"], content["confidence_masks"], strict=True)):
        seen = everywhere(np.asarray(points, float), np.asarray(mask, bool))
        found.append(_known(i, poses[i], float(focals[i]), np.array(seen.is_sure.shape[::-1]) / 2, seen))
    if len(found) != len(poses):
        raise ValueError(f"{len(poses)} poses and {len(found)} pictures")
    return tuple(found)


def _known(
    index: int, T_world_cam: Float[ndarray, "4 4"], focal: float, principal: Float[ndarray, "2"], seen: SeenPoints
) -> KnownCamera:  # fmt: skip
    height, width = seen.is_sure.shape
    x, y = principal.tolist()
    return KnownCamera(
        name=str(index), size_px=(width, height), focal_px=(focal, focal), principal_px=(x, y), k1=0.0,
        T_cam_world=np.linalg.inv(T_world_cam), is_cropped=True, seen=seen,
    )  # fmt: skip


def everywhere(points: Float[ndarray, "height width 3"], is_sure: ndarray | None = None) -> SeenPoints:
    """Points without confidence: all of them, or those marked, are certain."""
    sure = np.ones(points.shape[:2], bool) if is_sure is None else is_sure
    if points.shape != (*sure.shape, 3):
        raise ValueError(f"{points.shape} points and a mask of {sure.shape}")
    return SeenPoints(points=points, confidence=np.where(sure, CERTAIN, 1.0), is_sure=sure)


def points_of_depth(
    depth: Float[ndarray, "height width"], focal: Float[ndarray, "2"], principal: Float[ndarray, "2"],
    T_world_cam: Float[ndarray, "4 4"],
) -> Float[ndarray, "height width 3"]:  # fmt: skip
    """Where every pixel's point lies in the world."""
    y, x = np.mgrid[: depth.shape[0], : depth.shape[1]]
    rays = np.stack([(x - principal[0]) / focal[0], (y - principal[1]) / focal[1], np.ones(depth.shape)], axis=-1)
    return (depth[..., None] * rays) @ T_world_cam[:3, :3].T + T_world_cam[:3, 3]
