"""Furniture that a motion must have had: a block under every place where a person rests, standing free where nobody passes.

Each block is a slab as high as the resting skin, on layers that reach down to the floor. No part of it is where the person's
skin is in any frame of the motion, so the layers step aside for legs and spread where there is room, which makes them stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.ndimage import binary_dilation, distance_transform_edt

from hsimul3r.artifacts import Contact, ObjectAsset
from hsimul3r.geometry.mesh import convex_part, solid, union
from hsimul3r.interaction.contacts_from_motion import Moves, Rest

FLOOR = "floor"


@dataclass(frozen=True, kw_only=True)
class SupportConfig:
    """Sizes of the blocks."""

    cell_m: float = 0.02
    slab_m: float = 0.04
    layer_m: float = 0.2
    edge_m: float = 0.02
    """By how much a slab is larger than the skin on it."""
    least_m: float = 0.08
    """Narrowest slab."""
    sink_m: float = 0.01
    """Skin may be this deep in a slab's top: captured bodies do."""
    settle_m: float = 0.02
    """A slab lower by this is as good, where it can be larger: soft parts sink in now and then."""
    lower_m: float = 0.08
    """A slab is lowered by at most this where the person also passes through it."""
    clearance_m: float = 0.06
    """Between the layers below a slab and where the person ever is."""
    spread: float = 0.25
    """Layers grow by this much to each side for every metre downwards."""
    join_m: float = 0.10
    join_height_m: float = 0.03
    """Rests nearer than this share a slab."""
    density_kg_m3: float = 400.0
    friction: float = 0.9
    touch_m: float = 0.04
    """A rest farther than this from its slab is none."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """Axis-aligned, in the world."""

    low: Float[ndarray, "3"]
    high: Float[ndarray, "3"]

    def corners(self) -> Float[ndarray, "8 3"]:
        pick = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, 8).T
        return np.where(pick == 0, self.low, self.high)

    def is_near(self, other: Self, distance_m: float) -> bool:
        return bool((self.low <= other.high + distance_m).all() and (other.low <= self.high + distance_m).all())


@dataclass(frozen=True, kw_only=True)
class Supports:
    """Furniture, contacts with it and with the floor, and the rests that nothing could be built under."""

    assets: tuple[ObjectAsset, ...]
    contacts: tuple[Contact, ...]
    unsupported: tuple[Rest, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Swept:
    """Where the person's skin ever is, on a grid seen from above."""

    points: Float[ndarray, "points 3"]
    origin: Float[ndarray, "2"]
    shape: tuple[int, int]
    cell_m: float

    @classmethod
    def of(cls, moves: Moves, faces: Int[ndarray, "faces 3"], cfg: SupportConfig, *, around_m: float = 1.0) -> Self:
        """Vertices and middles of faces of all frames, one for each half cell."""
        skin = np.concatenate([moves.vertices, moves.vertices[:, faces].mean(axis=2)], axis=1).reshape(-1, 3)
        voxels = np.unique(np.floor(skin / (cfg.cell_m / 2)).astype(np.int32), axis=0)
        points = (voxels + 0.5) * (cfg.cell_m / 2)
        low, high = points[:, :2].min(axis=0) - around_m, points[:, :2].max(axis=0) + around_m
        width, depth = np.ceil((high - low) / cfg.cell_m).astype(int)
        return cls(points=points, origin=low, shape=(int(width), int(depth)), cell_m=cfg.cell_m)

    def free(self, low_m: float, high_m: float, clearance_m: float) -> Bool[ndarray, "width depth"]:
        """Cells in which, between two heights, nothing of the person ever is, nor nearer than the clearance."""
        level = self.points[(self.points[:, 2] > low_m) & (self.points[:, 2] < high_m)]
        taken = np.zeros(self.shape, bool)
        taken[tuple(self.cells(level[:, :2]).T)] = True
        reach = round(clearance_m / self.cell_m)
        if reach > 0:
            taken = binary_dilation(taken, np.ones((3, 3), bool), iterations=reach)
        return np.logical_not(taken)

    def cells(self, places: Float[ndarray, "points 2"]) -> Int[ndarray, "points 2"]:
        return np.clip(np.floor((places - self.origin) / self.cell_m).astype(int), 0, np.array(self.shape) - 1)

    def box(self, rectangle: Int[ndarray, "2 2"], low_m: float, high_m: float) -> Box:
        """From cells (first, last) inclusive."""
        low, high = self.origin + rectangle[0] * self.cell_m, self.origin + (rectangle[1] + 1) * self.cell_m
        return Box(low=np.array([*low, low_m]), high=np.array([*high, high_m]))


