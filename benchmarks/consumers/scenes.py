"""Exported scenes in MuJoCo: as MJCF, as URDF by MuJoCo's own reader, as USD by USD's own reader of physics; and dropped."""

import json
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from numpy import ndarray

DROP_M, TILT_RAD, DROP_S = 0.05, 0.07, 2.0
SETTLED_S = 8.0
"""By then what rocks has come to rest."""
ROUNDING, ROUNDED_DROPS = 1e-7, 8
"""Single precision's share of a number, and how many drops are begun off by so much."""
REST_STEPS = 24
"""Steps at the end over which contacts are counted."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a reader found of one object, and where a drop of `DROP_S` left it."""

    mass_kg: float
    inertia: ndarray
    """Principal moments, sorted [kg m^2]."""
    pose: ndarray
    """Position and quaternion wxyz."""
    colliders: int
    contacts: float
    """Mean number at the end of the drop."""
    dropped: ndarray
    settled: ndarray
    """The same after `SETTLED_S`."""


def mjcf_scene(folder: Path) -> mujoco.MjSpec:
    return mujoco.MjSpec.from_file(str(folder / "mjcf" / "scene.xml"))


def urdf_scene(folder: Path) -> mujoco.MjSpec:
    """Friction is from scene.json, the floor added: a URDF has neither."""
    spec = mujoco.MjSpec.from_file(str(folder / "urdf" / "scene.urdf"))
    facts = json.loads((folder / "urdf" / "scene.json").read_text())
    sliding = {entry["name"]: entry["friction"] for entry in facts["objects"]}
    for geom in spec.geoms:
        geom.friction = [sliding[geom.parent.name], 0.005, 0.0001]
    _add_floor(spec, facts["floor"]["friction"])
    return spec


def usd_scene(folder: Path) -> mujoco.MjSpec:
    """From the descriptions that UsdPhysics' own reader makes of the stage."""
    from pxr import Usd, UsdGeom, UsdPhysics

    stage = Usd.Stage.Open(str(folder / "scene.usda"))
    scale = UsdGeom.GetStageMetersPerUnit(stage)
    assert (UsdGeom.GetStageUpAxis(stage), scale) == ("Z", 1.0)
    found = {kind: rows for kind, (_, rows) in UsdPhysics.LoadUsdPhysicsFromRange(stage, ["/"]).items()}
    kinds = UsdPhysics.ObjectType
    spec = mujoco.MjSpec()
    bodies = {}
    for row in found[kinds.RigidBody]:
        prim = stage.GetPrimAtPath(row.primPath)
        body = spec.worldbody.add_body(
            name=prim.GetDisplayName() or prim.GetName(), pos=list(row.position), quat=_wxyz(row.rotation)
        )
        body.add_freejoint(name=body.name)
        mass = UsdPhysics.MassAPI(prim)
        body.explicitinertial, body.mass = True, mass.GetMassAttr().Get()
        body.ipos, body.inertia = list(mass.GetCenterOfMassAttr().Get()), list(mass.GetDiagonalInertiaAttr().Get())
        body.iquat = _wxyz(mass.GetPrincipalAxesAttr().Get())
        bodies[row.primPath] = body
    for row in found.get(kinds.CubeShape, ()):
        geom = bodies[row.rigidBody].add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=list(row.halfExtents))
        _finish(stage, geom, row)
    for row in found.get(kinds.MeshShape, ()):
        assert row.approximation == UsdPhysics.Tokens.convexHull
        points = np.array(UsdGeom.Mesh(stage.GetPrimAtPath(row.primPath)).GetPointsAttr().Get(), float)
        name = str(row.primPath)
        spec.add_mesh(name=name, uservert=points.ravel().tolist())
        _finish(stage, bodies[row.rigidBody].add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name), row)
    for row in found[kinds.PlaneShape]:
        assert row.axis == UsdPhysics.Axis.Z
        _add_floor(spec, _friction(stage, row))
    return spec


READERS = {"mjcf": mjcf_scene, "urdf": urdf_scene, "usd": usd_scene}


