"""A person with furniture in a textured room, painted by z-buffer into four views with known truth."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import zoom

from hsimul3r.artifacts import (
    Cameras,
    Capture,
    HumanMotion,
    ObjectAsset,
    ObjectHint,
    People,
    PointTracks,
    Provenance,
)
from hsimul3r.benchmark.interactions import INTERACTIONS
from hsimul3r.body.model import EMBEDDED, embedded_body
from hsimul3r.geometry.cameras import depth, project, rays, transform_points
from hsimul3r.geometry.silhouette import rasterize_depth

SIZE = 480, 360
FOCAL = 400.0
AZIMUTHS_DEG = (-60.0, -20.0, 20.0, 60.0)
LIGHT = np.array([0.3, -0.5, 0.8])
PERSON, OBJECT = (170, 60, 60), (60, 110, 140)


@dataclass(frozen=True, kw_only=True)
class PaintedScene:
    images: tuple[np.ndarray, ...]
    capture: Capture
    people: People
    motion: HumanMotion
    asset: ObjectAsset
    masks: tuple[np.ndarray, ...]
    """The object's visible and hidden pixels."""


def painted_scene(name: str, *, hints: tuple[ObjectHint, ...] = (), seed: int = 0) -> PaintedScene:
    scene = INTERACTIONS[name]()
    body, asset = scene.bodies[0], scene.assets[0]
    model = embedded_body()
    skin = model.vertices(body.betas, body.pose[0], body.transl[0])
    solid = transform_points(asset.T_world_object, asset.vertices)
    cameras = ring(np.array([*solid[:, :2].mean(0), 0.6]))
    images, persons, masks = [], [], []
    texture = Texture(seed)
    for v in range(len(AZIMUTHS_DEG)):
        image = texture.room(cameras, v)
        near, face = layer(cameras, v, solid, asset.faces)
        close, skin_face = layer(cameras, v, skin, model.faces)
        paint(image, np.isfinite(near), shade(solid, asset.faces, face), OBJECT)
        paint(image, close < near, shade(skin, model.faces, skin_face), PERSON)
        noise = np.random.default_rng(seed + v).normal(0, 4, image.shape)
        images.append(np.clip(image + noise, 0, 255).astype(np.uint8))
        persons.append(close < near)
        masks.append(np.isfinite(near))
    none = np.zeros(0, np.int64)
    made = Provenance(adapter="painted", scale_source="given", frame="world")
    size = np.tile(SIZE, (len(images), 1))
    return PaintedScene(
        images=tuple(images),
        capture=Capture(
            provenance=made, name=name, folder=name, images=tuple(f"{v}.png" for v in range(len(images))), sources=(),
            size_px=size, original_size_px=size, focal_px=np.full(len(images), np.nan), is_focal_given=False, stature_m=None,
            objects=hints,
        ),
        people=People(provenance=made, views=(), masks=tuple(persons), person_count=1),
        motion=HumanMotion(
            provenance=made, body_model=EMBEDDED, bodies=scene.bodies, cameras=cameras, is_floor_point=np.zeros(0, bool),
            tracks=PointTracks(
                points=np.zeros((0, 3)), colors=np.zeros((0, 3), np.uint8), view=none, point=none, uv_px=np.zeros((0, 2))
            ),
            person_masks=tuple(persons), report={},
        ),
        asset=asset,
        masks=tuple(masks),
    )  # fmt: skip


def boxes_of(masks) -> np.ndarray:
    rows = []
    for mask in masks:
        y, x = np.nonzero(mask)
        rows.append([x.min(), y.min(), x.max(), y.max()])
    return np.array(rows, float)


def hint(scene: PaintedScene, *, category: str, views=(0, 1, 2, 3), has_masks: bool = False) -> ObjectHint:
    boxes = boxes_of(scene.masks)
    boxes[[v for v in range(4) if v not in views]] = np.nan
    masks = tuple(mask if has_masks and v in views else None for v, mask in enumerate(scene.masks))
    return ObjectHint(name="my " + category, category=category, boxes_px=boxes, masks=masks, clicks=(None,) * 4)


def ring(target, distance=2.8, height=1.45) -> Cameras:
    T = np.tile(np.eye(4), (len(AZIMUTHS_DEG), 1, 1))
    for v, azimuth in enumerate(np.radians(AZIMUTHS_DEG)):
        centre = np.array([target[0] + distance * np.sin(azimuth), target[1] - distance * np.cos(azimuth), height])
        forward = (target - centre) / np.linalg.norm(target - centre)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        T[v, :3, :3] = np.stack([right, np.cross(forward, right), forward])
        T[v, :3, 3] = -T[v, :3, :3] @ centre
    views = len(T)
    return Cameras(
        size_px=np.tile(SIZE, (views, 1)), focal_px=np.full(views, FOCAL), k1=np.full(views, -0.02), T_cam_world=T,
        principal_px=np.tile([(SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2], (views, 1)), is_registered=np.ones(views, bool),
    )  # fmt: skip


class Texture:
    """Smooth random textures on floor and walls, the same in every view."""

    def __init__(self, seed: int):
        rng = np.random.default_rng(seed)
        self.floor, self.wall = (zoom(rng.normal(0, 1, (40, 40)), 8, order=1) for _ in range(2))

    def room(self, cameras: Cameras, view: int) -> np.ndarray:
        """Wooden floor, plastered walls 2.6 m around the origin."""
        columns, rows = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
        origin, d = rays(cameras, view, np.stack([columns, rows], -1).astype(float))
        to_floor = np.where(d[..., 2] < 0, -origin[2] / np.minimum(d[..., 2], -1e-9), np.inf)
        far = np.minimum(*(np.abs((np.sign(d[..., k]) * 2.6 - origin[k]) / d[..., k]) for k in (0, 1)))
        is_floor = to_floor < far
        place = origin + d * np.minimum(to_floor, far)[..., None]
        u = (np.where(is_floor, place[..., 0], place[..., 0] + place[..., 1]) * 30 + 150).astype(int) % 320
        w = (np.where(is_floor, place[..., 1], place[..., 2]) * 30 + 150).astype(int) % 320
        wood = np.array([165, 130, 95]) + 16 * self.floor[w, u][..., None]
        plaster = np.array([205, 200, 185]) + 10 * self.wall[w, u][..., None]
        return np.where(is_floor[..., None], wood, plaster)


def layer(cameras, view, vertices, faces):
    uv, z = project(cameras, view, vertices), depth(cameras, view, vertices)
    return rasterize_depth(uv, z, faces, height=SIZE[1], width=SIZE[0])


def shade(vertices, faces, face) -> np.ndarray:
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    brightness = 0.55 + 0.45 * np.clip(normal @ LIGHT, 0, 1)
    return np.where(face >= 0, brightness[face], 0)


def paint(image, mask, brightness, color) -> None:
    image[mask] = brightness[mask][:, None] * np.array(color) * 1.3
