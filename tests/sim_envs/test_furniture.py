import numpy as np
import pytest

from hsimul3r.artifacts import ObjectAsset
from hsimul3r.benchmark.objects.catalogue import build_furniture
from hsimul3r.body.model import EMBEDDED
from hsimul3r.geometry.mesh import solid, union
from hsimul3r.tracking.layout import object_place
from sim_envs import backend
from sim_envs.conformance import scene_of
from sim_envs.contract import JUDGE
from sim_envs.scene_builder import SceneParts

DELICATE = ("swivel_chair", "cantilever_chair", "milk_stool", "step_ladder", "push_cart", "pedestal_table", "corner_sofa")


def asset_of(name, *, tilt_rad=0.0):
    """A catalogue's piece of furniture as a free object, turned about the floor's X axis."""
    furniture = build_furniture(name)
    parts = tuple(piece.shape for piece in furniture.pieces)
    vertices, faces = union(parts, name)
    T = np.eye(4)
    T[1:3, 1:3] = [[np.cos(tilt_rad), -np.sin(tilt_rad)], [np.sin(tilt_rad), np.cos(tilt_rad)]]
    T[2, 3] = -(vertices @ T[:3, :3].T)[:, 2].min()
    mass_kg = furniture.density_kg_m3 * solid(vertices, faces).volume_m3
    return ObjectAsset(
        name=name, category=furniture.category, family="pieces", parameters={}, parts=parts, vertices=vertices, faces=faces,
        T_world_object=T, mass_kg=mass_kg, density_kg_m3=furniture.density_kg_m3, friction=furniture.friction,
    )  # fmt: skip


def pose_after(asset, seconds):
    """Position and quaternion before and after it stood by itself."""
    scene = scene_of(SceneParts(body_model=EMBEDDED, bodies=(), humans=(), assets=(asset,)))
    batch = backend("mujoco_cpu").load(scene, count=1, timing=JUDGE, threads=1)
    place = object_place(asset.name, batch.qpos_names)
    before = batch.state()[0][0, place].copy()
    batch.step(np.zeros((1, 0)), round(seconds / JUDGE.timestep_s))
    return before, batch.state()[0][0, place]


@pytest.mark.parametrize("name", DELICATE)
def test_furniture_stands_on_its_own_feet(name):
    before, after = pose_after(asset_of(name), 5.0)
    np.testing.assert_allclose(after, before, atol=2e-3)


def test_furniture_tilted_beyond_its_feet_falls():
    """So that standing still is not the engine's doing."""
    before, after = pose_after(asset_of("milk_stool", tilt_rad=0.8), 2.0)
    assert np.abs(after - before).max() > 0.1
