from dataclasses import replace

import numpy as np
import pytest
from interaction import toys

from hsimul3r.artifacts import ObjectViews, PointTracks
from hsimul3r.errors import TooFewPoints
from hsimul3r.generator.poisson import PointSurfaceConfig, PoissonGenerator, points_on_object
from hsimul3r.generator.protocol import Observation
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.mesh import is_watertight, sample_surface
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.progress import Progress
from stages import generate_objects

BLOCK = toys.block(0.5, xy=(0.1, 0.05))
CAMERAS = toys.cameras()


def mask(view):
    world = BLOCK.vertices + BLOCK.T_world_object[:3, 3]
    drawn, _ = rasterize_depth(project(CAMERAS, view, world), depth(CAMERAS, view, world), BLOCK.faces, height=960, width=1280)
    return np.isfinite(drawn).astype(np.uint8)


LABELS = tuple(mask(view) for view in range(4))
SEEN = Observation(cameras=CAMERAS, labels=LABELS, boxes_px=np.zeros((4, 4)), category="box")


def tracks_of(points):
    """Every point seen by every camera that looks at its face of the block."""
    middle = BLOCK.T_world_object[:3, 3] + [0, 0, 0.25]
    outward = (points - middle) / [0.225, 0.225, 0.25]
    axis = np.abs(outward).argmax(axis=1)
    normals = np.eye(3)[axis] * np.sign(outward[np.arange(len(points)), axis])[:, None]
    view, point = [], []
    for v, T in enumerate(CAMERAS.T_cam_world):
        eye = -T[:3, :3].T @ T[:3, 3]
        faces_it = np.flatnonzero(((eye - points) * normals).sum(axis=1) > 0)
        view += [v] * len(faces_it)
        point += faces_it.tolist()
    uv = np.array([project(CAMERAS, v, points[[p]])[0] for v, p in zip(view, point)])
    colors = np.zeros((len(points), 3), np.uint8)
    return PointTracks(points=points, colors=colors, view=np.array(view), point=np.array(point), uv_px=uv)


BLANK = (np.full((960, 1280, 3), 128, np.uint8),) * 4
"""Photos in which no window looks like any other."""


def motion_of(tracks):
    motion, _, _ = toys.inputs([toys.body(toys.SIT)], [BLOCK])
    return replace(motion, tracks=tracks, is_floor_point=np.zeros(len(tracks.points), bool))


def block_points(count):
    return sample_surface(BLOCK.vertices, BLOCK.faces, count, np.random.default_rng(0)) + BLOCK.T_world_object[:3, 3]


def test_only_points_in_the_masks_of_two_views_count():
    beside = np.array([[1.0, 1.0, 0.0]])
    points = np.concatenate([block_points(50), beside])
    tracks = replace(tracks_of(points[:50]), points=points)
    seen = np.bincount(tracks.point, minlength=51)
    is_on = points_on_object(tracks, SEEN, 2)
    assert not is_on[50]
    assert (is_on[:50] <= (seen[:50] >= 2)).all() and is_on.sum() > 20


def test_a_block_is_closed_around_its_points():
    tracks = tracks_of(block_points(800))
    generator = PoissonGenerator(motion_of(tracks), BLANK, PointSurfaceConfig())
    (made,) = generator.generate(SEEN, count=2, seed=0)
    assert made.family == "poisson" and all(is_watertight(part.faces) for part in made.parts)
    world = np.concatenate([part.vertices for part in made.parts]) @ made.T_world_object[:3, :3].T + made.T_world_object[:3, 3]
    np.testing.assert_allclose(world.min(axis=0)[:2], [-0.125, -0.175], atol=0.06)
    np.testing.assert_allclose(world.max(axis=0), [0.325, 0.275, 0.5], atol=0.06)


def test_too_few_points_are_an_error_that_counts_them():
    tracks = tracks_of(block_points(6))
    with pytest.raises(TooFewPoints, match=r"Only \d scene points were found on object 'box'"):
        PoissonGenerator(motion_of(tracks), BLANK, PointSurfaceConfig()).generate(SEEN, count=1, seed=0)


def test_the_stage_switches_its_generator(tmp_path):
    motion, (_, views, _) = motion_of(tracks_of(block_points(800))), toys.inputs([toys.body(toys.SIT)], [BLOCK])
    seen = replace(views.objects[0], labels=LABELS, category="box")
    made = generate_objects.run(
        ObjectViews(provenance=views.provenance, objects=(seen,)), motion, BLANK,
        cfg=generate_objects.GenerateObjectsConfig(generator="poisson"), out=tmp_path, progress=Progress(None),
    )  # fmt: skip
    assert made.provenance.adapter == "generator:poisson"
    assert made.assets[0].family == "poisson" and made.assets[0].mass_kg > 1
    assert made.assets[0].report["iou/view_0"] > 0.8
