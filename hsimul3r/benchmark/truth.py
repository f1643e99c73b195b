"""The exact truth of a case on disk, beside its photographs or its video and never read by the pipeline.

truth/cameras.json         per view (or frame of a video): K (3, 3), k1, T_cam_world (4, 4), size (width, height), frame
truth/body.npz             betas (10), pose (frames, 55, 3), transl (frames, 3), joints (frames, 55, 3), fps; world frame
truth/objects/<name>.npz   vertices, faces (object frame, watertight), T_world_object (frames, 4, 4), category,
                           support_height_m, density_kg_m3, friction, piece_<i>_vertices, piece_<i>_faces (convex pieces)
truth/objects/<name>.glb   the same mesh where it stands in frame 0, for viewing (glTF axes: +Y up)
truth/objects.json         the objects' names in order
truth/contacts.json        which body part touches what, from which frame to which, with gap and point in the first of them
truth/labels/<view>.png    visible pixels: 0 room, 1 person (with clothes and hair), 2 + i the i-th object
truth/depth/<view>.png     depth along the optical axis in millimetres, 0 where nothing is nearer than 65 m; may be missing
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from hsimul3r.artifacts import Cameras, ConvexPart
from hsimul3r.benchmark.scene import HeldContact, Staged, StagedObject
from hsimul3r.body.model import embedded_body
from hsimul3r.geometry.mesh import union
from hsimul3r.geometry.sdf import HalfSpaceBelow, Moved, SignedDistanceField, WatertightMesh

CONTACT_M = 0.005
"""A part touches where its nearest vertex is at most this far from the surface."""
ROOM, PERSON, FIRST_OBJECT = 0, 1, 2
"""Values of the label pictures."""
NO_DEPTH_M = 65.0


@dataclass(frozen=True, kw_only=True)
class TruthBody:
    """The person, SMPL-X parameters of the embedded body; a pose has one frame."""

    betas: Float[ndarray, "10"]
    pose: Float[ndarray, "frames 55 3"]
    transl: Float[ndarray, "frames 3"]
    joints: Float[ndarray, "frames 55 3"]
    fps: float

    def vertices(self, frame: int = 0) -> Float[ndarray, "vertices 3"]:
        """Skin of the embedded body in the world."""
        return embedded_body().vertices(self.betas, self.pose[frame], self.transl[frame])


@dataclass(frozen=True, kw_only=True)
class TruthObject:
    """An object in its own frame, and where it stands in each frame (in one only, if it does not move)."""

    name: str
    category: str
    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    pieces: tuple[ConvexPart, ...]
    T_world_object: Float[ndarray, "frames 4 4"]
    support_height_m: float
    density_kg_m3: float
    friction: float

    def pose(self, frame: int = 0) -> Float[ndarray, "4 4"]:
        return self.T_world_object[min(frame, len(self.T_world_object) - 1)]

    def world_vertices(self, frame: int = 0) -> Float[ndarray, "vertices 3"]:
        T = self.pose(frame)
        return self.vertices @ T[:3, :3].T + T[:3, 3]


@dataclass(frozen=True, kw_only=True)
class TruthContact:
    """A body part (key of CONTACT_PARTS) on an object, or on the "floor", in the frames `first` to `last` inclusive."""

    part: str
    target: str
    gap_m: float
    point: Float[ndarray, "3"]
    first: int = 0
    last: int = 0


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Everything known about a case. `frames[v]` is the moment that view v shows; depth is in metres, inf where unknown."""

    cameras: Cameras
    frames: Int[ndarray, "views"]
    body: TruthBody
    objects: tuple[TruthObject, ...]
    contacts: tuple[TruthContact, ...]
    labels: tuple[UInt8[ndarray, "height width"], ...]
    depth: tuple[Float[ndarray, "height width"] | None, ...]

    def person_mask(self, view: int) -> Bool[ndarray, "height width"]:
        return self.labels[view] == PERSON

    def object_mask(self, view: int, index: int = 0) -> Bool[ndarray, "height width"]:
        return self.labels[view] == FIRST_OBJECT + index