def build_supports(
    moves: Moves, rests: Sequence[Rest], faces: Int[ndarray, "faces 3"], *, person: int = 0, cfg: SupportConfig | None = None
) -> Supports:
    """Blocks under all rests that are not on the floor; hands that grip get none, since only fingers could hold on to it."""
    cfg = cfg or SupportConfig()
    raised = [rest for rest in rests if not rest.is_on_floor and not rest.needs_grip]
    swept = Swept.of(moves, faces, cfg) if raised else None
    blocks, carried = [], {}
    waiting = _grouped(raised, cfg)
    while waiting and swept is not None:
        group = waiting.pop()
        boxes = _block(group, swept, cfg)
        on_it = [rest for rest in group if boxes and _nearest(rest, boxes[0], cfg) is not None]
        beside = [rest for rest in group if not any(rest is other for other in on_it)]
        if on_it:
            blocks.append(boxes)
            carried |= {id(rest): boxes[0] for rest in on_it}
            waiting += _grouped(beside, cfg)
        elif len(group) > 1:
            waiting += [[rest] for rest in group]
    assets = _assets(blocks, cfg)
    contacts, missing = [], [rest for rest in rests if rest.needs_grip]
    for rest in rests:
        if rest.is_on_floor:
            contacts.append(_contact(person, rest, FLOOR, rest.skin[rest.skin[:, 2].argmin()] * [1, 1, 0], 0.0))
        elif id(rest) in carried and (contact := _touching(person, rest, carried[id(rest)], assets, cfg)):
            contacts.append(contact)
        elif not rest.needs_grip:
            missing.append(rest)
    return Supports(assets=assets, contacts=tuple(contacts), unsupported=tuple(missing))


def _grouped(rests: Sequence[Rest], cfg: SupportConfig) -> list[list[Rest]]:
    """Rests that share a slab: as high as each other and side by side."""
    groups: list[list[Rest]] = []
    for rest in rests:
        near = [group for group in groups if any(_is_beside(rest, other, cfg) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*(other for group in near for other in group), rest])
    return groups


def _is_beside(a: Rest, b: Rest, cfg: SupportConfig) -> bool:
    boxes = [Box(low=rest.skin.min(axis=0), high=rest.skin.max(axis=0)) for rest in (a, b)]
    flat = [Box(low=box.low * [1, 1, 0], high=box.high * [1, 1, 0]) for box in boxes]
    return abs(a.height_m - b.height_m) < cfg.join_height_m and flat[0].is_near(flat[1], cfg.join_m)


def _block(rests: Sequence[Rest], swept: Swept, cfg: SupportConfig) -> list[Box]:
    """A slab under the rests, as high as the longest, then its layers downwards; nothing where there is no room for either."""
    skin = np.concatenate([rest.skin for rest in rests])[:, :2]
    widen = np.maximum(cfg.least_m / 2 - np.ptp(skin, axis=0) / 2, cfg.edge_m)
    limit = swept.cells(np.stack([skin.min(axis=0) - widen, skin.max(axis=0) + widen]))
    height = max(rests, key=lambda rest: rest.last - rest.first).height_m
    found = _slab(height, limit, swept, cfg)
    if found is None:
        return []
    slab, top = found
    layers = _layers(slab, top - cfg.slab_m, swept, cfg)
    return [swept.box(slab, max(top - cfg.slab_m, 0.0), top), *layers] if layers is not None else []


def _slab(
    height: float, limit: Int[ndarray, "2 2"], swept: Swept, cfg: SupportConfig
) -> tuple[Int[ndarray, "2 2"], float] | None:
    """Cells and top of the largest slab that is as good as at the height of the skin, else of the highest below it."""
    wide: list[tuple[Int[ndarray, "2 2"], float]] = []
    for lowered in np.arange(0.0, cfg.lower_m, 0.01):
        if wide and lowered > cfg.settle_m:
            break
        top = height - lowered
        slab = _largest(swept.free(top - cfg.slab_m, top - cfg.sink_m, 0.0), limit, limit)
        if slab is not None and (slab[1] - slab[0] + 1).min() * cfg.cell_m >= cfg.least_m / 2:
            wide.append((slab, float(top)))
    return max(wide, key=lambda item: int(np.prod(item[0][1] - item[0][0] + 1)), default=None)


def _layers(slab: Int[ndarray, "2 2"], top: float, swept: Swept, cfg: SupportConfig) -> list[Box] | None:
    """From a slab's underside to the floor, each overlapping the one above; None where the way down is barred."""
    boxes: list[Box] = []
    above, height = slab, top
    while height > 1e-6:
        low = max(height - cfg.layer_m, 0.0)
        low = 0.0 if low < cfg.layer_m / 2 else low
        reach = round((cfg.spread * (top - low)) / cfg.cell_m)
        limit = np.clip(np.stack([slab[0] - reach, slab[1] + reach]), 0, np.array(swept.shape) - 1)
        layer = _largest(swept.free(low, height, cfg.clearance_m), above, limit)
        if layer is None:
            return None
        boxes.append(swept.box(layer, low, height))
        above, height = layer, low
    return boxes


