"""Exported files hold what went in."""

import json
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from interaction import toys

from hsimul3r.artifacts import AlignedScene, Capture, Criterion, Rollout, StabilityVerdict
from hsimul3r.body.model import EMBEDDED, embedded_body
from hsimul3r.export.amass import motions_of, read_amass, write_amass
from hsimul3r.export.scene import write_glb
from hsimul3r.geometry.overlay import PaintedMesh
from hsimul3r.geometry.rotations import quaternion_from_axis_angle
from hsimul3r.geometry.tracks import no_tracks
from hsimul3r.importers.tools import read_clip
from hsimul3r.progress import Progress
from stages import build_sim_scene, export_motion

FRAMES = 5


@pytest.fixture(scope="module")
def scene_folder(tmp_path_factory):
    pytest.importorskip("mujoco", reason="the MJCF is written by mujoco")
    folder = tmp_path_factory.mktemp("70_sim")
    human = toys.body(toys.SIT)
    motion, _, _ = toys.inputs([human], [])
    chair = toys.chair(toys.lowest_of(human, "buttocks"))
    aligned = AlignedScene(provenance=motion.provenance, body_model=EMBEDDED, bodies=(human,), assets=(chair,), contacts=(),
                           cameras=motion.cameras, tracks=motion.tracks, report={})  # fmt: skip
    return build_sim_scene.run(aligned, cfg=build_sim_scene.BuildSimSceneConfig(), out=folder, progress=Progress(None)), folder


def rollout_of(scene):
    rng = np.random.default_rng(0)
    body = scene.bodies[0]
    moving = replace(body, pose=body.pose + 0.01 * rng.standard_normal((FRAMES, 55, 3)),
                     transl=body.transl + 0.01 * rng.standard_normal((FRAMES, 3)), fps=60.0)  # fmt: skip
    pos = np.array([[[0.0, 0, 0.01 * k]] for k in range(FRAMES)])
    quat = quaternion_from_axis_angle(np.array([[[0, 0, 0.1 * k]] for k in range(FRAMES)]))
    human = scene.humans[0]
    return Rollout(
        provenance=replace(scene.provenance, licences=("CC0-1.0", "Apache-2.0"), scale_source="stature"), controller="static",
        fps=60.0, qpos_names=scene.qpos_names, qpos=np.tile(scene.qpos, (FRAMES, 1)), qvel=np.zeros((FRAMES, 1)),
        ctrl=np.zeros((FRAMES, 1)), bodies=(moving,), object_names=("chair",), object_pos=pos, object_quat=quat,
        contact_names=(f"{human}/buttocks/chair", f"{human}//chair"), contact_force_n=rng.uniform(0, 500, (FRAMES, 2)),
        contact_point=rng.uniform(size=(FRAMES, 2, 3)), penetration_m=np.zeros(FRAMES), body_deviation_m=np.zeros(FRAMES),
        replay_hash="0", report={},
    )  # fmt: skip


def verdict_of(scene):
    criterion = Criterion(test="contact", name="force", value=400.0, threshold=20.0, holds=True, margin=19.0)
    return StabilityVerdict(provenance=scene.provenance, controller="static", is_stable=True, feedback_type=4,
                            stands_under_gravity=True, is_settled=True, holds_contact=True, criteria=(criterion,),
                            reason="Stable: sits on the chair.")  # fmt: skip


def test_amass_file_gives_back_the_motion(scene_folder, tmp_path):
    scene, _ = scene_folder
    rollout = rollout_of(scene)
    [motion] = motions_of(rollout, scene.body_model, scene.humans)
    write_amass(motion, tmp_path / "motion.npz")
    read = read_amass(tmp_path / "motion.npz")
    body, back = rollout.bodies[0], read.body
    placed = [(b.betas[None].repeat(FRAMES, 0), b.pose, b.transl) for b in (body, back)]
    np.testing.assert_array_equal(*(embedded_body().vertices(*arguments) for arguments in placed))
    assert (back.fps, back.person, back.stature_m) == (60.0, body.person, body.stature_m)
    assert read.contact_part == ("buttocks", "")
    assert read.contact_target == ("chair", "chair")
    np.testing.assert_array_equal(read.contact_force_n, rollout.contact_force_n)
    np.testing.assert_array_equal(read.object_quat_wxyz, rollout.object_quat)


