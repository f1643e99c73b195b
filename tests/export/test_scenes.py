"""Objects written as URDF, USD and MJCF, read by those who define these formats: mass, inertia, pose, colliders, friction."""

import json
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from interaction import toys

from hsimul3r.export.mjcf import write_object_mjcf
from hsimul3r.export.urdf import write_urdf
from hsimul3r.export.usd import write_usd
from hsimul3r.geometry.mesh import convex_part
from hsimul3r.geometry.rotations import matrix_from_quaternion

RADIUS, HEIGHT, SIDES = 0.2, 0.5, 16
SOLREF_S = 0.01


def placed(asset, *, yaw, tilt=0.0, at):
    T = np.eye(4)
    T[:3, :3] = trimesh.transformations.euler_matrix(tilt, 0.0, yaw, "rxyz")[:3, :3]
    T[:3, 3] = at
    return replace(asset, T_world_object=T)


@pytest.fixture(scope="module")
def chair():
    """Six boxes."""
    return placed(toys.chair(0.45), yaw=0.7, at=(0.3, -0.2, 0.0))


@pytest.fixture(scope="module")
def stool():
    """A prism of sixteen sides, leaning, whose name is no identifier."""
    prism = trimesh.creation.cylinder(radius=RADIUS, height=HEIGHT, sections=SIDES)
    part = convex_part(prism.vertices + np.array([0, 0, HEIGHT / 2]))
    asset = replace(toys.asset("round stool", [part]), mass_kg=4.0, friction=0.6)
    return placed(asset, yaw=-0.4, tilt=0.2, at=(1.5, 0.4, 0.2))


def prism_moments(mass):
    """(about a level axis, about the upright one) of a regular prism with corners on a circle of RADIUS."""
    upright = mass * RADIUS**2 / 6 * (2 + np.cos(2 * np.pi / SIDES))
    return upright / 2 + mass * HEIGHT**2 / 12, upright


def pose_error(T, pos, quat):
    R = matrix_from_quaternion(np.asarray(quat, float))
    return max(np.abs(T[:3, 3] - pos).max(), np.abs(T[:3, :3] - R).max())


def test_urdf_scene_in_mujoco_has_masses_inertias_and_poses(chair, stool, tmp_path):
    mujoco = pytest.importorskip("mujoco", reason="reads the URDF")
    path = write_urdf([chair, stool], 0.5, tmp_path)[0]
    model = mujoco.MjModel.from_xml_path(str(path))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    for asset in (chair, stool):
        body = model.body(asset.name)
        assert body.mass[0] == pytest.approx(asset.mass_kg)
        assert body.geomnum[0] == len(asset.parts)
        assert pose_error(asset.T_world_object, data.body(asset.name).xpos, data.body(asset.name).xquat) < 1e-9
    level, upright = prism_moments(4.0)
    np.testing.assert_allclose(sorted(model.body("round stool").inertia), sorted([level, level, upright]), rtol=1e-9)
    assert model.njnt == 2


def test_urdf_of_one_object_is_at_its_own_origin_and_scene_json_places_it(chair, tmp_path):
    mujoco = pytest.importorskip("mujoco", reason="reads the URDF")
    write_urdf([chair], 0.5, tmp_path)
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "chair.urdf"))
    np.testing.assert_array_equal(model.body("chair").pos, 0)
    [entry] = json.loads((tmp_path / "scene.json").read_text())["objects"]
    assert pose_error(chair.T_world_object, np.array(entry["position_m"]), entry["quaternion_wxyz"]) < 1e-12
    assert (entry["mass_kg"], entry["friction"]) == (chair.mass_kg, chair.friction)


@pytest.fixture(scope="module")
def stage(chair, stool, tmp_path_factory):
    Usd = pytest.importorskip("pxr.Usd", reason="USD is written by usd-core")
    path = tmp_path_factory.mktemp("usd") / "scene.usda"
    write_usd([chair, stool], 0.5, path)
    return Usd.Stage.Open(str(path))


def physics_of(stage):
    """What USD's own reader of physics finds: {kind's name: descriptions}."""
    from pxr import UsdPhysics

    found = UsdPhysics.LoadUsdPhysicsFromRange(stage, ["/"])
    return {str(kind).rsplit(".", 1)[-1]: description for kind, (_, description) in found.items()}


def test_usd_has_metres_kilograms_and_z_up(stage):
    from pxr import UsdGeom, UsdPhysics

    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    assert UsdGeom.GetStageMetersPerUnit(stage) == UsdPhysics.GetStageKilogramsPerUnit(stage) == 1.0
    assert str(stage.GetDefaultPrim().GetPath()) == "/World"


