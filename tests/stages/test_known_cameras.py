"""Cameras of other programs are taken as they are: a synthetic rig goes through their files and people give its metres."""

import pickle
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hsimul3r.errors import BadForeignFile
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import camera_centers, observation_errors, project, transform_cameras
from hsimul3r.geometry.cameras import depth as depth_of
from hsimul3r.importers.cameras import HSFM_CAMERAS
from hsimul3r.progress import Progress
from stages import calibrate_cameras
from stages.adapters.known_cameras import read_dense_views, read_known_cameras
from tests.geometry import rig
from tests.stages.test_calibrate_cameras import blank, capture_of, people_of, worst_turn_deg

AWAY = Similarity(scale=0.37, R=Rotation.from_rotvec([0.4, -0.9, 1.3]).as_matrix(), t=np.array([3.0, -1.0, 2.0]))
"""From the truth to the frame and scale of a file."""


def shifted_ring(k1=-0.05):
    cameras = rig.ring(k1=k1)
    return replace(
        cameras, principal_px=cameras.principal_px + np.array([10.0, -6.0]), focal_px=np.array([900.0, 940.0, 870.0, 900.0])
    )


def write_colmap(folder, cameras, *, times=2, lens="SIMPLE_RADIAL", views: Sequence[int] = range(4)):
    """A text model of photos `times` as large as the working images, with images in the order of no capture."""
    folder.mkdir(parents=True)
    moved = transform_cameras(cameras, AWAY)
    lenses, images = [], []
    for v in reversed(views):
        (w, h), c = cameras.size_px[v] * times, (cameras.principal_px[v] + 0.5) * times
        f, k = cameras.focal_px[v] * times, cameras.k1[v]
        parameters = {"SIMPLE_RADIAL": (f, *c, k), "PINHOLE": (f, f * (1 - 10 * k), *c), "OPENCV": (f, f, *c, k, 0, 0, 0)}[lens]
        lenses.append(" ".join(map(str, (v + 1, lens, w, h, *parameters))))
        x, y, z, s = Rotation.from_matrix(moved.T_cam_world[v, :3, :3]).as_quat()
        images += [" ".join(map(str, (v + 1, s, x, y, z, *moved.T_cam_world[v, :3, 3], v + 1, f"{v}.png"))), ""]
    (folder / "cameras.txt").write_text("\n".join(lenses) + "\n")
    (folder / "images.txt").write_text("\n".join(images) + "\n")
    (folder / "points3D.txt").write_text("")
    return folder


def write_binary(folder, cameras):
    pycolmap = pytest.importorskip("pycolmap")
    model = pycolmap.Reconstruction(str(write_colmap(folder / "text", cameras)))
    (folder / "binary").mkdir()
    model.write_binary(str(folder / "binary"))
    return folder / "binary"


def write_pickle(folder, cameras, key="dust3r_ga_output"):
    """Cameras of pictures of 512 px, as DUSt3R makes them."""
    moved, found = transform_cameras(cameras, AWAY), {}
    for v, size in enumerate(cameras.size_px):
        w, h = (size * 512) // max(size)
        c = (cameras.principal_px[v] - (size - 1) / 2) * 0.4 + [(w - 1) / 2, (h - 1) / 2]
        K = np.array([[0.4 * cameras.focal_px[v], 0, c[0]], [0, 0.4 * cameras.focal_px[v], c[1]], [0, 0, 1]])
        found[str(v)] = {"intrinsic": K, "cam2world": np.linalg.inv(moved.T_cam_world[v]), "pts3d": np.zeros((h, w, 3))}
    (folder / "cameras.pkl").write_bytes(pickle.dumps({key: found}))
    return folder / "cameras.pkl"


def calibrated(path, cameras, tmp_path):
    sightings = rig.sight(cameras, rig.people(2), noise_px=1, pose_noise_m=0.02)
    cfg = calibrate_cameras.CalibrateCamerasConfig(use_features=False, known=str(path))
    return calibrate_cameras.run(
        capture_of(cameras), blank(cameras), people_of(cameras, sightings), cfg=cfg, out=tmp_path, progress=Progress()
    )


