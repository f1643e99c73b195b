"""Puts a staged case before the cameras: dresses the person, furnishes the room, paints the objects, sets up the views.

`compose_case` does so for the cases of HSIBench, `compose` for the four samples, whose looks and views are written by hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.artifacts import Cameras
from hsimul3r.benchmark.camera.rig import FULL_FRAME_DIAGONAL_MM, centre_of, film, outline, ring
from hsimul3r.benchmark.camera.shot import AreaLight, Material, Shot, TexturedMesh, View, cameras_of, look_at
from hsimul3r.benchmark.look import swatches
from hsimul3r.benchmark.look.appearance import ROUGHNESS, Paint, appearance
from hsimul3r.benchmark.look.meshes import object_meshes
from hsimul3r.benchmark.look.room import room
from hsimul3r.benchmark.look.wardrobe import Figure, dress
from hsimul3r.benchmark.objects.catalogue import build_furniture
from hsimul3r.benchmark.posing.solver import pose_body
from hsimul3r.benchmark.scene import CameraWalk, Case, CaseSpec, PersonLook, PosedBody, RoomLook, Staged, StagedObject
from hsimul3r.body.model import SmplxFormatBody, embedded_body, fine_body

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A case before its cameras: view v shows the staged frame `frames[v]`."""

    staged: Staged
    views: tuple[View, ...]
    frames: Int[ndarray, "views"]
    figure: Figure
    room_meshes: tuple[TexturedMesh, ...]
    object_meshes: Mapping[str, tuple[TexturedMesh, ...]]
    """In each object's own frame."""
    materials: dict[str, Material]
    lights: tuple[AreaLight, ...]
    seed: int
    samples: int = 32

    @property
    def cameras(self) -> Cameras:
        return cameras_of(self.views)

    @property
    def shots(self) -> Iterator[Shot]:
        """One shot a moment, with the views that show it, in the order of the views."""
        for frame in dict.fromkeys(self.frames.tolist()):
            yield self.shot(frame)

    def shot(self, frame: int) -> Shot:
        """The scene at a staged frame. Room, faces and texture coordinates are the same objects in every shot."""
        staged = self.staged
        things = []
        for item in staged.objects:
            T = item.T_world_object[min(frame, len(item.T_world_object) - 1)]
            things += [mesh.moved(T) for mesh in self.object_meshes[item.name]]
        person = self.figure.posed(staged.pose[frame], staged.transl[frame])
        return Shot(
            meshes=(*self.room_meshes, *person, *things),
            materials=self.materials,
            lights=self.lights,
            views=tuple(view for view, at in zip(self.views, self.frames) if at == frame),
            samples=self.samples,
            seed=self.seed,
        )


def compose_case(spec: CaseSpec, staged: Staged) -> Composed:
    """A case of HSIBench: a pose before the ring of sixteen cameras, or a motion before one that films it, one view a frame."""
    rng = np.random.default_rng([spec.seed, 0])
    if staged.frames == 1:
        views, frames = ring(staged, rng), np.zeros(16, int)
    else:
        views, frames = film(staged, rng, bool(rng.random() < 0.5)), np.arange(staged.frames)
    look = appearance(spec, staged, reach_m=_reach(staged, views))
    return _composed(
        staged, views, frames, person=look.person, room_look=look.room, paints=look.objects, seed=spec.seed,
        body=fine_body(), rng=np.random.default_rng([spec.seed, 2]),
    )  # fmt: skip


def compose(case: Case, *, samples: int, body: SmplxFormatBody | None = None) -> Composed:
    """A sample capture; `samples` are the renderer's per pixel, `body` what is dressed where it is not the fine body."""
    rng = np.random.default_rng(case.seed)
    views = _walked(case.walk, rng)
    paints = {
        "object": {name: Paint(family=name, color=c, roughness=ROUGHNESS[name]) for name, c in case.object_colors.items()}
    }
    composed = _composed(
        stage_sample(case), views, np.zeros(len(views), int), person=case.look, room_look=case.room, paints=paints,
        seed=case.seed, body=body or fine_body(), rng=rng, scale=2,
    )  # fmt: skip
    return replace(composed, samples=samples)


