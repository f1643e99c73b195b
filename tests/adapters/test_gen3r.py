"""A room with a person's block in it, in the files that Gen3R's infer.py writes, from cameras that are known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.artifacts import CameraRig, Cameras, People, PersonView, PointTracks, Provenance
from hsimul3r.errors import BadForeignFile, NoPerson
from hsimul3r.geometry.cameras import project, rays
from hsimul3r.geometry.tracks import no_tracks
from stages.adapters.dense_scene import dense_views
from stages.adapters.gen3r import Gen3rConfig, read_scene, views_beside_people

WIDE, HIGH = 640, 480
F = 500.0
"""Of the 560 px pictures."""
RATIO = HIGH / 560
PERSON = slice(200, 300), slice(300, 360)


def pose(yaw_deg, centre):
    a = np.radians(yaw_deg)
    R = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, -R @ np.array(centre, float)
    return T


POSES = [np.eye(4), pose(-4.0, (0.1, 0, 0)), pose(-8.0, (0.2, 0, 0.02))]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A wall at z = 1.5 and a floor below, at Gen3R's scale, three frames."""
    folder = tmp_path_factory.mktemp("results")
    K = [[F, 0, 280.0], [0, F, 280.0], [0, 0, 1]]
    entries = {"extrinsics": [T.tolist() for T in POSES], "intrinsics": [K] * 3}
    (folder / "cameras.json").write_text(json.dumps(entries, indent=4))
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(-1.2, 1.6, 0.005), np.arange(-1.2, 0.4, 0.005)))
    wall = np.stack([x, y, np.full_like(x, 1.5)], axis=1)
    x, z = (axis.ravel() for axis in np.meshgrid(np.arange(-1.2, 1.6, 0.005), np.arange(0.4, 1.5, 0.005)))
    points = np.concatenate([wall, np.stack([x, np.full_like(x, 0.4), z], axis=1)])
    vertex = np.zeros(len(points), [("x", "<f8"), ("y", "<f8"), ("z", "<f8"), ("red", "u1"), ("green", "u1"), ("blue", "u1")])
    vertex["x"], vertex["y"], vertex["z"] = points.T
    names = "".join(f"property double {axis}\n" for axis in "xyz") + "".join(
        f"property uchar {colour}\n" for colour in ("red", "green", "blue")
    )
    head = f"ply\nformat binary_little_endian 1.0\ncomment Created by Open3D\nelement vertex {len(points)}\n{names}end_header\n"
    (folder / "pcds.ply").write_bytes(head.encode() + vertex.tobytes())
    (folder / "prompts.txt").write_text("a room")
    return folder


def photos(count):
    return [np.zeros((HIGH, WIDE, 3), np.uint8) for _ in range(count)]


def people_masks(count):
    masks = [np.zeros((HIGH, WIDE), bool) for _ in range(count)]
    masks[0][PERSON] = True
    return masks


def read(results, count, **settings):
    return read_scene(photos(count), people_masks(count), cfg=Gen3rConfig(results=str(results), **settings))


def true_depth(cameras, view, uv):
    """Of the wall or the floor, whichever a ray meets first, along the camera's axis."""
    origin, directions = rays(cameras, view, uv)
    with np.errstate(divide="ignore"):
        floor = (0.4 - origin[1]) / directions[:, 1]
    reach = np.minimum(np.where(floor > 0, floor, np.inf), (1.5 - origin[2]) / directions[:, 2])
    return reach * (directions @ cameras.T_cam_world[view, 2, :3])


def test_cameras_are_those_of_the_first_and_the_last_frame_in_the_photos_pixels(results):
    cameras = read(results, 2).cameras
    np.testing.assert_allclose(cameras.T_cam_world, [POSES[0], POSES[2]])
    left = (round(WIDE / RATIO) - 560) // 2
    for point in ([0.1, 0.2, 1.4], [-0.3, -0.2, 1.5]):
        x, y, z = np.array(point)
        there = np.array([F * x / z + 280 + left, F * y / z + 280])
        np.testing.assert_allclose(project(cameras, 0, np.array(point)), (there + 0.5) * RATIO - 0.5, atol=0.2)
    assert read(results, 1).cameras.T_cam_world.shape == (1, 4, 4)