@pytest.mark.parametrize("kind", ["colmap text", "colmap binary", "dust3r", "hsfm"])
def test_known_cameras_stay_as_they_are_in_people_s_metres(tmp_path, kind):
    cameras = shifted_ring(k1=-0.05 if "colmap" in kind else 0.0)
    path = {"colmap text": lambda: write_colmap(tmp_path / "model", cameras),
            "colmap binary": lambda: write_binary(tmp_path, cameras), "dust3r": lambda: write_pickle(tmp_path, cameras),
            "hsfm": lambda: write_pickle(tmp_path, cameras, HSFM_CAMERAS)}[kind]()  # fmt: skip
    found = calibrated(path, cameras, tmp_path)
    assert worst_turn_deg(found.cameras, cameras) < 1e-5
    for name in ("focal_px", "principal_px", "k1"):
        np.testing.assert_allclose(getattr(found.cameras, name), getattr(cameras, name), atol=1e-6)
    apart, truth = (np.linalg.norm(np.diff(camera_centers(c), axis=0), axis=1) for c in (found.cameras, cameras))
    np.testing.assert_allclose(apart / apart[0], truth / truth[0], rtol=1e-6)
    assert apart[0] == pytest.approx(truth[0], rel=0.06)
    assert found.report["keypoints_px_median"] < 3
    assert found.provenance.adapter == "given cameras+people" and found.provenance.scale_source == "stature"
    assert any("given cameras" in licence for licence in found.provenance.licences)


def test_a_photo_that_the_file_does_not_know_is_left_out(tmp_path):
    cameras = shifted_ring()
    found = calibrated(write_colmap(tmp_path / "model", cameras, views=(0, 1, 3)), cameras, tmp_path)
    assert found.cameras.is_registered.tolist() == [True, True, False, True]
    assert found.persons == (0, 1) and np.isfinite(found.skeletons).all()


def test_a_picture_that_shows_the_middle_of_a_photo_is_scaled_about_it(tmp_path):
    cameras = rig.ring(sizes=((1000, 750),) * 2, k1=0.0)
    found = {
        str(v): {"intrinsic": np.array([[269.0, 0, 111.5], [0, 269.0, 111.5], [0, 0, 1]]), "cam2world": np.eye(4),
                 "pts3d": np.zeros((224, 224, 3))}
        for v in range(2)
    }  # fmt: skip
    (tmp_path / "square.pkl").write_bytes(pickle.dumps({"dust3r_ga_output": found}))
    known = read_known_cameras(tmp_path / "square.pkl", capture_of(cameras))
    np.testing.assert_allclose(known.focal_px, 269.0 * 750 / 224)
    np.testing.assert_allclose(known.principal_px, cameras.principal_px)


def broken(case, folder, cameras):
    if case == "lens":
        return write_colmap(folder / "m", cameras, lens="OPENCV")
    if case == "two focal lengths":
        return write_colmap(folder / "m", cameras, lens="PINHOLE")
    if case == "names":
        return write_colmap(folder / "m", cameras, views=(1,))
    if case == "turned":
        return write_colmap(folder / "m", replace(cameras, size_px=cameras.size_px[:, ::-1]))
    if case == "garbage":
        (write_colmap(folder / "m", cameras) / "cameras.txt").write_text("1 NO_LENS a b\n")
        return folder / "m"
    if case == "pickle":
        (folder / "p.pkl").write_bytes(pickle.dumps({"dust3r_ga_output": {"0": {"intrinsic": np.eye(3)}}}))
        return folder / "p.pkl"
    return folder / "gone" if case == "gone" else folder


@pytest.mark.parametrize(
    ("case", "said"),
    [("lens", "lens model OPENCV"), ("two focal lengths", "two focal lengths"), ("names", "knows 1 of the 4 photos"),
     ("turned", "another shape"), ("garbage", "cannot read it"), ("pickle", "holds no cameras"), ("gone", "no such file"),
     ("empty folder", "no COLMAP model")],
)  # fmt: skip
def test_what_cannot_be_these_photos_cameras_is_one_clear_error(tmp_path, case, said):
    cameras = shifted_ring()
    with pytest.raises(BadForeignFile, match=said):
        read_known_cameras(broken(case, tmp_path, cameras), capture_of(cameras))


