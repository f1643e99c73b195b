from dataclasses import replace

import numpy as np
import pytest
import trimesh
from geometry.test_tsdf import cameras, view_of_a_box_on_the_floor

from hsimul3r.artifacts import CameraRig, Capture, People, PersonView, PointTracks, Provenance, SceneGeometry
from hsimul3r.body.model import embedded_body
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import project, transform_cameras
from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.progress import Progress
from stages import reconstruct_scene
from stages.reconstruct_scene import ReconstructSceneConfig

PROVENANCE = Provenance(adapter="test", scale_source="given", licences=("somebody's licence",))
RIG = Similarity(scale=1.0, R=matrix_from_axis_angle(np.array([2.0, 0.4, -0.3])), t=np.array([0.5, -1.0, 2.0]))
"""The rig's frame has nothing to do with the world's."""


def standing() -> np.ndarray:
    """Keypoints of somebody who stands on the floor beside the box."""
    body, pose = embedded_body(), np.zeros((55, 3))
    pose[0, 0] = np.pi / 2
    lowest = body.vertices(np.zeros(10), pose, np.zeros(3))[:, 2].min()
    return body.keypoints(np.zeros(10), pose, np.array([0.0, 0.6, -lowest]))


@pytest.fixture(scope="module")
def rig() -> CameraRig:
    """Cameras, a person, tracks on the floor and dense views of a box 0.5 m high, all in the rig's frame."""
    rng, world = np.random.default_rng(0), cameras()
    floor = np.column_stack([rng.uniform(-1, 1, (60, 2)), np.zeros(60)])
    tracks = PointTracks(
        points=RIG.apply(floor), colors=np.zeros((60, 3), np.uint8), view=np.zeros(60, int), point=np.arange(60),
        uv_px=project(world, 0, floor),
    )  # fmt: skip
    dense = [view_of_a_box_on_the_floor(v) for v in range(3)]
    return CameraRig(
        provenance=PROVENANCE, cameras=transform_cameras(world, RIG), tracks=tracks, persons=(0,),
        skeletons=RIG.apply(standing())[None], report={},
        dense=tuple(replace(view, points=RIG.apply(view.points).astype(np.float32)) for view in dense),
    )  # fmt: skip


def reconstructed(rig: CameraRig, out) -> SceneGeometry:
    seen = [
        PersonView(
            view=v, person=0, keypoints_px=np.nan_to_num(project(rig.cameras, v, rig.skeletons[0])), confidence=np.ones(21),
            skeleton_m=standing(), box_px=np.zeros(4), agreement=1.0,
        )
        for v in range(3)
    ]  # fmt: skip
    people = People(provenance=PROVENANCE, views=tuple(seen), masks=(), person_count=1)
    capture = Capture(
        provenance=PROVENANCE, name="test", folder="", images=(), sources=(), size_px=np.zeros((0, 2), int),
        original_size_px=np.zeros((0, 2), int), focal_px=np.zeros(0), is_focal_given=False, stature_m=None, objects=(),
    )  # fmt: skip
    cfg = ReconstructSceneConfig(use_pictures=False)
    return reconstruct_scene.run(capture, (), people, rig, cfg=cfg, out=out, progress=Progress(None))


def test_dense_views_come_upright_with_their_surface(rig, tmp_path):
    scene = reconstructed(rig, tmp_path)
    for view in scene.dense:
        np.testing.assert_allclose(view.points[..., 2], view_of_a_box_on_the_floor(view.view).points[..., 2], atol=0.02)
    surface = trimesh.load(tmp_path / "surface.glb", force="mesh")
    assert surface.bounds[0, 1] == pytest.approx(0.0, abs=0.05) and surface.bounds[1, 1] == pytest.approx(0.5, abs=0.05)
    assert scene.provenance.licences == PROVENANCE.licences


def test_dense_views_are_kept_on_disk(rig, tmp_path):
    rig.save(tmp_path)
    again = CameraRig.load(tmp_path)
    for one, other in zip(rig.dense, again.dense, strict=True):
        assert one.view == other.view
        for name in ("points", "confidence", "is_static", "scale", "offset_px"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_without_dense_views_there_is_no_surface(rig, tmp_path):
    scene = reconstructed(replace(rig, dense=()), tmp_path)
    assert scene.dense == () and list(tmp_path.iterdir()) == []
    assert scene.report["floor_points"] > 40
