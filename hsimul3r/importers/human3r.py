"""What Human3R's demo.py leaves, frame by frame in the order of the photos' names: cameras, points, and people as SMPL-X.

smpl/<frame>.npz    cam2world (4, 4); intrinsics (3, 3); of n people smpl_id (n), rotvec (n, 53, 3), transl (n, 3), shape
                    (n, 10). Rotations are by SMPL-X's joints without the eyes, the jaw last; the first turns the body into
                    the camera's axes; transl is the head's place in the camera's frame. The world is the first camera's
                    frame, in metres.
camera/<frame>.npz  pose (4, 4): camera to world; intrinsics (3, 3) of the picture that the network saw
depth/<frame>.npy   (h, w) of that picture
conf/<frame>.npy    (h, w) confidence of DUSt3R's kind

camera, depth and conf are as CUT3R's demo.py leaves them; in Human3R's these lines wait to be switched on. The fork
ludekcizinsky/Human3R leaves by its inference.py:

cameras.npz                     frame_idx (n), R_world2cam (n, 3, 3), t_world2cam (n, 3), K (n, 3, 3) in pixels of the photos
<id>/smplx_params/<frame>.json  root_pose (3), body_pose (21, 3), jaw_pose, leye_pose, reye_pose, lhand_pose and rhand_pose
                                (15, 3), betas, and trans (3): the pelvis' place in the camera's frame
"""

import json
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.errors import BadForeignFile
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.importers.aligner import points_of_depth
from hsimul3r.importers.cameras import KnownCamera, SeenPoints
from hsimul3r.importers.clip import ImportedClip, ImportedPerson

TOOL: Final = "human3r"
SURE: Final = 1.5
"""Confidence from which on its viewer shows points."""
NETWORK_JOINTS: Final = (*SMPLX_JOINTS[:22], *SMPLX_JOINTS[25:], "jaw")
"""The order of its 53 rotations: SMPL-X without its eyes, the jaw last."""
FORK_POSE: Final = ("root_pose", "body_pose", "jaw_pose", "leye_pose", "reye_pose", "lhand_pose", "rhand_pose")
"""SMPL-X's joints as the fork groups them."""
WRONG: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError, OSError, EOFError, zipfile.BadZipFile)

Placed = tuple[int, ndarray, ndarray, ndarray]
"""A frame, and there a pose (55, 3), a place (3,) and betas."""


def is_result(folder: Path) -> bool:
    """Whether a folder looks like one of Human3R's or CUT3R's, or like the people's in it."""
    folder = _whole(folder)
    return any((folder / name).is_dir() for name in ("smpl", "camera")) or (folder / "cameras.npz").is_file()


def read_people(folder: Path) -> ImportedClip:
    """Everybody by identity, in the world. Raises `BadForeignFile`."""
    folder = _whole(folder)
    people = _people_of_fork(folder) if (folder / "cameras.npz").is_file() else _people_of_demo(folder)
    if not people:
        raise BadForeignFile(folder, "it holds nobody; Human3R's demo.py keeps people where it is told --save_smpl")
    joint = "pelvis" if (folder / "cameras.npz").is_file() else "head"
    return ImportedClip(
        tool=TOOL, body="smplx", up="-y", people=tuple(_person(str(name), people[name], joint) for name in sorted(people))
    )


def read_cameras(folder: Path) -> tuple[KnownCamera, ...]:
    """Cameras in the order of frames, with points where there is depth. Raises `BadForeignFile`."""
    folder = _whole(folder)
    if (folder / "cameras.npz").is_file():
        return _cameras_of_fork(folder / "cameras.npz")
    kind, pose = ("camera", "pose") if (folder / "camera").is_dir() else ("smpl", "cam2world")
    return tuple(_camera(path, pose, folder) for path in _frames(folder / kind, "*.npz"))


