"""A run against the truth of its sample: cameras, body, object, contact, verdict (docs/metrics.md defines every figure)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.optimize import linear_sum_assignment

from hsimul3r.artifacts import (
    AlignedScene,
    BodySequence,
    Cameras,
    HumanMotion,
    ObjectAsset,
    Rollout,
    StabilityVerdict,
)
from hsimul3r.benchmark.truth import ROOM, Truth, TruthObject, load_truth
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.errors import DamagedArtifact
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import depth, project, transform_points
from hsimul3r.geometry.masks import iou
from hsimul3r.geometry.mesh import sample_surface
from hsimul3r.geometry.sdf import ConvexUnion, Moved, WatertightMesh
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.metrics.cameras import align_worlds, camera_errors, relative_pose_accuracy
from hsimul3r.metrics.contacts import contact_score
from hsimul3r.metrics.penetration import scene_penetration
from hsimul3r.metrics.pose import mpjpe_mm, pa_mpjpe_mm
from hsimul3r.metrics.shape import iou_3d, normalised_likeness, support_height, surface_likeness

Value = float | str
SURFACE_SAMPLES = 10_000
F_THRESHOLD_M = 0.05
PAIR_THRESHOLD_DEG = 5.0
MATCH_M = 1.0
"""An estimated object farther than this from a true one (middle to middle) is another thing."""


def evaluate_run(run_folder: Path, truth_folder: Path) -> dict[str, Value]:
    """Every figure of a run, by name; figures of stages that were not run are left out."""
    truth = load_truth(truth_folder)
    motion = _load(run_folder / "40_humans", HumanMotion)
    figures = _cameras(motion.cameras, truth.cameras) | _people(motion.bodies, motion.cameras, truth, "fitted")
    if (run_folder / "60_aligned").is_dir():
        aligned = _load(run_folder / "60_aligned", AlignedScene)
        matches = _match(aligned, truth)
        figures |= _people(aligned.bodies, aligned.cameras, truth, "aligned")
        figures |= _objects(aligned, truth, matches) | _contacts(aligned, truth, matches)
        figures |= _penetration(aligned, truth)
    for controller in ("pd", "static"):
        rollout, verdict = (run_folder / f"{name}_{controller}" for name in ("80_rollout", "85_verdict"))
        if rollout.is_dir():
            figures |= _people(_load(rollout, Rollout).bodies, motion.cameras, truth, f"simulated_{controller}")
        if verdict.is_dir():
            figures |= _verdict(_load(verdict, StabilityVerdict), controller)
    return figures


def markdown_table(runs: Mapping[str, Mapping[str, Value]]) -> str:
    """Figures as rows, runs as columns."""
    names = list(dict.fromkeys(name for figures in runs.values() for name in figures))
    lines = ["| figure | " + " | ".join(runs) + " |", "|---" * (len(runs) + 1) + "|"]
    lines += ["| " + " | ".join([name, *(_shown(figures.get(name)) for figures in runs.values())]) + " |" for name in names]
    return "\n".join(lines) + "\n"


def over_seeds(runs: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """Runs of one sample at several seeds as one column: mean [lowest, highest] of numbers, every text that occurs."""
    names = dict.fromkeys(name for figures in runs for name in figures)
    return {name: _spread([figures[name] for figures in runs if name in figures]) for name in names}


def _spread(values: Sequence[Value]) -> str:
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values):
        return "; ".join(dict.fromkeys(str(value) for value in values))
    return f"{np.mean(numbers):.4g} [{min(numbers):.4g}, {max(numbers):.4g}]"


def _shown(value: Value | None) -> str:
    if value is None:
        return ""
    return value.replace("|", "/") if isinstance(value, str) else f"{value:.4g}"


def _load(folder: Path, kind):  # noqa: ANN001, ANN202
    try:
        return kind.load(folder)
    except ValueError as error:
        raise DamagedArtifact(folder, str(error)) from error


def _cameras(estimated: Cameras, true: Cameras) -> dict[str, Value]:
    rigid, scaled = camera_errors(estimated, true), camera_errors(estimated, true, with_scale=True)
    rra, rta = relative_pose_accuracy(estimated, true, threshold_deg=PAIR_THRESHOLD_DEG)
    return {
        "cameras/registered": float(estimated.is_registered.sum()),
        "cameras/rotation_mean_deg": float(rigid.rotation_deg.mean()),
        "cameras/rotation_max_deg": float(rigid.rotation_deg.max()),
        "cameras/position_mean_cm": 100 * float(rigid.position_m.mean()),
        "cameras/position_max_cm": 100 * float(rigid.position_m.max()),
        "cameras/position_mean_scaled_cm": 100 * float(scaled.position_m.mean()),
        "cameras/ate_cm": 100 * rigid.ate_m,
        "cameras/true_over_estimated_scale": align_worlds(estimated, true, with_scale=True).scale,
        "cameras/focal_percent": float(rigid.focal_percent.mean()),
        "cameras/rra5_percent": rra,
        "cameras/rta5_percent": rta,
    }


def _people(bodies: tuple[BodySequence, ...], cameras: Cameras, truth: Truth, when: str) -> dict[str, Value]:
    """Errors of the person whose pelvis is nearest to the true one, in the world aligned by the cameras; of a simulation's
    bodies the final state counts."""
    rigid, scaled = (align_worlds(cameras, truth.cameras, with_scale=with_scale) for with_scale in (False, True))
    model, count = embedded_body(), len(BODY_JOINTS)
    true = truth.body.joints[truth.frames[0], :count]
    skeletons = [model.joints(body.betas, body.pose[-1], body.transl[-1])[:count] for body in bodies]
    nearest = int(np.argmin([np.linalg.norm(rigid.apply(joints[0]) - true[0]) for joints in skeletons]))
    joints, body = skeletons[nearest], bodies[nearest]
    return {
        f"body/{when}_w_mpjpe_mm": mpjpe_mm(rigid.apply(joints), true),
        f"body/{when}_w_mpjpe_scaled_mm": mpjpe_mm(scaled.apply(joints), true),
        f"body/{when}_pa_mpjpe_mm": pa_mpjpe_mm(joints, true),
        "body/people": float(len(bodies)),
        "body/stature_error_cm": 100 * (body.stature_m - float(model.stature(truth.body.betas))),
    }


Matches = dict[int, ObjectAsset]
"""The estimated object of each true object that has one, by the true object's place."""


