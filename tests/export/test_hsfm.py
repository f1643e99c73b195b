"""What is written for HSfM comes back through the reader of HSfM's files, and its points lie on the scene."""

from dataclasses import replace

import numpy as np
import pytest
from interaction import toys

from hsimul3r.artifacts import AlignedScene
from hsimul3r.body.model import EMBEDDED, embedded_body
from hsimul3r.export.hsfm import R_HSFM_WORLD, write_hsfm
from hsimul3r.geometry.cameras import project
from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.importers.clip import bodies_in_world
from hsimul3r.importers.tools import read_clip


@pytest.fixture(scope="module")
def scene():
    human = toys.body(toys.SIT)
    chair = toys.chair(toys.lowest_of(human, "buttocks"))
    motion, _, _ = toys.inputs([human], [])
    cameras = replace(motion.cameras, k1=np.zeros_like(motion.cameras.k1))
    return AlignedScene(provenance=motion.provenance, body_model=EMBEDDED, bodies=(human,), assets=(chair,), contacts=(),
                        cameras=cameras, tracks=motion.tracks, report={})  # fmt: skip


@pytest.fixture(scope="module")
def clip(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("hsfm") / "hsfm_output_smplx.pkl"
    photos = [np.full((height, width, 3), 128, np.uint8) for width, height in scene.cameras.size_px]
    write_hsfm(scene, embedded_body(), photos, [f"{v:05d}" for v in range(len(photos))], path)
    return read_clip(path), path


def test_people_come_back_as_they_went_in(scene, clip):
    body = scene.bodies[0]
    (found,) = bodies_in_world(clip[0], embedded_body(), stature_m=body.stature_m, fps=1.0, path=clip[1])
    np.testing.assert_allclose(matrix_from_axis_angle(found.pose[0]), matrix_from_axis_angle(body.pose[0]), atol=1e-5)
    root = embedded_body().joints(body.betas, body.pose[0], body.transl[0])[0]
    np.testing.assert_allclose(clip[0].people[0].root[0], R_HSFM_WORLD @ root, atol=1e-5)


def test_points_project_to_their_own_pixels_and_lie_on_objects_or_floor(scene, clip):
    for v, camera in enumerate(clip[0].cameras):
        seen = camera.confidence > 0
        points = camera.points[seen] @ R_HSFM_WORLD
        rows, columns = np.nonzero(seen)
        scale = camera.points.shape[1] / scene.cameras.size_px[v, 0]
        uv = (project(scene.cameras, v, points) + 0.5) * scale - 0.5
        np.testing.assert_allclose(uv, np.stack([columns, rows], axis=1), atol=0.05)
        on_floor = np.abs(points[:, 2]) < 1e-4
        assert 0.05 < on_floor.mean() < 1 and points[~on_floor][:, 2].min() > 0
        in_view = np.linalg.inv(camera.T_world_cam) @ np.append(camera.points[seen][0], 1.0)
        pixel = camera.K @ in_view[:3]
        np.testing.assert_allclose(pixel[:2] / pixel[2], [columns[0], rows[0]], atol=0.05)
