"""The files that video-to-motion programs leave, by program.

gvhmr       hmr4d_results.pt: smpl_params_global {global_orient (n, 3), body_pose (n, 63), betas (n, 10), transl (n, 3)}, +Y up
wham        wham_output.pkl (joblib): {id: {pose_world (n, 72), trans_world (n, 3), betas (n, 10), frame_ids (n)}}, +Y up
tram        hps/hps_track_<k>.npy {pred_rotmat (n, 24, 3, 3), pred_trans (n, 1, 3), pred_shape (n, 10), frame (n)} in the
            camera, and camera.npy {world_cam_R (m, 3, 3), world_cam_T (m, 3)} two folders up or beside it, +Y up
phalp       <video>.pkl of 4DHumans (joblib): {frame: {tid, smpl: [{global_orient, body_pose, betas}], camera: [(3,)], time}};
            in the camera's frame, whose optical axis is taken to be level
hsfm        hsfm_output_smplx.pkl or hsfm_output_smpl.pkl (its matrices row by row): one moment; -Y up
videomimic  gravity_calibrated_megahunter.h5 or the uncalibrated one beside it; needs h5py
human3r     the output folder of its demo.py (importers/human3r.py); in the first camera's frame, which is taken to be level
sat_hmr     a folder of <frame>.npz (importers/sat_hmr.py), one person, in the camera's frame like phalp's
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.errors import BadForeignFile
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.importers import clip_file, human3r, sat_hmr
from hsimul3r.importers.cameras import HSFM_CAMERAS
from hsimul3r.importers.clip import (
    R_WORLD_SOURCE,
    ImportedCamera,
    ImportedClip,
    ImportedPerson,
    Up,
    axis_angles,
    full_pose,
)
from hsimul3r.importers.plain import read_plain
from hsimul3r.require import require

HSFM_PEOPLE = "hsfm_people(smplx_params)"
TRAM_CAMERA = "camera.npy"
VIDEOMIMIC_PEOPLE = "our_pred_humans_smplx_params"


def read_clip(path: Path, tool: str | None = None) -> ImportedClip:
    """The motion in a file or folder; its program is found by what it holds, unless `tool` names it.

    Raises `BadForeignFile`, `UnsafeFile`.
    """
    if path.is_dir() or path.suffix == clip_file.SUFFIX:
        return _packed(path, tool)
    content = _hdf5(path) if path.suffix in (".h5", ".hdf5") else read_plain(path)
    if not isinstance(content, Mapping) or not content:
        raise BadForeignFile(path, "it holds no motion")
    name = tool or next((name for name, (knows, _) in TOOLS.items() if knows(content)), None)
    if name not in TOOLS:
        raise BadForeignFile(path, f"it comes from none of {', '.join((*TOOLS, *FOLDERS))}")
    try:
        return TOOLS[name][1](content, path)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BadForeignFile(path, f"it is no result of {name} ({type(error).__name__}: {error})") from error


def _packed(path: Path, tool: str | None) -> ImportedClip:
    """What is no single file of its program's."""
    if not path.is_dir():
        return clip_file.load_clip(path)
    name = tool or next((name for name, (knows, _) in FOLDERS.items() if knows(path)), None)
    if name not in FOLDERS:
        raise BadForeignFile(path, f"as a folder it comes from none of {', '.join(FOLDERS)}")
    return FOLDERS[name][1](path)


def _gvhmr(content: Mapping[str, Any], path: Path) -> ImportedClip:
    found = content["smpl_params_global"]
    count = len(found["global_orient"])
    body = np.concatenate([_rows(found["global_orient"], count), _rows(found["body_pose"], count)], axis=1)
    person = ImportedPerson(
        name="0",
        pose=full_pose(body.reshape(count, -1, 3)),
        root=_rows(found["transl"], count),
        betas=_rows(found["betas"], count).mean(axis=0),
        frames=np.arange(count),
    )
    return ImportedClip(tool="gvhmr", body="smplx", up="+y", people=(person,))