def _match(scene: AlignedScene, truth: Truth) -> Matches:
    """One to one with the least distances between the boxes' middles; pairs farther apart than `MATCH_M` do not count."""
    if not scene.assets:
        return {}
    world, frame = align_worlds(scene.cameras, truth.cameras), int(truth.frames[0])
    estimated = np.stack([_middle(world.apply(_world(asset))) for asset in scene.assets])
    true = np.stack([_middle(item.world_vertices(frame)) for item in truth.objects])
    distance = np.linalg.norm(true[:, None] - estimated[None], axis=2)
    pairs = zip(*linear_sum_assignment(distance))
    return {int(i): scene.assets[j] for i, j in pairs if distance[i, j] < MATCH_M}


def _middle(points: Float[ndarray, "points 3"]) -> Float[ndarray, "3"]:
    return (points.min(axis=0) + points.max(axis=0)) / 2


def _objects(scene: AlignedScene, truth: Truth, matches: Matches) -> dict[str, Value]:
    """Mean errors of the objects; a true one that was not found has F-score, IoU and silhouette 0, and no distances."""
    figures: dict[str, Value] = {
        "object/count": float(len(scene.assets)),
        "object/found_percent": 100 * len(matches) / len(truth.objects),
    }
    if not matches:
        return figures | {f"object/{name}": 0.0 for name in _ZERO_IF_MISSED}
    texts = {"category": "{0.category} ({1.category})", "family": "{0.family}"}
    figures |= {
        f"object/{name}": ", ".join(text.format(asset, truth.objects[i]) for i, asset in matches.items())
        for name, text in texts.items()
    }
    found = [_object(asset, i, scene.cameras, truth) for i, asset in matches.items()]
    for name in found[0]:
        total = len(truth.objects) if name in _ZERO_IF_MISSED else len(found)
        figures[f"object/{name}"] = sum(values[name] for values in found) / total
    return figures


_ZERO_IF_MISSED = ("f5cm_percent", "midi_f_percent", "dso_f_percent", "iou_3d", "silhouette_iou_mean", "silhouette_iou_min")