def test_amass_file_has_the_shapes_of_amass(scene_folder, tmp_path):
    scene, _ = scene_folder
    [motion] = motions_of(rollout_of(scene), scene.body_model, scene.humans)
    write_amass(motion, tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as npz:
        shapes = {name: npz[name].shape for name in npz.files}
        assert str(npz["gender"]) == "neutral"
    assert (shapes["trans"], shapes["root_orient"]) == ((FRAMES, 3), (FRAMES, 3))
    assert (shapes["pose_body"], shapes["pose_hand"]) == ((FRAMES, 63), (FRAMES, 90))
    assert (shapes["betas"], shapes["poses"]) == ((10,), (FRAMES, 165))


def test_amass_s_poses_are_its_parts_in_a_row(scene_folder, tmp_path):
    scene, _ = scene_folder
    [motion] = motions_of(rollout_of(scene), scene.body_model, scene.humans)
    write_amass(motion, tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as npz:
        parts = [npz[name] for name in ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")]
        np.testing.assert_array_equal(npz["poses"], np.hstack(parts))
        assert npz["num_betas"] == len(npz["betas"])


def test_another_persons_contacts_are_left_out(scene_folder):
    scene, _ = scene_folder
    rollout = replace(rollout_of(scene), contact_names=(f"{scene.humans[0]}/buttocks/chair", "person7/back/chair"))
    [motion] = motions_of(rollout, scene.body_model, scene.humans)
    assert motion.contact_part == ("buttocks",)
    assert motion.contact_force_n.shape == (FRAMES, 1)


def test_export_folder_is_complete_and_opens(scene_folder, tmp_path):
    scene, folder = scene_folder
    rollout = rollout_of(scene)
    export = export_motion.run(scene, folder, rollout, verdict_of(scene), cfg=export_motion.ExportMotionConfig(),
                               out=tmp_path, progress=Progress(None))  # fmt: skip
    import mujoco

    assert mujoco.MjModel.from_xml_path(str(tmp_path / export.mjcf)).nq == len(scene.qpos)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["licences"] == ["CC0-1.0", "Apache-2.0"]
    assert manifest["metric_scale_from"] == "stature"
    assert all((tmp_path / name).is_file() for name in manifest["motions"])
    readme = (tmp_path / "README.txt").read_text()
    assert "CC0-1.0" in readme and "sits on the chair" in readme
    assert export.hsfm is None and manifest["hsfm"] is None and "hsfm" not in readme
    export.save(tmp_path)
    assert export_motion.Export.load(tmp_path) == export


def test_a_run_with_photos_is_exported_for_hsfm_s_viewer_too(scene_folder, tmp_path):
    scene, folder = scene_folder
    cameras = toys.inputs([scene.bodies[0]], [])[0].cameras
    views = len(cameras.size_px)
    aligned = AlignedScene(provenance=scene.provenance, body_model=EMBEDDED, bodies=scene.bodies, assets=scene.assets,
                           contacts=(), cameras=cameras, tracks=no_tracks(), report={})  # fmt: skip
    capture = Capture(
        provenance=scene.provenance, name="toy", folder="toy", images=tuple(f"{v}.png" for v in range(views)),
        sources=tuple(f"photo{v}.jpg" for v in range(views)), size_px=cameras.size_px, original_size_px=cameras.size_px,
        focal_px=np.full(views, np.nan), is_focal_given=False, stature_m=None, objects=(),
    )  # fmt: skip
    photos = [np.full((height, width, 3), 99, np.uint8) for width, height in cameras.size_px]
    export = export_motion.run(scene, folder, rollout_of(scene), verdict_of(scene), aligned, capture, photos,
                               cfg=export_motion.ExportMotionConfig(), out=tmp_path, progress=Progress(None))  # fmt: skip
    clip = read_clip(tmp_path / "hsfm_output_smplx.pkl")
    assert {camera.name for camera in clip.cameras} == {f"photo{v}.jpg" for v in np.flatnonzero(cameras.is_registered)}
    assert export.hsfm == json.loads((tmp_path / "manifest.json").read_text())["hsfm"] == "hsfm_output_smplx.pkl"
    assert "\nhsfm_output_smplx.pkl\n" in (tmp_path / "README.txt").read_text()


def test_glb_shows_the_final_state_with_y_up(scene_folder, tmp_path):
    scene, folder = scene_folder
    rollout = rollout_of(scene)
    export_motion.run(scene, folder, rollout, verdict_of(scene), cfg=export_motion.ExportMotionConfig(), out=tmp_path,
                      progress=Progress(None))  # fmt: skip
    glb = trimesh.load(tmp_path / "final_state.glb")
    body = rollout.bodies[0]
    skin = embedded_body().vertices(body.betas, body.pose[-1], body.transl[-1])
    person, chair = glb.geometry[f"person {body.person}"], glb.geometry["chair"]
    assert person.vertices[:, 1].max() == pytest.approx(skin[:, 2].max(), abs=1e-4)
    assert chair.vertices[:, 1].min() == pytest.approx(0.01 * (FRAMES - 1), abs=1e-4)


def test_glb_s_surfaces_are_matt_in_linear_colours(tmp_path):
    corners, faces = np.eye(3), np.array([[0, 1, 2]])
    mesh = PaintedMesh(name="a", vertices=corners, faces=faces, color=(255, 188, 0))
    write_glb([mesh], tmp_path / "a.glb")
    material = trimesh.load(tmp_path / "a.glb").geometry["a"].visual.material
    assert (material.metallicFactor, material.name) == (0.0, "a")
    half = 0.5  # sRGB 188 of 255 is half the light
    np.testing.assert_allclose(material.baseColorFactor[:3] / 255, [1, half, 0], atol=0.01)
