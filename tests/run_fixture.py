# ruff: noqa: E501
"""A tiny but complete run, made from the embedded body on a chair of boxes and four cameras, without perception or physics.

Every number in it is made up but consistent: the photos show the body and the chair where the artifacts say they are.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from hsimul3r.artifacts import (
    AlignedScene,
    Artifact,
    BodySequence,
    CameraRig,
    Cameras,
    Capture,
    Contact,
    ConvexPart,
    Criterion,
    HumanMotion,
    ObjectAsset,
    ObjectSet,
    ObjectView,
    ObjectViews,
    People,
    PersonView,
    PointTracks,
    Provenance,
    Rollout,
    SceneGeometry,
    SimScene,
    StabilityVerdict,
)
from hsimul3r.body.model import EMBEDDED, embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.mesh import convex_part, union
from hsimul3r.geometry.overlay import draw_mesh_overlay
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.surfaces import body_surfaces, object_surfaces

SEAT_M = 0.45
WORLD = Provenance(adapter="fixture", seed=0, scale_source="stature", frame="world", licences=("Apache-2.0", "CC0-1.0"))


def write_run(folder: Path, *, size_px: tuple[int, int] = (320, 240), frames: int = 16, is_stable: bool = True) -> Path:
    """Write a finished run: every artifact of both controllers and a manifest, no video."""
    cameras, body, asset = four_cameras(size_px), sitter(), chair()
    photos = paint_photos(cameras, [body], [asset])
    tracks = floor_points(cameras)
    contacts = (_contact("buttocks", body), _contact("left_thigh", body))
    artifacts = _perceived(cameras, photos, body, asset, tracks)
    artifacts["60_aligned"] = AlignedScene(
        provenance=WORLD, body_model=EMBEDDED, bodies=(body,), assets=(asset,), contacts=contacts, cameras=cameras,
        tracks=tracks, report={"sp3d_before_percent": 21.0, "sp3d_after_percent": 3.2, "gap_before_m": 0.062, "gap_after_m": 0.004},
    )  # fmt: skip
    artifacts["70_sim"] = SimScene(
        provenance=WORLD, mjcf="scene.xml", body_model=EMBEDDED, bodies=(body,), assets=(asset,), contacts=contacts,
        humans=("person0",), humanoid="hull", human_mass_kg=(71.0,), joint_names=(), qpos_names=(), qpos=np.zeros(0), report={"dofs": 75.0},
    )  # fmt: skip
    for controller, holds in (("pd", False), ("static", is_stable)):
        artifacts[f"80_rollout_{controller}"] = slumping_rollout(controller, body, asset, frames, drop_m=0.0 if holds else 0.35)
        artifacts[f"85_verdict_{controller}"] = verdict(controller, is_stable=holds)
    for name, artifact in artifacts.items():
        (folder / name).mkdir(parents=True)
        artifact.save(folder / name)
    for name, photo in zip(artifacts["00_capture"].images, photos):
        Image.fromarray(photo).save(folder / "00_capture" / name)
    Image.fromarray(photos[0]).save(folder / "40_humans" / "overlay_view0.png")
    _write_manifest(folder, list(artifacts))
    return folder


def sitter(frames: int = 1) -> BodySequence:
    """A person of 1.75 m who sits at the origin and looks along -Y, soles on the floor."""
    model = embedded_body()
    betas, pose = model.betas_of_stature(1.75), np.zeros((frames, 55, 3))
    pose[:, 0] = (np.pi / 2, 0, 0)
    bends = {"hip": (-1.5, 0, 0), "knee": (1.45, 0, 0)}
    for side, sign in (("left", 1), ("right", -1)):
        for joint, axis_angle in {**bends, "shoulder": (0, 0, -1.2 * sign), "elbow": (0, -0.9 * sign, 0)}.items():
            pose[:, SMPLX_JOINTS.index(f"{side}_{joint}")] = axis_angle
    seat = model.vertices(betas, pose[0], np.zeros(3))[model.parts["buttocks"], 2].min()
    pelvis = model.joints(betas, pose[0], np.zeros(3))[0]
    transl = np.array([-pelvis[0], -pelvis[1], SEAT_M - seat])
    return BodySequence(
        person=0, betas=betas, pose=pose, transl=np.tile(transl, (frames, 1)), fps=30.0, stature_m=1.75,
        report={"reprojection_median_px": 2.4, "silhouette_iou": 0.86},
    )  # fmt: skip


def chair() -> ObjectAsset:
    """Seat, back and four legs under and behind the sitter."""
    boxes = [((0, 0, SEAT_M - 0.02), (0.46, 0.46, 0.04)), ((0, 0.22, 0.68), (0.46, 0.03, 0.46))]
    boxes += [((x, y, SEAT_M / 2 - 0.02), (0.05, 0.05, SEAT_M - 0.04)) for x in (-0.2, 0.2) for y in (-0.2, 0.2)]
    parts = tuple(_box(center, size) for center, size in boxes)
    vertices, faces = union(parts, "chair")
    return ObjectAsset(
        name="chair", category="chair", family="chair", parameters={"seat_height_m": SEAT_M, "width_m": 0.46}, parts=parts,
        vertices=vertices, faces=faces, T_world_object=np.eye(4), mass_kg=8.0, density_kg_m3=600.0, friction=0.8,
        report={"silhouette_iou": 0.91},
    )  # fmt: skip


def four_cameras(size_px: tuple[int, int]) -> Cameras:
    """Around the origin, 2.8 m away and 1.4 m high, each looking at a point 0.75 m above the floor."""
    width, height = size_px
    T = np.stack([_look_at(np.array([2.8 * np.sin(a), -2.8 * np.cos(a), 1.4])) for a in np.radians((-70, -25, 20, 65))])
    return Cameras(
        size_px=np.tile([width, height], (4, 1)), focal_px=np.full(4, 1.1 * width), k1=np.zeros(4), T_cam_world=T,
        principal_px=np.tile([(width - 1) / 2, (height - 1) / 2], (4, 1)), is_registered=np.ones(4, bool),
    )  # fmt: skip


def paint_photos(cameras: Cameras, bodies: Sequence[BodySequence], assets: Sequence[ObjectAsset]) -> tuple[np.ndarray, ...]:
    """Pictures of the scene in front of a plain wall."""
    photos = []
    for view, (width, height) in enumerate(cameras.size_px):
        wall = np.linspace(205, 120, height)[:, None, None] * np.ones((1, width, 3))
        meshes = [*body_surfaces(bodies), *object_surfaces(assets)]
        photos.append(draw_mesh_overlay(wall.astype(np.uint8), meshes, cameras, view, alpha=1.0, legend=False))
    return tuple(photos)


def floor_points(cameras: Cameras, count: int = 150) -> PointTracks:
    """Random points of the floor, seen by every view."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-1.5, 1.5, (count, 2)), np.zeros((count, 1))], axis=1)
    seen = [(view, project(cameras, view, points)) for view in range(len(cameras.focal_px))]
    view = np.concatenate([np.full(count, v)[np.isfinite(uv).all(1)] for v, uv in seen])
    point = np.concatenate([np.flatnonzero(np.isfinite(uv).all(1)) for _, uv in seen])
    uv_px = np.concatenate([uv[np.isfinite(uv).all(1)] for _, uv in seen])
    colors = rng.integers(90, 200, (count, 3)).astype(np.uint8)
    return PointTracks(points=points, colors=colors, view=view, point=point, uv_px=uv_px)


