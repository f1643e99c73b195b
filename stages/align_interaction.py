"""Bring people and objects into contact without penetration: Eq. 3 and Eq. 4, Sec. 3.2."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import AlignedScene, BodySequence, Cameras, Contact, HumanMotion, ObjectAsset, ObjectSet, ObjectViews
from hsimul3r.body.model import embedded_body
from hsimul3r.errors import NotASingleMoment
from hsimul3r.geometry.cameras import transform_points
from hsimul3r.geometry.rotations import angle_between
from hsimul3r.geometry.sdf import ConvexUnion, Moved
from hsimul3r.interaction.detect import FEWEST_OVER, FLOOR, ContactPair, decide_contacts, is_carried, lowest, part_gap
from hsimul3r.interaction.kinematics import BodyChain, BodyState
from hsimul3r.interaction.plan import plan_sheet
from hsimul3r.interaction.solver import AlignmentWeights, Placement, SolidObject, Solution, align, placed
from hsimul3r.losses.contact import contact_loss, non_contact_loss
from hsimul3r.metrics.penetration import scene_penetration
from hsimul3r.progress import Progress
from hsimul3r.surfaces import body_surfaces, object_surfaces


@dataclass(frozen=True, kw_only=True)
class AlignInteractionConfig:
    """Settings of `run`."""

    seed: int = 0
    contact_terms: bool = True
    """False leaves people and objects where they were reconstructed; what touches what is decided all the same."""
    weights: AlignmentWeights = field(default_factory=AlignmentWeights)
    closed_m: float = 0.01
    """A contact counts as closed where its gap is below this; a thigh or back that stays farther does not touch after all."""


def run(
    motion: HumanMotion,
    views: ObjectViews,
    objects: ObjectSet,
    *,
    cfg: AlignInteractionConfig,
    out: Path,
    progress: Progress,
) -> AlignedScene:
    """Decide the contacts, close them, take every body out of the objects; writes `alignment.png` (before and after)."""
    chains, fitted = _chains(motion, tuple(cfg.weights.joint_sigma_rad))
    items = [_solid_object(asset, views, motion.cameras) for asset in objects.assets]
    pairs = decide_contacts(chains, fitted, objects.assets, seed=cfg.seed)
    start = Placement(bodies=tuple(fitted), offsets=np.zeros((len(items), 3)))
    solved: dict[str, float] = {}
    end = start
    if cfg.contact_terms:
        with progress.bar("people and objects", 1) as advance:
            solution = align(chains, fitted, items, pairs, cameras=motion.cameras, weights=cfg.weights)
            advance(1)
        end, solved = solution.placement, _solved(solution)
        pairs = [pair for pair in pairs if not is_carried(pair.part) or _gap(items, pair, end) < cfg.closed_m]
    adapter = "gated Eq. 3 / Eq. 4" if cfg.contact_terms else "as reconstructed"
    scene = AlignedScene(
        provenance=replace(objects.provenance, adapter=adapter, seed=cfg.seed, frame="world",
                           scale_source=motion.provenance.scale_source, licences=_licences(motion, objects)),
        body_model=motion.body_model,
        bodies=tuple(_moved_body(body, state, before) for body, state, before in zip(motion.bodies, end.bodies, fitted)),
        assets=tuple(_moved_asset(asset, item, offset) for asset, item, offset in zip(objects.assets, items, end.offsets)),
        contacts=tuple(_contact(motion, objects, items, pair, end) for pair in pairs),
        cameras=motion.cameras,
        tracks=motion.tracks,
        report=_report(items, pairs, start, end, cfg) | solved,
    )  # fmt: skip
    _draw(motion, objects, scene, out / "alignment.png")
    return scene


def _solved(solution: Solution) -> dict[str, float]:
    return {
        "energy_before": solution.energy_before,
        "energy_after": solution.energy_after,
        "iterations": float(solution.iterations),
    }


def _chains(motion: HumanMotion, movable: tuple[str, ...]) -> tuple[list[BodyChain], list[BodyState]]:
    for body in motion.bodies:
        if len(body.pose) != 1:
            raise NotASingleMoment(f"Person {body.person} moves over {len(body.pose)} frames.")
    model = embedded_body()
    chains = [BodyChain(model, body.betas, movable) for body in motion.bodies]
    return chains, [chain.state(body.pose[0], body.transl[0]) for chain, body in zip(chains, motion.bodies)]


def _solid_object(asset: ObjectAsset, views: ObjectViews, cameras: Cameras) -> SolidObject:
    low, high = asset.vertices.min(axis=0), asset.vertices.max(axis=0)
    corners = np.stack(np.meshgrid(*zip(low, high), indexing="ij"), axis=-1).reshape(-1, 3)
    boxes = [view.boxes_px for view in views.objects if view.name == asset.name]
    has_box = np.isfinite(boxes[0]).all(axis=1) if boxes else np.zeros(len(cameras.is_registered), bool)
    return SolidObject(
        solid=ConvexUnion(asset.parts, surface=(asset.vertices, asset.faces), name=asset.name),
        corners=corners,
        T_world_object=asset.T_world_object,
        views=np.flatnonzero(has_box & cameras.is_registered),
    )


def _licences(motion: HumanMotion, objects: ObjectSet) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*motion.provenance.licences, *objects.provenance.licences)))


def _moved_body(body: BodySequence, state: BodyState, before: BodyState) -> BodySequence:
    joints = np.linalg.norm(state.joints[:22] - before.joints[:22], axis=1)
    report = {
        "alignment_root_cm": 100 * float(np.linalg.norm(state.transl - before.transl)),
        "alignment_joints_mean_cm": 100 * float(joints.mean()),
        "alignment_joints_max_cm": 100 * float(joints.max()),
    }
    return replace(body, pose=state.pose[None], transl=state.transl[None], report=body.report | report)


def _moved_asset(asset: ObjectAsset, item: SolidObject, offset: Float[ndarray, "3"]) -> ObjectAsset:
    pose = placed(item, offset)
    report = {
        "alignment_shift_cm": 100 * float(np.linalg.norm(offset[:2])),
        "alignment_turn_deg": float(np.degrees(angle_between(item.T_world_object[:3, :3], pose[:3, :3]))),
    }
    return replace(asset, T_world_object=pose, report=asset.report | report)


def _contact(
    motion: HumanMotion, objects: ObjectSet, items: Sequence[SolidObject], pair: ContactPair, end: Placement
) -> Contact:
    points, pose = _part(items, pair, end)
    query = pair.patch.query(points)
    over = int(query.is_over.sum())
    foot = query.foot[lowest(query, max(over // 5, FEWEST_OVER))] if over >= FEWEST_OVER else pair.samples
    return Contact(
        person=motion.bodies[pair.person].person,
        part=pair.part,
        target="floor" if pair.target == FLOOR else objects.assets[pair.target].name,
        gap_m=part_gap(points, pair.patch, pair.samples),
        point=transform_points(pose, foot.mean(axis=0)),
    )


def _gap(items: Sequence[SolidObject], pair: ContactPair, placement: Placement) -> float:
    return part_gap(_part(items, pair, placement)[0], pair.patch, pair.samples)


def _part(
    items: Sequence[SolidObject], pair: ContactPair, placement: Placement
) -> tuple[Float[ndarray, "part 3"], Float[ndarray, "4 4"]]:
    """A pair's vertices in the frame of its target, and that frame's pose."""
    points = placement.bodies[pair.person].vertices[pair.vertices]
    pose = np.eye(4) if pair.target == FLOOR else placed(items[pair.target], placement.offsets[pair.target])
    return (points - pose[:3, 3]) @ pose[:3, :3], pose


def _report(
    items: Sequence[SolidObject],
    pairs: Sequence[ContactPair],
    start: Placement,
    end: Placement,
    cfg: AlignInteractionConfig,
) -> dict[str, float]:
    gaps = [_gap(items, pair, end) for pair in pairs]
    report = {
        "contacts": float(len(pairs)),
        "contacts_with_objects": float(sum(pair.target != FLOOR for pair in pairs)),
        "contacts_closed": float(sum(abs(gap) < cfg.closed_m for gap in gaps)),
    }
    for when, placement in (("before", start), ("after", end)):
        report |= {f"{name}_{when}": value for name, value in _figures(items, pairs, placement).items()}
    return report


def _figures(items: Sequence[SolidObject], pairs: Sequence[ContactPair], placement: Placement) -> dict[str, float]:
    """SP-3D and its companions over all people, Eq. 3 and Eq. 4 summed over the contacts with objects."""
    solids = [Moved(item.solid, placed(item, offset)) for item, offset in zip(items, placement.offsets)]
    vertices = np.concatenate([body.vertices for body in placement.bodies])
    distance = (
        np.min([solid.query(vertices).distance for solid in solids], axis=0) if solids else np.full(len(vertices), np.inf)
    )
    score = scene_penetration(distance)
    eq3 = eq4 = 0.0
    gaps = [0.0]
    for pair in (pair for pair in pairs if pair.target != FLOOR):
        points, _ = _part(items, pair, placement)
        query = items[pair.target].solid.query(points)
        eq3 += non_contact_loss(points, pair.samples).value
        eq4 += contact_loss(query.distance, query.gradient).value
        gaps.append(abs(_gap(items, pair, placement)))
    return {
        "sp3d_percent": score.sp3d_percent,
        "penetration_max_mm": score.max_depth_mm,
        "penetration_mean_mm": score.mean_depth_mm,
        "vertices_inside_percent": score.inside_percent,
        "eq3_m": eq3,
        "eq4_m": eq4,
        "largest_gap_cm": 100 * max(gaps),
    }


def _draw(motion: HumanMotion, objects: ObjectSet, scene: AlignedScene, path: Path) -> None:
    before = [*body_surfaces(motion.bodies), *object_surfaces(objects.assets)]
    after = [*body_surfaces(scene.bodies), *object_surfaces(scene.assets)]
    sheet = plan_sheet({"before": before, "after": after})
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
