"""One folder of a robot's motion: every file that it names is there, opens, and says the same."""

import importlib.util
import json

import numpy as np
import pytest
import trimesh
from export.robot_clips import G1, moving_clip
from export.test_robot_formats import assert_same
from interaction import toys

from hsimul3r.artifacts import Provenance
from hsimul3r.export.convert import ROBOT_FORMATS
from hsimul3r.export.robot.clip import clip_of
from hsimul3r.export.robot.look import robot_surface
from hsimul3r.progress import Progress
from hsimul3r.retarget.kinematics import chain_of, posed
from hsimul3r.retarget.motion import RobotMotion
from stages import export_robot

FPS = 50.0


@pytest.fixture(scope="module")
def motion():
    clip = moving_clip(seconds=0.4, fps=FPS)
    chair = toys.chair(0.45)
    path = np.tile(np.eye(4), (len(clip), 1, 1))
    path[:, :3, 3] = clip.objects[1].position
    box = toys.block(0.3, name="box")
    return RobotMotion(
        provenance=Provenance(adapter="test", scale_source="stature", licences=("CC0-1.0",)), robot=G1, fps=FPS,
        root_position=clip.root_position, root_quaternion=clip.root_quaternion, joint_names=clip.robot.joint_names[::-1],
        joint_position=clip.joint_position[:, ::-1], contacts=(), assets=(chair, box), object_paths={"box": path},
        scene_scale=0.7, object_scales={"chair": np.full(3, 0.7)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def exported(motion, tmp_path_factory):
    pytest.importorskip("mujoco", reason="the scene's MJCF is written by mujoco")
    out = tmp_path_factory.mktemp("robot")
    return export_robot.run(motion, cfg=export_robot.ExportRobotConfig(), out=out, progress=Progress(None)), out


def test_joints_are_taken_by_name_and_objects_travel(motion):
    clip = clip_of(motion)
    np.testing.assert_array_equal(clip.joint_position, moving_clip(seconds=0.4, fps=FPS).joint_position)
    tracks = {track.name: track for track in clip.objects}
    np.testing.assert_array_equal(tracks["box"].position, motion.object_paths["box"][:, :3, 3])
    np.testing.assert_array_equal(tracks["chair"].position, np.zeros((len(clip), 3)))


def test_every_file_is_there_and_said_what_it_is(exported, motion):
    export, out = exported
    assert all((out / file).is_file() for file in export.files)
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest["files"]) == set(export.files) and all(manifest["files"].values())
    readme = (out / "README.txt").read_text()
    assert all(file in readme for file in export.files)
    assert "CC0-1.0" in readme and manifest["metric_scale_from"] == "stature"
    assert manifest["object_scales"] == {"chair": [0.7, 0.7, 0.7]}


@pytest.mark.parametrize("name", [name for name in ROBOT_FORMATS if name != "unitree-csv"])
def test_every_motion_file_holds_the_motion(exported, motion, name):
    known = ROBOT_FORMATS[name]
    clip = clip_of(motion)
    found = known.read(exported[1] / f"motion/{name}{known.suffix}", clip.robot, None)
    kept = {"mjlab": ("chair", "box"), "isaaclab": ("chair", "box"), "holosoma": ("box",)}
    assert_same(found, clip, atol=2e-6, objects=kept.get(name, ()))


def test_mjcf_has_the_objects_and_the_floor(exported):
    import mujoco

    model = mujoco.MjModel.from_xml_path(str(exported[1] / "scene/mjcf/scene.xml"))
    assert [model.body(i).name for i in range(model.nbody)] == ["world", "chair", "box"]
    assert model.geom("floor").friction[0] == 0.5


def test_without_usd_core_the_usd_is_left_out_and_said_so(motion, tmp_path, monkeypatch):
    from hsimul3r.errors import MissingPackage

    def missing(*_):
        raise MissingPackage("pxr", "scenes as USD")

    monkeypatch.setattr(export_robot, "write_usd", missing)
    export = export_robot.run(motion, cfg=export_robot.ExportRobotConfig(), out=tmp_path, progress=Progress(None))
    assert export.left_out == (export_robot.USD_FILE,) and export_robot.USD_FILE not in export.files
    assert "usd-core" in (tmp_path / "README.txt").read_text()


def test_glb_shows_the_robot_where_it_stands(exported, motion):
    glb = trimesh.load(exported[1] / "scene/scene.glb")
    clip = clip_of(motion)
    surface = robot_surface(clip, 0)
    np.testing.assert_allclose(
        glb.geometry[G1].bounds[:, 1],
        surface.vertices[:, 2][[surface.vertices[:, 2].argmin(), surface.vertices[:, 2].argmax()]],
        atol=1e-5,
    )
    chain = chain_of(clip.robot)
    assert set(glb.geometry) == {"chair", "box", G1}
    at = posed(chain, clip.root_position[:1], np.eye(3)[None], clip.joint_position[:1])
    assert np.linalg.norm(surface.vertices.mean(axis=0) - at.positions[0, 0]) < 0.3


def test_the_mjlab_folder_says_where_everything_is(exported, motion):
    """mjlab itself reads it in benchmarks/export_consumers.py."""
    folder = exported[1] / "mjlab"
    spec = importlib.util.spec_from_file_location("exported_scene", folder / "mjlab_kit/scene.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.folder_of(None) == module.folder_of(exported[1]) == folder.resolve()
    facts = module.scene_facts()
    assert {entry["name"]: entry["position_m"] for entry in facts["objects"]}["chair"] == [0, 0, 0]
    assert all((folder / entry["mjcf"]).is_file() for entry in facts["objects"])
    assert facts["floor"]["friction"] == 0.5
    found = ROBOT_FORMATS["mjlab"].read(folder / "motion.npz", clip_of(motion).robot, None)
    assert_same(found, clip_of(motion), atol=2e-6, objects=("chair", "box"))