def test_every_cell_shows_the_depth_of_the_room_and_people_are_no_part_of_it(results):
    scene = read(results, 2)
    for v, (depth, is_static, picture) in enumerate(zip(scene.depth, scene.is_static, scene.prepared)):
        assert depth.shape == (140, 140) and is_static.mean() > 0.85
        y, x = np.nonzero(is_static)
        truth = true_depth(scene.cameras, v, np.stack([x, y], axis=1) * picture.scale + picture.offset_px)
        assert np.median(np.abs(depth[y, x] / truth - 1)) < 0.005
        assert np.percentile(np.abs(depth[y, x] / truth - 1), 95) < 0.03
    x, y = ((np.array([330, 250]) - scene.prepared[0].offset_px) / scene.prepared[0].scale).round().astype(int)
    assert not scene.is_static[0][y, x] and scene.is_static[1][y, x]
    assert scene.licences[0].endswith("terms of their own") and scene.name == "gen3r"


def test_matches_are_the_same_points_of_the_room(results):
    scene = read(results, 2)
    (pair,) = scene.matches.pairs
    uv = [grid[column] for grid, column in zip(scene.matches.keypoints_px, pair.index.T)]
    assert len(pair.index) > 1000
    origin, directions = rays(scene.cameras, 0, uv[0])
    along = true_depth(scene.cameras, 0, uv[0]) / directions[:, 2]
    missed = np.linalg.norm(project(scene.cameras, 1, origin + directions * along[:, None]) - uv[1], axis=1)
    assert np.median(missed) < 0.5 and np.percentile(missed, 95) < 2.0


def test_dense_views_take_the_metres_of_the_adjusted_cameras(results):
    scene, size = read(results, 2), 2.5
    T = scene.cameras.T_cam_world.copy()
    T[:, :3, 3] *= size
    cameras = replace(scene.cameras, T_cam_world=T)
    points = size * np.array([[0.1, 0.1, 1.5], [0.4, -0.2, 1.5], [0.1, 0.3, 1.5]])
    tracks = PointTracks(
        points=points, colors=np.zeros((3, 3), np.uint8), view=np.zeros(3, int), point=np.arange(3),
        uv_px=project(cameras, 0, points),
    )  # fmt: skip
    for view in dense_views(scene, cameras, tracks):
        wall = view.points[view.is_static & (view.points[..., 1] < size * 0.3)]
        np.testing.assert_allclose(np.median(wall[:, 2]), size * 1.5, rtol=0.005)


def rig_of_someone(person, depth_m):
    cameras = Cameras(
        size_px=np.array([[WIDE, HIGH]]), focal_px=np.array([F * RATIO]), principal_px=np.array([[319.5, 239.5]]),
        k1=np.zeros(1), T_cam_world=np.eye(4)[None], is_registered=np.ones(1, bool),
    )  # fmt: skip
    skeleton = np.tile([0.0, 0.0, depth_m], (1, 21, 1))
    return CameraRig(
        provenance=Provenance(adapter="test"), cameras=cameras, tracks=no_tracks(), persons=(person,), skeletons=skeleton,
        report={},
    )  # fmt: skip


def test_a_single_photo_s_scene_is_as_large_as_its_people(results):
    seen = PersonView(
        view=0, person=3, keypoints_px=np.tile([330.0, 220.0], (21, 1)), confidence=np.ones(21), skeleton_m=np.zeros((21, 3)),
        box_px=np.zeros(4), agreement=1.0,
    )  # fmt: skip
    people = People(provenance=Provenance(adapter="test"), views=(seen,), masks=tuple(people_masks(1)), person_count=4)
    (view,) = views_beside_people(read(results, 1), rig_of_someone(3, 4.5), people)
    assert not view.is_static[60, 72]
    wall = view.points[view.is_static & (view.points[..., 1] < 0.9)]
    np.testing.assert_allclose(np.median(wall[:, 2]), 4.5, rtol=0.01)
    with pytest.raises(NoPerson, match="shows nobody"):
        views_beside_people(read(results, 1), rig_of_someone(0, 4.5), people)


def cut(folder):
    (folder / "pcds.ply").write_bytes((folder / "pcds.ply").read_bytes()[:300])


def poses_of_three_rows(folder):
    entries = json.loads((folder / "cameras.json").read_text())
    entries["extrinsics"] = [T[:3] for T in entries["extrinsics"]]
    (folder / "cameras.json").write_text(json.dumps(entries))


def no_cameras(folder):
    (folder / "cameras.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(cut, "pcds.ply.*no point cloud"), (poses_of_three_rows, "4 x 4 extrinsic"), (no_cameras, "no cameras.json of Gen3R")],
)
def test_a_damaged_folder_is_one_clear_error(results, tmp_path, spoil, message):
    for name in ("cameras.json", "pcds.ply"):
        (tmp_path / name).write_bytes((results / name).read_bytes())
    spoil(tmp_path)
    with pytest.raises(BadForeignFile, match=message):
        read(tmp_path, 2)


def test_more_than_two_photos_are_refused(results):
    with pytest.raises(BadForeignFile, match="one or two photos, and the capture has 3"):
        read(results, 3)
