"""Settles a puppet into a goal: contacts close, nothing stands in anything, the head is up and the weight is carried.

Levenberg-Marquardt on residuals in units of their tolerances, all derivatives in closed form (puppet.py):

    (theta - key) / spread, turn of the pelvis      posture near the key pose; anatomical limits hard
    (d_i - gap) / 3 mm                              the nearest vertices of a part that is held, d the exact signed distance
    min(d_s, 0) / 1 mm                              every skin sample against every object and the floor
    sole heights / 2 mm, places / 4 cm, directions  flat feet, where joints shall be, where head and hands look
    (c - c0) / 1 cm                                 horizontal place of the centre of mass
    min(n . (x - y) - 4 mm, 0) / 4 mm               arms against trunk, head and legs, and leg against leg

The solids harden in three rounds, so that limbs reach the right side of a surface before it bars the way.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from hsimul3r.benchmark.posing.puppet import ROOT, Figure, Posture, Puppet, parameters
from hsimul3r.benchmark.posing.skin import SkinSamples
from hsimul3r.benchmark.posing.solids import Solid
from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS, SMPLX_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.geometry.sdf import HalfSpaceBelow, SignedDistanceField

Place = tuple[float, float, float]
FREE = float("nan")
CONTACT_M, SOLID_M, SOLE_M, BALANCE_M, SELF_M = 0.003, 0.001, 0.002, 0.01, 0.004
ALLOWED_DEPTH_M = 0.0015
TURN_RAD = 0.15
LIMIT_RAD = 0.01
KEY_SPREAD = 0.6
"""Spread of the posture about the key pose, as a share of the anatomical spread."""
PALM = ("wrist", "thumb1", "thumb2", "thumb3")
FLESH_M = 0.10
"""How far inside a limb another is looked for."""
ROUNDS = ((0.02, 8), (0.25, 8), (1.0, 24))
"""Hardness of the solids and most iterations, round after round."""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """`count` vertices of a part (key of CONTACT_PARTS) lie at `gap_m` of a target: an object's name or "floor"."""

    part: str
    target: str
    count: int
    gap_m: float = 0.0
    tolerance_m: float = CONTACT_M


@dataclass(frozen=True, kw_only=True)
class Sole:
    """The sole of a side's foot lies in the level plane at a height; its heel may be free."""

    side: str
    height_m: float = 0.0
    heel: bool = True


@dataclass(frozen=True, kw_only=True)
class Outside:
    """The skin of some joints stays out of a convex region, whichever way out of a thin board in it is shorter.

    A point is in the region where n @ p < d for every plane (n, d) of unit n.
    """

    joints: tuple[str, ...]
    planes: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """A joint is at `place`, plus `of` (shares of other joints' places); nan coordinates are free."""

    joint: str
    place: Place
    tolerance_m: float = 0.04
    of: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Aim:
    """A direction of a joint's bone (in the T-pose: +X left, +Y up, +Z front) points along a world direction."""

    joint: str
    bone: Place
    world: Place
    tolerance: float = 0.2


@dataclass(frozen=True, kw_only=True)
class Lap:
    """A hand (or forearm) rests on a thigh: `count` vertices of the part lie on the skin of the other."""

    part: str
    thigh: str
    count: int = 8


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a posture shall be, in the world. `balance` is where the centre of mass shall be (x, y; nan is free)."""

    key: Float[ndarray, "55 3"]
    place: Place
    holds: tuple[Hold, ...] = ()
    soles: tuple[Sole, ...] = ()
    outside: tuple[Outside, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    aims: tuple[Aim, ...] = ()
    laps: tuple[Lap, ...] = ()
    balance: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Residuals, and their derivatives when asked for."""

    values: Float[ndarray, "rows"]
    jacobian: Callable[[], Float[ndarray, "rows parameters"]]


def settle(puppet: Puppet, goal: Goal, solids: Mapping[str, Solid], *, start: Posture | None = None) -> Posture:
    """The posture that minimises the sum of the squares above; from the key pose, or from `start`."""
    posture = start or puppet.posture(goal.key, np.array(goal.place))
    for hardness, iterations in ROUNDS:
        posture = _descend(puppet, goal, solids, posture, hardness=hardness, iterations=iterations)
    return posture