def _largest(
    free: Bool[ndarray, "width depth"], start: Int[ndarray, "2 2"], limit: Int[ndarray, "2 2"]
) -> Int[ndarray, "2 2"] | None:
    """A rectangle of free cells, grown as far as `limit` from the cell in `start` with the most room around it."""
    (x0, y0), (x1, y1) = start
    room = np.asarray(distance_transform_edt(np.pad(free, 1)))[1:-1, 1:-1]
    inside = room[x0 : x1 + 1, y0 : y1 + 1]
    if inside.size == 0 or inside.max() == 0:
        return None
    seed = np.array(np.unravel_index(inside.argmax(), inside.shape)) + start[0]
    rectangle, growing = np.stack([seed, seed]), True
    while growing:
        growing = False
        for end, axis, step in ((0, 0, -1), (0, 1, -1), (1, 0, 1), (1, 1, 1)):
            grown = rectangle.copy()
            grown[end, axis] += step
            if limit[0, axis] <= grown[end, axis] <= limit[1, axis] and _is_free(free, grown):
                rectangle, growing = grown, True
    return rectangle


def _is_free(free: Bool[ndarray, "width depth"], rectangle: Int[ndarray, "2 2"]) -> bool:
    (x0, y0), (x1, y1) = rectangle
    return bool(free[x0 : x1 + 1, y0 : y1 + 1].all())


def _assets(blocks: Sequence[list[Box]], cfg: SupportConfig) -> tuple[ObjectAsset, ...]:
    """Blocks that touch become one piece of furniture."""
    pieces: list[list[Box]] = []
    for boxes in blocks:
        near = [piece for piece in pieces if any(a.is_near(b, 0.01) for a in piece for b in boxes)]
        pieces = [piece for piece in pieces if piece not in near]
        pieces.append([*(box for piece in near for box in piece), *boxes])
    return tuple(_asset(f"support{i}", boxes, cfg) for i, boxes in enumerate(pieces))


def _asset(name: str, boxes: Sequence[Box], cfg: SupportConfig) -> ObjectAsset:
    low, high = np.min([box.low for box in boxes], axis=0), np.max([box.high for box in boxes], axis=0)
    origin = np.array([*((low + high) / 2)[:2], 0.0])
    parts = tuple(convex_part(box.corners() - origin, f"{name} part {i}") for i, box in enumerate(boxes))
    vertices, faces = union(parts, name)
    T = np.eye(4)
    T[:3, 3] = origin
    return ObjectAsset(
        name=name, category="box", family="support", parameters={"height_m": float(high[2])}, parts=parts, vertices=vertices,
        faces=faces, T_world_object=T, mass_kg=cfg.density_kg_m3 * solid(vertices, faces).volume_m3,
        density_kg_m3=cfg.density_kg_m3, friction=cfg.friction,
    )  # fmt: skip


def _nearest(rest: Rest, slab: Box, cfg: SupportConfig) -> Float[ndarray, "3"] | None:
    """The point of a slab's top under a rest; None where the slab had to make way for the person elsewhere in the motion."""
    inside = np.clip(rest.skin[:, :2], slab.low[:2], slab.high[:2])
    beside = np.linalg.norm(rest.skin[:, :2] - inside, axis=1)
    nearest = int(np.hypot(beside, rest.skin[:, 2] - slab.high[2]).argmin())
    if beside[nearest] > cfg.touch_m or abs(rest.height_m - slab.high[2]) > cfg.touch_m + cfg.join_height_m:
        return None
    return np.array([*inside[nearest], slab.high[2]])


def _touching(person: int, rest: Rest, slab: Box, assets: Sequence[ObjectAsset], cfg: SupportConfig) -> Contact | None:
    point = _nearest(rest, slab, cfg)
    if point is None:
        return None
    owner = next(asset for asset in assets if _holds(asset, point))
    return _contact(person, rest, owner.name, point, float(rest.height_m - slab.high[2]))


def _holds(asset: ObjectAsset, point: Float[ndarray, "3"]) -> bool:
    local = point - asset.T_world_object[:3, 3]
    return any(((part.vertices.min(0) - 1e-9 <= local) & (local <= part.vertices.max(0) + 1e-9)).all() for part in asset.parts)


def _contact(person: int, rest: Rest, target: str, point: Float[ndarray, "3"], gap_m: float) -> Contact:
    return Contact(person=person, part=rest.part, target=target, gap_m=gap_m, point=point, first=rest.first, last=rest.last)
