from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.artifacts import SimScene
from hsimul3r.benchmark.interactions import (
    aligned_scene,
    box_part,
    furniture,
    lean_on_table,
    sit_on_chair,
    stool_boxes,
)
from hsimul3r.errors import ScaleUnknown, UnknownBodyModel
from hsimul3r.geometry.mesh import convex_part
from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.progress import Progress
from sim_envs.scene_builder import box_of, load_model
from stages import build_sim_scene

QUIET = Progress(None)
CFG = build_sim_scene.BuildSimSceneConfig()


@pytest.fixture
def scene(tmp_path) -> SimScene:
    return build_sim_scene.run(sit_on_chair(), cfg=CFG, out=tmp_path, progress=QUIET)


def test_written_mjcf_equals_the_model_in_memory(scene, tmp_path):
    import mujoco

    written, memory = mujoco.MjModel.from_xml_path(str(tmp_path / scene.mjcf)), load_model(scene)
    assert (written.nq, written.nv, written.nu, written.ngeom) == (memory.nq, memory.nv, memory.nu, memory.ngeom)
    assert written.body_subtreemass[0] == pytest.approx(memory.body_subtreemass[0], rel=1e-5)
    for kind in ("nbody", "njnt", "nsensor"):
        assert getattr(written, kind) == getattr(memory, kind)
    assert [written.body(i).name for i in range(written.nbody)] == [memory.body(i).name for i in range(memory.nbody)]
    touching = []
    for model in (written, memory):
        data = mujoco.MjData(model)
        mujoco.mj_resetDataKeyframe(model, data, 0)
        mujoco.mj_forward(model, data)
        touching.append(sorted((model.geom(c.geom1).name, model.geom(c.geom2).name) for c in data.contact))
    assert touching[0] == touching[1]


def test_scene_survives_saving_and_is_enough_to_rebuild(scene, tmp_path):
    scene.save(tmp_path)
    loaded = SimScene.load(tmp_path)
    model = load_model(loaded)
    np.testing.assert_array_equal(model.key_qpos[0], scene.qpos)
    assert scene.human_mass_kg[0] == pytest.approx(model.body_subtreemass[model.body("person0/pelvis").id])
    assert model.body("chair").mass[0] == pytest.approx(7.0)
    assert [path.suffix for path in (tmp_path / "assets").iterdir()] == [".obj"] * 22


def test_no_metres_no_simulation(tmp_path):
    aligned = sit_on_chair()
    unscaled = replace(aligned, provenance=replace(aligned.provenance, scale_source="unknown"))
    with pytest.raises(ScaleUnknown, match="stature"):
        build_sim_scene.run(unscaled, cfg=CFG, out=tmp_path, progress=QUIET)


def test_unknown_body_model_is_named(tmp_path):
    with pytest.raises(UnknownBodyModel, match="smplx-locked"):
        build_sim_scene.run(replace(sit_on_chair(), body_model="smplx-locked"), cfg=CFG, out=tmp_path, progress=QUIET)


def test_two_people_and_two_free_objects(tmp_path):
    aligned = lean_on_table()
    stool = furniture("stool", stool_boxes(0.3), mass_kg=5.0, position=(1.5, 0.0, 0.0))
    other = replace(aligned.bodies[0], person=1, transl=aligned.bodies[0].transl + np.array([0, 2.0, 0]))
    both = aligned_scene((aligned.bodies[0], other), (*aligned.assets, stool), {"table": ("left_hand",)})
    scene = build_sim_scene.run(both, cfg=CFG, out=tmp_path, progress=QUIET)
    model = load_model(scene)
    assert scene.humans == ("person0", "person1")
    assert model.nq == 2 * (7 + 84) + 2 * 7
    assert model.joint("stool").type == model.joint("table").type == 0
    np.testing.assert_allclose(scene.qpos[[scene.qpos_names.index("stool:x"), scene.qpos_names.index("stool:z")]], [1.5, 0.0])


def test_a_box_is_recognised_however_it_is_turned():
    R = matrix_from_axis_angle(np.array([0.3, -0.7, 1.1]))
    box = box_part((0.0, 0.0, 0.0), (0.1, 0.2, 0.3))
    turned = convex_part(box.vertices @ R.T + [1.0, 2.0, 3.0])
    found = box_of(turned)
    assert found is not None
    centre, axes, half = found
    np.testing.assert_allclose(centre, [1, 2, 3], atol=1e-9)
    np.testing.assert_allclose(np.sort(half), [0.1, 0.2, 0.3], atol=1e-9)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    np.testing.assert_allclose(np.abs(axes.T @ R).max(axis=0), 1.0, atol=1e-9)


@pytest.mark.parametrize("change", ["frustum", "sheared", "octahedron"])
def test_what_is_not_a_box_stays_a_hull(change):
    corners = box_part((0.0, 0.0, 0.0), (0.1, 0.1, 0.1)).vertices.copy()
    if change == "frustum":
        corners[corners[:, 2] > 0, :2] *= 0.8
    elif change == "sheared":
        corners[:, 0] += 0.2 * corners[:, 2]
    else:
        corners = np.concatenate([np.eye(3), -np.eye(3)])
    assert box_of(convex_part(corners)) is None


def test_the_scene_remembers_whose_torques_its_servos_have(tmp_path):
    strong, weak = tmp_path / "phc", tmp_path / "human"
    limits = []
    for folder, torques in ((strong, "phc"), (weak, "human")):
        folder.mkdir()
        cfg = build_sim_scene.BuildSimSceneConfig(torques=torques)
        build_sim_scene.run(sit_on_chair(), cfg=cfg, out=folder, progress=QUIET).save(folder)
        model = load_model(SimScene.load(folder))
        limits.append([model.actuator(f"person0/{joint}/x").forcerange[1] for joint in ("left_knee", "head")])
    np.testing.assert_allclose(np.divide(limits[1], limits[0]), [215 / 500, 51 / 250])