def read(kind: str, folder: Path) -> dict[str, Read]:
    """Every object of an exported scene, and its drop."""
    spec = READERS[kind](folder)
    _set_options(spec)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    names = [model.body(i).name for i in range(1, model.nbody)]
    poses = _poses(data, names)
    contacts = _drop(model, data, names)
    dropped = _poses(data, names)
    mujoco.mj_step(model, data, round((SETTLED_S - DROP_S) / model.opt.timestep))
    settled = _poses(data, names)
    return {
        name: Read(
            mass_kg=float(model.body(name).mass[0]),
            inertia=np.sort(model.body(name).inertia),
            pose=poses[name],
            colliders=int(model.body(name).geomnum[0]),
            contacts=contacts[name],
            dropped=dropped[name],
            settled=settled[name],
        )
        for name in names
    }


def _poses(data: mujoco.MjData, names: list[str]) -> dict[str, ndarray]:
    return {name: np.concatenate([data.body(name).xpos, data.body(name).xquat]) for name in names}


def spread_of_drops(folder: Path) -> dict[str, float]:
    """How far apart [mm] the MJCF's own drops end that begin `ROUNDING` (m, rad) off, object by object; seed 0."""
    rng = np.random.default_rng(0)
    spec = mjcf_scene(folder)
    _set_options(spec)
    model = spec.compile()
    names = [model.body(i).name for i in range(1, model.nbody)]
    ends = []
    for _ in range(ROUNDED_DROPS):
        data = mujoco.MjData(model)
        mujoco.mj_integratePos(model, data.qpos, ROUNDING * rng.standard_normal(model.nv), 1.0)
        _drop(model, data, names)
        ends.append([data.body(name).xpos.copy() for name in names])
    apart = np.linalg.norm(np.array(ends) - np.mean(ends, axis=0), axis=2).max(axis=0)
    return {name: 1e3 * float(gap) for name, gap in zip(names, apart)}


def _drop(model: mujoco.MjModel, data: mujoco.MjData, names: list[str]) -> dict[str, float]:
    """From `DROP_M` above, tilted; gives back the contacts at the end."""
    tilt, turned = np.array([np.cos(TILT_RAD / 2), np.sin(TILT_RAD / 2), 0, 0]), np.zeros(4)
    for name in names:
        address = int(model.joint(int(model.body(name).jntadr[0])).qposadr[0])
        data.qpos[address + 2] += DROP_M
        mujoco.mju_mulQuat(turned, tilt, data.qpos[address + 3 : address + 7])
        data.qpos[address + 3 : address + 7] = turned
    steps, touching = round(DROP_S / model.opt.timestep), dict.fromkeys(names, 0)
    for step in range(steps):
        mujoco.mj_step(model, data)
        if step >= steps - REST_STEPS:
            for body in model.geom_bodyid[data.contact.geom].ravel():
                if body:
                    touching[names[body - 1]] += 1
    mujoco.mj_kinematics(model, data)
    return {name: count / REST_STEPS for name, count in touching.items()}


def _set_options(spec: mujoco.MjSpec) -> None:
    """The same solver, contacts and frames of meshes for all.

    Of a mesh that meets a plane MuJoCo takes the lowest corner and its neighbours in the hull, four in all. Where a foot ends
    in a flat polygon of many corners, rounding in the mesh's own frame says how that polygon is cut into triangles, hence which
    four: meshes in other frames (URDF's default is not the MJCF's `inertia="convex"`) bounce differently.
    """
    for mesh in spec.meshes:
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX
    option = spec.option
    option.timestep, option.integrator = 1 / 240, mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone, option.jacobian = mujoco.mjtCone.mjCONE_ELLIPTIC, mujoco.mjtJacobian.mjJAC_SPARSE
    option.iterations, option.ls_iterations, option.impratio = 50, 20, 3.0
    option.gravity = [0, 0, -9.81]
    for geom in spec.geoms:
        geom.solref = [0.01, 1.0]


def _finish(stage: object, geom: mujoco.MjsGeom, row: object) -> None:
    geom.pos, geom.quat = list(row.localPos), _wxyz(row.localRot)
    geom.friction = [_friction(stage, row), 0.005, 0.0001]


def _friction(stage: object, row: object) -> float:
    from pxr import UsdPhysics

    return UsdPhysics.MaterialAPI(stage.GetPrimAtPath(row.materials[0])).GetDynamicFrictionAttr().Get()


def _wxyz(quat: object) -> list[float]:
    return [quat.GetReal(), *quat.GetImaginary()]


def _add_floor(spec: mujoco.MjSpec, friction: float) -> None:
    spec.worldbody.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], friction=[friction, 0.005, 0.0001])