def _descend(
    puppet: Puppet, goal: Goal, solids: Mapping[str, Solid], posture: Posture, *, hardness: float, iterations: int
) -> Posture:
    damping = 1e-3
    rows = list(_rows(puppet.pose(posture), goal, solids, hardness))
    cost = _cost(rows)
    for _ in range(iterations):
        J, r = np.concatenate([block.jacobian() for block in rows]), np.concatenate([block.values for block in rows])
        H, g = J.T @ J, J.T @ r
        while damping < 1e6:
            step = -cho_solve(cho_factor(H + damping * np.diag(np.diag(H) + 1e-3)), g)
            trial = posture.moved(step * min(1.0, 0.5 / np.abs(step).max()))
            trial_rows = list(_rows(puppet.pose(trial), goal, solids, hardness))
            trial_cost = _cost(trial_rows)
            if trial_cost < cost:
                break
            damping *= 8
        else:
            return posture
        gain = (cost - trial_cost) / cost
        posture, rows, cost, damping = trial, trial_rows, trial_cost, max(damping / 8, 1e-7)
        if gain < 1e-4:
            break
    return posture


def _cost(rows: list[Rows]) -> float:
    return float(sum(block.values @ block.values for block in rows))


def _rows(figure: Figure, goal: Goal, solids: Mapping[str, Solid], hardness: float) -> Iterator[Rows]:
    yield _posture_rows(figure, goal)
    yield _root_rows(figure, goal)
    yield from _limit_rows(figure)
    yield from _hold_rows(figure, goal, solids)
    yield from _sole_rows(figure, goal)
    yield from _outside_rows(figure, goal)
    yield from _anchor_rows(figure, goal)
    yield from _aim_rows(figure, goal)
    if goal.balance is not None:
        yield _balance_rows(figure, goal.balance)
    yield from _solid_rows(figure, solids, hardness)
    yield from _self_rows(figure, hardness)
    yield from _lap_rows(figure, goal)


def _posture_rows(figure: Figure, goal: Goal) -> Rows:
    weight = 1 / (KEY_SPREAD * anatomy().spread)
    key = figure.puppet.posture(goal.key, np.zeros(3)).dofs
    by = np.zeros((len(key), parameters()))
    by[:, ROOT:] = np.diag(weight)
    return Rows(values=weight * (figure.posture.dofs - key), jacobian=lambda: by)


def _root_rows(figure: Figure, goal: Goal) -> Rows:
    off = axis_angle_from_matrix(figure.posture.turn @ matrix_from_axis_angle(goal.key[0]).T)
    by = np.eye(3, parameters()) / TURN_RAD
    return Rows(values=off / TURN_RAD, jacobian=lambda: by)


def _limit_rows(figure: Figure) -> Iterator[Rows]:
    """Only coordinates beyond their limits."""
    dofs, limits = figure.posture.dofs, anatomy()
    beyond = np.maximum(dofs - limits.high, 0) - np.maximum(limits.low - dofs, 0)
    index = np.flatnonzero(beyond)
    if len(index):
        by = np.zeros((len(index), parameters()))
        by[np.arange(len(index)), ROOT + index] = 1 / LIMIT_RAD
        yield Rows(values=beyond[index] / LIMIT_RAD, jacobian=lambda: by)


def _hold_rows(figure: Figure, goal: Goal, solids: Mapping[str, Solid]) -> Iterator[Rows]:
    for hold in goal.holds:
        part = embedded_body().parts[hold.part]
        found = _solid_of(hold.target, solids).query(figure.points[part])
        nearest = np.argpartition(found.distance, hold.count)[: hold.count]
        scale = 1 / (hold.tolerance_m * np.sqrt(hold.count / 4))
        yield Rows(
            values=(found.distance[nearest] - hold.gap_m) * scale,
            jacobian=functools.partial(_along, figure, part[nearest], found.gradient[nearest] * scale),
        )


def _solid_of(target: str, solids: Mapping[str, Solid]) -> SignedDistanceField | Solid:
    return HalfSpaceBelow() if target == "floor" else solids[target]


def _along(figure: Figure, index: ndarray, normals: ndarray, weight: ndarray | None = None) -> ndarray:
    return figure.along(index, normals, weight)


