"""Observations of random furniture with known truth: four cameras, a person in the way, mask noise and camera error.

The conditions are those of the benchmark in benchmarks/object_fit.py; tests use them too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.ndimage import gaussian_filter

from hsimul3r.artifacts import Cameras
from hsimul3r.generator.families import Family, families
from hsimul3r.generator.protocol import Observation, Support
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.frusta import frustum_parts, pinholes, silhouettes
from hsimul3r.geometry.masks import signed_distance_image
from hsimul3r.geometry.mesh import union
from hsimul3r.geometry.rotations import matrix_from_axis_angle, rotation_about_z
from hsimul3r.geometry.silhouette import rasterize_depth

WIDTH, HEIGHT, FOCAL = 640, 480, 700.0
SEAT_PRIOR_TRIES = 30

SITTER = (
    ((0, 0.08, 0.12), (0, 0.10, 0.45), 0.15), ((0, 0.1, 0.72), (0, 0.1, 0.74), 0.1),
    ((-0.1, 0.05, 0.07), (-0.12, -0.38, 0.07), 0.07), ((0.1, 0.05, 0.07), (0.12, -0.38, 0.07), 0.07),
    ((-0.12, -0.4, 0.05), (-0.12, -0.42, -0.39), 0.055), ((0.12, -0.4, 0.05), (0.12, -0.42, -0.39), 0.055),
    ((-0.2, 0.08, 0.42), (-0.24, -0.1, 0.2), 0.045), ((0.2, 0.08, 0.42), (0.24, -0.1, 0.2), 0.045),
)  # fmt: skip
"""Capsules (from, to, radius) of a sitter whose seat is the origin and who looks along -Y."""
STANDER = (
    ((0, 0, 0.95), (0, 0, 1.35), 0.16), ((0, 0, 1.62), (0, 0, 1.64), 0.1),
    ((-0.1, 0, 0.9), (-0.12, 0, 0.06), 0.075), ((0.1, 0, 0.9), (0.12, 0, 0.06), 0.075),
    ((-0.22, 0, 1.35), (-0.28, -0.05, 0.85), 0.045), ((0.22, 0, 1.35), (0.28, -0.05, 0.85), 0.045),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What disturbs the observation."""

    noise_px: tuple[float, float] = (2.0, 4.0)
    """Standard deviation of the correlated shift of the masks' borders, drawn from this range."""
    hidden: tuple[float, float] = (0.15, 0.30)
    """Part of the object a person hides."""
    camera_angle_deg: float = 1.0
    camera_place_m: float = 0.02
    views: int = 4
    has_supports: bool = False
    """Give the sitter's seat to the fit."""


CLEAN = Conditions(noise_px=(0.0, 0.0), hidden=(0.0, 0.0), camera_angle_deg=0.0, camera_place_m=0.0)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is looked at, in its own frame: z up, on the floor."""

    name: str
    categories: tuple[str, ...]
    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    """Watertight."""
    support: Float[ndarray, "3"]
    """Middle of the seat or top."""
    width_m: float
    """Of the seat or top, along X."""
    is_seat: bool
    """True where a sitter, who looks along -Y, may hide it."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The object that was observed, in the world: turned by `pose[2]` about z, then moved to `pose[:2]`."""

    shape: Shape
    pose: Float[ndarray, "3"]
    cameras: Cameras
    masks: Bool[ndarray, "views height width"]

    @property
    def vertices(self) -> Float[ndarray, "vertices 3"]:
        """In the world."""
        return placed(self.shape.vertices, self.pose)


def placed(vertices: Float[ndarray, "vertices 3"], pose: Float[ndarray, "3"]) -> Float[ndarray, "vertices 3"]:
    """Turned by pose[2] about z, then moved to (pose[0], pose[1])."""
    return vertices @ rotation_about_z(pose[2]).T + [pose[0], pose[1], 0.0]


def synthetic_observation(
    seed: int, conditions: Conditions, *, kinds: tuple[Family, ...] = (), values: dict[str, float] | None = None
) -> tuple[Observation, Truth]:
    """A random member of one of the families (or the one with these `values`), seen under the conditions."""
    rng = np.random.default_rng(seed)
    kinds = kinds or families()
    kind = kinds[int(rng.integers(len(kinds)))]
    chosen = _random_values(kind, rng) if values is None else np.array([values[p.name] for p in kind.parameters])
    rows = kind.rows(chosen[None])[0]

    def masks(pose: ndarray, cameras: Cameras) -> ndarray:
        return silhouettes(rows, pose, pinholes(cameras), np.zeros((conditions.views, 2)), height=HEIGHT, width=WIDTH)

    return _observe(_shape_of(kind, chosen, rows), masks, rng, conditions)