def _wham(content: Mapping[Any, Any], path: Path) -> ImportedClip:
    people = tuple(
        ImportedPerson(
            name=str(key),
            pose=full_pose(np.asarray(found["pose_world"], float).reshape(-1, 24, 3)),
            root=np.asarray(found["trans_world"], float),
            betas=np.asarray(found["betas"], float).mean(axis=0),
            frames=np.asarray(found["frame_ids"], int),
        )
        for key, found in content.items()
    )
    return ImportedClip(tool="wham", body="smpl", up="+y", people=people)


def _tram(content: Mapping[str, Any], path: Path) -> ImportedClip:
    camera = read_plain(tram_camera(path))
    frames = np.asarray(content["frame"], int)
    R_world_cam = np.asarray(camera["world_cam_R"], float)[frames]
    t_world_cam = np.asarray(camera["world_cam_T"], float)[frames]
    rotations = np.asarray(content["pred_rotmat"], float).reshape(-1, 24, 3, 3)
    rotations[:, 0] = R_world_cam @ rotations[:, 0]
    transl = np.asarray(content["pred_trans"], float).reshape(-1, 3)
    person = ImportedPerson(
        name=path.stem,
        pose=full_pose(axis_angle_from_matrix(rotations)),
        root=np.einsum("fij,fj->fi", R_world_cam, transl) + t_world_cam,
        betas=np.asarray(content["pred_shape"], float).mean(axis=0),
        frames=frames,
    )
    return ImportedClip(tool="tram", body="smpl", up="+y", people=(person,))


def tram_camera(path: Path) -> Path:
    """The file of cameras that belongs to a track of TRAM, there or not."""
    beside = path.with_name(TRAM_CAMERA)
    return beside if beside.is_file() else path.resolve().parents[1] / TRAM_CAMERA


def _phalp(content: Mapping[str, Any], path: Path) -> ImportedClip:
    tracks: dict[str, list[tuple[int, Any, Any]]] = defaultdict(list)
    for i, frame in enumerate(content.values()):
        for identity, body, camera in zip(frame["tid"], frame["smpl"], frame["camera"]):
            tracks[str(identity)].append((i, body, camera))
    return ImportedClip(
        tool="phalp", body="smpl", up="-y", people=tuple(_phalp_person(name, track) for name, track in tracks.items())
    )


def _phalp_person(name: str, track: list[tuple[int, Any, Any]]) -> ImportedPerson:
    rotations = np.stack(
        [
            np.concatenate([np.reshape(body["global_orient"], (1, 3, 3)), np.reshape(body["body_pose"], (-1, 3, 3))])
            for _, body, _ in track
        ]
    )
    return ImportedPerson(
        name=name,
        pose=full_pose(axis_angle_from_matrix(rotations)),
        root=np.stack([np.asarray(camera, float).reshape(3) for _, _, camera in track]),
        betas=np.mean([np.reshape(body["betas"], -1) for _, body, _ in track], axis=0),
        frames=np.array([i for i, _, _ in track]),
    )


def _hsfm(content: Mapping[str, Any], path: Path) -> ImportedClip:
    people = tuple(_hsfm_person(str(name), found) for name, found in content[HSFM_PEOPLE].items())
    cameras = tuple(
        ImportedCamera(
            name=str(name),
            K=np.asarray(found["intrinsic"], float),
            T_world_cam=np.asarray(found["cam2world"], float),
            points=np.asarray(found["pts3d"], float) if "pts3d" in found else None,
            confidence=np.asarray(found["conf"], float) if "conf" in found else None,
        )
        for name, found in content[HSFM_CAMERAS].items()
    )
    has_matrices = np.size(next(iter(content[HSFM_PEOPLE].values()))["global_orient"]) == 9
    return ImportedClip(tool="hsfm", body="smpl" if has_matrices else "smplx", up="-y", people=people, cameras=cameras)


