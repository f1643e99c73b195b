"""Makes a case: poses the person, places everything in the world, dresses it for the renderer and writes down what is true."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.artifacts import Cameras
from hsimul3r.benchmark.camera.shot import Material, Shot, TexturedMesh, View, box_mapped, look_at
from hsimul3r.benchmark.look import textures
from hsimul3r.benchmark.look.room import room
from hsimul3r.benchmark.look.wardrobe import dress
from hsimul3r.benchmark.objects.catalogue import build_furniture
from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.benchmark.posing.solver import pose_body
from hsimul3r.benchmark.scene import CameraWalk, Case, Color, PosedBody, Staged, StagedObject
from hsimul3r.body.model import SmplxFormatBody, embedded_body

FULL_FRAME_DIAGONAL_MM = 43.27


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A case in the world frame, before any picture is taken."""

    staged: Staged
    cameras: Cameras
    shot: Shot


def compose(case: Case, fine: SmplxFormatBody, *, samples: int) -> Composed:
    """Everything about a case; `fine` is the fine version of the embedded body, `samples` the renderer's samples per pixel."""
    rng = np.random.default_rng(case.seed)
    body, furniture = embedded_body(), build_furniture(case.furniture)
    local = pose_body(body, furniture, case.goal)
    T_world_object = _place(body.joints(local.betas, local.pose, local.transl)[0], case.yaw_deg)
    person = _moved_body(body, local, T_world_object)
    views = _views(case.walk, rng)
    room_meshes, room_materials, lights = room(case.room, rng)
    person_meshes, person_materials = dress(fine, person, case.look, rng)
    object_meshes, object_materials = _object_look(furniture, case.object_colors, rng)
    shot = Shot(
        meshes=(*room_meshes, *person_meshes, *(mesh.moved(T_world_object) for mesh in object_meshes)),
        materials=room_materials | person_materials | object_materials,
        lights=tuple(lights),
        views=views,
        samples=samples,
        seed=case.seed,
    )
    return Composed(staged=_staged(person, furniture, T_world_object), cameras=_cameras(views), shot=shot)


def _staged(person: PosedBody, furniture: Furniture, T_world_object: Float[ndarray, "4 4"]) -> Staged:
    return Staged(
        objects=(StagedObject(name="object", furniture=furniture, T_world_object=T_world_object[None]),),
        betas=person.betas,
        pose=person.pose[None],
        transl=person.transl[None],
        fps=30.0,
        contacts=(),
    )


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


def _object_look(
    furniture: Furniture, colors: Mapping[str, Color], rng: np.random.Generator
) -> tuple[list[TexturedMesh], dict[str, Material]]:
    makers = {
        "wood": lambda color: Material(image=textures.wood(rng, (1024, 512), color), roughness=0.4, bump_m=0.0005),
        "fabric": lambda color: Material(
            image=textures.fabric(rng, 1024, color, flecks=0.3), roughness=0.95, bump_m=0.001, sheen=0.2
        ),
    }
    materials = {f"object_{name}": makers[name](color) for name, color in colors.items()}
    meshes = [
        box_mapped(
            f"object_{piece.name}",
            f"object_{piece.material}",
            piece.shape,
            rng=rng,
            group="object",
            image_m=0.9,
            is_smooth=True,
        )
        for piece in furniture.pieces
    ]
    return meshes, materials


def _views(walk: CameraWalk, rng: np.random.Generator) -> tuple[View, ...]:
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


def _cameras(views: tuple[View, ...]) -> Cameras:
    return Cameras(
        size_px=np.array([view.size_px for view in views]),
        focal_px=np.array([view.focal_px for view in views]),
        principal_px=np.array([view.K[:2, 2] for view in views]),
        k1=np.zeros(len(views)),
        T_cam_world=np.stack([view.T_cam_world for view in views]),
        is_registered=np.ones(len(views), bool),
    )