def truth_of(
    staged: Staged,
    *,
    cameras: Cameras,
    frames: Int[ndarray, "views"],
    labels: tuple[UInt8[ndarray, "height width"], ...],
    depth: tuple[Float[ndarray, "height width"] | None, ...],
) -> Truth:
    """The truth of a staged case and its pictures: the contacts that it holds, and for a pose all that touches besides."""
    model = embedded_body()
    joints = [model.joints(staged.betas, pose, transl) for pose, transl in zip(staged.pose, staged.transl)]
    body = TruthBody(betas=staged.betas, pose=staged.pose, transl=staged.transl, joints=np.stack(joints), fps=staged.fps)
    objects = tuple(_truth_object(item) for item in staged.objects)
    held = staged.contacts if staged.frames > 1 else _every_part(objects)
    found = (_contact(contact, body, objects) for contact in held)
    contacts = tuple(c for c in found if staged.frames > 1 or c.gap_m <= CONTACT_M)
    return Truth(cameras=cameras, frames=frames, body=body, objects=objects, contacts=contacts, labels=labels, depth=depth)


def _truth_object(item: StagedObject) -> TruthObject:
    furniture = item.furniture
    pieces = tuple(piece.shape for piece in furniture.pieces)
    vertices, faces = furniture.mesh or union(pieces, furniture.name)
    return TruthObject(
        name=item.name,
        category=furniture.category,
        vertices=vertices,
        faces=faces,
        pieces=pieces,
        T_world_object=item.T_world_object,
        support_height_m=furniture.support_height_m,
        density_kg_m3=furniture.density_kg_m3,
        friction=furniture.friction,
    )


def _every_part(objects: tuple[TruthObject, ...]) -> tuple[HeldContact, ...]:
    targets = ("floor", *(item.name for item in objects))
    parts = embedded_body().parts
    return tuple(HeldContact(part=part, target=target, first=0, last=0) for target in targets for part in parts)


def _contact(held: HeldContact, body: TruthBody, objects: tuple[TruthObject, ...]) -> TruthContact:
    """The nearest point of the part to its target in the first frame of the contact."""
    skin = body.vertices(held.first)[embedded_body().parts[held.part]]
    found = _solid(held.target, objects, held.first).query(skin)
    nearest = int(found.distance.argmin())
    return TruthContact(
        part=held.part,
        target=held.target,
        gap_m=float(found.distance[nearest]),
        point=found.closest[nearest],
        first=held.first,
        last=held.last,
    )


def contacts_at(truth: Truth, frame: int) -> tuple[TruthContact, ...]:
    """The contacts that hold in a frame, gap and point as they are there."""
    held = [c for c in truth.contacts if c.first <= frame <= c.last]
    moments = [HeldContact(part=c.part, target=c.target, first=frame, last=frame) for c in held]
    return tuple(_contact(moment, truth.body, truth.objects) for moment in moments)


def _solid(target: str, objects: tuple[TruthObject, ...], frame: int) -> SignedDistanceField:
    if target == "floor":
        return HalfSpaceBelow()
    item = next(item for item in objects if item.name == target)
    return Moved(WatertightMesh(item.vertices, item.faces, name=item.name), item.pose(frame))


def save_truth(truth: Truth, folder: Path) -> None:
    """Write the files above into the existing `folder`."""
    _write_cameras(truth, folder / "cameras.json")
    body = {name: getattr(truth.body, name) for name in ("betas", "pose", "transl", "joints", "fps")}
    np.savez_compressed(folder / "body.npz", allow_pickle=False, **body)
    (folder / "objects").mkdir(exist_ok=True)
    for item in truth.objects:
        _write_object(item, folder / "objects")
    _write_json(folder / "objects.json", [item.name for item in truth.objects])
    _write_json(folder / "contacts.json", [_contact_record(contact) for contact in truth.contacts])
    for kind in ("labels", "depth"):
        (folder / kind).mkdir(exist_ok=True)
    for view, (labels, depth) in enumerate(zip(truth.labels, truth.depth)):
        _write_picture(folder / "labels" / f"{view:05d}.png", labels)
        if depth is not None:
            millimetres = np.where(depth < NO_DEPTH_M, depth * 1000, 0).round().astype(np.uint16)
            _write_picture(folder / "depth" / f"{view:05d}.png", millimetres)