def test_usd_s_own_validators_find_no_fault(stage):
    from pxr import UsdValidation

    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    faults = UsdValidation.ValidationContext(validators).Validate(stage)
    assert [(fault.GetName(), fault.GetMessage()) for fault in faults] == []


def test_usd_bodies_have_poses_masses_and_inertias(stage, chair, stool):
    from pxr import UsdPhysics

    bodies = {str(body.primPath): body for body in physics_of(stage)["RigidBody"]}
    for path, asset in (("/World/chair", chair), ("/World/round_stool", stool)):
        body = bodies[path]
        assert len(body.collisions) == len(asset.parts)
        quat = [body.rotation.GetReal(), *body.rotation.GetImaginary()]
        assert pose_error(asset.T_world_object, np.array(body.position), quat) < 1e-6
        mass = UsdPhysics.MassAPI(stage.GetPrimAtPath(path))
        assert mass.GetMassAttr().Get() == pytest.approx(asset.mass_kg)
    level, upright = prism_moments(4.0)
    mass = UsdPhysics.MassAPI(stage.GetPrimAtPath("/World/round_stool"))
    np.testing.assert_allclose(sorted(mass.GetDiagonalInertiaAttr().Get()), sorted([level, level, upright]), rtol=1e-5)
    np.testing.assert_allclose(mass.GetCenterOfMassAttr().Get(), [0, 0, HEIGHT / 2], atol=1e-6)


def test_usd_inertia_in_the_bodys_axes_is_that_of_its_parts(stage, chair):
    """The principal axes belong to the moments beside them."""
    from pxr import UsdPhysics

    mass = UsdPhysics.MassAPI(stage.GetPrimAtPath("/World/chair"))
    axes = mass.GetPrincipalAxesAttr().Get()
    R = matrix_from_quaternion(np.array([axes.GetReal(), *axes.GetImaginary()], float))
    found = R @ np.diag(mass.GetDiagonalInertiaAttr().Get()) @ R.T
    volume, expected = sum(trimesh.Trimesh(part.vertices, part.faces).volume for part in chair.parts), np.zeros((3, 3))
    centre = np.array(mass.GetCenterOfMassAttr().Get())
    for part in chair.parts:
        solid = trimesh.Trimesh(part.vertices, part.faces)
        solid.density = chair.mass_kg / volume
        away = solid.center_mass - centre
        expected += solid.moment_inertia + solid.mass * (away @ away * np.eye(3) - np.outer(away, away))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_usd_colliders_are_boxes_hulls_and_an_endless_floor_with_their_friction(stage, chair):
    from pxr import UsdPhysics, UsdShade

    shapes = physics_of(stage)
    halves = sorted(tuple(sorted(np.round(cube.halfExtents, 6))) for cube in shapes["CubeShape"])
    sizes = [tuple(sorted(np.round(np.ptp(part.vertices, axis=0) / 2, 6))) for part in chair.parts]
    np.testing.assert_allclose(halves, sorted(sizes), atol=1e-6)
    assert [str(mesh.approximation) for mesh in shapes["MeshShape"]] == ["convexHull"]
    assert len(shapes["PlaneShape"]) == 1
    for path, friction in (("/World/floor", 0.5), ("/World/chair/part0", chair.friction), ("/World/round_stool/part0", 0.6)):
        bound = UsdShade.MaterialBindingAPI(stage.GetPrimAtPath(path)).ComputeBoundMaterial("physics")[0]
        assert UsdPhysics.MaterialAPI(bound.GetPrim()).GetDynamicFrictionAttr().Get() == pytest.approx(friction)


def test_usd_shows_the_surface_and_hides_the_colliders(stage, stool):
    from pxr import UsdGeom

    look = UsdGeom.Mesh(stage.GetPrimAtPath("/World/round_stool/look"))
    np.testing.assert_allclose(np.array(look.GetPointsAttr().Get()), stool.vertices, atol=1e-6)
    assert UsdGeom.Imageable(stage.GetPrimAtPath("/World/round_stool/part0")).ComputePurpose() == "guide"


@pytest.mark.parametrize("is_fixed", [False, True])
def test_an_object_by_itself_as_mjcf(stool, chair, tmp_path, is_fixed):
    mujoco = pytest.importorskip("mujoco", reason="reads the MJCF")
    for asset in (stool, chair):
        path = write_object_mjcf(asset, tmp_path, contact_time_s=SOLREF_S, color=(10, 20, 30), is_fixed=is_fixed)
        model = mujoco.MjModel.from_xml_path(str(path))
        body = model.body(asset.name)
        assert body.mass[0] == pytest.approx(asset.mass_kg)
        assert model.njnt == (0 if is_fixed else 1)
        np.testing.assert_allclose(model.geom_friction[:, 0], asset.friction)
        np.testing.assert_array_equal(body.pos, 0)
        assert model.ngeom == len(asset.parts)