def test_scene_points_are_triangulated_in_the_known_cameras(tmp_path):
    cameras = shifted_ring()
    known = read_known_cameras(write_colmap(tmp_path / "model", cameras), capture_of(cameras))
    sightings, seen = rig.sight(cameras, rig.people(2), noise_px=1), rig.scatter(cameras, noise_px=0.5, outliers=0.1)
    uv = np.full((len(seen.points), 4, 2), np.nan)
    uv[seen.point, seen.view] = seen.uv_px
    cfg = calibrate_cameras.CalibrateCamerasConfig()
    problem = calibrate_cameras._pose_problem(capture_of(cameras), sightings, 2, cfg)
    problem = calibrate_cameras._with_fixed_cameras(problem, known)
    solution = calibrate_cameras._start_from_known(problem, known, uv, cfg)
    assert solution is not None and len(solution.problem.tracks.points) > 60
    assert worst_turn_deg(solution.cameras, cameras) < 1e-5
    tracks = replace(solution.problem.tracks, points=solution.state.points)
    assert np.median(observation_errors(solution.cameras, tracks)) < 1


def plane_points(camera, size, T_world_cam, K):
    """Where the rays of a picture's pixels meet the floor z = 0 of the truth, in the file's world, and where they do."""
    y, x = np.mgrid[: size[1], : size[0]]
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones(x.shape)], axis=-1)
    R = camera[:3, :3].T
    origin, direction = -R @ camera[:3, 3], rays @ R.T
    along = np.where(direction[..., 2] < -0.05, -origin[2] / np.minimum(direction[..., 2], -0.05), np.nan)
    depth = along * AWAY.scale
    points = (depth[..., None] * rays) @ T_world_cam[:3, :3].T + T_world_cam[:3, 3]
    return points, np.isfinite(along), depth