def slumping_rollout(controller: str, body: BodySequence, asset: ObjectAsset, frames: int, drop_m: float) -> Rollout:
    """The person sinks by `drop_m` and loses the contact; at 0 everything rests."""
    share = np.linspace(0, 1, frames)
    moved = replace(
        body, pose=np.tile(body.pose[:1], (frames, 1, 1)), transl=body.transl[:1] - share[:, None] * np.array([0, 0, drop_m])
    )
    force = 500.0 * np.ones((frames, 2)) * (1 - (share[:, None] if drop_m else 0.0)) * np.array([1.0, 0.3])
    return Rollout(
        provenance=WORLD, controller=controller, fps=30.0, qpos_names=(), qpos=np.zeros((frames, 0)), qvel=np.zeros((frames, 0)),
        ctrl=np.zeros((frames, 0)), bodies=(moved,), object_names=(asset.name,), object_pos=np.zeros((frames, 1, 3)),
        object_quat=np.tile([1.0, 0, 0, 0], (frames, 1, 1)), contact_names=("person0/buttocks/chair", "person0/left_thigh/chair"),
        contact_force_n=force, contact_point=np.tile([[0, 0, SEAT_M], [0.1, -0.2, SEAT_M]], (frames, 1, 1)),
        penetration_m=np.full(frames, 0.002), body_deviation_m=drop_m * share, replay_hash="0" * 64,
        report={"body_deviation_m": drop_m},
    )  # fmt: skip


def verdict(controller: str, *, is_stable: bool) -> StabilityVerdict:
    criteria = (
        Criterion(test="gravity", name="object_tilt_deg", value=0.3, threshold=10.0, holds=True, margin=0.97),
        Criterion(test="settled", name="rms_velocity_m_s", value=0.01, threshold=0.1, holds=True, margin=0.9),
        Criterion(test="contact", name="contact_force_n", value=500.0 if is_stable else 0.0, threshold=20.0, holds=is_stable, margin=24.0 if is_stable else -1.0),
    )  # fmt: skip
    reason = "Person 0 rests on the chair with 500 N." if is_stable else "Person 0 loses the chair: 0 N where 20 N are needed."
    return StabilityVerdict(
        provenance=WORLD, controller=controller, is_stable=is_stable, feedback_type=4 if is_stable else 3,
        stands_under_gravity=True, is_settled=True, holds_contact=is_stable, criteria=criteria, reason=reason,
    )  # fmt: skip


