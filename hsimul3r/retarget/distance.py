"""Signed distances between a robot and its surroundings, and between parts of the robot.

Capsules are sampled along their axes so closely that an edge between two samples sinks in by no more than a few millimetres;
soles are their corners. The distance of a sample is that of its point to the solid (geometry/sdf.py), less its radius.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit
from numpy import ndarray

from hsimul3r.artifacts import ObjectAsset
from hsimul3r.geometry.sdf import ConvexUnion, HalfSpaceBelow
from hsimul3r.retarget.kinematics import Postures, chain_of
from hsimul3r.retarget.robot import Capsule, RobotDescription

FLOOR: Final = "floor"
SPACING: Final = 0.6
"""Of neighbouring samples, in radii."""
LEAST_SPACING_M: Final = 0.03


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Balls that stand for a robot."""

    body: Int[ndarray, "samples"]
    offset: Float[ndarray, "samples 3"]
    radius: Float[ndarray, "samples"]
    capsule: tuple[str, ...]
    """Which capsule each is of; "" for the corners of soles."""

    def of(self, capsules: Sequence[str]) -> Int[ndarray, "chosen"]:
        """The samples of some capsules."""
        return np.array([i for i, name in enumerate(self.capsule) if name in capsules], int)


@functools.cache
def samples_of(robot: RobotDescription) -> Samples:
    """Of all capsules, of those of soles only the corners, the longest and the outermost."""
    chain = chain_of(robot)
    feet = [surface for surface in robot.surfaces if surface.part.endswith("_foot")]
    under = {name for foot in feet for name in foot.capsules if name not in _spread(robot, foot.capsules)}
    rows = [
        (chain.body(capsule.body), point, capsule.radius_m, capsule.name)
        for capsule in robot.capsules
        if capsule.name not in under
        for point in along(capsule, max(SPACING * capsule.radius_m, LEAST_SPACING_M))
    ]
    rows += [(chain.body(foot.body), point, 0.0, "") for foot in feet for point in foot.points]
    return Samples(
        body=np.array([row[0] for row in rows]),
        offset=np.array([row[1] for row in rows]),
        radius=np.array([row[2] for row in rows]),
        capsule=tuple(row[3] for row in rows),
    )


def along(capsule: Capsule, spacing_m: float) -> Float[ndarray, "points 3"]:
    """Points on a capsule's axis, both ends among them."""
    length = float(np.linalg.norm(capsule.end - capsule.start))
    count = int(np.ceil(length / spacing_m)) + 1 if length > 0 else 1
    return capsule.start + np.linspace(0, 1, count)[:, None] * (capsule.end - capsule.start)


def _spread(robot: RobotDescription, names: Sequence[str]) -> set[str]:
    """Of a sole's capsules the longest, and the outermost of those that are at least half as long."""

    def length(capsule: Capsule) -> float:
        return float(np.linalg.norm(capsule.end - capsule.start))

    capsules = [capsule for capsule in robot.capsules if capsule.name in names]
    longest = max(capsules, key=length)
    long = sorted((c for c in capsules if length(c) >= length(longest) / 2), key=lambda c: float(c.start[1]))
    return {longest.name, long[0].name, long[-1].name}


@dataclass(frozen=True, kw_only=True)
class Hits:
    """Samples near a solid: how far out of it they are, and which way out is."""

    frame: Int[ndarray, "hits"]
    sample: Int[ndarray, "hits"]
    distance: Float[ndarray, "hits"]
    normal: Float[ndarray, "hits 3"]