def load_truth(folder: Path) -> Truth:
    """Read what `save_truth` wrote."""
    with np.load(folder / "body.npz", allow_pickle=False) as npz:
        body = TruthBody(**{name: npz[name] for name in ("betas", "pose", "transl", "joints")}, fps=float(npz["fps"]))
    cameras, frames = _read_cameras(folder / "cameras.json")
    views = range(len(frames))
    records = json.loads((folder / "contacts.json").read_text())
    return Truth(
        cameras=cameras,
        frames=frames,
        body=body,
        objects=tuple(_read_object(folder / "objects", name) for name in json.loads((folder / "objects.json").read_text())),
        contacts=tuple(TruthContact(**record | {"point": np.array(record["point"])}) for record in records),
        labels=tuple(_read_picture(folder / "labels" / f"{view:05d}.png") for view in views),
        depth=tuple(_read_depth(folder / "depth" / f"{view:05d}.png") for view in views),
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def _contact_record(contact: TruthContact) -> dict[str, object]:
    return {
        "part": contact.part, "target": contact.target, "gap_m": round(contact.gap_m, 6),
        "point": np.round(contact.point, 6).tolist(), "first": contact.first, "last": contact.last,
    }  # fmt: skip


def _write_picture(path: Path, picture: ndarray) -> None:
    """PNG; unlike OpenCV's own writer this raises where the disk is full."""
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())


def _read_picture(path: Path) -> ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError(f"{path.name} of {path.parent.name} cannot be read")
    return picture


def _read_depth(path: Path) -> Float[ndarray, "height width"] | None:
    if not path.is_file():
        return None
    metres = _read_picture(path).astype(np.float32) / 1000
    return np.where(metres > 0, metres, np.float32(np.inf))


def _write_cameras(truth: Truth, path: Path) -> None:
    views, cameras = [], truth.cameras
    columns = zip(cameras.focal_px, cameras.principal_px, cameras.k1, cameras.T_cam_world, cameras.size_px, truth.frames)
    for focal, (cx, cy), k1, T, size, frame in columns:
        K = [[float(focal), 0.0, float(cx)], [0.0, float(focal), float(cy)], [0.0, 0.0, 1.0]]
        views.append({"size": size.tolist(), "K": K, "k1": float(k1), "T_cam_world": T.tolist(), "frame": int(frame)})
    _write_json(
        path, {"convention": "OpenCV, pixel centre of the top-left pixel is (0, 0), see conventions.py", "views": views}
    )


def _read_cameras(path: Path) -> tuple[Cameras, Int[ndarray, "views"]]:
    views = json.loads(path.read_text())["views"]
    K = np.array([view["K"] for view in views])
    cameras = Cameras(
        size_px=np.array([view["size"] for view in views]),
        focal_px=K[:, 0, 0],
        principal_px=K[:, :2, 2],
        k1=np.array([view["k1"] for view in views]),
        T_cam_world=np.array([view["T_cam_world"] for view in views]),
        is_registered=np.ones(len(views), bool),
    )
    return cameras, np.array([view["frame"] for view in views])


def _write_object(item: TruthObject, folder: Path) -> None:
    pieces = {f"piece_{i}_{key}": getattr(piece, key) for i, piece in enumerate(item.pieces) for key in ("vertices", "faces")}
    names = ("vertices", "faces", "T_world_object", "category", "support_height_m", "density_kg_m3", "friction")
    arrays = {name: np.asarray(getattr(item, name)) for name in names} | pieces
    np.savez_compressed(folder / f"{item.name}.npz", allow_pickle=False, **arrays)
    upright = item.world_vertices()[:, [0, 2, 1]] * (1, 1, -1)
    trimesh.Trimesh(upright, item.faces, process=False).export(folder / f"{item.name}.glb")


def _read_object(folder: Path, name: str) -> TruthObject:
    with np.load(folder / f"{Path(name).name}.npz", allow_pickle=False) as npz:
        table = {key: npz[key] for key in npz.files}
    count = sum(key.endswith("_faces") for key in table)
    pieces = tuple(ConvexPart(vertices=table[f"piece_{i}_vertices"], faces=table[f"piece_{i}_faces"]) for i in range(count))
    return TruthObject(
        name=name,
        category=str(table["category"]),
        pieces=pieces,
        vertices=table["vertices"],
        faces=table["faces"],
        T_world_object=table["T_world_object"],
        support_height_m=float(table["support_height_m"]),
        density_kg_m3=float(table["density_kg_m3"]),
        friction=float(table["friction"]),
    )
