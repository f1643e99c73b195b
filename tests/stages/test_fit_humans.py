from dataclasses import replace

import numpy as np
import pytest
from body import synthetic
from PIL import Image

from hsimul3r.artifacts import Capture, HumanMotion, People, PersonView, PointTracks, Provenance, SceneGeometry
from hsimul3r.body.model import embedded_body
from hsimul3r.body.problem import FitConfig
from hsimul3r.errors import NoPerson, NotFinite, ScaleUnknown
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import project, transform_cameras
from hsimul3r.progress import Progress
from stages import fit_humans

CFG = fit_humans.FitHumansConfig(fit=FitConfig(iterations=20))
SIZE = (640, 480)


@pytest.fixture(scope="module")
def truth():
    return synthetic.person("sit", stature_m=1.76, yaw=0.4, at=(0.1, 0.2), seed=1)


@pytest.fixture(scope="module")
def cameras():
    large = synthetic.ring_of_cameras(distance=3.5)
    return replace(large, size_px=large.size_px // 2, focal_px=large.focal_px / 2, principal_px=(large.principal_px - 0.5) / 2)


def inputs(truth, cameras, *, scale=1.0, source="stature", stature_m=None):
    """Capture, images, people and scene as the earlier stages would leave them, the scene smaller by `scale`."""
    seen = synthetic.detect(truth, cameras, seed=3, noise_px=2.5)
    made = Provenance(adapter="synthetic", scale_source=source, frame="world")
    count = len(cameras.focal_px)
    capture = Capture(
        provenance=made, name="synthetic", folder="synthetic", images=(), sources=(), size_px=cameras.size_px,
        original_size_px=cameras.size_px, focal_px=cameras.focal_px, is_focal_given=False, stature_m=stature_m, objects=(),
    )  # fmt: skip
    views = tuple(
        PersonView(
            view=v, person=0, keypoints_px=seen.keypoints_px[v], confidence=seen.confidence[v], agreement=0.9,
            skeleton_m=seen.skeleton_m[v], box_px=np.array([0.0, 0, 1, 1]),
        )
        for v in range(count)
    )  # fmt: skip
    people = People(
        provenance=made, views=views, masks=tuple(synthetic.silhouettes(truth, cameras)), person_count=1
    )  # fmt: skip
    shrink = Similarity(scale=scale, R=np.eye(3), t=np.zeros(3))
    none = np.zeros(0, np.int64)
    scene = SceneGeometry(
        provenance=made, cameras=transform_cameras(cameras, shrink), persons=(0,), skeletons=scale * seen.skeleton[None],
        tracks=PointTracks(
            points=scale * np.ones((1, 3)), colors=np.zeros((1, 3), np.uint8), view=none, point=none, uv_px=np.zeros((0, 2))
        ),
        T_world_rig=np.eye(4), rig_scale=1.0, is_floor_point=np.zeros(1, bool), report={},
    )  # fmt: skip
    images = tuple(np.full((h, w, 3), 128, np.uint8) for w, h in cameras.size_px)
    return capture, images, people, scene


def fit(arguments, folder):
    return fit_humans.run(*arguments, cfg=CFG, out=folder, progress=Progress())


@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_body_and_scene_become_metric(truth, cameras, tmp_path, scale):
    stature = float(embedded_body().stature(truth.betas))
    motion = fit(inputs(truth, cameras, scale=scale, stature_m=stature), tmp_path)
    body = motion.bodies[0]
    joints = embedded_body().joints(body.betas, body.pose[0], body.transl[0])[:22]
    assert synthetic.mpjpe(joints, truth.joints()) < 0.05
    assert motion.provenance.scale_source == "stature"
    assert motion.report["scale"] * scale == pytest.approx(1, rel=0.02)
    assert body.stature_m == pytest.approx(stature, abs=0.02)
    assert motion.tracks.points[0] == pytest.approx(np.full(3, scale * motion.report["scale"]))
    for v in range(4):
        point = np.array([0.1, 0.2, 0.3])
        assert project(motion.cameras, v, scale * motion.report["scale"] * point) == pytest.approx(project(cameras, v, point))


def test_calibrated_scale_is_kept(truth, cameras, tmp_path):
    motion = fit(inputs(truth, cameras, source="calibrated"), tmp_path)
    assert motion.provenance.scale_source == "calibrated"
    assert motion.report["scale"] == 1
    assert np.array_equal(motion.cameras.T_cam_world, cameras.T_cam_world)


def test_artifact_overlays_and_masks(truth, cameras, tmp_path):
    arguments = inputs(truth, cameras)
    motion = fit(arguments, tmp_path)
    motion.save(tmp_path)
    again = HumanMotion.load(tmp_path)
    assert np.array_equal(again.bodies[0].pose, motion.bodies[0].pose)
    for v in range(4):
        picture = np.asarray(Image.open(tmp_path / f"body_{v}.png"))
        assert picture.shape == (480, 640, 3)
        assert (picture != 128).any(2).sum() > 1000
        seen, both = arguments[2].masks[v], motion.person_masks[v]
        assert (both | seen == both).all()
        assert (both & ~seen).sum() < 0.3 * seen.sum()
    report = motion.bodies[0].report
    assert report["reprojection_median_px"] < 8
    heights = truth.soles()[..., 2].min(-1)
    for side, height in zip(("left", "right"), heights):
        assert report[f"floor_gap_{side}_m"] == pytest.approx(height, abs=0.05)
        assert report[f"stands_{side}"] == 1 or height > 0.05


def test_unregistered_views_are_left_out(truth, cameras, tmp_path):
    capture, images, people, scene = inputs(truth, cameras)
    broken = scene.cameras.T_cam_world.copy()
    broken[2] = np.nan
    partial = replace(scene.cameras, T_cam_world=broken, is_registered=np.array([True, True, False, True]))
    motion = fit((capture, images, people, replace(scene, cameras=partial)), tmp_path)
    assert not (tmp_path / "body_2.png").exists()
    assert np.array_equal(motion.person_masks[2], people.masks[2])


def test_nobody_in_space_is_an_error(truth, cameras, tmp_path):
    capture, images, people, scene = inputs(truth, cameras)
    with pytest.raises(NoPerson, match="synthetic"):
        fit((capture, images, people, replace(scene, persons=(), skeletons=np.zeros((0, 21, 3)))), tmp_path)


def test_no_bone_to_measure_is_an_error(truth, cameras, tmp_path):
    capture, images, people, scene = inputs(truth, cameras)
    face_only = scene.skeletons.copy()
    face_only[:, 6:] = np.nan
    with pytest.raises(ScaleUnknown, match="synthetic"):
        fit((capture, images, people, replace(scene, skeletons=face_only)), tmp_path)


def test_cameras_that_are_not_finite_are_an_error(truth, cameras, tmp_path):
    capture, images, people, scene = inputs(truth, cameras)
    broken = replace(scene.cameras, focal_px=np.full(4, np.nan))
    with pytest.raises(NotFinite, match="Focal"):
        fit((capture, images, people, replace(scene, cameras=broken)), tmp_path)