def mesh_observation(seed: int, conditions: Conditions, shape: Shape) -> tuple[Observation, Truth]:
    """Any closed mesh, somewhere on the floor, seen under the conditions."""

    def masks(pose: ndarray, cameras: Cameras) -> ndarray:
        vertices = placed(shape.vertices, pose)
        return np.stack([mesh_mask(cameras, v, vertices, shape.faces) for v in range(len(cameras.focal_px))])

    return _observe(shape, masks, np.random.default_rng(seed), conditions)


def mesh_mask(
    cameras: Cameras, view: int, vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"]
) -> Bool[ndarray, "height width"]:
    """Pixels of one view that show a mesh given in the world."""
    uv, z = project(cameras, view, vertices), depth(cameras, view, vertices)
    return np.isfinite(rasterize_depth(uv, z, faces, height=HEIGHT, width=WIDTH)[0])


def _observe(
    shape: Shape, masks_of: Callable[[ndarray, Cameras], ndarray], rng: np.random.Generator, conditions: Conditions
) -> tuple[Observation, Truth]:
    pose = np.array([*rng.uniform(-0.3, 0.3, 2), rng.uniform(-np.pi, np.pi)])
    cameras = _ring_of_cameras(rng, conditions.views)
    truth = Truth(shape=shape, pose=pose, cameras=cameras, masks=masks_of(pose, cameras))
    hidden, supports, facing = _person(truth, rng, conditions)
    labels = tuple(_labels(mask, away, rng, conditions) for mask, away in zip(truth.masks, hidden))
    observation = Observation(
        cameras=_disturbed(cameras, rng, conditions), labels=labels, boxes_px=np.full((conditions.views, 4), np.nan),
        supports=supports if conditions.has_supports else (), facing=facing if conditions.has_supports else None,
    )  # fmt: skip
    return observation, truth


def _shape_of(kind: Family, values: Float[ndarray, "parameters"], rows: ndarray) -> Shape:
    named = dict(zip([p.name for p in kind.parameters], map(float, values)))
    vertices, faces = union(frustum_parts(np.unique(rows, axis=0)), kind.name)
    return Shape(
        name=kind.name, categories=kind.categories, vertices=vertices, faces=faces, is_seat=kind.is_seat,
        support=np.array([0.0, 0.0, named[kind.support]]), width_m=named["width"],
    )  # fmt: skip


def _random_values(kind: Family, rng: np.random.Generator) -> Float[ndarray, "parameters"]:
    """Evenly in the ranges; tops small or middle-sized, feet that fit below them."""
    values = {p.name: rng.uniform(p.low, p.high) for p in kind.parameters}
    if kind.name.startswith("top_"):
        is_small = rng.random() < 0.4
        values["width"] = rng.uniform(0.28, 0.45) if is_small else rng.uniform(0.5, 1.7)
        values["depth"] = rng.uniform(0.28, 0.45) if is_small else rng.uniform(0.4, 1.0)
        shorter = min(values["width"], values["depth"])
        if "foot_radius" in values:
            values["foot_radius"] = float(np.clip(shorter * rng.uniform(0.35, 0.5), 0.12, 0.5))
        if "head_radius" in values:
            values["head_radius"] = values["foot_radius"] * rng.uniform(0.4, 0.8)
    if kind.name == "sofa":
        values["width"] = rng.uniform(0.9, 2.3)
    if kind.name == "box":
        values |= {"width": rng.uniform(0.35, 1.2), "depth": rng.uniform(0.35, 0.7), "height": rng.uniform(0.35, 1.0)}
    return np.array([values[p.name] for p in kind.parameters])


