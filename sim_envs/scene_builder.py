"""An aligned scene as a MuJoCo model: people as humanoids, objects as free bodies of convex parts, a floor and a light."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import BodySequence, ConvexPart, ObjectAsset, SimScene
from hsimul3r.conventions import BODY_JOINTS, CONTACT_PARTS, GRAVITY, SMPLX_JOINTS
from hsimul3r.export.scene import write_obj
from hsimul3r.geometry.mesh import box_of, solid
from hsimul3r.geometry.rotations import quaternion_from_matrix
from hsimul3r.tracking.bodies import body_named
from hsimul3r.tracking.layout import (
    BALL_COMPONENTS,
    BALL_VELOCITIES,
    FREE_COMPONENTS,
    FREE_VELOCITIES,
    HINGE_COMPONENTS,
    HINGE_VELOCITIES,
    HumanLayout,
    object_place,
)
from sim_envs.contract import JUDGE, Timing, contact_pairs
from sim_envs.engine import MjModel, MjsBody, MjsGeom, MjSpec, mujoco
from sim_envs.humanoid import (
    FLOOR,
    HUMAN,
    OBJECT,
    BodyShape,
    BoneGeometry,
    HumanoidConfig,
    add_hull_mesh,
    add_humanoid,
    bones_of,
)

WORLD = "world"
CONTACTS_PER_PAIR = 6
"""Contacts of one body and one object that are reported; the strongest come first."""
PALETTE = ((0.36, 0.52, 0.68, 1), (0.62, 0.45, 0.33, 1), (0.45, 0.6, 0.42, 1), (0.66, 0.55, 0.3, 1))


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """Contact and solver settings (notes: elliptic cones, sparse Newton; a solver capped at few iterations diverges)."""

    contact_time_s: float = 0.01
    floor_friction: float = 0.5
    """MuJoCo takes the larger friction of the two surfaces, so this only matters below the objects' own."""
    iterations: int = 50
    line_search_iterations: int = 20
    friction_impedance: float = 3.0


@dataclass(frozen=True, kw_only=True)
class SceneParts:
    """What a model is made of."""

    body_model: str
    bodies: tuple[BodySequence, ...]
    humans: tuple[str, ...]
    assets: tuple[ObjectAsset, ...]
    humanoid: HumanoidConfig = field(default_factory=HumanoidConfig)
    world: WorldConfig = field(default_factory=WorldConfig)


def load_model(scene: SimScene, timing: Timing = JUDGE) -> MjModel:
    """The engine's model of a scene, with the reconstructed state as keyframe 'reconstructed'."""
    return build_spec(parts_of(scene), timing).compile()


def parts_of(scene: SimScene) -> SceneParts:
    """What `build_spec` needs of a scene."""
    geometry: BoneGeometry = "capsule" if scene.humanoid == "capsule" else "hull"
    return SceneParts(
        body_model=scene.body_model,
        bodies=scene.bodies,
        humans=scene.humans,
        assets=scene.assets,
        humanoid=HumanoidConfig(geometry=geometry, torques="human" if scene.torques == "human" else "phc"),
    )


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """What the compiled model says of itself."""

    joint_names: tuple[str, ...]
    qpos_names: tuple[str, ...]
    qpos: Float[ndarray, "nq"]
    human_mass_kg: tuple[float, ...]
    body_count: int
    dof_count: int
    deepest_contact_m: float
    """In the reconstructed state, everything with everything."""


def describe(parts: SceneParts) -> ModelDescription:
    """Compile a scene and read off what does not need the engine any more."""
    mj = mujoco()
    model = build_spec(parts).compile()
    data = mj.MjData(model)
    mj.mj_resetDataKeyframe(model, data, 0)
    mj.mj_forward(model, data)
    roots = [model.body(f"{human}/{BODY_JOINTS[0]}").id for human in parts.humans]
    return ModelDescription(
        joint_names=tuple(model.joint(i).name for i in range(model.njnt)),
        qpos_names=qpos_names(model),
        qpos=np.array(data.qpos),
        human_mass_kg=tuple(float(model.body_subtreemass[root]) for root in roots),
        body_count=int(model.nbody) - 1,
        dof_count=int(model.nv),
        deepest_contact_m=float(np.maximum(-data.contact.dist, 0).max(initial=0.0)),
    )


def build_spec(parts: SceneParts, timing: Timing = JUDGE) -> MjSpec:
    """Everything by name: bodies '<human>/<joint>' and '<object>', free joints '<human>/root' and '<object>', servos
    '<human>/<joint>/<axis>', contact sensors '<human>/<part>/<object>/<joint>' and '<human>//<object>'."""
    mj = mujoco()
    spec = mj.MjSpec()
    spec.modelname = "hsimul3r"
    _set_options(spec, parts.world, timing)
    _add_stage(spec, parts)
    for human, body in zip(parts.humans, parts.bodies):
        bones = bones_of(body_shape(parts.body_model, body.betas), parts.humanoid)
        add_humanoid(spec, human, bones, body.pose[:, : len(BODY_JOINTS)], parts.humanoid)
    for i, asset in enumerate(parts.assets):
        _add_object(spec, asset, PALETTE[i % len(PALETTE)])
    roots = {human: f"{human}/{BODY_JOINTS[0]}" for human in parts.humans}
    add_contact_sensors(spec, roots, {asset.name: asset.name for asset in parts.assets}, CONTACT_PARTS)
    for geom in spec.geoms:
        geom.solref = [parts.world.contact_time_s, 1.0]
    _add_keyframe(spec, parts)
    return spec