def _perceived(
    cameras: Cameras, photos: Sequence[np.ndarray], body: BodySequence, asset: ObjectAsset, tracks: PointTracks
) -> dict[str, Artifact]:
    """Artifacts up to the object set."""
    views, skeleton = len(photos), embedded_body().keypoints(body.betas, body.pose[0], body.transl[0])
    person_masks = tuple(_mask(cameras, v, body_surfaces([body])[0]) for v in range(views))
    object_masks = tuple(_mask(cameras, v, object_surfaces([asset])[0]) for v in range(views))
    image = replace(WORLD, frame="image", scale_source="unknown")
    seen = tuple(_person_view(cameras, v, skeleton) for v in range(views))
    labels = tuple(np.where(p, 2, m).astype(np.uint8) for p, m in zip(person_masks, object_masks))
    is_floor = np.ones(len(tracks.points), bool)
    geometry = {"cameras": cameras, "tracks": tracks, "persons": (0,), "skeletons": skeleton[None]}
    return {
        "00_capture": Capture(
            provenance=image, name="fixture", folder="fixture", images=tuple(f"view_{v:02d}.png" for v in range(views)),
            sources=tuple(f"photo {v}.jpg" for v in range(views)), size_px=cameras.size_px, original_size_px=cameras.size_px * 3,
            focal_px=np.full(views, np.nan), is_focal_given=False, stature_m=1.75, objects=(),
        ),
        "10_people": People(provenance=image, views=seen, masks=person_masks, person_count=1),
        "20_cameras": CameraRig(provenance=WORLD, **geometry, report={"points_median_px": 0.6, "skeleton_median_cm": 1.9}),
        "30_scene": SceneGeometry(
            provenance=WORLD, **geometry, T_world_rig=np.eye(4), rig_scale=1.0, is_floor_point=is_floor, report={"floor_rms_m": 0.004}
        ),
        "40_humans": HumanMotion(
            provenance=WORLD, body_model=EMBEDDED, bodies=(body,), cameras=cameras, tracks=tracks, is_floor_point=is_floor,
            person_masks=person_masks, report={"scale": 1.02},
        ),
        "45_object_views": ObjectViews(
            provenance=image,
            objects=(ObjectView(name="chair", category="chair", score=0.8, boxes_px=np.stack([_box_of(m) for m in object_masks]), labels=labels),),
        ),
        "50_objects": ObjectSet(provenance=WORLD, assets=(asset,)),
    }  # fmt: skip


def _person_view(cameras: Cameras, view: int, skeleton: np.ndarray) -> PersonView:
    uv = project(cameras, view, skeleton)
    return PersonView(
        view=view, person=0, keypoints_px=uv, confidence=np.full(len(uv), 0.9), skeleton_m=skeleton - skeleton.mean(0),
        box_px=np.concatenate([uv.min(0), uv.max(0)]), agreement=0.85,
    )  # fmt: skip


def _mask(cameras: Cameras, view: int, mesh: object) -> np.ndarray:
    width, height = cameras.size_px[view]
    uv = project(cameras, view, mesh.vertices)
    return rasterize_depth(uv, depth(cameras, view, mesh.vertices), mesh.faces, height=height, width=width)[1] >= 0


def _box_of(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)


def _box(center: tuple[float, float, float], size: tuple[float, float, float]) -> ConvexPart:
    return convex_part(np.array(center) + trimesh.creation.box(size).vertices)


def _contact(part: str, body: BodySequence) -> Contact:
    place = embedded_body().vertices(body.betas, body.pose[0], body.transl[0])[embedded_body().parts[part]].mean(axis=0)
    return Contact(person=0, part=part, target="chair", gap_m=0.004, point=np.array([place[0], place[1], SEAT_M]))


def _look_at(eye: np.ndarray) -> np.ndarray:
    forward = np.array([0, 0, 0.75]) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0, 0, 1))
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    T[:3, 3] = -T[:3, :3] @ eye
    return T


def _write_manifest(folder: Path, names: Sequence[str]) -> None:
    stages = {
        f"stages.fixture:{name}": {"folder": name, "stage": "stages.fixture", "key": "0", "content": "0", "seconds": 1.5 + i, "peak_rss_mb": 800.0 + i}
        for i, name in enumerate(names)
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps({"version": "0", "run": folder.name, "stages": stages}))