def _sole_rows(figure: Figure, goal: Goal) -> Iterator[Rows]:
    for sole in goal.soles:
        index = figure.puppet.sole_index(sole.side)[0 if sole.heel else 1 :]
        normals = np.tile(np.array([0.0, 0.0, 1 / SOLE_M]), (len(index), 1))
        values = (figure.points[index, 2] - sole.height_m) / SOLE_M
        yield Rows(values=values, jacobian=functools.partial(_along, figure, index, normals))


def _outside_rows(figure: Figure, goal: Goal) -> Iterator[Rows]:
    samples = _samples()
    for outside in goal.outside:
        own, planes = _samples_of(*outside.joints), np.array(outside.planes)
        points = np.einsum("sk,skc->sc", samples.weight[own], figure.points[samples.index[own]])
        heights = points @ planes[:, :3].T - planes[:, 3]
        nearest = heights.argmax(axis=1)
        depth = heights[np.arange(len(own)), nearest]
        inside = depth < 0
        normals, index = planes[nearest[inside], :3] / CONTACT_M, own[inside]
        yield Rows(
            values=depth[inside] / CONTACT_M,
            jacobian=functools.partial(_along, figure, samples.index[index], normals, samples.weight[index]),
        )


def _anchor_rows(figure: Figure, goal: Goal) -> Iterator[Rows]:
    for anchor in goal.anchors:
        joints = {anchor.joint: 1.0} | {name: -share for name, share in anchor.of.items()}
        offset = sum(share * figure.joint(name) for name, share in joints.items()) - np.array(anchor.place)
        held = np.flatnonzero(np.isfinite(offset))
        scale = 1 / anchor.tolerance_m
        yield Rows(values=offset[held] * scale, jacobian=functools.partial(_anchor_by, figure, joints, held, scale))


def _anchor_by(figure: Figure, joints: Mapping[str, float], held: ndarray, scale: float) -> ndarray:
    by = (share * figure.place_by(figure.puppet.joint_index(name)) for name, share in joints.items())
    return np.sum(list(by), axis=0)[held] * scale


def _aim_rows(figure: Figure, goal: Goal) -> Iterator[Rows]:
    for aim in goal.aims:
        direction = figure.R[BODY_JOINTS.index(aim.joint)] @ np.array(aim.bone)
        yield Rows(
            values=(direction - np.array(aim.world)) / aim.tolerance,
            jacobian=lambda aim=aim, direction=direction: figure.direction_by(aim.joint, direction) / aim.tolerance,
        )


def _balance_rows(figure: Figure, target: tuple[float, float]) -> Rows:
    centre, by = figure.centre_of_mass()
    offset = centre[:2] - np.array(target)
    held = np.flatnonzero(np.isfinite(offset))
    return Rows(values=offset[held] / BALANCE_M, jacobian=lambda: by[held] / BALANCE_M)


def _solid_rows(figure: Figure, solids: Mapping[str, Solid], hardness: float) -> Iterator[Rows]:
    """Samples of the skin deeper than the allowed depth in the floor or in an object."""
    samples, scale = _samples(), np.sqrt(hardness) / SOLID_M
    points = samples.points(figure.skin)
    for solid in (None, *solids.values()):
        near = np.flatnonzero(points[:, 2] < 0) if solid is None else solid.near(points)
        if not len(near):
            continue
        found = (solid or HalfSpaceBelow()).query(points[near])
        deep = found.distance < -ALLOWED_DEPTH_M
        index = near[deep]
        yield Rows(
            values=(found.distance[deep] + ALLOWED_DEPTH_M) * scale,
            jacobian=functools.partial(
                _along, figure, samples.index[index], found.gradient[deep] * scale, samples.weight[index]
            ),
        )


def _self_rows(figure: Figure, hardness: float) -> Iterator[Rows]:
    scale = np.sqrt(hardness) / SELF_M
    for movers, others in _rivals():
        rows = _skin_to_skin(figure, movers, others)
        inside = rows.depth < SELF_M
        yield _skin_rows(figure, rows, np.flatnonzero(inside), offset=SELF_M, scale=scale)


def _lap_rows(figure: Figure, goal: Goal) -> Iterator[Rows]:
    parts = embedded_body().parts
    for lap in goal.laps:
        rows = _skin_to_skin(figure, parts[lap.part], parts[lap.thigh], reach=np.inf)
        nearest = np.argpartition(rows.depth, lap.count)[: lap.count]
        yield _skin_rows(figure, rows, nearest, offset=SELF_M, scale=1 / (2 * SELF_M))