def _hsfm_person(name: str, found: Mapping[str, Any]) -> ImportedPerson:
    size = (-1, 3, 3) if np.size(found["global_orient"]) == 9 else (-1, 3)
    body = np.concatenate([axis_angles(np.reshape(found[name], size), 1) for name in ("global_orient", "body_pose")], axis=1)
    hands = None
    if "left_hand_pose" in found:
        sides = [np.reshape(found[f"{side}_hand_pose"], (1, 15, 3)) for side in ("left", "right")]
        hands = np.concatenate(sides, axis=1)
    return ImportedPerson(
        name=name,
        pose=full_pose(body, hands),
        root=np.asarray(found["root_transl"], float).reshape(1, 3),
        betas=np.asarray(found["betas"], float).reshape(-1),
        frames=np.zeros(1, int),
    )


def _videomimic(content: Mapping[str, Any], path: Path) -> ImportedClip:
    people = tuple(_videomimic_person(name, found) for name, found in content[VIDEOMIMIC_PEOPLE].items())
    return ImportedClip(tool="videomimic", body="smpl", up=_up_of(people), people=people)


def _videomimic_person(name: str, found: Mapping[str, Any]) -> ImportedPerson:
    count = len(found["body_pose"])
    body = np.concatenate([axis_angles(found["global_orient"], count), axis_angles(found["body_pose"], count)], axis=1)
    return ImportedPerson(
        name=name,
        pose=full_pose(body),
        root=np.asarray(found["root_transl"], float).reshape(count, 3),
        betas=np.asarray(found["betas"], float).reshape(-1, 10).mean(axis=0),
        frames=np.arange(count),
    )


def _up_of(people: tuple[ImportedPerson, ...]) -> Up:
    """The axis along which people stand, where a file does not say: a body's own up is +Y."""

    body_up = np.concatenate([matrix_from_axis_angle(person.pose[:, 0])[:, :, 1] for person in people]).mean(axis=0)
    return max(R_WORLD_SOURCE, key=lambda up: float(R_WORLD_SOURCE[up][2] @ body_up))


def _rows(values: Any, count: int) -> Float[ndarray, "count size"]:
    return np.asarray(values, float).reshape(count, -1)


def _hdf5(path: Path) -> dict[str, Any]:
    h5py = require("h5py", "importers")

    def read(group: Any) -> dict[str, Any]:
        return {name: read(item) if hasattr(item, "keys") else item[()] for name, item in group.items()}

    try:
        with h5py.File(path, "r") as file:
            return {VIDEOMIMIC_PEOPLE: read(file[VIDEOMIMIC_PEOPLE])}
    except (OSError, KeyError) as error:
        raise BadForeignFile(path, f"it is no result of videomimic ({error})") from error


def _holds(*names: str) -> Callable[[Mapping[Any, Any]], bool]:
    return lambda content: all(name in content for name in names)


def _items_hold(*names: str) -> Callable[[Mapping[Any, Any]], bool]:
    return lambda content: all(isinstance(item, Mapping) and all(name in item for name in names) for item in content.values())


TOOLS: Final[dict[str, tuple[Callable[[Mapping[Any, Any]], bool], Callable[[Mapping[Any, Any], Path], ImportedClip]]]] = {
    "gvhmr": (_holds("smpl_params_global"), _gvhmr),
    "hsfm": (_holds(HSFM_CAMERAS, HSFM_PEOPLE), _hsfm),
    "tram": (_holds("pred_rotmat", "pred_trans", "frame"), _tram),
    "videomimic": (_holds(VIDEOMIMIC_PEOPLE), _videomimic),
    "phalp": (_items_hold("tid", "smpl", "camera"), _phalp),
    "wham": (_items_hold("pose_world", "trans_world"), _wham),
}
"""By program: what its files look like, and their reader."""
FOLDERS: Final[dict[str, tuple[Callable[[Path], bool], Callable[[Path], ImportedClip]]]] = {
    human3r.TOOL: (human3r.is_result, human3r.read_people),
    sat_hmr.TOOL: (sat_hmr.is_result, sat_hmr.read_motion),
}
"""The same of those that leave a folder."""
