"""What the renderer is given: textured triangles, lights and views. A shot is a folder of plain files, since the renderer runs
in an interpreter of its own (Blender's), which needs nothing of this project but `cycles.py`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.artifacts import Cameras, ConvexPart
from hsimul3r.benchmark.look.textures import Image
from hsimul3r.benchmark.objects.pieces import Place
from hsimul3r.geometry.cameras import undistort

Group = str
"""What a mesh belongs to in the label pictures: "room", "person", or an object's name."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """A surface: base colour from `image`, `roughness` in [0, 1], relief `bump_m` (metres, from the image), `glow` in W/m2."""

    image: Image
    roughness: float = 0.6
    bump_m: float = 0.0
    sheen: float = 0.0
    glow: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TexturedMesh:
    """World-frame triangles, texture coordinates per corner (u right, v up); `is_smooth` blends normals under 40 degrees."""

    name: str
    group: Group
    material: str
    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    uv: Float[ndarray, "faces 3 2"]
    is_smooth: bool = False

    def moved(self, T_world_local: Float[ndarray, "4 4"]) -> "TexturedMesh":
        """The same mesh carried from a local frame into the world."""
        return replace(self, vertices=self.vertices @ T_world_local[:3, :3].T + T_world_local[:3, 3])


@dataclass(frozen=True, kw_only=True)
class AreaLight:
    """A square light at `position` that shines towards `target`; `power_w` is radiant watts."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    size_m: float
    power_w: float
    color: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera of conventions.py. The principal point is the middle of the picture; renderers draw the pinhole, `k1` and
    `exposure` (in stops) are put in when the picture is developed."""

    size_px: tuple[int, int]
    focal_px: float
    T_cam_world: Float[ndarray, "4 4"]
    k1: float = 0.0
    exposure: float = 0.0

    @property
    def K(self) -> Float[ndarray, "3 3"]:
        width, height = self.size_px
        return np.array([[self.focal_px, 0, (width - 1) / 2], [0, self.focal_px, (height - 1) / 2], [0, 0, 1]])

    @property
    def pinhole(self) -> "View":
        """The straight view that renderers draw: the same axis and focal length, as much larger as barrel distortion needs."""
        if self.k1 == 0:
            return replace(self, exposure=0.0)
        corner = undistort(cameras_of((self,)), 0, np.array([-0.5, -0.5]))
        half = np.maximum(np.ceil(-corner * self.focal_px - np.asarray(self.size_px) / 2), 0).astype(int) + 1
        return replace(self, size_px=(self.size_px[0] + 2 * int(half[0]), self.size_px[1] + 2 * int(half[1])), k1=0, exposure=0)


def cameras_of(views: Sequence[View]) -> Cameras:
    """The views as the cameras of a case's truth."""
    return Cameras(
        size_px=np.array([view.size_px for view in views]),
        focal_px=np.array([view.focal_px for view in views]),
        principal_px=np.array([view.K[:2, 2] for view in views]),
        k1=np.array([view.k1 for view in views], dtype=float),
        T_cam_world=np.stack([view.T_cam_world for view in views]),
        is_registered=np.ones(len(views), bool),
    )


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a renderer makes of one view: RGB, labels (0 room, 1 person, 2 + i the i-th of `Shot.object_names`) and depth along
    the camera's axis [m] at the centres of the pixels; infinite where nothing is hit."""

    image: UInt8[ndarray, "height width 3"]
    labels: UInt8[ndarray, "height width"]
    depth: Float32[ndarray, "height width"]


