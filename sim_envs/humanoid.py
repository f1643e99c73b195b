"""A humanoid of rigid bones from a fitted body: 22 bodies in the SMPL-X frames, ball joints, three servos a joint.

Every body's frame is its joint's frame in the T-pose template, so that a ball joint's quaternion is the SMPL-X axis-angle
(`hsimul3r.tracking.layout`). Fingers belong to the hands, jaw and eyes to the head; toes are bodies of their own.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.optimize import root_scalar
from scipy.spatial import ConvexHull

from hsimul3r.artifacts import ConvexPart
from hsimul3r.body.segments import bone_of_vertex
from hsimul3r.conventions import BODY_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.mesh import convex_part, solid
from hsimul3r.tracking.layout import joint_kind
from sim_envs.engine import MjsBody, MjSpec, mujoco

BoneGeometry = Literal["hull", "capsule"]
TorquePreset = Literal["phc", "human"]

PARENTS = SMPLX_PARENTS[: len(BODY_JOINTS)]
HUMAN, OBJECT, FLOOR = 1, 2, 4
"""Collision groups: everything collides with everything but an object with itself."""


@dataclass(frozen=True, kw_only=True)
class JointDrive:
    """One joint's servo and limit. Gains and torque are PHC's, for a person of `REFERENCE_MASS_KG`, and scale with mass."""

    stiffness: float
    """N m / rad; damping is a tenth of it [N m s / rad]."""
    torque: float
    """N m."""
    limit_deg: float
    """Largest angle from the T-pose."""


REFERENCE_MASS_KG = 77.0
DRIVES = {
    "hip": JointDrive(stiffness=800, torque=500, limit_deg=130),
    "knee": JointDrive(stiffness=800, torque=500, limit_deg=155),
    "ankle": JointDrive(stiffness=800, torque=500, limit_deg=60),
    "foot": JointDrive(stiffness=500, torque=500, limit_deg=60),
    "spine1": JointDrive(stiffness=1000, torque=500, limit_deg=60),
    "spine2": JointDrive(stiffness=1000, torque=500, limit_deg=45),
    "spine3": JointDrive(stiffness=1000, torque=500, limit_deg=45),
    "neck": JointDrive(stiffness=500, torque=250, limit_deg=60),
    "head": JointDrive(stiffness=500, torque=250, limit_deg=60),
    "collar": JointDrive(stiffness=500, torque=500, limit_deg=45),
    "shoulder": JointDrive(stiffness=500, torque=500, limit_deg=150),
    "elbow": JointDrive(stiffness=500, torque=150, limit_deg=155),
    "wrist": JointDrive(stiffness=300, torque=150, limit_deg=95),
}


HUMAN_TORQUES: dict[str, float] = {
    "hip": 215,
    "knee": 215,
    "ankle": 125,
    "foot": 25,
    "spine1": 235,
    "spine2": 235,
    "spine3": 235,
    "neck": 51,
    "head": 51,
    "collar": 92,
    "shoulder": 92,
    "elbow": 77,
    "wrist": 12,
}
"""What a man of 77 kg and 1.75 m can give about a joint, in its strongest direction and held [N m]; also scales with mass.

hip, knee, ankle  extension, plantarflexion: 0.161, 0.163 and 0.095 of weight times stature (Anderson, Madigan and Nussbaum
                  2007, young men)
spine             trunk extension, shoulder and elbow: means of men (Stobbe 1982, in Chaffin, Andersson and Martin,
                  Occupational Biomechanics); the shoulder girdle carries what the shoulder does
neck, head        extension, 51 +- 11 N m (Fice, Siegmund and Blouin 2014)
wrist             flexion, 12 N m (Delp, Grierson and Buchanan 1996)
foot              the toes: our estimate, a fifth of the ankle's
"""


@dataclass(frozen=True, kw_only=True)
class HumanoidConfig:
    """How bones become bodies."""

    geometry: BoneGeometry = "hull"
    torques: TorquePreset = "phc"
    """Limits of the servos: PHC's, several times what people can do, or a person's; stiffness is PHC's with both."""
    hull_vertices: int = 32
    density_kg_m3: float = 985.0
    armature: float = 0.02
    """Added inertia of every joint [kg m2]: what keeps light bones stable under stiff servos."""
    joint_damping: float = 0.5
    limit_margin_deg: float = 5.0
    """A reconstructed pose beyond a joint's limit widens that limit to the pose's angle and this margin."""
    friction: float = 1.0