@dataclass(frozen=True, kw_only=True)
class Solid:
    """An object, standing (one pose) or moved (a pose a frame), in the world."""

    name: str
    poses: Float[ndarray, "poses 4 4"]
    """T_world_object."""
    surface: ConvexUnion
    planes: Float[ndarray, "planes 4"]
    starts: Int[ndarray, "parts_and_one"]

    @classmethod
    def of(cls, asset: ObjectAsset, poses: Float[ndarray, "poses 4 4"]) -> "Solid":
        surface = ConvexUnion(asset.parts, surface=(asset.vertices, asset.faces), name=asset.name, is_checked=True)
        starts = np.cumsum([0, *(len(planes) for planes in surface.half_spaces)])
        return cls(name=asset.name, poses=poses, surface=surface, planes=np.concatenate(surface.half_spaces), starts=starts)

    def thinned(self, frames: Int[ndarray, "chosen"]) -> "Solid":
        """The same in some frames only."""
        return replace(self, poses=self.poses[frames]) if len(self.poses) > 1 else self

    def to_local(self, places: Float[ndarray, "frames points 3"]) -> Float[ndarray, "frames points 3"]:
        return (places - self.poses[:, None, :3, 3]) @ self.poses[:, :3, :3]

    def near(self, places: Float[ndarray, "frames samples 3"], radius: Float[ndarray, "samples"], reach_m: float) -> Hits:
        """Samples whose balls are nearer than `reach_m`."""
        local = self.to_local(places)
        frame, sample = _nearer(local, radius + reach_m, self.planes, self.starts)
        found = self.surface.query(local[frame, sample])
        turn = self.poses[frame if len(self.poses) > 1 else np.zeros(len(frame), int), :3, :3]
        hits = Hits(
            frame=frame,
            sample=sample,
            distance=found.distance - radius[sample],
            normal=np.einsum("hxy,hy->hx", turn, found.gradient),
        )
        return _chosen(hits, hits.distance < reach_m)

    def at(self, frames: Int[ndarray, "chosen"]) -> Float[ndarray, "chosen 4 4"]:
        """Poses in some frames."""
        return self.poses[frames] if len(self.poses) > 1 else np.repeat(self.poses, len(frames), axis=0)

    def closest(self, points: Float[ndarray, "points 3"]) -> Float[ndarray, "points 3"]:
        """Nearest points of the surface, all in the object's frame."""
        return self.surface.query(points).closest


@dataclass(frozen=True, kw_only=True)
class Floor:
    """The ground at z = 0."""

    name: str = FLOOR

    def thinned(self, frames: Int[ndarray, "chosen"]) -> "Floor":
        """The same in some frames only."""
        return self

    def near(self, places: Float[ndarray, "frames samples 3"], radius: Float[ndarray, "samples"], reach_m: float) -> Hits:
        frame, sample = np.nonzero(places[..., 2] - radius < reach_m)
        found = HalfSpaceBelow().query(places[frame, sample])
        return Hits(frame=frame, sample=sample, distance=found.distance - radius[sample], normal=found.gradient)

    def at(self, frames: Int[ndarray, "chosen"]) -> Float[ndarray, "chosen 4 4"]:
        return np.tile(np.eye(4), (len(frames), 1, 1))

    def closest(self, points: Float[ndarray, "points 3"]) -> Float[ndarray, "points 3"]:
        return HalfSpaceBelow().query(points).closest


def _chosen(hits: Hits, keep: Bool[ndarray, "hits"]) -> Hits:
    return Hits(frame=hits.frame[keep], sample=hits.sample[keep], distance=hits.distance[keep], normal=hits.normal[keep])


def nearest(hits: Hits) -> Int[ndarray, "touched"]:
    """Of the hits of each frame the one that is least far out."""
    order = np.lexsort((hits.distance, hits.frame))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(hits.frame[order]) > 0
    return order[first]


