"""Posed bodies and box furniture whose right alignment is known."""

import numpy as np
import trimesh

from hsimul3r.artifacts import (
    BodySequence,
    Cameras,
    ConvexPart,
    HumanMotion,
    ObjectAsset,
    ObjectSet,
    ObjectView,
    ObjectViews,
    PointTracks,
    Provenance,
)
from hsimul3r.body.model import EMBEDDED, embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.mesh import union

UPRIGHT = np.array([np.pi / 2, 0, 0])
SIT = {"left_hip": (-1.5, 0, 0), "right_hip": (-1.5, 0, 0), "left_knee": (1.5, 0, 0), "right_knee": (1.5, 0, 0)}
ARMS_DOWN = {"left_shoulder": (0, 0, -1.25), "right_shoulder": (0, 0, 1.25)}
STEP = {"left_hip": (-1.35, 0, 0), "left_knee": (1.35, 0, 0)}


def body(joints, *, xy=(0.0, 0.0), yaw=0.0, person=0):
    """A person in a named pose whose lowest vertex is on the floor; facing -Y at yaw 0, pelvis above `xy`."""
    pose = np.zeros((55, 3))
    pose[0] = UPRIGHT
    for name, turn in {**ARMS_DOWN, **joints}.items():
        pose[SMPLX_JOINTS.index(name)] = turn
    turn = trimesh.transformations.rotation_matrix(yaw, [0, 0, 1])[:3, :3]
    pose[0] = _rotvec(np.array(turn) @ _matrix(UPRIGHT))
    betas = np.zeros(10)
    placed = embedded_body().joints(betas, pose, np.zeros(3))[0]
    transl = np.array([*xy, 0.0]) - placed * [1, 1, 0]
    transl[2] -= embedded_body().vertices(betas, pose, transl)[:, 2].min()
    return sequence(pose, transl, person=person)


def sequence(pose, transl, *, person=0):
    betas = np.zeros(10)
    return BodySequence(person=person, betas=betas, pose=pose[None], transl=transl[None], fps=30.0,
                        stature_m=float(embedded_body().stature(betas)))  # fmt: skip


def raised(human, height):
    return sequence(human.pose[0], human.transl[0] + [0, 0, height], person=human.person)


def skin(human, part=None):
    vertices = embedded_body().vertices(human.betas, human.pose[0], human.transl[0])
    return vertices if part is None else vertices[embedded_body().parts[part]]


def lowest_of(human, part):
    return float(skin(human, part)[:, 2].min())


def box(size, centre):
    mesh = trimesh.creation.box(extents=size)
    return ConvexPart(vertices=np.array(mesh.vertices) + np.array(centre), faces=np.array(mesh.faces))


def asset(name, parts, *, xy=(0.0, 0.0)):
    vertices, faces = union(parts, name)
    T = np.eye(4)
    T[:2, 3] = xy
    return ObjectAsset(name=name, category="box", family="box", parameters={}, parts=tuple(parts), vertices=vertices,
                       faces=faces, T_world_object=T, mass_kg=10.0, density_kg_m3=100.0, friction=0.8)  # fmt: skip


def block(height, *, xy=(0.0, 0.0), size=(0.45, 0.45), name="seat"):
    return asset(name, [box((*size, height), (0, 0, height / 2))], xy=xy)


def chair(seat, *, xy=(0.0, 0.0)):
    """A thin seat on four legs with a back at +Y."""
    legs = [box((0.04, 0.04, seat), (x, y, seat / 2)) for x in (-0.2, 0.2) for y in (-0.2, 0.2)]
    parts = [box((0.45, 0.45, 0.04), (0, 0, seat - 0.02)), box((0.45, 0.04, 0.45), (0, 0.22, seat + 0.22)), *legs]
    return asset("chair", parts, xy=xy)


def table(height, *, xy=(0.0, 0.0)):
    legs = [box((0.05, 0.05, height), (x, y, height / 2)) for x in (-0.55, 0.55) for y in (-0.3, 0.3)]
    return asset("table", [box((1.2, 0.7, 0.04), (0, 0, height - 0.02)), *legs], xy=xy)


def cameras(count=4):
    poses = np.tile(np.eye(4), (count, 1, 1))
    for v in range(count):
        angle = 2 * np.pi * v / count + 0.4
        eye, target = np.array([3 * np.cos(angle), 3 * np.sin(angle), 1.6]), np.array([0, 0, 0.7])
        forward = (target - eye) / np.linalg.norm(target - eye)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        poses[v, :3, :3] = np.stack([right, np.cross(forward, right), forward])
        poses[v, :3, 3] = -poses[v, :3, :3] @ eye
    size = np.tile([1280, 960], (count, 1))
    return Cameras(size_px=size, focal_px=np.full(count, 1000.0), principal_px=size / 2.0, k1=np.zeros(count),
                   T_cam_world=poses, is_registered=np.ones(count, bool))  # fmt: skip


def inputs(humans, assets):
    """HumanMotion, ObjectViews and ObjectSet of people and objects seen by four cameras."""
    tracks = PointTracks(points=np.zeros((0, 3)), colors=np.zeros((0, 3), np.uint8), view=np.zeros(0, int),
                         point=np.zeros(0, int), uv_px=np.zeros((0, 2)))  # fmt: skip
    known = Provenance(adapter="toy", scale_source="given", frame="world")
    motion = HumanMotion(provenance=known, body_model=EMBEDDED, bodies=tuple(humans), cameras=cameras(), tracks=tracks,
                         is_floor_point=np.zeros(0, bool), person_masks=(), report={})  # fmt: skip
    views = tuple(ObjectView(name=a.name, category=a.category, score=1.0, boxes_px=np.tile([0.0, 0, 9, 9], (4, 1)),
                             labels=(None,) * 4) for a in assets)  # fmt: skip
    return motion, ObjectViews(provenance=known, objects=views), ObjectSet(provenance=known, assets=tuple(assets))


def _matrix(rotvec):
    angle = np.linalg.norm(rotvec)
    return np.array(trimesh.transformations.rotation_matrix(angle, rotvec / angle))[:3, :3]


def _rotvec(matrix):
    angle, axis, _ = trimesh.transformations.rotation_from_matrix(np.block([[matrix, np.zeros((3, 1))], [0, 0, 0, 1]]))
    return angle * axis