def _ring_of_cameras(rng: np.random.Generator, views: int) -> Cameras:
    """Cameras 3 m away, 60 to 110 degrees apart, at 1.2 to 1.6 m."""
    turns = rng.uniform(0.0, 2.0 * np.pi) + np.radians(np.concatenate([[0.0], np.cumsum(rng.uniform(60, 110, views - 1))]))
    T = np.tile(np.eye(4), (views, 1, 1))
    for v, turn in enumerate(turns):
        centre = np.array([3 * np.cos(turn), 3 * np.sin(turn), rng.uniform(1.2, 1.6)])
        forward = np.array([0.0, 0.0, 0.45]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        T[v, :3, :3] = np.stack([right, np.cross(forward, right), forward])
        T[v, :3, 3] = -T[v, :3, :3] @ centre
    return Cameras(
        size_px=np.tile([WIDTH, HEIGHT], (views, 1)), focal_px=np.full(views, FOCAL), T_cam_world=T, k1=np.zeros(views),
        principal_px=np.tile([(WIDTH - 1) / 2, (HEIGHT - 1) / 2], (views, 1)), is_registered=np.ones(views, bool),
    )  # fmt: skip


def _disturbed(cameras: Cameras, rng: np.random.Generator, conditions: Conditions) -> Cameras:
    T = cameras.T_cam_world.copy()
    for v in range(len(T)):
        axis, shift = rng.normal(size=3), rng.normal(size=3)
        turn = np.radians(conditions.camera_angle_deg) * axis / np.linalg.norm(axis)
        centre = -T[v, :3, :3].T @ T[v, :3, 3] + conditions.camera_place_m * shift / np.linalg.norm(shift)
        T[v, :3, :3] = matrix_from_axis_angle(turn) @ T[v, :3, :3]
        T[v, :3, 3] = -T[v, :3, :3] @ centre
    return Cameras(
        size_px=cameras.size_px, focal_px=cameras.focal_px, principal_px=cameras.principal_px, k1=cameras.k1, T_cam_world=T,
        is_registered=cameras.is_registered,
    )  # fmt: skip


def _person(
    truth: Truth, rng: np.random.Generator, conditions: Conditions
) -> tuple[Bool[ndarray, "views height width"], tuple[Support, ...], float | None]:
    """A person who sits on the object or stands beside it and hides about the wanted part of it, if any."""
    nobody = np.zeros_like(truth.masks)
    if conditions.hidden[1] <= 0.0:
        return nobody, (), None
    low, high = conditions.hidden
    best: tuple[float, Bool[ndarray, "views height width"], tuple[Support, ...], float | None] = (np.inf, nobody, (), None)
    for _ in range(SEAT_PRIOR_TRIES):
        sits = truth.shape.is_seat and rng.random() < 0.5
        T = _seated(truth, rng) if sits else _beside(truth, rng)
        masks = _capsule_masks(truth.cameras, SITTER if sits else STANDER, T)
        hidden = float(np.mean([(m & o).sum() / max(m.sum(), 1) for m, o in zip(truth.masks, masks)]))
        miss = max(low - hidden, hidden - high, 0.0)
        if miss < best[0]:
            supports = (Support(kind="seat", point=T[:3, 3].copy()),) if sits else ()
            best = (miss, masks, supports, float(truth.pose[2]) if sits else None)
        if miss == 0.0:
            break
    return best[1:]


def _seated(truth: Truth, rng: np.random.Generator) -> Float[ndarray, "4 4"]:
    x, y, height = truth.shape.support
    shift = rng.uniform(-0.25, 0.25) * max(truth.shape.width_m - 0.5, 0.0)
    return _upright(truth.pose[2], truth.pose[:2], height, np.array([x + shift, y - 0.03]))


def _beside(truth: Truth, rng: np.random.Generator) -> Float[ndarray, "4 4"]:
    turn = rng.uniform(0.0, 2.0 * np.pi)
    reach = rng.uniform(0.3, 0.9) + 0.15 * float(np.ptp(truth.shape.vertices[:, :2], axis=0).max())
    place = truth.pose[:2] + reach * np.array([np.cos(turn), np.sin(turn)])
    return _upright(turn + np.pi / 2, place, 0.0, np.zeros(2))


def _upright(yaw: float, place: ndarray, height: float, shift: ndarray) -> Float[ndarray, "4 4"]:
    T = np.eye(4)
    T[:3, :3] = rotation_about_z(yaw)
    T[:3, 3] = [*(place + T[:2, :2] @ shift), height]
    return T


def _capsule_masks(cameras: Cameras, capsules: tuple, T_world_person: ndarray) -> Bool[ndarray, "views height width"]:
    masks = np.zeros((len(cameras.focal_px), HEIGHT, WIDTH), np.uint8)
    for start, end, radius in capsules:
        ends = np.array([start, end]) @ T_world_person[:3, :3].T + T_world_person[:3, 3]
        for v, mask in enumerate(masks):
            a, b = np.round(project(cameras, v, ends)).astype(int)
            thickness = 2.0 * FOCAL * radius / depth(cameras, v, ends).mean()
            cv2.line(mask, tuple(map(int, a)), tuple(map(int, b)), 1, max(1, round(thickness)))
    return masks.astype(bool)


def _labels(mask: ndarray, person: ndarray, rng: np.random.Generator, conditions: Conditions) -> ndarray:
    """Mask with a wandering border; the person's pixels, widened by 4, are unknown."""
    sigma = rng.uniform(*conditions.noise_px)
    if sigma > 0.0:
        wander = gaussian_filter(rng.normal(size=mask.shape), 8.0)
        mask = signed_distance_image(mask, 30.0) < sigma * wander / wander.std()
    labels = mask.astype(np.uint8)
    labels[cv2.dilate(person.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0] = 2
    return labels
