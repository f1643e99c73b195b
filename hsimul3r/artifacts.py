"""The nouns of the pipeline: frozen dataclasses that save to and load from a folder, without pickle.

An artifact's folder holds `artifact.json` (schema, provenance, every plain value) and `arrays.npz` (every array). Stages may
write pictures and meshes beside them; these are for people and for other programs, never read back.
"""

import dataclasses
import json
import types
import typing
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

SCHEMA_VERSION = 1

ScaleSource = Literal["stature", "calibrated", "given", "unknown"]
"""Where metres come from: the subject's stature (prior or given), known camera poses, a given length, or nowhere."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How an artifact came to be."""

    adapter: str
    seed: int = 0
    scale_source: ScaleSource = "unknown"
    frame: str = "image"
    licences: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Base of all artifacts."""

    provenance: Provenance

    def save(self, folder: Path) -> None:
        """Write `artifact.json` and `arrays.npz` into the existing `folder`."""
        arrays: dict[str, ndarray] = {}
        value = _encode(self, "", arrays)
        record = {"artifact": type(self).__name__, "schema": SCHEMA_VERSION, "value": value}
        (folder / "artifact.json").write_text(json.dumps(record, indent=1))
        np.savez_compressed(folder / "arrays.npz", allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises `ValueError` that says what does not fit."""
        try:
            record = json.loads((folder / "artifact.json").read_text())
            with np.load(folder / "arrays.npz", allow_pickle=False) as npz:
                arrays = {name: npz[name] for name in npz.files}
        except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
            raise ValueError(f"unreadable ({error})") from error
        if not isinstance(record, dict) or record.get("artifact") != cls.__name__:
            raise ValueError(f"not a {cls.__name__}")
        if record.get("schema") != SCHEMA_VERSION:
            raise ValueError(f"schema {record.get('schema')}, this program reads {SCHEMA_VERSION}")
        try:
            return _decode(cls, record["value"], arrays)
        except (KeyError, TypeError) as error:
            raise ValueError(f"a field is missing or of another type ({error})") from error


@dataclass(frozen=True, kw_only=True)
class PointHints:
    """Working pixels of one picture that lie inside or outside one object."""

    points_px: Float[ndarray, "clicks 2"]
    is_inside: Bool[ndarray, "clicks"]


@dataclass(frozen=True, kw_only=True)
class ObjectHint:
    """An object named in `capture.yaml`. Boxes are (x0, y0, x1, y1) in working pixels, nan rows where not given."""

    name: str
    category: str
    boxes_px: Float[ndarray, "views 4"]
    masks: tuple[Bool[ndarray, "height width"] | None, ...]
    clicks: tuple[PointHints | None, ...]


@dataclass(frozen=True, kw_only=True)
class Capture(Artifact):
    """The photographs in working size; `images[v]` is a file name inside the artifact's folder."""

    name: str
    folder: str
    images: tuple[str, ...]
    sources: tuple[str, ...]
    size_px: Int[ndarray, "views 2"]
    """(width, height) of the working images."""
    original_size_px: Int[ndarray, "views 2"]
    focal_px: Float[ndarray, "views"]
    """Known focal length in working pixels (capture.yaml, else EXIF), nan where unknown."""
    is_focal_given: bool
    """True where `focal_px` comes from capture.yaml, so that it is kept fixed."""
    stature_m: float | None
    objects: tuple[ObjectHint, ...]


@dataclass(frozen=True, kw_only=True)
class PersonView:
    """One person seen in one view. Pixels are working pixels."""

    view: int
    person: int
    """Identity, the same in every view; -1 where it could not be linked to another view."""
    keypoints_px: Float[ndarray, "21 2"]
    confidence: Float[ndarray, "21"]
    skeleton_m: Float[ndarray, "21 3"]
    """3D estimate relative to the middle of the hips, in the OpenCV axes of a camera that looks straight at it: turn it by the
    shortest rotation from the optical axis to the hips' viewing ray (geometry.skeletons.ray_rotation) for this camera's
    axes. Its scale is the detector's guess, not metric truth."""
    box_px: Float[ndarray, "4"]
    agreement: float
    """OKS between the two pose estimators."""


@dataclass(frozen=True, kw_only=True)
class People(Artifact):
    """People in 2D with identities; `masks[v]` is the union of all people's pixels in view v."""

    views: tuple[PersonView, ...]
    masks: tuple[Bool[ndarray, "height width"], ...]
    person_count: int


@dataclass(frozen=True, kw_only=True)
class Cameras:
    """Calibrated views, see conventions.py for the projection."""

    size_px: Int[ndarray, "views 2"]
    focal_px: Float[ndarray, "views"]
    principal_px: Float[ndarray, "views 2"]
    k1: Float[ndarray, "views"]
    T_cam_world: Float[ndarray, "views 4 4"]
    is_registered: Bool[ndarray, "views"]