@dataclass(frozen=True, kw_only=True)
class _Facing:
    """Vertices, the vertex of another limb nearest to each, its normal, and the height over its tangent plane."""

    mover: Int[ndarray, "pairs"]
    other: Int[ndarray, "pairs"]
    normal: Float[ndarray, "pairs 3"]
    depth: Float[ndarray, "pairs"]


def _skin_to_skin(figure: Figure, movers: ndarray, others: ndarray, *, reach: float = FLESH_M) -> _Facing:
    distance = cdist(figure.skin[movers], figure.skin[others])
    nearest = distance.argmin(axis=1)
    near = distance[np.arange(len(movers)), nearest] < reach
    mover, other = movers[near], others[nearest[near]]
    normal = figure.normals[other]
    height = np.einsum("px,px->p", figure.skin[mover] - figure.skin[other], normal)
    return _Facing(mover=mover, other=other, normal=normal, depth=height)


def _skin_rows(figure: Figure, facing: _Facing, index: ndarray, *, offset: float, scale: float) -> Rows:
    pairs = np.stack([facing.mover[index], facing.other[index]], axis=1)
    weight = np.tile(np.array([1.0, -1.0]), (len(index), 1))
    return Rows(
        values=(facing.depth[index] - offset) * scale,
        jacobian=functools.partial(_along_difference, figure, pairs, facing.normal[index] * scale, weight),
    )


def _along_difference(figure: Figure, pairs: ndarray, normals: ndarray, weight: ndarray) -> ndarray:
    by = figure.along(pairs, normals, weight)
    by[:, 3:ROOT] = 0
    return by


@functools.cache
def _samples() -> SkinSamples:
    return SkinSamples.of(embedded_body().faces)


@functools.cache
def _samples_of(*joints: str) -> Int[ndarray, "samples"]:
    """Samples of the skin of some joints."""
    return np.flatnonzero(np.isin(_samples().index, skin_of(*joints)).all(axis=1))


@functools.cache
def _rivals() -> tuple[tuple[ndarray, ndarray], ...]:
    """Pairs of skin that must not enter each other: forearms and hands with all but their own arm, legs below mid-thigh."""
    arms = {side: skin_of(f"{side}_elbow", f"{side}_wrist") for side in ("left", "right")}
    legs = {side: np.concatenate([_lower_thigh(side), skin_of(f"{side}_knee", f"{side}_ankle")]) for side in ("left", "right")}
    rest = skin_of("pelvis", "spine1", "spine2", "spine3", "neck", "head", "left_hip", "right_hip", "left_knee", "right_knee")
    return (
        (arms["left"], np.concatenate([rest, arms["right"]])),
        (arms["right"], rest),
        (legs["left"], legs["right"]),
    )


@functools.cache
def skin_of(*names: str) -> Int[ndarray, "vertices"]:
    """Vertices that hang most on one of some joints; hands and feet count with their fingers and toes.

    "left_palm" and "right_palm" are the hands without the four fingers.
    """
    owner = embedded_body().weights.argmax(axis=1)
    palms = {f"{side}_palm": [SMPLX_JOINTS.index(f"{side}_{bone}") for bone in PALM] for side in ("left", "right")}
    chosen = np.isin(owner, [joint for name in names for joint in palms.get(name, [])])
    for joint in range(54, 21, -1):
        owner[owner == joint] = SMPLX_PARENTS[joint]
    for side in ("left", "right"):
        owner[owner == BODY_JOINTS.index(f"{side}_foot")] = BODY_JOINTS.index(f"{side}_ankle")
    return np.flatnonzero(chosen | np.isin(owner, [BODY_JOINTS.index(name) for name in names if name not in palms]))


def _lower_thigh(side: str) -> Int[ndarray, "vertices"]:
    body = embedded_body()
    rest = np.zeros((55, 3))
    hip, knee = (body.joints(np.zeros(10), rest, np.zeros(3))[BODY_JOINTS.index(f"{side}_{name}")] for name in ("hip", "knee"))
    thigh = skin_of(f"{side}_hip")
    return thigh[body.vertices(np.zeros(10), rest, np.zeros(3))[thigh, 1] < (hip[1] + knee[1]) / 2]