def _object(asset: ObjectAsset, index: int, cameras: Cameras, truth: Truth) -> dict[str, float]:
    item, frame = truth.objects[index], int(truth.frames[0])
    world, goal = align_worlds(cameras, truth.cameras), item.world_vertices(frame)
    vertices, rng = _world(asset), np.random.default_rng(0)
    moved = world.apply(vertices)
    points = sample_surface(moved, asset.faces, SURFACE_SAMPLES, rng)
    true_points = sample_surface(goal, item.faces, SURFACE_SAMPLES, rng)
    likeness = surface_likeness(points, true_points, threshold=F_THRESHOLD_M)
    both = {kind: normalised_likeness(points, true_points, normalisation=kind) for kind in ("midi", "dso")}
    overlaps = _silhouette_overlaps(cameras, vertices, asset.faces, index, truth)
    return {
        "chamfer_cm": 100 * likeness.chamfer,
        "f5cm_percent": likeness.f_score,
        "iou_3d": _volume_overlap(asset, moved, world, item, frame),
        "support_height_error_cm": 100 * (support_height(vertices, asset.faces) - item.support_height_m),
        "top_height_error_cm": 100 * float(vertices[:, 2].max() - goal[:, 2].max()),
        "silhouette_iou_mean": float(np.mean(overlaps)),
        "silhouette_iou_min": float(np.min(overlaps)),
    } | {f"{kind}_chamfer": score.chamfer for kind, score in both.items()} | {
        f"{kind}_f_percent": score.f_score for kind, score in both.items()
    }  # fmt: skip


def _world(asset: ObjectAsset) -> Float[ndarray, "vertices 3"]:
    return transform_points(asset.T_world_object, asset.vertices)


def _volume_overlap(
    asset: ObjectAsset, moved: Float[ndarray, "vertices 3"], world: Similarity, item: TruthObject, frame: int
) -> float:
    both = np.concatenate([moved, item.world_vertices(frame)])
    estimated = Moved(ConvexUnion(asset.parts, surface=(asset.vertices, asset.faces), name=asset.name),
                      world.matrix() @ asset.T_world_object)  # fmt: skip
    true = Moved(ConvexUnion(item.pieces, surface=(item.vertices, item.faces), name="truth"), item.pose(frame))
    return iou_3d(estimated, true, low=both.min(axis=0), high=both.max(axis=0))


def _silhouette_overlaps(
    cameras: Cameras, vertices: Float[ndarray, "vertices 3"], faces: ndarray, index: int, truth: Truth
) -> list[float]:
    """IoU per registered view of the object's outline in the estimated camera with its true visible pixels; pixels of people
    and of other objects do not count. Views in which the object is not to be seen are left out."""
    overlaps = []
    for view in np.flatnonzero(cameras.is_registered).tolist():
        mask = truth.object_mask(view, index)
        if not mask.any():
            continue
        hidden = (truth.labels[view] != ROOM) & ~mask
        height, width = mask.shape
        scale = width / float(cameras.size_px[view, 0])
        uv = (project(cameras, view, vertices) + 0.5) * scale - 0.5
        drawn: Bool[ndarray, "height width"] = np.isfinite(
            rasterize_depth(uv, depth(cameras, view, vertices), faces, height=height, width=width)[0]
        )
        overlaps.append(iou(drawn, mask, hidden))
    return overlaps or [0.0]


def _contacts(scene: AlignedScene, truth: Truth, matches: Matches) -> dict[str, Value]:
    names = {asset.name: truth.objects[i].name for i, asset in matches.items()} | {"floor": "floor"}
    frame = truth.frames[0]
    estimated = [(contact.part, names.get(contact.target, f"not in truth: {contact.target}")) for contact in scene.contacts]
    true = [(contact.part, contact.target) for contact in truth.contacts if contact.first <= frame <= contact.last]
    score = contact_score(estimated, true)
    largest = max((abs(contact.gap_m) for contact in scene.contacts if contact.target != "floor"), default=float("nan"))
    return {
        "contact/precision_percent": score.precision,
        "contact/recall_percent": score.recall,
        "contact/largest_gap_cm": 100 * largest,
    }


def _penetration(scene: AlignedScene, truth: Truth) -> dict[str, Value]:
    names = ("sp3d_percent", "penetration_max_mm", "penetration_mean_mm", "vertices_inside_percent")
    figures: dict[str, Value] = {
        f"contact/{name}_{when}": scene.report[f"{name}_{when}"] for name in names for when in ("before", "after")
    }
    frame = int(truth.frames[0])
    skin = truth.body.vertices(frame)
    solids = (WatertightMesh(item.world_vertices(frame), item.faces, name=item.name) for item in truth.objects)
    score = scene_penetration(np.min([solid.query(skin).distance for solid in solids], axis=0))
    return figures | {"contact/sp3d_percent_truth": score.sp3d_percent}


def _verdict(verdict: StabilityVerdict, controller: str) -> dict[str, Value]:
    return {
        f"verdict/{controller}_stable": "yes" if verdict.is_stable else "no",
        f"verdict/{controller}_stands_under_gravity": "yes" if verdict.stands_under_gravity else "no",
        f"verdict/{controller}_type": float(verdict.feedback_type),
        f"verdict/{controller}_reason": verdict.reason,
    }