@dataclass(frozen=True, kw_only=True)
class PointTracks:
    """Triangulated scene points and where they were seen."""

    points: Float[ndarray, "points 3"]
    colors: UInt8[ndarray, "points 3"]
    view: Int[ndarray, "observations"]
    point: Int[ndarray, "observations"]
    uv_px: Float[ndarray, "observations 2"]


@dataclass(frozen=True, kw_only=True)
class DenseView:
    """A view's scene, a point for every pixel of a reduced copy: its pixel p is working pixel `scale * p + offset_px`."""

    view: int
    points: Float[ndarray, "height width 3"]
    """In the frame of the cameras beside it."""
    confidence: Float[ndarray, "height width"]
    is_static: Bool[ndarray, "height width"]
    """Shows no person, and the network is sure of it."""
    scale: Float[ndarray, "2"]
    offset_px: Float[ndarray, "2"]


@dataclass(frozen=True, kw_only=True)
class CameraRig(Artifact):
    """Cameras, points and people's skeletons after the joint adjustment, in the frame of the first registered camera, metric
    as far as `provenance.scale_source` says."""

    cameras: Cameras
    tracks: PointTracks
    persons: tuple[int, ...]
    skeletons: Float[ndarray, "persons 21 3"]
    report: dict[str, float]
    dense: tuple[DenseView, ...] = ()
    """Where a network for dense geometry was given."""


@dataclass(frozen=True, kw_only=True)
class SceneGeometry(Artifact):
    """The static scene in the world frame (gravity-aligned, floor at z = 0, metric)."""

    cameras: Cameras
    tracks: PointTracks
    persons: tuple[int, ...]
    skeletons: Float[ndarray, "persons 21 3"]
    T_world_rig: Float[ndarray, "4 4"]
    rig_scale: float
    """world = rig_scale * R @ rig + t, with R and t of T_world_rig."""
    is_floor_point: Bool[ndarray, "points"]
    report: dict[str, float]
    dense: tuple[DenseView, ...] = ()
    """Where a network for dense geometry was given."""


@dataclass(frozen=True, kw_only=True)
class BodySequence:
    """One person in SMPL-X parameters over time (one frame for a single moment), world frame."""

    person: int
    betas: Float[ndarray, "10"]
    pose: Float[ndarray, "frames 55 3"]
    transl: Float[ndarray, "frames 3"]
    fps: float
    stature_m: float
    report: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PersonTrack:
    """One person as a network saw it in a video: SMPL-X parameters of the licensed body, in the frame of the first camera."""

    person: int
    frames: Int[ndarray, "frames"]
    """Rows of the video's cameras in which the person was seen, rising."""
    pose: Float[ndarray, "frames 55 3"]
    head: Float[ndarray, "frames 3"]
    """Place of the head joint."""
    betas: Float[ndarray, "frames 10"]
    score: Float[ndarray, "frames"]


@dataclass(frozen=True, kw_only=True)
class VideoScene(Artifact):
    """What a recurrent network saw of a video, frame by frame, in the frame of the first camera and the network's metres."""

    name: str
    fps: float
    """Of the frames that were looked at."""
    numbers: Int[ndarray, "frames"]
    """Their places in the video."""
    cameras: Cameras
    """One a frame."""
    dense: tuple[DenseView, ...]
    """Of some of the frames."""
    people: tuple[PersonTrack, ...]
    report: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class HumanMotion(Artifact):
    """All people, and the scene rescaled by their statures: use these cameras and points from here on."""

    body_model: str
    bodies: tuple[BodySequence, ...]
    cameras: Cameras
    tracks: PointTracks
    is_floor_point: Bool[ndarray, "points"]
    person_masks: tuple[Bool[ndarray, "height width"], ...]
    """People's masks per view: perceived pixels and the fitted bodies' silhouettes together."""
    report: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class ObjectView:
    """One object in all views. `labels[v]` is 0 background, 1 object, 2 unknown (hidden by a person, or not to be trusted);
    None where the object has no box in that view."""

    name: str
    category: str
    score: float
    boxes_px: Float[ndarray, "views 4"]
    labels: tuple[UInt8[ndarray, "height width"] | None, ...]


@dataclass(frozen=True, kw_only=True)
class ObjectViews(Artifact):
    objects: tuple[ObjectView, ...]


@dataclass(frozen=True, kw_only=True)
class ConvexPart:
    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]


@dataclass(frozen=True, kw_only=True)
class ObjectAsset:
    """A rigid object: watertight mesh and its convex parts, both in the object's own frame (conventions.py), metres."""

    name: str
    category: str
    family: str
    parameters: dict[str, float]
    parts: tuple[ConvexPart, ...]
    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    T_world_object: Float[ndarray, "4 4"]
    mass_kg: float
    density_kg_m3: float
    friction: float
    report: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ObjectSet(Artifact):
    assets: tuple[ObjectAsset, ...]


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A body part (a key of CONTACT_PARTS) touching an object, or the floor where `target` is "floor", in some frames."""

    person: int
    part: str
    target: str
    gap_m: float
    point: Float[ndarray, "3"]
    """World point on the target's surface, in frame `first`."""
    first: int = 0
    last: int | None = None
    """Frames of the bodies in which the contact is held, inclusive; None: to the end."""