def write_mjcf(parts: SceneParts, folder: Path, name: str = "scene.xml") -> Path:
    """Write the model and its meshes (`assets/*.obj`) into `folder`; opens with `python -m mujoco.viewer --mjcf=<name>`."""
    spec = build_spec(parts)
    assets = folder / "assets"
    assets.mkdir(exist_ok=True)
    for mesh in spec.meshes:
        file = f"{mesh.name.replace('/', '_')}.obj"
        write_obj(assets / file, np.reshape(mesh.uservert, (-1, 3)), np.reshape(mesh.userface, (-1, 3)))
        mesh.file, mesh.uservert, mesh.userface = file, [], []
    spec.meshdir, spec.modelfiledir = "assets", str(folder)
    path = folder / name
    path.write_text(spec.to_xml())
    return path


def body_shape(body_model: str, betas: Float[ndarray, "10"]) -> BodyShape:
    """A person's T-pose from the body model of that name."""
    model = body_named(body_model)
    rest, origin = np.zeros((len(SMPLX_JOINTS), 3)), np.zeros(3)
    return BodyShape(
        vertices=model.vertices(betas, rest, origin),
        faces=model.faces,
        joints=model.joints(betas, rest, origin),
        weights=model.weights,
    )


def initial_qpos(parts: SceneParts, model: MjModel) -> Float[ndarray, "nq"]:
    """The reconstructed state: everybody's first frame, objects where they were found."""
    names, controls = qpos_names(model), ctrl_names(model)
    qpos = np.array(model.qpos0, float)
    for human, body in zip(parts.humans, parts.bodies):
        shape = body_shape(parts.body_model, body.betas)
        layout = HumanLayout.of(human, names, controls)
        layout.write_pose(qpos, shape.joints[0] + body.transl[0], body.pose[0, : len(BODY_JOINTS)])
    for asset in parts.assets:
        T = asset.T_world_object
        qpos[object_place(asset.name, names)] = [*T[:3, 3], *quaternion_from_matrix(T[:3, :3])]
    return qpos


def initial_ctrl(parts: SceneParts, model: MjModel) -> Float[ndarray, "nu"]:
    """Servo targets that ask for the reconstructed pose."""
    ctrl = np.zeros(model.nu)
    for human, body in zip(parts.humans, parts.bodies):
        HumanLayout.of(human, qpos_names(model), ctrl_names(model)).write_targets(ctrl, body.pose[0, : len(BODY_JOINTS)])
    return ctrl


def qpos_names(model: MjModel) -> tuple[str, ...]:
    """'<joint>:<component>' for every entry of qpos."""
    return _joint_entries(model, FREE_COMPONENTS, BALL_COMPONENTS, HINGE_COMPONENTS)


def qvel_names(model: MjModel) -> tuple[str, ...]:
    """'<joint>:<component>' for every entry of qvel."""
    return _joint_entries(model, FREE_VELOCITIES, BALL_VELOCITIES, HINGE_VELOCITIES)


def ctrl_names(model: MjModel) -> tuple[str, ...]:
    """Names of the servos."""
    return tuple(model.actuator(i).name for i in range(model.nu))


def touch_sensor(pair_name: str, joint: str) -> str:
    """Name of the sensor of one bone of a contact pair."""
    return f"{pair_name}/{joint}"


def depth_sensor(human: str, name: str) -> str:
    """Name of the sensor of the deepest contact of a person and an object."""
    return f"{human}//{name}"


def _joint_entries(model: MjModel, free: Sequence[str], ball: Sequence[str], hinge: Sequence[str]) -> tuple[str, ...]:
    kind = mujoco().mjtJoint
    components = {int(kind.mjJNT_FREE): free, int(kind.mjJNT_BALL): ball, int(kind.mjJNT_HINGE): hinge}
    joints = [model.joint(i) for i in range(model.njnt)]
    return tuple(f"{joint.name}:{part}" for joint in joints for part in components[int(joint.type[0])])


def _set_options(spec: MjSpec, world: WorldConfig, timing: Timing) -> None:
    mj = mujoco()
    kind = mj.mjtIntegrator
    spec.compiler.degree = False
    option = spec.option
    option.timestep = timing.timestep_s
    option.integrator = kind.mjINT_DISCRETE if timing.is_discrete else kind.mjINT_IMPLICITFAST
    option.jacobian = mj.mjtJacobian.mjJAC_SPARSE
    option.cone = mj.mjtCone.mjCONE_ELLIPTIC
    option.iterations, option.ls_iterations = world.iterations, world.line_search_iterations
    option.impratio = world.friction_impedance
    option.gravity = [0, 0, -GRAVITY]