def write_seen(folder, cameras, kind):
    """The floor as a program saw it, in a frame and scale of its own."""
    moved = transform_cameras(cameras, AWAY)
    found, demo = {}, folder / "human3r"
    for name in ("depth", "conf", "camera"):
        (demo / name).mkdir(parents=True)
    for v, size in enumerate(cameras.size_px):
        w, h = ((size * 512) // max(size) // 16 * 16).tolist()
        f, T = 0.4 * cameras.focal_px[v], np.linalg.inv(moved.T_cam_world[v])
        K = np.array([[f, 0, w / 2], [0, f, h / 2], [0, 0, 1]])
        points, is_floor, depth = plane_points(cameras.T_cam_world[v], (w, h), T, K)
        sure = np.where(is_floor, 9.0, 1.0)
        found[str(v)] = {"intrinsic": K, "cam2world": T, "pts3d": points, "conf": sure, "msk": is_floor}
        np.savez(demo / "camera" / f"{v:06d}.npz", pose=T, intrinsics=K)
        np.save(demo / "depth" / f"{v:06d}.npy", np.nan_to_num(depth, nan=1.0))
        np.save(demo / "conf" / f"{v:06d}.npy", sure)
    (folder / "run").mkdir()
    (folder / "run" / "dust3r_reconstruction_results_run.pkl").write_bytes(pickle.dumps({"dust3r_ga_output": found}))
    return {"hsfm's folder": folder / "run", "human3r's folder": demo}[kind]


@pytest.mark.parametrize("kind", ["hsfm's folder", "human3r's folder"])
def test_points_that_came_with_known_cameras_lie_where_they_lay(tmp_path, kind):
    cameras = replace(rig.ring(k1=0.0), principal_px=rig.ring().principal_px + 0.5 / 0.4)
    path, capture = write_seen(tmp_path, cameras, kind), capture_of(cameras)
    known = read_known_cameras(path, capture)
    np.testing.assert_allclose(known.focal_px, cameras.focal_px, rtol=1e-6)
    people = [np.zeros((h, w), bool) for w, h in cameras.size_px]
    people[1][:, : people[1].shape[1] // 2] = True
    views = read_dense_views(path, capture, people, cameras)
    assert [view.view for view in views] == [0, 1, 2, 3]
    for view in views:
        seen = view.points[view.is_static].astype(float)
        assert len(seen) > 5000 and np.abs(seen[:, 2]).max() < 1e-3, "the floor of the truth"
        y, x = np.nonzero(view.is_static)
        uv = np.stack([x, y], axis=-1) * view.scale + view.offset_px
        np.testing.assert_allclose(project(cameras, view.view, seen), uv, atol=0.05)
        assert not people[view.view][tuple(np.round(uv[:, ::-1]).astype(int).T)].any()


def test_points_that_came_with_known_cameras_are_the_rig_s(tmp_path):
    """In the rig's frame and people's metres."""
    cameras = replace(rig.ring(k1=0.0), principal_px=rig.ring().principal_px + 0.5 / 0.4)
    found = calibrated(write_seen(tmp_path, cameras, "human3r's folder"), cameras, tmp_path)
    people = [np.zeros((h, w), bool) for w, h in cameras.size_px]
    truth = read_dense_views(tmp_path / "human3r", capture_of(cameras), people, cameras)
    assert [view.view for view in found.dense] == [view.view for view in truth]
    ratios = [
        depth_of(found.cameras, a.view, a.points[a.is_static]) / depth_of(cameras, b.view, b.points[a.is_static])
        for a, b in zip(found.dense, truth)
    ]
    grown = np.linalg.norm(np.diff(camera_centers(found.cameras), axis=0)) / np.linalg.norm(
        np.diff(camera_centers(cameras), axis=0)
    )
    np.testing.assert_allclose(np.concatenate(ratios), grown, rtol=1e-4)


def test_cameras_alone_show_no_points(tmp_path):
    cameras = shifted_ring()
    people = [np.zeros((h, w), bool) for w, h in cameras.size_px]
    assert read_dense_views(write_colmap(tmp_path / "model", cameras), capture_of(cameras), people, cameras) == ()
    assert (
        read_dense_views(write_pickle(tmp_path, replace(cameras, k1=0 * cameras.k1)), capture_of(cameras), people, cameras)
        == ()
    )


def test_frames_must_be_as_many_as_photos(tmp_path):
    cameras = rig.ring(k1=0.0)
    path = write_seen(tmp_path, cameras, "human3r's folder")
    (path / "camera" / "000003.npz").unlink()
    with pytest.raises(BadForeignFile, match="holds 3 pictures, and the capture 4 photos"):
        read_known_cameras(path, capture_of(cameras))


def test_saved_parameters_of_dust3r_are_known_cameras(tmp_path):
    """Sizes of its pictures follow from the photos; here those of the aligner's own test."""
    torch = pytest.importorskip("torch")
    cameras = replace(rig.ring(sizes=((1280, 960), (960, 1280)), k1=0.0), focal_px=np.array([900.0, 940.0]))
    T = np.linalg.inv(transform_cameras(cameras, AWAY).T_cam_world)
    quaternions = Rotation.from_matrix(T[:, :3, :3]).as_quat()
    packed = np.sign(T[:, :3, 3]) * np.log1p(np.abs(T[:, :3, 3]))
    scene = {
        "im_poses": np.concatenate([quaternions, packed], axis=1), "im_focals": 20 * np.log(0.4 * cameras.focal_px)[:, None],
        "im_depthmaps": np.zeros((2, 512 * 384)), "im_pp": np.full((2, 2), -0.05),
    }  # fmt: skip
    torch.save({name: torch.tensor(value) for name, value in scene.items()}, tmp_path / "scene.pth")
    known = read_known_cameras(tmp_path / "scene.pth", capture_of(cameras))
    np.testing.assert_allclose(known.focal_px, cameras.focal_px)
    np.testing.assert_allclose(known.principal_px, cameras.principal_px, atol=1e-9)
    np.testing.assert_allclose(known.T_cam_world, transform_cameras(cameras, AWAY).T_cam_world, atol=1e-9)
    with pytest.raises(BadForeignFile, match="not those of this capture's photos"):
        read_known_cameras(tmp_path / "scene.pth", capture_of(rig.ring(sizes=((1280, 720),) * 2)))