@dataclass(frozen=True, kw_only=True)
class AlignedScene(Artifact):
    """People and objects after Eq. 3 and Eq. 4, in the world frame."""

    body_model: str
    bodies: tuple[BodySequence, ...]
    assets: tuple[ObjectAsset, ...]
    contacts: tuple[Contact, ...]
    object_paths: dict[str, Float[ndarray, "frames 4 4"]] = field(default_factory=dict)
    """T_world_object of the objects that people move, in each frame of the bodies; all others stay where they are."""
    cameras: Cameras
    tracks: PointTracks
    report: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class SimScene(Artifact):
    """A scene for the engine. `mjcf` is a file inside the artifact's folder; initial state by joint name."""

    mjcf: str
    body_model: str
    bodies: tuple[BodySequence, ...]
    assets: tuple[ObjectAsset, ...]
    contacts: tuple[Contact, ...]
    object_paths: dict[str, Float[ndarray, "frames 4 4"]] = field(default_factory=dict)
    """As in AlignedScene."""
    humans: tuple[str, ...]
    """Prefix of each human's names in the engine, in the order of `bodies`."""
    humanoid: Literal["hull", "capsule"] = "hull"
    """What the humanoids' bones are made of."""
    torques: Literal["phc", "human"] = "phc"
    """Whose torque limits the humanoids' servos have."""
    human_mass_kg: tuple[float, ...]
    joint_names: tuple[str, ...]
    qpos_names: tuple[str, ...]
    """Name of every entry of qpos: joint name and component."""
    qpos: Float[ndarray, "nq"]
    report: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Rollout(Artifact):
    """A judged simulation of a scene: what one controller made of it, recorded at `fps` in the fine simulation."""

    controller: str
    fps: float
    qpos_names: tuple[str, ...]
    qpos: Float[ndarray, "frames nq"]
    qvel: Float[ndarray, "frames nv"]
    ctrl: Float[ndarray, "frames nu"]
    bodies: tuple[BodySequence, ...]
    """The people's simulated motion as SMPL-X parameters."""
    object_names: tuple[str, ...]
    object_pos: Float[ndarray, "frames objects 3"]
    object_quat: Float[ndarray, "frames objects 4"]
    contact_names: tuple[str, ...]
    """'<human>/<part>/<object>' for every labelled contact and every part that touched an object."""
    contact_force_n: Float[ndarray, "frames contacts"]
    contact_point: Float[ndarray, "frames contacts 3"]
    penetration_m: Float[ndarray, "frames"]
    body_deviation_m: Float[ndarray, "frames"]
    """Mean distance of the human's joints from the reconstructed pose."""
    replay_hash: str
    report: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One measured quantity against its threshold; `margin` is positive where it holds, in units of the threshold."""

    test: Literal["gravity", "settled", "contact"]
    name: str
    value: float
    threshold: float
    holds: bool
    margin: float


@dataclass(frozen=True, kw_only=True)
class StabilityVerdict(Artifact):
    """Sec. 3.4: three tests, one of the four feedback types of Fig. 3, and the bit of Eq. 7."""

    controller: str
    is_stable: bool
    feedback_type: Literal[1, 2, 3, 4]
    stands_under_gravity: bool
    is_settled: bool
    holds_contact: bool
    criteria: tuple[Criterion, ...]
    reason: str
    """The verdict in words."""


def _encode(value: Any, path: str, arrays: dict[str, ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"array": path}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _encode(getattr(value, f.name), f"{path}.{f.name}".lstrip("."), arrays) for f in dataclasses.fields(value)
        }
    if isinstance(value, tuple):
        return [_encode(item, f"{path}.{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _encode(item, f"{path}.{key}", arrays) for key, item in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"an artifact cannot hold {type(value).__name__} at {path}")


def _decode(kind: Any, value: Any, arrays: dict[str, ndarray]) -> Any:
    if kind is float:
        return float(value)
    if isinstance(value, dict) and set(value) == {"array"}:
        return arrays[value["array"]]
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        kinds = [option for option in typing.get_args(kind) if option is not type(None)]
        return None if value is None else _decode(kinds[0], value, arrays)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = {f.name for f in dataclasses.fields(kind)}
        wrong = (set(value) - fields) | {f.name for f in dataclasses.fields(kind) if _is_required(f)} - set(value)
        if wrong:
            raise KeyError(f"{typing.cast(type, kind).__name__} has {sorted(wrong)} too many or missing")
        return typing.cast(type, kind)(**{name: _decode(hints[name], value[name], arrays) for name in value})
    if origin is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_decode(item, element, arrays) for element in value)
    if origin is dict:
        item = typing.get_args(kind)[1]
        return {key: _decode(item, element, arrays) for key, element in value.items()}
    return value


def _is_required(field: dataclasses.Field) -> bool:
    """A field that came later has a default, and what was written before has not got it."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
