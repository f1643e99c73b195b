"""The exact truth of a case on disk, beside its photographs and never read by the pipeline.

truth/cameras.json   per view: K (3, 3), T_cam_world (4, 4), size (width, height), OpenCV convention
truth/body.npz       betas (10), pose (55, 3), transl (3), joints (55, 3), vertices of the embedded body; world frame
truth/object.npz     vertices, faces (object frame, watertight), T_world_object, category, support_height_m, density_kg_m3,
                     piece_<i>_vertices, piece_<i>_faces (convex pieces whose union it is)
truth/object.glb     the same mesh for viewing (glTF axes: +Y up)
truth/contacts.json  which body part touches what, with gap and point
truth/masks/         <view>_person.png and <view>_object.png: visible pixels (clothes and hair are person)
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from PIL import Image

from hsimul3r.artifacts import Cameras, Contact, ConvexPart
from hsimul3r.benchmark.scene import PosedBody

CONTACT_M = 0.005
"""A part touches where its nearest vertex is at most this far from the surface."""


@dataclass(frozen=True, kw_only=True)
class TruthObject:
    """The object in its own frame, and where it stands."""

    category: str
    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    pieces: tuple[ConvexPart, ...]
    T_world_object: Float[ndarray, "4 4"]
    support_height_m: float
    density_kg_m3: float

    @property
    def world_vertices(self) -> Float[ndarray, "vertices 3"]:
        return self.vertices @ self.T_world_object[:3, :3].T + self.T_world_object[:3, 3]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Everything known about a case; masks are visible pixels per view."""

    cameras: Cameras
    body: PosedBody
    joints: Float[ndarray, "55 3"]
    vertices: Float[ndarray, "vertices 3"]
    object: TruthObject
    contacts: tuple[Contact, ...]
    person_masks: tuple[Bool[ndarray, "height width"], ...]
    object_masks: tuple[Bool[ndarray, "height width"], ...]


def save_truth(truth: Truth, folder: Path) -> None:
    """Write the files above into the existing `folder`."""
    _write_cameras(truth.cameras, folder / "cameras.json")
    body = truth.body
    np.savez_compressed(
        folder / "body.npz", betas=body.betas, pose=body.pose, transl=body.transl, joints=truth.joints, vertices=truth.vertices
    )
    _write_object(truth.object, folder)
    records = [
        {"part": c.part, "target": c.target, "gap_m": round(c.gap_m, 6), "point": np.round(c.point, 6).tolist()}
        for c in truth.contacts
    ]
    (folder / "contacts.json").write_text(json.dumps(records, indent=1) + "\n")
    (folder / "masks").mkdir(exist_ok=True)
    for kind, masks in (("person", truth.person_masks), ("object", truth.object_masks)):
        for view, mask in enumerate(masks):
            cv2.imwrite(str(folder / "masks" / f"{view}_{kind}.png"), mask.astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])


def load_truth(folder: Path) -> Truth:
    """Read what `save_truth` wrote."""
    with np.load(folder / "body.npz", allow_pickle=False) as npz:
        body = {name: npz[name] for name in npz.files}
    cameras = _read_cameras(folder / "cameras.json")
    records = json.loads((folder / "contacts.json").read_text())

    def masks(kind: str) -> tuple[ndarray, ...]:
        paths = (folder / "masks" / f"{view}_{kind}.png" for view in range(len(cameras.size_px)))
        return tuple(np.asarray(Image.open(path).convert("L")) > 127 for path in paths)

    return Truth(
        cameras=cameras,
        body=PosedBody(betas=body["betas"], pose=body["pose"], transl=body["transl"]),
        joints=body["joints"],
        vertices=body["vertices"],
        object=_read_object(folder / "object.npz"),
        contacts=tuple(
            Contact(person=0, part=r["part"], target=r["target"], gap_m=r["gap_m"], point=np.array(r["point"])) for r in records
        ),
        person_masks=masks("person"),
        object_masks=masks("object"),
    )


def _write_cameras(cameras: Cameras, path: Path) -> None:
    views = []
    for focal, (cx, cy), T, size in zip(cameras.focal_px, cameras.principal_px, cameras.T_cam_world, cameras.size_px):
        K = [[float(focal), 0.0, float(cx)], [0.0, float(focal), float(cy)], [0.0, 0.0, 1.0]]
        views.append({"size": size.tolist(), "K": K, "T_cam_world": T.tolist()})
    path.write_text(
        json.dumps({"convention": "OpenCV, pixel centre of the top-left pixel is (0, 0)", "views": views}, indent=1) + "\n"
    )


def _read_cameras(path: Path) -> Cameras:
    views = json.loads(path.read_text())["views"]
    K = np.array([view["K"] for view in views])
    return Cameras(
        size_px=np.array([view["size"] for view in views]),
        focal_px=K[:, 0, 0],
        principal_px=K[:, :2, 2],
        k1=np.zeros(len(views)),
        T_cam_world=np.array([view["T_cam_world"] for view in views]),
        is_registered=np.ones(len(views), bool),
    )


def _write_object(item: TruthObject, folder: Path) -> None:
    pieces = {f"piece_{i}_{key}": getattr(piece, key) for i, piece in enumerate(item.pieces) for key in ("vertices", "faces")}
    names = ("vertices", "faces", "T_world_object", "category", "support_height_m", "density_kg_m3")
    np.savez_compressed(folder / "object.npz", **{name: np.asarray(getattr(item, name)) for name in names}, **pieces)
    upright = item.world_vertices[:, [0, 2, 1]] * (1, 1, -1)
    trimesh.Trimesh(upright, item.faces, process=False).export(folder / "object.glb")


def _read_object(path: Path) -> TruthObject:
    with np.load(path, allow_pickle=False) as npz:
        table = {name: npz[name] for name in npz.files}
    count = sum(name.endswith("_faces") for name in table)
    pieces = tuple(ConvexPart(vertices=table[f"piece_{i}_vertices"], faces=table[f"piece_{i}_faces"]) for i in range(count))
    return TruthObject(
        category=str(table["category"]),
        vertices=table["vertices"],
        faces=table["faces"],
        pieces=pieces,
        T_world_object=table["T_world_object"],
        support_height_m=float(table["support_height_m"]),
        density_kg_m3=float(table["density_kg_m3"]),
    )