@dataclass(frozen=True, kw_only=True)
class BodyShape:
    """A person's T-pose skin and joints (SMPL-X frame: +Y up, +Z front, +X left)."""

    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    joints: Float[ndarray, "55 3"]
    weights: Float[ndarray, "vertices 55"]


@dataclass(frozen=True, kw_only=True)
class Bone:
    """One rigid body: its hull in its joint's frame and its mass."""

    name: str
    parent: int
    offset: Float[ndarray, "3"]
    """Its joint from the parent's joint, in the T-pose."""
    hull: ConvexPart
    mass_kg: float


def bones_of(shape: BodyShape, cfg: HumanoidConfig) -> tuple[Bone, ...]:
    """Cut the skin into 22 bones: a vertex belongs to the joint of its largest weight.

    The body's mass is its volume times the density, shared in proportion to the hulls' volumes.
    """
    label = bone_of_vertex(shape.weights)
    hulls = [_bone_hull(shape, label, joint, cfg.hull_vertices) for joint in range(len(BODY_JOINTS))]
    volume = np.array([solid(hull.vertices, hull.faces).volume_m3 for hull in hulls])
    mass = solid(shape.vertices, shape.faces).volume_m3 * cfg.density_kg_m3 * volume / volume.sum()
    joints = shape.joints
    offset = [joints[j] - joints[PARENTS[j]] if j else np.zeros(3) for j in range(len(BODY_JOINTS))]
    return tuple(
        Bone(name=name, parent=PARENTS[j], offset=offset[j], hull=hulls[j], mass_kg=float(mass[j]))
        for j, name in enumerate(BODY_JOINTS)
    )


def add_humanoid(
    spec: MjSpec, human: str, bones: tuple[Bone, ...], poses: Float[ndarray, "frames 22 3"], cfg: HumanoidConfig
) -> None:
    """Add a person named `human`: bodies '<human>/<joint>', root joint '<human>/root', servos '<human>/<joint>/x'."""
    bodies: list[MjsBody] = []
    for bone in bones:
        parent = spec.worldbody if bone.parent < 0 else bodies[bone.parent]
        body = parent.add_body(name=f"{human}/{bone.name}", pos=bone.offset)
        bodies.append(body)
        _add_bone_geom(spec, body, bone, cfg)
        if bone.parent < 0:
            body.add_freejoint(name=f"{human}/root")
        else:
            _add_joint(spec, body, bone, poses, sum(b.mass_kg for b in bones), cfg)
    for a, b in colliding_by_design(bones):
        spec.add_exclude(bodyname1=f"{human}/{bones[a].name}", bodyname2=f"{human}/{bones[b].name}")


def colliding_by_design(bones: tuple[Bone, ...]) -> list[tuple[int, int]]:
    """Pairs of bones whose hulls may overlap in every pose: joined within two joints, or less than 2 cm apart in the T-pose."""
    joints = np.zeros((len(bones), 3))
    for j, bone in enumerate(bones):
        joints[j] = bone.offset + (joints[bone.parent] if j else 0)
    skins = [bone.hull.vertices + joints[j] for j, bone in enumerate(bones)]
    pairs = []
    for a in range(len(bones)):
        for b in range(a + 1, len(bones)):
            gap = np.maximum(skins[a].min(0) - skins[b].max(0), skins[b].min(0) - skins[a].max(0)).max()
            if _joints_between(a, b) <= 2 or gap < 0.02:
                pairs.append((a, b))
    return pairs


def _joints_between(a: int, b: int) -> int:
    def ancestors(j: int) -> list[int]:
        return [j] if j == 0 else [j, *ancestors(PARENTS[j])]

    up_a, up_b = ancestors(a), ancestors(b)
    common = next(j for j in up_a if j in up_b)
    return up_a.index(common) + up_b.index(common)


def _bone_hull(shape: BodyShape, label: Int[ndarray, "vertices"], joint: int, count: int) -> ConvexPart:
    points = shape.vertices[label == joint] - shape.joints[joint]
    corner_points = points[ConvexHull(points).vertices]
    return convex_part(spread_points(corner_points, count), name=BODY_JOINTS[joint])


def spread_points(points: Float[ndarray, "points 3"], count: int) -> Float[ndarray, "kept 3"]:
    """At most `count` points: the extremes along axes and diagonals, then always the one farthest from those kept."""
    if len(points) <= count:
        return points
    signs = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z], float)
    faces_first = signs[np.argsort(np.abs(signs).sum(1), kind="stable")]
    kept = list(dict.fromkeys((points @ faces_first.T).argmax(axis=0).tolist()))[:count]
    distance = np.linalg.norm(points[:, None] - points[kept], axis=2).min(axis=1)
    while len(kept) < count:
        kept.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[kept[-1]], axis=1))
    return points[kept]