def _whole(folder: Path) -> Path:
    """The output folder of which this may be the people's part."""
    return folder.parent if folder.name == "smpl" else folder


def _frames(folder: Path, pattern: str) -> list[Path]:
    """A folder's files by the numbers that they are called. Raises `BadForeignFile`."""
    found = [path for path in folder.glob(pattern) if path.stem.isascii() and path.stem.isdigit()]
    if not found:
        raise BadForeignFile(folder, f"it holds no {pattern} called by its frame's number")
    return sorted(found, key=lambda path: int(path.stem))


def _arrays(path: Path, *names: str) -> list[Float[ndarray, "..."]]:
    """Arrays of numbers, finite, out of an .npz; whatever else is in it is not read. Raises `BadForeignFile`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = [np.asarray(file[name], float) for name in names]
    except WRONG as error:
        raise BadForeignFile(path, f"it is no result of Human3R ({type(error).__name__}: {error})") from error
    if not all(np.isfinite(array).all() for array in found):
        raise BadForeignFile(path, "it holds NaN")
    return found


def _require_shapes(path: Path, **arrays: tuple[ndarray, tuple[int, ...]]) -> None:
    """Raises `BadForeignFile` for an array that is not (found, expected)."""
    for name, (array, shape) in arrays.items():
        if array.shape != shape:
            raise BadForeignFile(path, f"its {name} is {array.shape}, not {shape}")


def _people_of_demo(folder: Path) -> dict[int, list[Placed]]:
    people: dict[int, list[Placed]] = defaultdict(list)
    for path in _frames(folder / "smpl", "*.npz"):
        T, ids, rotvec, transl, betas = _arrays(path, "cam2world", "smpl_id", "rotvec", "transl", "shape")
        n = len(ids)
        expected = {
            "rotvec": (rotvec, (n, 53, 3)),
            "transl": (transl, (n, 3)),
            "cam2world": (T, (4, 4)),
            "smpl_id": (ids, (n,)),
        }
        _require_shapes(path, **expected)
        pose = np.zeros((n, len(SMPLX_JOINTS), 3))
        pose[:, [SMPLX_JOINTS.index(name) for name in NETWORK_JOINTS]] = rotvec
        for i, identity in enumerate(ids.astype(int).tolist()):
            people[identity].append((int(path.stem), *_in_world(T, pose[i], transl[i]), betas[i]))
    return people


def _people_of_fork(folder: Path) -> dict[int, list[Placed]]:
    path = folder / "cameras.npz"
    frames, R, t = _arrays(path, "frame_idx", "R_world2cam", "t_world2cam")
    _require_shapes(path, R_world2cam=(R, (len(frames), 3, 3)), t_world2cam=(t, (len(frames), 3)))
    T_world_cam = dict(zip(frames.astype(int).tolist(), np.linalg.inv(_transforms(R, t))))
    people: dict[int, list[Placed]] = {}
    for track in sorted(one for one in folder.glob("*/smplx_params") if one.parent.name.isdigit()):
        people[int(track.parent.name)] = [_of_fork(one, T_world_cam) for one in _frames(track, "*.json")]
    return people


def _of_fork(path: Path, T_world_cam: Mapping[int, ndarray]) -> Placed:
    try:
        found = json.loads(path.read_text())
        pose = np.concatenate([np.reshape(np.asarray(found[name], float), (-1, 3)) for name in FORK_POSE])
        place, betas = np.asarray(found["trans"], float).reshape(3), np.asarray(found["betas"], float).reshape(-1)
        frame = int(path.stem)
        turned = _in_world(T_world_cam[frame], pose.reshape(len(SMPLX_JOINTS), 3), place)
    except (*WRONG, RecursionError) as error:
        raise BadForeignFile(path, f"it is no result of Human3R ({type(error).__name__}: {error})") from error
    return frame, *turned, betas


def _in_world(
    T_world_cam: Float[ndarray, "4 4"], pose: Float[ndarray, "55 3"], place: Float[ndarray, "3"]
) -> tuple[ndarray, ndarray]:
    turned = pose.copy()
    turned[0] = axis_angle_from_matrix(T_world_cam[:3, :3] @ matrix_from_axis_angle(pose[0]))
    return turned, T_world_cam[:3, :3] @ place + T_world_cam[:3, 3]


def _person(name: str, placed: list[Placed], joint: str) -> ImportedPerson:
    frames, poses, places, betas = zip(*placed)
    return ImportedPerson(
        name=name,
        pose=np.stack(poses),
        root=np.stack(places),
        betas=np.mean(betas, axis=0),
        frames=np.array(frames),
        joint=joint,
    )


def _camera(path: Path, pose: str, folder: Path) -> KnownCamera:
    T, K = _arrays(path, pose, "intrinsics")
    _require_shapes(path, **{pose: (T, (4, 4)), "intrinsics": (K, (3, 3))})
    seen = _seen(folder, path.stem, K, T)
    return _known(path, T, K, is_cropped=True, seen=seen)


def _seen(folder: Path, stem: str, K: Float[ndarray, "3 3"], T_world_cam: Float[ndarray, "4 4"]) -> SeenPoints | None:
    depth_file, confidence_file = (folder / kind / f"{stem}.npy" for kind in ("depth", "conf"))
    if not (depth_file.is_file() and confidence_file.is_file()):
        return None
    depth, confidence = (_picture(path) for path in (depth_file, confidence_file))
    _require_shapes(confidence_file, conf=(confidence, depth.shape))
    points = points_of_depth(depth, K[[0, 1], [0, 1]], K[:2, 2], T_world_cam)
    return SeenPoints(points=points, confidence=confidence, is_sure=confidence >= SURE)


def _picture(path: Path) -> Float[ndarray, "height width"]:
    try:
        array = np.asarray(np.load(path, allow_pickle=False), float)
    except WRONG as error:
        raise BadForeignFile(path, f"it is no result of Human3R ({type(error).__name__}: {error})") from error
    if array.ndim != 2 or not np.isfinite(array).all():
        raise BadForeignFile(path, "it is no picture of finite numbers")
    return array


def _cameras_of_fork(path: Path) -> tuple[KnownCamera, ...]:
    R, t, K = _arrays(path, "R_world2cam", "t_world2cam", "K")
    _require_shapes(path, R_world2cam=(R, (len(K), 3, 3)), t_world2cam=(t, (len(K), 3)), K=(K, (len(K), 3, 3)))
    T_world_cam = np.linalg.inv(_transforms(R, t))
    return tuple(_known(path, one, K[i], is_cropped=False, seen=None) for i, one in enumerate(T_world_cam))


def _transforms(R: Float[ndarray, "n 3 3"], t: Float[ndarray, "n 3"]) -> Float[ndarray, "n 4 4"]:
    T = np.tile(np.eye(4), (len(R), 1, 1))
    T[:, :3, :3], T[:, :3, 3] = R, t
    return T


def _known(
    path: Path, T_world_cam: Float[ndarray, "4 4"], K: Float[ndarray, "3 3"], *, is_cropped: bool, seen: SeenPoints | None
) -> KnownCamera:
    """Its principal point is half the picture's size."""
    try:
        T_cam_world = np.linalg.inv(T_world_cam)
    except np.linalg.LinAlgError as error:
        raise BadForeignFile(path, "a camera's pose cannot be inverted") from error
    width, height = np.round(2 * K[:2, 2]).astype(int).tolist()
    return KnownCamera(
        name=path.stem, size_px=(width, height), focal_px=(float(K[0, 0]), float(K[1, 1])),
        principal_px=(float(K[0, 2]), float(K[1, 2])), k1=0.0, T_cam_world=T_cam_world, is_cropped=is_cropped, seen=seen,
    )  # fmt: skip
