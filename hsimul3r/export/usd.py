"""Objects as USD with physics (UsdPhysics): rigid bodies of convex colliders, masses, inertias, friction; metres, +Z up.

    /World                     the default prim
      physics_scene            gravity
      materials/<name>         friction of the floor and of each object
      floor                    the plane z = 0
      <object>                 RigidBodyAPI and MassAPI, at the object's pose
        look                   the watertight surface
        part<i>                a convex collider, hidden: a Cube where the part is a box, else a Mesh to be taken as its hull

Of two touching surfaces the rougher one counts, as in MuJoCo: USD has no word for it, PhysX has (PhysxMaterialAPI).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.artifacts import ConvexPart, ObjectAsset
from hsimul3r.conventions import GRAVITY
from hsimul3r.geometry.mesh import box_of, combined
from hsimul3r.geometry.overlay import object_color
from hsimul3r.geometry.rotations import quaternion_from_matrix
from hsimul3r.require import require

PURPOSE: Final = "scenes as USD"
WORLD: Final = "/World"
FLOOR_HALF_M: Final = 10.0
"""Half the side of the floor as it is drawn; it collides as an endless plane."""


def write_usd(assets: Sequence[ObjectAsset], floor_friction: float, path: Path) -> None:
    """Write the scene; `path` ends in .usda (text), .usdc (binary) or .usd. Raises `MissingPackage` without usd-core."""
    Usd, UsdGeom = _pxr("Usd"), _pxr("UsdGeom")
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    _pxr("UsdPhysics").SetStageKilogramsPerUnit(stage, 1.0)
    world = UsdGeom.Xform.Define(stage, WORLD)
    stage.SetDefaultPrim(world.GetPrim())
    _pxr("Usd").ModelAPI(world).SetKind(_pxr("Kind").Tokens.assembly)
    _add_gravity(stage)
    UsdGeom.Scope.Define(stage, f"{WORLD}/materials")
    _add_floor(stage, _material(stage, "floor", floor_friction))
    names = prim_names(assets)
    for i, asset in enumerate(assets):
        _add_object(stage, asset, names[asset.name], object_color(i))
    stage.GetRootLayer().Export(str(path))


def prim_names(assets: Sequence[ObjectAsset]) -> dict[str, str]:
    """What each object is called in USD, which knows letters, digits and underscores; no two alike."""
    valid = _pxr("Tf").MakeValidIdentifier
    names: dict[str, str] = {}
    for asset in assets:
        name = valid(asset.name)
        while name in (*names.values(), "floor", "materials", "physics_scene"):
            name += "_"
        names[asset.name] = name
    return names


def _add_gravity(stage: Any) -> None:
    scene = _pxr("UsdPhysics").Scene.Define(stage, f"{WORLD}/physics_scene")
    scene.CreateGravityDirectionAttr(_pxr("Gf").Vec3f(0, 0, -1))
    scene.CreateGravityMagnitudeAttr(GRAVITY)


def _material(stage: Any, name: str, friction: float) -> Any:
    material = _pxr("UsdShade").Material.Define(stage, f"{WORLD}/materials/{name}")
    physics = _pxr("UsdPhysics").MaterialAPI.Apply(material.GetPrim())
    physics.CreateStaticFrictionAttr(friction)
    physics.CreateDynamicFrictionAttr(friction)
    physics.CreateRestitutionAttr(0.0)
    material.GetPrim().AddAppliedSchema("PhysxMaterialAPI")
    token = _pxr("Sdf").ValueTypeNames.Token
    material.GetPrim().CreateAttribute("physxMaterial:frictionCombineMode", token).Set("max")
    return material


def _add_floor(stage: Any, material: Any) -> None:
    UsdGeom = _pxr("UsdGeom")
    floor = UsdGeom.Plane.Define(stage, f"{WORLD}/floor")
    floor.CreateAxisAttr(UsdGeom.Tokens.z)
    floor.CreateWidthAttr(2 * FLOOR_HALF_M)
    floor.CreateLengthAttr(2 * FLOOR_HALF_M)
    floor.CreateExtentAttr([(-FLOOR_HALF_M, -FLOOR_HALF_M, 0), (FLOOR_HALF_M, FLOOR_HALF_M, 0)])
    floor.CreateDisplayColorAttr([(0.74, 0.76, 0.78)])
    _pxr("UsdPhysics").CollisionAPI.Apply(floor.GetPrim())
    _bind(floor, material)


def _add_object(stage: Any, asset: ObjectAsset, name: str, color: tuple[int, int, int]) -> None:
    UsdGeom, UsdPhysics, Gf = _pxr("UsdGeom"), _pxr("UsdPhysics"), _pxr("Gf")
    body = UsdGeom.Xform.Define(stage, f"{WORLD}/{name}")
    body.GetPrim().SetDisplayName(asset.name)
    _place(body, asset.T_world_object[:3, 3], quaternion_from_matrix(asset.T_world_object[:3, :3]))
    UsdPhysics.RigidBodyAPI.Apply(body.GetPrim())
    _add_mass(body, asset)
    look = _mesh(stage, f"{WORLD}/{name}/look", asset.vertices, asset.faces)
    look.CreateDisplayColorAttr([Gf.Vec3f(*(channel / 255 for channel in color))])
    material = _material(stage, name, asset.friction)
    for i, part in enumerate(asset.parts):
        shape = _collider(stage, f"{WORLD}/{name}/part{i}", part)
        UsdPhysics.CollisionAPI.Apply(shape.GetPrim())
        shape.CreatePurposeAttr(UsdGeom.Tokens.guide)
        _bind(shape, material)


def _add_mass(body: Any, asset: ObjectAsset) -> None:
    """The parts weigh by their volume, as in our own simulation."""
    Gf = _pxr("Gf")
    whole = combined(asset.parts)
    moments, axes = np.linalg.eigh(whole.inertia * asset.mass_kg / whole.volume_m3)
    axes[:, 2] *= np.sign(np.linalg.det(axes))
    mass = _pxr("UsdPhysics").MassAPI.Apply(body.GetPrim())
    mass.CreateMassAttr(asset.mass_kg)
    mass.CreateCenterOfMassAttr(Gf.Vec3f(*whole.centroid.tolist()))
    mass.CreateDiagonalInertiaAttr(Gf.Vec3f(*moments.tolist()))
    mass.CreatePrincipalAxesAttr(Gf.Quatf(*quaternion_from_matrix(axes).tolist()))


def _collider(stage: Any, path: str, part: ConvexPart) -> Any:
    box = box_of(part)
    if box is None:
        shape = _mesh(stage, path, part.vertices, part.faces)
        UsdPhysics = _pxr("UsdPhysics")
        UsdPhysics.MeshCollisionAPI.Apply(shape.GetPrim()).CreateApproximationAttr(UsdPhysics.Tokens.convexHull)
        return shape
    centre, R, half = box
    shape = _pxr("UsdGeom").Cube.Define(stage, path)
    shape.CreateSizeAttr(2.0)
    shape.CreateExtentAttr([(-1, -1, -1), (1, 1, 1)])
    _place(shape, centre, quaternion_from_matrix(R))
    shape.AddScaleOp(_pxr("UsdGeom").XformOp.PrecisionDouble).Set(_pxr("Gf").Vec3d(*half.tolist()))
    return shape


def _mesh(stage: Any, path: str, vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"]) -> Any:
    UsdGeom, Vt = _pxr("UsdGeom"), _pxr("Vt")
    mesh = UsdGeom.Mesh.Define(stage, path)
    points = np.ascontiguousarray(vertices, np.float32)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.ascontiguousarray(faces, np.int32).ravel()))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([points.min(axis=0), points.max(axis=0)])))
    return mesh


def _place(prim: Any, position: Float[ndarray, "3"], quat: Float[ndarray, "4"]) -> None:
    Gf, precision = _pxr("Gf"), _pxr("UsdGeom").XformOp.PrecisionDouble
    prim.AddTranslateOp().Set(Gf.Vec3d(*position.tolist()))
    prim.AddOrientOp(precision).Set(Gf.Quatd(*quat.tolist()))


def _bind(prim: Any, material: Any) -> None:
    """Give a collider its friction."""
    UsdShade = _pxr("UsdShade")
    UsdShade.MaterialBindingAPI.Apply(prim.GetPrim()).Bind(
        material, bindingStrength=UsdShade.Tokens.weakerThanDescendants, materialPurpose="physics"
    )


def _pxr(module: str) -> Any:
    return require(f"pxr.{module}", PURPOSE)
