"""A captured motion as motion of our body: its build from the lengths of bones, its pose by inverse kinematics in all frames.

The coordinates are those of body.anatomy, within their limits; every frame is a small least-squares problem of its own, all
solved side by side by Levenberg-Marquardt from the captured turns.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.artifacts import BodySequence
from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import SmplxFormatBody
from hsimul3r.conventions import BODY_JOINTS, SMPLX_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.motions.correspondence import BodyTargets

COUNT = len(BODY_JOINTS)
PLACE_SIGMA_M: Mapping[str, float] = {
    "hip": 0.02, "knee": 0.01, "ankle": 0.006, "foot": 0.008, "shoulder": 0.015, "elbow": 0.015, "wrist": 0.01,
}  # fmt: skip
"""How near a joint must come to its place: the ends of limbs count most, since they touch."""
TURN_SIGMA_RAD: Mapping[str, float] = {
    "pelvis": 0.1, "spine1": 0.5, "spine2": 0.5, "spine3": 0.15, "neck": 0.3, "head": 0.15, "collar": 0.5, "hip": 0.3,
    "knee": 0.3, "ankle": 0.08, "shoulder": 0.4, "elbow": 0.4, "wrist": 0.2,
}  # fmt: skip
TOES_RAD = (-1.0, 0.2)
"""Toes bend upwards; captures have them bent through the floor now and then."""
LENGTH_SIGMA_M = 0.01
START_SIGMA_RAD = 1.0
"""Weak pull towards the captured turns, for coordinates that nothing else decides."""


@dataclass(frozen=True, kw_only=True)
class MotionFitConfig:
    """Budgets of the fit."""

    shape_iterations: int = 20
    iterations: int = 25
    stature_sigma_m: float = 0.01


@dataclass(frozen=True, kw_only=True)
class FittedMotion:
    """The motion on our body, and how far its joints are from where they were captured."""

    body: BodySequence
    error_m: Mapping[str, Float[ndarray, "frames"]]
    """By joint."""


def fit_motion(
    model: SmplxFormatBody, targets: BodyTargets, *, stature_m: float | None = None, cfg: MotionFitConfig | None = None
) -> FittedMotion:
    """The body that moves as captured; `stature_m` where it is known, else its bones decide."""
    cfg = cfg or MotionFitConfig()
    betas = fit_build(model, targets.lengths_m, stature_m=stature_m, cfg=cfg)
    rest = model.joints(betas, np.zeros((len(SMPLX_JOINTS), 3)), np.zeros(3))[:COUNT]
    pose, root = _solve(rest, targets, cfg.iterations)
    full = np.zeros((targets.frames, len(SMPLX_JOINTS), 3))
    full[:, :COUNT] = pose
    for name, turn in targets.toes.items():
        full[:, BODY_JOINTS.index(name), 0] = np.clip(axis_angle_from_matrix(turn)[:, 0], *TOES_RAD)
    transl = root - rest[0]
    joints = model.joints(betas, full, transl)
    error = {name: np.linalg.norm(joints[:, BODY_JOINTS.index(name)] - place, axis=1) for name, place in targets.places.items()}
    body = BodySequence(
        person=0, betas=betas, pose=full, transl=transl, fps=targets.fps, stature_m=float(model.stature(betas)),
        report={f"fit_{name}_median_m": float(np.median(values)) for name, values in error.items()},
    )  # fmt: skip
    return FittedMotion(body=body, error_m=error)


def fit_build(
    model: SmplxFormatBody, lengths_m: Mapping[tuple[str, str], float], *, stature_m: float | None, cfg: MotionFitConfig
) -> Float[ndarray, "10"]:
    """Betas near the common body whose joints lie so far apart as given, by Gauss-Newton with differences."""
    pairs = np.array([[BODY_JOINTS.index(name) for name in pair] for pair in lengths_m])
    wanted = np.array(list(lengths_m.values()))

    def residual(betas: ndarray) -> ndarray:
        J = model.skeleton.template.numpy() + model.skeleton.shapes.numpy() @ betas
        length = np.linalg.norm(J[pairs[:, 0]] - J[pairs[:, 1]], axis=1)
        rows = [(length - wanted) / LENGTH_SIGMA_M, betas]
        if stature_m is not None:
            rows.append([(model.stature(betas) - stature_m) / cfg.stature_sigma_m])
        return np.concatenate(rows)

    betas = np.zeros(10)
    for _ in range(cfg.shape_iterations):
        r, step = residual(betas), 1e-4
        J = np.stack([(residual(betas + step * unit) - r) / step for unit in np.eye(10)], axis=1)
        betas = betas - np.linalg.solve(J.T @ J, J.T @ r)
    return betas


@dataclass(frozen=True, kw_only=True)
class _State:
    """A guess for all frames: coordinates, root, and what follows from them."""

    dofs: Float[ndarray, "frames dofs"]
    turn: Float[ndarray, "frames 3 3"]
    root: Float[ndarray, "frames 3"]
    local: Float[ndarray, "frames 22 3 3"]
    R: Float[ndarray, "frames 22 3 3"]
    p: Float[ndarray, "frames 22 3"]


def _solve(rest: Float[ndarray, "22 3"], targets: BodyTargets, iterations: int) -> tuple[ndarray, ndarray]:
    """Pose (frames, 22, 3) and place of the root (frames, 3)."""
    start = _start(rest, targets)
    state, damping = start, np.full(targets.frames, 1e-3)
    r, J = _rows(state, start, targets)
    cost = (r**2).sum(1)
    for _ in range(iterations):
        A, g = np.swapaxes(J, 1, 2) @ J, np.einsum("trn,tr->tn", J, r)
        diagonal = np.einsum("tnn->tn", A)
        A = A + np.eye(A.shape[1]) * (damping[:, None] * diagonal + 1e-9)[:, None]
        trial = _moved(rest, state, -np.linalg.solve(A, g[..., None])[..., 0])
        trial_r, trial_J = _rows(trial, start, targets)
        trial_cost = (trial_r**2).sum(1)
        better = trial_cost < cost
        state = _chosen(better, trial, state)
        r, J = np.where(better[:, None], trial_r, r), np.where(better[:, None, None], trial_J, J)
        gained = np.where(better, cost - trial_cost, 0.0)
        cost = np.where(better, trial_cost, cost)
        damping = np.clip(np.where(better, damping * 0.3, damping * 5), 1e-8, 1e8)
        if (gained < 1e-6 * cost).all() and better.any():
            break
    return axis_angle_from_matrix(state.local), state.root


def _chosen(better: Bool[ndarray, "frames"], trial: _State, state: _State) -> _State:
    """Frame by frame the one or the other."""

    def column(name: str) -> ndarray:
        new, old = getattr(trial, name), getattr(state, name)
        return np.where(better.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    return _State(**{name: column(name) for name in _State.__dataclass_fields__})


def _start(rest: Float[ndarray, "22 3"], targets: BodyTargets) -> _State:
    """Captured turns as coordinates within their limits, the hips where they were captured."""
    limits = anatomy()
    turns = np.stack([targets.turns.get(name, np.broadcast_to(np.eye(3), (targets.frames, 3, 3))) for name in BODY_JOINTS], 1)
    parent = np.array(SMPLX_PARENTS[:COUNT])
    local = np.swapaxes(turns[:, parent], -1, -2) @ turns
    dofs = np.clip(limits.coordinates(local), limits.low, limits.high)
    hips = [BODY_JOINTS.index(f"{side}_hip") for side in ("left", "right")]
    middle = np.mean([targets.places[BODY_JOINTS[j]] for j in hips], axis=0)
    root = middle - np.einsum("txy,y->tx", turns[:, 0], rest[hips].mean(axis=0) - rest[0])
    return _placed(rest, dofs, turns[:, 0], root)


def _placed(rest: ndarray, dofs: ndarray, turn: ndarray, root: ndarray) -> _State:
    local = anatomy().rotations(dofs)
    local[:, 0] = turn
    R, p = [turn], [root]
    for j in range(1, COUNT):
        parent = SMPLX_PARENTS[j]
        p.append(p[parent] + np.einsum("txy,y->tx", R[parent], rest[j] - rest[parent]))
        R.append(R[parent] @ local[:, j])
    return _State(dofs=dofs, turn=turn, root=root, local=local, R=np.stack(R, 1), p=np.stack(p, 1))


def _moved(rest: ndarray, state: _State, step: Float[ndarray, "frames unknowns"]) -> _State:
    """Unknowns: turn of the root in the world, shift, coordinates."""
    limits = anatomy()
    dofs = np.clip(state.dofs + step[:, 6:], limits.low, limits.high)
    return _placed(rest, dofs, matrix_from_axis_angle(step[:, :3]) @ state.turn, state.root + step[:, 3:6])


def _rows(
    state: _State, start: _State, targets: BodyTargets
) -> tuple[Float[ndarray, "frames rows"], Float[ndarray, "frames rows unknowns"]]:
    """Residuals in units of their standard deviation, and their derivatives."""
    axes, pivots, carries = _levers(state)
    frames, count = state.dofs.shape
    residuals, jacobians = [], []
    for name, place in targets.places.items():
        j, sigma = BODY_JOINTS.index(name), PLACE_SIGMA_M[name.split("_")[-1]]
        arm = (state.p[:, None, j] - pivots) * (carries[:, j] & (np.arange(len(carries)) != j))[_owners()][:, None]
        by = np.zeros((frames, 3, 6 + count))
        by[:, :, [0, 1, 2]] = np.cross(np.eye(3)[None], (state.p[:, j] - state.root)[:, None]).swapaxes(1, 2)
        by[:, :, 3:6] = np.eye(3)
        by[:, :, 6:] = np.cross(axes, arm).swapaxes(1, 2)
        residuals.append((state.p[:, j] - place) / sigma)
        jacobians.append(by / sigma)
    for name, turn in targets.turns.items():
        j, sigma = BODY_JOINTS.index(name), TURN_SIGMA_RAD[name.split("_")[-1]]
        by = np.zeros((frames, 3, 6 + count))
        by[:, :, :3] = np.eye(3)
        by[:, :, 6:] = (axes * carries[_owners(), j][:, None]).swapaxes(1, 2)
        residuals.append(axis_angle_from_matrix(state.R[:, j] @ np.swapaxes(turn, 1, 2)) / sigma)
        jacobians.append(by / sigma)
    prior = np.zeros((frames, count, 6 + count))
    prior[:, :, 6:] = np.eye(count) / START_SIGMA_RAD
    residuals.append((state.dofs - start.dofs) / START_SIGMA_RAD)
    jacobians.append(prior)
    return np.concatenate(residuals, 1), np.concatenate(jacobians, 1)


def _owners() -> ndarray:
    """Joint of each coordinate."""
    return anatomy().index // 3


def _levers(state: _State) -> tuple[Float[ndarray, "frames dofs 3"], Float[ndarray, "frames dofs 3"], ndarray]:
    """World axis and pivot of each coordinate, and which joints hang on which (22, 22)."""
    owners = _owners()
    parent = np.array(SMPLX_PARENTS)[owners]
    axes = np.einsum("tdxy,tdy->tdx", state.R[:, parent], anatomy().axes(state.dofs))
    carries = np.eye(COUNT, dtype=bool)
    for j in range(COUNT - 1, 0, -1):
        carries[SMPLX_PARENTS[j]] |= carries[j]
    return axes, state.p[:, owners], carries