@njit(cache=True)
def _nearer(local, reach, planes, starts):  # noqa: ANN001, ANN202
    """(frame, sample) of points that no plane of some convex part keeps farther away than their reach; the plane that kept a
    sample away last is tried first."""
    frames, count = local.shape[0], local.shape[1]
    frame = np.empty(frames * count, np.int64)
    sample = np.empty(frames * count, np.int64)
    apart = np.empty((count, len(starts) - 1), np.int64)
    apart[:] = starts[:-1]
    found = 0
    for t in range(frames):
        for s in range(count):
            x, y, z = local[t, s]
            for part in range(len(starts) - 1):
                k = apart[s, part]
                if planes[k, 0] * x + planes[k, 1] * y + planes[k, 2] * z - planes[k, 3] > reach[s]:
                    continue
                is_near = True
                for k in range(starts[part], starts[part + 1]):
                    if planes[k, 0] * x + planes[k, 1] * y + planes[k, 2] * z - planes[k, 3] > reach[s]:
                        is_near, apart[s, part] = False, k
                        break
                if is_near:
                    frame[found], sample[found] = t, s
                    found += 1
                    break
    return frame[:found], sample[:found]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of capsules of a robot that must stay apart: their bodies, ends and the sum of their radii."""

    body: Int[ndarray, "pairs 2"]
    ends: Float[ndarray, "pairs 2 2 3"]
    """(pair, first or second capsule, start or end)"""
    radii: Float[ndarray, "pairs"]


@functools.cache
def pairs_of(robot: RobotDescription) -> Pairs:
    """The pairs that a description names."""
    chain = chain_of(robot)
    capsules = {capsule.name: capsule for capsule in robot.capsules}
    pairs = [(capsules[a], capsules[b]) for a, b in robot.apart]
    return Pairs(
        body=np.array([[chain.body(c.body) for c in pair] for pair in pairs], int).reshape(-1, 2),
        ends=np.array([[[c.start, c.end] for c in pair] for pair in pairs]).reshape(-1, 2, 2, 3),
        radii=np.array([a.radius_m + b.radius_m for a, b in pairs]),
    )


@dataclass(frozen=True, kw_only=True)
class Touching:
    """Pairs that are too near: the nearest places of their axes and how far their surfaces are apart."""

    frame: Int[ndarray, "hits"]
    pair: Int[ndarray, "hits"]
    distance: Float[ndarray, "hits"]
    places: Float[ndarray, "hits 2 3"]


def too_near(pairs: Pairs, at: Postures, reach_m: float) -> Touching:
    """Pairs nearer than `reach_m`."""
    ends = at.places(np.repeat(pairs.body.ravel(), 2), pairs.ends.reshape(-1, 3)).reshape(len(at), -1, 2, 2, 3)
    frame, pair, distance, places = _segment_hits(ends, pairs.radii, reach_m)
    return Touching(frame=frame, pair=pair, distance=distance, places=places)


@njit(cache=True)
def _segment_hits(ends, radii, reach):  # noqa: ANN001, ANN202
    frames, pairs = ends.shape[0], ends.shape[1]
    frame = np.empty(frames * pairs, np.int64)
    pair = np.empty(frames * pairs, np.int64)
    distance = np.empty(frames * pairs)
    places = np.empty((frames * pairs, 2, 3))
    found = 0
    for t in range(frames):
        for k in range(pairs):
            a, b = ends[t, k, 0], ends[t, k, 1]
            u, v = _nearest_shares(a[0], a[1], b[0], b[1])
            total = 0.0
            for i in range(3):
                places[found, 0, i] = a[0, i] + u * (a[1, i] - a[0, i])
                places[found, 1, i] = b[0, i] + v * (b[1, i] - b[0, i])
                total += (places[found, 0, i] - places[found, 1, i]) ** 2
            distance[found] = np.sqrt(total) - radii[k]
            if distance[found] < reach:
                frame[found], pair[found] = t, k
                found += 1
    return frame[:found], pair[:found], distance[:found], places[:found]


@njit(cache=True)
def _nearest_shares(p, q, r, s):  # noqa: ANN001, ANN202
    """Shares (u, v) of the nearest points p + u (q - p) and r + v (s - r) (Ericson, Real-Time Collision Detection, 5.1.9)."""
    a = e = f = b = c = 0.0
    for i in range(3):
        d1, d2, w = q[i] - p[i], s[i] - r[i], p[i] - r[i]
        a += d1 * d1
        e += d2 * d2
        f += d2 * w
        b += d1 * d2
        c += d1 * w
    if a < 1e-12:
        return 0.0, (min(max(f / e, 0.0), 1.0) if e > 1e-12 else 0.0)
    if e < 1e-12:
        return min(max(-c / a, 0.0), 1.0), 0.0
    whole = a * e - b * b
    u = min(max((b * f - c * e) / whole, 0.0), 1.0) if whole > 1e-12 else 0.0
    v = (b * u + f) / e
    if v < 0.0:
        return min(max(-c / a, 0.0), 1.0), 0.0
    if v > 1.0:
        return min(max((b - c) / a, 0.0), 1.0), 1.0
    return u, v
