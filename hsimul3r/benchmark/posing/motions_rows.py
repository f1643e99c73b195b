"""Residuals of a motion that speak of one frame each, with their derivatives."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.benchmark.posing.motions_body import Chain, LinearPoints, MotionBody, point_jacobian
from hsimul3r.benchmark.posing.motions_distance import Hits
from hsimul3r.benchmark.posing.motions_plan import Hold
from hsimul3r.benchmark.posing.motions_problem import SIDES, Problem, Targets, active, joined
from hsimul3r.conventions import SMPLX_JOINTS

CONTACT_SIGMA_M = 0.001
REST_SIGMA_M = 0.004
ALLOWED_DEPTH_M = 0.0008
THIGH_GAP_M = 0.008
RESTING_POINTS = 30
REACH_M = 0.3
STAY_SIGMA_M = 0.002
KNEE_LOW_RAD, KNEE_SIGMA_RAD = 0.04, 0.01
SIZE = 69
"""Coordinates of a frame: 22 turns and the pelvis' place."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Residuals r (already over their sigma) of frames and their derivatives by the frame's 69 coordinates."""

    frame: Int[ndarray, "rows"]
    jacobian: Float[ndarray, "rows 69"]
    residual: Float[ndarray, "rows"]


@dataclass(frozen=True, kw_only=True)
class Near:
    """The vertices of a held part that are nearest to its object, in the frames of the hold."""

    frame: Int[ndarray, "rows"]
    vertex: Int[ndarray, "rows"]
    distance: Float[ndarray, "rows"]
    normal: Float[ndarray, "rows 3"]


@dataclass(frozen=True, kw_only=True)
class Skin:
    """Where the skin is (in the plan's frame), what of it is deep in an object, and what is next to held objects."""

    chain: Chain
    vertices: Float[ndarray, "frames vertices 3"]
    hits: tuple[Hits, ...]
    """Per object, the samples that are too deep in it."""
    near: tuple[Near, ...]
    """Per hold."""

    @classmethod
    def of(cls, problem: Problem, chain: Chain) -> "Skin":
        vertices = problem.body.skin.posed(chain)
        return cls(
            chain=chain,
            vertices=vertices,
            hits=tuple(
                pieces.hits(vertices, T, samples=problem.samples, least_z=least_z, allowed_m=ALLOWED_DEPTH_M)
                for pieces, T, least_z in zip(problem.pieces, problem.T_plan_object, problem.least_z)
            ),
            near=tuple(_nearest(problem, vertices, *held) for held in problem.holds),
        )


def _nearest(problem: Problem, vertices: ndarray, hold: Hold, item: int, frames: Int[ndarray, "held"]) -> Near:
    part = problem.body.model.parts[hold.part]
    T = np.broadcast_to(problem.T_plan_object[item], (problem.frames, 4, 4))[frames]
    distance, normal = problem.pieces[item].query(vertices[frames][:, part], T, REACH_M)
    chosen = np.argpartition(distance, hold.count, axis=1)[:, : hold.count]
    row = np.arange(len(frames))[:, None]
    return Near(
        frame=np.repeat(frames, hold.count),
        vertex=part[chosen].ravel(),
        distance=distance[row, chosen].ravel(),
        normal=normal[row, chosen].reshape(-1, 3),
    )


def rows_of(problem: Problem, skin: Skin, depth_sigma_m: float) -> Iterator[Rows]:
    """All residuals of single frames."""
    yield _target_rows(problem, skin.chain)
    for (hold, _, _), near in zip(problem.holds, skin.near):
        yield _hold_rows(problem, skin, hold, near)
    yield from _depth_rows(problem, skin, depth_sigma_m)
    yield from _thigh_rows(problem, skin, depth_sigma_m)
    yield _knee_rows(problem, skin.chain)


def stay_targets(keys: Problem, skin: Skin, path: Problem) -> Targets:
    """For parts that stay: the vertices that touch in the first key of the hold, at their mean place on the object."""
    parts = [path.targets]
    for (hold, item, frames), near, (_, _, path_frames) in zip(keys.holds, skin.near, path.holds):
        if not hold.stays:
            continue
        vertex = near.vertex[: hold.count]
        T = keys.T_plan_object[item][frames]
        local = np.einsum("fyx,fvy->fvx", T[:, :3, :3], skin.vertices[frames][:, vertex] - T[:, None, :3, 3]).mean(0)
        T = path.T_plan_object[item][path_frames]
        place = np.einsum("fxy,vy->fvx", T[:, :3, :3], local) + T[:, None, :3, 3]
        rows = len(path_frames) * len(vertex)
        points = path.body.skin[np.tile(vertex, len(path_frames))]
        frame, sigma = np.repeat(path_frames, len(vertex)), np.full((rows, 3), STAY_SIGMA_M)
        parts.append(Targets(frame=frame, points=points, place=place.reshape(-1, 3), sigma=sigma))
    return joined(parts)


def _rows(chain: Chain, frame: ndarray, points: LinearPoints, direction: ndarray, residual: ndarray, sigma: ndarray) -> Rows:
    jacobian = point_jacobian(chain, frame, points, direction)
    return Rows(frame=frame, jacobian=jacobian / np.reshape(sigma, (-1, 1)), residual=residual / sigma)


def _target_rows(problem: Problem, chain: Chain) -> Rows:
    targets = problem.targets
    row, axis = np.nonzero(np.isfinite(targets.sigma))
    frame, points = targets.frame[row], targets.points[row]
    direction = np.eye(3)[axis]
    offset = _places(chain, frame, points) - targets.place[row]
    return _rows(chain, frame, points, direction, offset[np.arange(len(row)), axis], targets.sigma[row, axis])


def _places(chain: Chain, frame: ndarray, points: LinearPoints) -> Float[ndarray, "rows 3"]:
    turned = np.einsum("njxy,njy->nx", chain.R[frame], points.moments)
    return turned + np.einsum("nj,njx->nx", points.weights, chain.t[frame])


def _hold_rows(problem: Problem, skin: Skin, hold: Hold, near: Near) -> Rows:
    """Held parts come down to their object; what keeps them out of it are the rows of depth."""
    off = near.distance > 0
    sigma = np.full(int(off.sum()), CONTACT_SIGMA_M * np.sqrt(max(hold.count / 4, 1)))
    return _rows(skin.chain, near.frame[off], problem.body.skin[near.vertex[off]], near.normal[off], near.distance[off], sigma)


def _depth_rows(problem: Problem, skin: Skin, sigma_m: float) -> Iterator[Rows]:
    """Nothing deep in the floor or in an object. The deepest points under a plane are vertices."""
    frame, vertex = np.nonzero(skin.vertices[..., 2] < -ALLOWED_DEPTH_M)
    up, height = np.tile([0.0, 0.0, 1.0], (len(frame), 1)), skin.vertices[frame, vertex, 2]
    floor = Hits(frame=frame, sample=vertex, distance=height, normal=up)
    mean = problem.body.skin.mean
    for hits, points in [
        (floor, problem.body.skin[vertex]),
        *((h, mean(problem.samples.index[h.sample], problem.samples.weight[h.sample])) for h in skin.hits),
    ]:
        residual, sigma = hits.distance + ALLOWED_DEPTH_M, np.full(len(hits.frame), sigma_m)
        yield _rows(skin.chain, hits.frame, points, hits.normal, residual, sigma)


def _thigh_rows(problem: Problem, skin: Skin, sigma_m: float) -> Iterator[Rows]:
    """Hands stay out of both thighs (cones around hip-knee); a hand that rests on the thigh of its side touches it."""
    for thigh in SIDES:
        for side in SIDES:
            gap, along, direction = _thigh_gaps(problem.body, skin, side, thigh)
            frame, index = np.nonzero(gap < THIGH_GAP_M)
            residual, sigma = gap[frame, index] - THIGH_GAP_M, np.full(len(frame), sigma_m)
            if side == thigh:
                rest_frame, rest_index = _resting(problem, side, gap)
                frame, index = np.append(frame, rest_frame), np.append(index, rest_index)
                residual = np.append(residual, gap[rest_frame, rest_index] - THIGH_GAP_M)
                sigma = np.append(sigma, np.full(len(rest_frame), REST_SIGMA_M * np.sqrt(RESTING_POINTS / 4)))
            points = _from_thigh(problem.body, side, thigh, index, along[frame, index])
            yield _rows(skin.chain, frame, points, direction[frame, index], residual, sigma)


def _thigh_gaps(body: MotionBody, skin: Skin, side: str, thigh: str) -> tuple[ndarray, ndarray, ndarray]:
    """Of each vertex of a hand: distance to a thigh's cone, share of the way from hip to knee, direction away from the axis."""
    hand = skin.vertices[:, body.model.parts[f"{side}_hand"]]
    hip, knee = (skin.chain.p[:, None, SMPLX_JOINTS.index(f"{thigh}_{name}")] for name in ("hip", "knee"))
    bone = knee - hip
    along = (((hand - hip) * bone).sum(-1) / (bone**2).sum(-1)).clip(0, 1)
    away = hand - hip - along[..., None] * bone
    length = np.linalg.norm(away, axis=-1)
    start, end = body.thigh_radii[thigh]
    return length - start - along * (end - start), along, away / np.maximum(length, 1e-6)[..., None]


def _resting(problem: Problem, side: str, gap: Float[ndarray, "frames hand"]) -> tuple[ndarray, ndarray]:
    """Frames and vertices of a hand that shall lie on its thigh."""
    is_on = np.zeros(problem.frames, bool)
    for rest in problem.plan.thigh_rests:
        is_on |= (rest.side == side) & active(rest.start_s, rest.end_s, problem.times)
    limit = np.partition(gap, RESTING_POINTS, axis=1)[:, RESTING_POINTS, None]
    frame, index = np.nonzero(is_on[:, None] & (gap < limit))
    return frame, index


def _from_thigh(body: MotionBody, side: str, thigh: str, index: ndarray, along: Float[ndarray, "rows"]) -> LinearPoints:
    """Vertices of a hand seen from the places `along` a thigh's axis that move with the thigh."""
    hand = body.skin[body.model.parts[f"{side}_hand"][index]]
    hip, knee = (body.rest[SMPLX_JOINTS.index(f"{thigh}_{name}")] for name in ("hip", "knee"))
    bone = np.eye(len(body.rest))[SMPLX_JOINTS.index(f"{thigh}_hip")]
    place = hip + along[:, None] * (knee - hip)
    return LinearPoints(weights=hand.weights - bone, moments=hand.moments - bone[:, None] * place[:, None])


def _knee_rows(problem: Problem, chain: Chain) -> Rows:
    """Knees do not bend backwards: their flexion stays above 2 degrees."""
    frames, knees = len(chain.R), [SMPLX_JOINTS.index(f"{side}_knee") for side in SIDES]
    frame, knee = (a.ravel() for a in np.meshgrid(np.arange(frames), knees, indexing="ij"))
    local = chain.R[frame, knee - 3].swapaxes(1, 2) @ chain.R[frame, knee]
    flexion = np.arctan2(local[:, 2, 1], local[:, 1, 1])
    is_over = flexion < KNEE_LOW_RAD
    frame, knee, flexion = frame[is_over], knee[is_over], flexion[is_over]
    jacobian = np.zeros((len(frame), SIZE))
    jacobian[np.arange(len(frame)), 3 * knee] = 1 / KNEE_SIGMA_RAD
    return Rows(frame=frame, jacobian=jacobian, residual=(flexion - KNEE_LOW_RAD) / KNEE_SIGMA_RAD)