def drive_of(joint: str) -> JointDrive:
    """Servo and limit of a joint, the same on both sides."""
    return DRIVES[joint_kind(joint)]


def torque_limit(joint: str, preset: TorquePreset, mass_kg: float) -> float:
    """Largest torque of a joint's servo about each of its axes [N m]."""
    reference = HUMAN_TORQUES[joint_kind(joint)] if preset == "human" else drive_of(joint).torque
    return reference * mass_kg / REFERENCE_MASS_KG


def _add_joint(spec: MjSpec, body: MjsBody, bone: Bone, poses: ndarray, mass_kg: float, cfg: HumanoidConfig) -> None:
    mj = mujoco()
    drive, scale = drive_of(bone.name), mass_kg / REFERENCE_MASS_KG
    strongest = torque_limit(bone.name, cfg.torques, mass_kg)
    posed = np.linalg.norm(poses[:, BODY_JOINTS.index(bone.name)], axis=1).max()
    limit = max(np.radians(drive.limit_deg), min(posed, np.pi - 0.1) + np.radians(cfg.limit_margin_deg))
    body.add_joint(
        name=body.name,
        type=mj.mjtJoint.mjJNT_BALL,
        armature=cfg.armature,
        damping=[cfg.joint_damping, 0, 0],
        range=[0, limit],
        limited=True,
    )
    for axis, unit in zip("xyz", np.eye(3)):
        servo = spec.add_actuator(
            name=f"{body.name}/{axis}",
            trntype=mj.mjtTrn.mjTRN_JOINT,
            target=body.name,
            gear=[*unit, 0, 0, 0],
            forcelimited=True,
            forcerange=[-strongest, strongest],
        )
        servo.set_to_position(kp=drive.stiffness * scale, kv=0.1 * drive.stiffness * scale)


def _add_bone_geom(spec: MjSpec, body: MjsBody, bone: Bone, cfg: HumanoidConfig) -> None:
    mj = mujoco()
    common = {
        "name": body.name,
        "mass": bone.mass_kg,
        "contype": HUMAN,
        "conaffinity": HUMAN | OBJECT | FLOOR,
        "friction": [cfg.friction, 0.005, 0.0001],
        "rgba": [0.86, 0.67, 0.55, 1.0],
    }
    if cfg.geometry == "hull":
        add_hull_mesh(spec, body.name, bone.hull)
        body.add_geom(type=mj.mjtGeom.mjGEOM_MESH, meshname=body.name, **common)
    elif bone.name.endswith(("ankle", "foot")):
        low, high = bone.hull.vertices.min(0), bone.hull.vertices.max(0)
        body.add_geom(type=mj.mjtGeom.mjGEOM_BOX, pos=(low + high) / 2, size=(high - low) / 2, **common)
    else:
        start, end, radius = capsule_of(bone.hull)
        body.add_geom(type=mj.mjtGeom.mjGEOM_CAPSULE, fromto=[*start, *end], size=[radius, 0, 0], **common)


def add_hull_mesh(spec: MjSpec, name: str, part: ConvexPart) -> None:
    """Add a convex mesh asset whose inertia is that of the solid."""
    mj = mujoco()
    spec.add_mesh(
        name=name,
        uservert=part.vertices.ravel(),
        userface=part.faces.ravel(),
        inertia=mj.mjtMeshInertia.mjMESH_INERTIA_CONVEX,
    )


def capsule_of(hull: ConvexPart) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"], float]:
    """Capsule (ends of its segment, radius) along the hull's longest principal axis, with the hull's length and volume.

    A hull rounder than the sphere of its length becomes that sphere.
    """
    body = solid(hull.vertices, hull.faces)
    axis = np.linalg.eigh(body.inertia)[1][:, 0]
    along = (hull.vertices - body.centroid) @ axis
    length = float(along.max() - along.min())
    centre = body.centroid + axis * (along.max() + along.min()) / 2

    def excess(radius: float) -> float:
        return np.pi * radius**2 * (length - 2 * radius) + 4 / 3 * np.pi * radius**3 - body.volume_m3

    radius = length / 2 if excess(length / 2) <= 0 else root_scalar(excess, bracket=(1e-4, length / 2)).root
    half = axis * max(length / 2 - radius, 1e-4)
    return centre - half, centre + half, radius