def stage_sample(case: Case) -> Staged:
    """Person and object of a sample in the world, the pelvis above the origin."""
    body, furniture = embedded_body(), build_furniture(case.furniture)
    local = pose_body(body, furniture, case.goal)
    T = _place(body.joints(local.betas, local.pose, local.transl)[0], case.yaw_deg)
    person = _moved_body(body, local, T)
    return Staged(
        objects=(StagedObject(name="object", furniture=furniture, T_world_object=T[None]),),
        betas=person.betas,
        pose=person.pose[None],
        transl=person.transl[None],
        fps=30.0,
        contacts=(),
    )


def _composed(
    staged: Staged, views: tuple[View, ...], frames: Int[ndarray, "views"], *, person: PersonLook, room_look: RoomLook,
    paints: Mapping[str, Mapping[str, Paint]], seed: int, body: SmplxFormatBody, rng: Rng, scale: int = 1,
) -> Composed:  # fmt: skip
    room_meshes, materials, lights = room(room_look, rng, scale=scale)
    figure = dress(body, staged.betas, person, rng, scale=scale)
    painted = {
        f"{item}_{name}": _painted(paint, rng, scale)
        for item, materials_of in paints.items()
        for name, paint in materials_of.items()
    }
    return Composed(
        staged=staged,
        views=views,
        frames=frames,
        figure=figure,
        room_meshes=tuple(room_meshes),
        object_meshes={item.name: tuple(object_meshes(item.name, item.furniture, rng)) for item in staged.objects},
        materials=materials | figure.materials | painted,
        lights=tuple(lights),
        seed=seed,
    )


def _painted(paint: Paint, rng: Rng, scale: int) -> Material:
    relief = {"wood": 0.0005, "fabric": 0.001, "leather": 0.0005}.get(paint.family, 0.0)
    image = swatches.tinted(swatches.drawn(paint.family, rng, scale), paint.color)
    return Material(image=image, roughness=paint.roughness, bump_m=relief, sheen=0.2 if paint.family == "fabric" else 0.0)


def _reach(staged: Staged, views: tuple[View, ...]) -> float:
    """How far from the middle of the scene the furthest camera stands."""
    middle = centre_of(outline(staged))[:2]
    centres = np.array([(-view.T_cam_world[:3, :3].T @ view.T_cam_world[:3, 3])[:2] for view in views])
    return float(np.linalg.norm(centres - middle, axis=1).max())


def _place(pelvis: Float[ndarray, "3"], yaw_deg: float) -> Float[ndarray, "4 4"]:
    """`T_world_object` that puts the pelvis, given in the object's frame, above the world's origin."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("z", yaw_deg, degrees=True).as_matrix()
    T[:2, 3] = -(T[:3, :3] @ pelvis)[:2]
    return T


def _moved_body(body: SmplxFormatBody, local: PosedBody, T: Float[ndarray, "4 4"]) -> PosedBody:
    pose = local.pose.copy()
    pose[0] = (Rotation.from_matrix(T[:3, :3]) * Rotation.from_rotvec(pose[0])).as_rotvec()
    rest = body.joints(local.betas, np.zeros((55, 3)), np.zeros(3))[0]
    return PosedBody(betas=local.betas, pose=pose, transl=T[:3, :3] @ (local.transl + rest) + T[:3, 3] - rest)


def _walked(walk: CameraWalk, rng: Rng) -> tuple[View, ...]:
    """Cameras of the walk, each held a little differently."""
    focal = walk.equivalent_mm / FULL_FRAME_DIAGONAL_MM * float(np.hypot(*walk.size_px))
    views = []
    for azimuth, distance, height in zip(walk.azimuth_deg, walk.distance_m, walk.height_m):
        angle = np.radians(azimuth + rng.normal(0, 1.0))
        centre = (distance * np.sin(angle), -distance * np.cos(angle), height + rng.normal(0, 0.02))
        target = np.asarray(walk.target_m) + rng.normal(0, 0.035, 3)
        views.append(
            View(size_px=walk.size_px, focal_px=focal, T_cam_world=look_at(centre, target, roll_deg=rng.normal(0, 1.2)))
        )
    return tuple(views)