def _add_stage(spec: MjSpec, parts: SceneParts) -> None:
    mj = mujoco()
    spec.add_texture(
        name="floor",
        type=mj.mjtTexture.mjTEXTURE_2D,
        builtin=mj.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.78, 0.8, 0.82],
        rgb2=[0.7, 0.72, 0.75],
        width=256,
        height=256,
    )
    textures = [""] * int(mj.mjtTextureRole.mjNTEXROLE)
    textures[int(mj.mjtTextureRole.mjTEXROLE_RGB)] = "floor"
    spec.add_material(name="floor", textures=textures, texrepeat=[1, 1], texuniform=True)
    world = spec.worldbody
    world.add_geom(
        name="floor",
        type=mj.mjtGeom.mjGEOM_PLANE,
        size=[0, 0, 1],
        contype=FLOOR,
        conaffinity=HUMAN | OBJECT,
        friction=[parts.world.floor_friction, 0.005, 0.0001],
        material="floor",
    )
    x, y, z = _centre(parts)
    world.add_light(pos=[x + 2, y - 2, 4], dir=[-0.4, 0.4, -1], castshadow=True)
    world.add_light(pos=[x - 2, y - 3, 3], dir=[0.4, 0.6, -0.7], diffuse=[0.35, 0.35, 0.35], castshadow=False)
    world.add_camera(name="view", pos=[x + 2.2, y - 2.2, z + 0.9], xyaxes=[0.707, 0.707, 0, -0.18, 0.18, 0.967], fovy=45)
    spec.stat.center, spec.stat.extent = [x, y, z], 2.0


def _centre(parts: SceneParts) -> Float[ndarray, "3"]:
    spots = [body.transl[0] for body in parts.bodies] + [asset.T_world_object[:3, 3] for asset in parts.assets]
    return np.array([*np.mean(spots, axis=0)[:2], 0.8]) if spots else np.array([0, 0, 0.8])


def _add_object(spec: MjSpec, asset: ObjectAsset, color: tuple[float, ...]) -> None:
    T = asset.T_world_object
    body = spec.worldbody.add_body(name=asset.name, pos=T[:3, 3], quat=quaternion_from_matrix(T[:3, :3]))
    body.add_freejoint(name=asset.name)
    volume = np.array([solid(part.vertices, part.faces).volume_m3 for part in asset.parts])
    for i, part in enumerate(asset.parts):
        geom = _add_part(spec, body, part, f"{asset.name}/part{i}")
        geom.mass = float(asset.mass_kg * volume[i] / volume.sum())
        geom.contype, geom.conaffinity = OBJECT, HUMAN | OBJECT | FLOOR
        geom.friction = [asset.friction, 0.005, 0.0001]
        geom.rgba = color


def _add_part(spec: MjSpec, body: MjsBody, part: ConvexPart, name: str) -> MjsGeom:
    mj = mujoco()
    box = box_of(part)
    if box is not None:
        centre, R, half = box
        quat = quaternion_from_matrix(R)
        return body.add_geom(name=name, type=mj.mjtGeom.mjGEOM_BOX, pos=centre, quat=quat, size=half)
    add_hull_mesh(spec, name, part)
    return body.add_geom(name=name, type=mj.mjtGeom.mjGEOM_MESH, meshname=name)


def add_contact_sensors(
    spec: MjSpec, actors: Mapping[str, str], targets: Mapping[str, str], parts: Mapping[str, Sequence[str]]
) -> None:
    """What each of the actors' parts presses with, and how deep an actor is in a target. `actors` and `targets` are names with
    their (root) bodies, `parts` the bodies of each part, named without the actor."""
    mj = mujoco()
    data = mj.mjtConDataField
    touch = 1 << int(data.mjCONDATA_FORCE) | 1 << int(data.mjCONDATA_POS)
    depth = 1 << int(data.mjCONDATA_DIST)
    nearest, strongest = 1, 2
    contact, single, subtree = mj.mjtSensor.mjSENS_CONTACT, mj.mjtObj.mjOBJ_BODY, mj.mjtObj.mjOBJ_XBODY
    for pair in contact_pairs(tuple(actors), tuple(targets), parts):
        for body in parts[pair.part]:
            sensor = spec.add_sensor(name=touch_sensor(pair.name, body), type=contact, objtype=single, reftype=single)
            sensor.objname, sensor.refname = f"{pair.human}/{body}", targets[pair.object]
            sensor.intprm[:3] = [touch, strongest, CONTACTS_PER_PAIR]
    for actor, root in actors.items():
        for name, body in targets.items():
            whole = single if body == WORLD else subtree
            sensor = spec.add_sensor(name=depth_sensor(actor, name), type=contact, objtype=subtree, reftype=whole)
            sensor.objname, sensor.refname = root, body
            sensor.intprm[:3] = [depth, nearest, 1]


def _add_keyframe(spec: MjSpec, parts: SceneParts) -> None:
    model = spec.compile()
    spec.add_key(name="reconstructed", qpos=initial_qpos(parts, model), ctrl=initial_ctrl(parts, model))