@dataclass(frozen=True, kw_only=True)
class Shot:
    meshes: tuple[TexturedMesh, ...]
    materials: dict[str, Material]
    lights: tuple[AreaLight, ...]
    views: tuple[View, ...]
    samples: int = 32
    seed: int = 0
    exposure: float = 0.9
    threads: int = 2

    @property
    def object_names(self) -> tuple[Group, ...]:
        """Groups other than room and person, in the order of their first mesh."""
        return tuple(name for name in dict.fromkeys(mesh.group for mesh in self.meshes) if name not in ("room", "person"))

    def label(self, group: Group) -> int:
        """What marks a group in the label pictures."""
        return ("room", "person", *self.object_names).index(group)

    def save(self, folder: Path) -> None:
        """Write `shot.json`, `meshes.npz` and one PNG per material into the existing `folder`."""
        arrays: dict[str, ndarray] = {}
        for i, mesh in enumerate(self.meshes):
            arrays |= {f"{i}.vertices": mesh.vertices, f"{i}.faces": mesh.faces, f"{i}.uv": mesh.uv}
        np.savez(folder / "meshes.npz", allow_pickle=False, **arrays)
        for name, material in self.materials.items():
            bgr = np.round(material.image[..., ::-1] * 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{name}.png"), bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        record = {
            "meshes": [
                {key: getattr(mesh, key) for key in ("name", "material", "is_smooth")} | {"label": self.label(mesh.group)}
                for mesh in self.meshes
            ],
            "materials": {
                name: {key: getattr(material, key) for key in ("roughness", "bump_m", "sheen", "glow")}
                for name, material in self.materials.items()
            },
            "lights": [asdict(light) for light in self.lights],
            "views": [
                {"size_px": view.size_px, "focal_px": view.focal_px, "T_cam_world": view.T_cam_world.tolist()}
                for view in (view.pinhole for view in self.views)
            ],
            **{key: getattr(self, key) for key in ("samples", "seed", "exposure", "threads")},
        }
        (folder / "shot.json").write_text(json.dumps(record, indent=1))


def quad(name: str, material: str, corners: Float[ndarray, "4 3"], *, group: Group = "room") -> TexturedMesh:
    """A rectangle; corners are bottom-left, bottom-right, top-right, top-left as seen from its front."""
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return TexturedMesh(
        name=name, group=group, material=material, vertices=np.asarray(corners, float), faces=faces, uv=uv[faces]
    )


def box_mapped(
    name: str,
    material: str,
    shape: ConvexPart,
    *,
    rng: np.random.Generator,
    group: Group = "room",
    image_m: float = 1.0,
    is_smooth: bool = False,
) -> TexturedMesh:
    """A solid textured from its six sides, an image over `image_m` metres at a random place; v along the longest extent."""
    vertices, faces = shape.vertices, shape.faces.astype(np.int64)
    along = int(np.argmax(np.ptp(vertices, axis=0)))
    others = [axis for axis in range(3) if axis != along]
    corners = vertices[faces]
    normal = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    side = others[0] if np.ptp(vertices, axis=0)[others[0]] >= np.ptp(vertices, axis=0)[others[1]] else others[1]
    thin = others[0] if side == others[1] else others[1]
    facing = normal.argmax(1)
    u_axis = np.where(facing == side, thin, side)
    v_axis = np.where(facing == along, thin, along)
    rows = np.arange(len(faces))[:, None], np.arange(3)[None, :]
    uv = np.stack([corners[(*rows, u_axis[:, None])], corners[(*rows, v_axis[:, None])]], axis=-1) / image_m
    return TexturedMesh(
        name=name, group=group, material=material, vertices=vertices, faces=faces, uv=uv + rng.random(2), is_smooth=is_smooth
    )


def look_at(centre: Place, target: Place, *, roll_deg: float = 0.0) -> Float[ndarray, "4 4"]:
    """`T_cam_world` of an OpenCV camera at `centre` that looks at `target` with +Z up, then rolled about its axis."""
    forward = np.asarray(target, float) - np.asarray(centre, float)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    R = Rotation.from_euler("z", roll_deg, degrees=True).as_matrix() @ np.stack([right, np.cross(forward, right), forward])
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, -R @ np.asarray(centre)
    return T
