import argparse
from dataclasses import replace

import numpy as np
import pytest
import torch
from geometry.pointmaps import pairs_of, true_views
from golden_pointmap_networks import tiny_dust3r, tiny_human3r

from hsimul3r.artifacts import Cameras, PointTracks
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.alignment import align_points
from hsimul3r.geometry.cameras import camera_centers, project
from hsimul3r.geometry.rotations import angle_between, matrix_from_axis_angle
from hsimul3r.progress import Progress
from stages.adapters.cut3r import Cut3rStream
from stages.adapters.dense_scene import dense_views, join_pairs
from stages.adapters.dust3r import Dust3rConfig, reconstruct_views
from stages.adapters.human3r import NETWORK_JOINTS, Human3rStream
from stages.adapters.networks.pictures import Prepared, prepare, prepared_pixels

CALL = "AsymmetricCroCo3DStereo(enc_num_heads=2, dec_num_heads=2)"


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 255, (height // 6, width // 6, 3)), np.ones((6, 6, 1))).astype(np.uint8)


class TestPictures:
    @pytest.mark.parametrize(
        ("height", "width", "size", "expected"),
        [(720, 1280, 512, (288, 512)), (1280, 720, 512, (512, 288)), (900, 900, 512, (384, 512)), (720, 1280, 224, (224, 224)),
         (96, 192, 512, (256, 512)), (75, 140, 64, (32, 64))],
    )  # fmt: skip
    def test_sides_are_those_the_network_was_trained_with(self, height, width, size, expected):
        prepared = prepare(np.zeros((height, width, 3), np.uint8), size)
        assert prepared.image.shape == (1, 3, *expected)
        assert (prepared.image == -1).all()

    @pytest.mark.parametrize(("height", "width", "size"), [(900, 900, 512), (720, 1284, 512), (700, 1280, 224)])
    def test_the_way_back_finds_the_pixel(self, height, width, size):
        y, x = np.mgrid[:height, :width]
        ramp = np.stack([x * 255 / width, y * 255 / height, 0 * x], axis=-1).astype(np.uint8)
        prepared = prepare(ramp, size)
        shown = (prepared.image[0].permute(1, 2, 0).numpy() + 1) / 2 * 255
        wide, high = prepared.size_px
        there = np.array([0.75 * wide, 0.25 * high]).astype(int)
        photo_px = prepared.scale * there + prepared.offset_px
        np.testing.assert_allclose(shown[there[1], there[0], :2], photo_px * 255 / [width, height], atol=1.5)

    def test_masks_follow_the_pictures(self):
        mask = np.zeros((720, 1280), bool)
        mask[300:420, 640:800] = True
        small = prepared_pixels(mask, prepare(np.zeros((720, 1280, 3), np.uint8), 512))
        rows, columns = np.nonzero(small)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (120, 167, 256, 319)


def scene_of(views, maps, *, people=None, known=None, scale=2.0):
    """Photographs of twice the pictures' size, one pixel of border on the left and two above."""
    prepared = tuple(
        Prepared(image=torch.zeros(1, 3, *d.shape), scale=np.full(2, scale), offset_px=np.array([1.0, 2.0]))
        for d in views.depth
    )
    people = people or [np.zeros((2 * d.shape[0] + 4, 2 * d.shape[1] + 4), bool) for d in views.depth]
    known = np.full(len(prepared), np.nan) if known is None else known
    cfg = Dust3rConfig(iterations=100, match_stride=2)
    return join_pairs(maps, prepared, people, known, cfg=cfg, progress=Progress(None))


class TestScene:
    def test_cameras_are_those_of_the_photographs(self):
        views = true_views()
        scene = scene_of(views, pairs_of(views, noise=0.003))
        np.testing.assert_allclose(scene.cameras.focal_px, 2 * views.focal_px, rtol=0.02)
        np.testing.assert_allclose(scene.cameras.principal_px[0], [2 * 12 + 1, 2 * 8 + 2])
        ours = np.linalg.inv(scene.cameras.T_cam_world)
        turns = angle_between(
            views.T_world_cam[0, :3, :3].T @ views.T_world_cam[:, :3, :3], ours[0, :3, :3].T @ ours[:, :3, :3]
        )
        assert np.degrees(turns).max() < 1
        fit = align_points(camera_centers(scene.cameras), views.T_world_cam[:, :3, 3], with_scale=True)
        assert np.linalg.norm(fit.apply(camera_centers(scene.cameras)) - views.T_world_cam[:, :3, 3], axis=1).max() < 0.05

    def test_people_neither_count_nor_appear(self):
        """Each pair has the person somewhere else, as in a video."""
        views = true_views()
        people = [np.zeros((2 * d.shape[0] + 4, 2 * d.shape[1] + 4), bool) for d in views.depth]
        for mask in people:
            mask[12:28, 12:28] = True
        maps, rng = pairs_of(views, noise=0.003), np.random.default_rng(1)
        for m in maps:
            for points in (m.points_first, m.points_second):
                points[5:13, 6:13] *= rng.uniform(0.3, 2.0)
        scene = scene_of(views, maps, people=people)
        np.testing.assert_allclose(scene.cameras.focal_px, 2 * views.focal_px, rtol=0.02)
        for is_static in scene.is_static:
            assert not is_static[5:13, 6:13].any() and is_static[:4].all()

    def test_dense_views_take_the_metres_of_the_tracks(self):
        """The adjusted cameras are the true ones, three times as large, and the tracks true points."""
        views, size = true_views(), 3.0
        scene = scene_of(views, pairs_of(views))
        T_world_cam = views.T_world_cam.copy()
        T_world_cam[:, :3, 3] *= size
        cameras = Cameras(
            size_px=scene.cameras.size_px, focal_px=2 * views.focal_px, principal_px=scene.cameras.principal_px, k1=np.zeros(4),
            T_cam_world=np.linalg.inv(T_world_cam), is_registered=np.array([True, True, True, False]),
        )  # fmt: skip
        truth = [size * views.points(v) @ T_world_cam[v, :3, :3].T + T_world_cam[v, :3, 3] for v in range(4)]
        points = truth[0][::4, ::4].reshape(-1, 3)
        tracks = PointTracks(
            points=points, colors=np.zeros((len(points), 3), np.uint8), view=np.zeros(len(points), int),
            point=np.arange(len(points)), uv_px=project(cameras, 0, points),
        )  # fmt: skip
        dense = dense_views(scene, cameras, tracks)
        assert [view.view for view in dense] == [0, 1, 2]
        for view in dense:
            missed = np.linalg.norm(view.points - truth[view.view], axis=-1)
            assert np.median(missed) < 0.1
            assert view.points.dtype == np.float32 and view.is_static.all()

    def test_photographs_go_all_the_way_with_the_users_checkpoint(self, tmp_path):
        torch.save({"model": tiny_dust3r().state_dict(), "args": argparse.Namespace(model=CALL)}, tmp_path / "net.pth")
        images = [photo(96, 144), photo(144, 96, 1), photo(96, 144, 2)]
        masks = [np.zeros(image.shape[:2], bool) for image in images]
        masks[0][:48] = True
        cfg = Dust3rConfig(weights=str(tmp_path / "net.pth"), size=48, iterations=2, min_confidence=1.0, match_stride=4)
        scene = reconstruct_views(images, masks, np.array([100.0, np.nan, 100.0]), cfg=cfg, progress=Progress(None))
        assert [d.shape for d in scene.depth] == [(32, 48), (48, 32), (32, 48)]
        np.testing.assert_allclose(scene.cameras.focal_px[[0, 2]], 100.0)
        assert not scene.is_static[0][:16].any() and scene.is_static[0][16:].all()
        again = reconstruct_views(images, masks, np.array([100.0, np.nan, 100.0]), cfg=cfg, progress=Progress(None))
        np.testing.assert_array_equal(again.depth[1], scene.depth[1])
        halved = replace(cfg, precision="bfloat16", pairs="window", window=1)
        assert np.isfinite(reconstruct_views(images, masks, np.full(3, np.nan), cfg=halved, progress=Progress(None)).loss)


class TestStreams:
    def test_frames_in_cameras_and_points_out(self):
        stream = Cut3rStream(tiny_human3r(), size=48)
        seen = [stream.look(photo(96, 144, n)) for n in range(3)]
        for frame in seen:
            assert frame.points.shape == (32, 48, 3) and frame.confidence.shape == (32, 48) and frame.focal_px > 0
            np.testing.assert_allclose(frame.T_first_cam[:3, :3] @ frame.T_first_cam[:3, :3].T, np.eye(3), atol=1e-6)
        assert not np.allclose(seen[1].T_first_cam, seen[2].T_first_cam)
        again = Cut3rStream(tiny_human3r(), size=48)
        np.testing.assert_array_equal(again.look(photo(96, 144)).points, seen[0].points)

    def test_people_come_by_name_of_joint_and_keep_their_numbers(self):
        assert NETWORK_JOINTS[:2] == ("pelvis", "left_hip") and NETWORK_JOINTS[22] == "left_index1"
        assert NETWORK_JOINTS[37] == "right_index1" and NETWORK_JOINTS[52] == "jaw" and len(NETWORK_JOINTS) == 53
        network = tiny_human3r()
        stream = Human3rStream(network, size=48)
        numbers = []
        for n in range(2):
            _, people, mask = stream.look(photo(96, 144, n))
            assert mask.shape == (32, 48) and people
            numbers.append([one.person for one in people])
            for one in people:
                assert one.pose.shape == (55, 3) and 0.3 <= one.score <= 1
                assert (one.pose[[SMPLX_JOINTS.index(f"{side}_eye_smplhf") for side in ("left", "right")]] == 0).all()
        assert len(set(numbers[0])) == len(numbers[0]) and min(numbers[0]) == 0

    def test_people_stand_in_the_first_camera_s_frame(self):
        network = tiny_human3r()
        image = prepare(photo(96, 144), 48).image
        with torch.no_grad():
            out, people, _ = network.see(image, network.begin())
        frame, seen, _ = Human3rStream(network, size=48).look(photo(96, 144))
        R, t = frame.T_first_cam[:3, :3], frame.T_first_cam[:3, 3]
        np.testing.assert_allclose(t, out.camera_pose[0, :3].numpy(), atol=1e-6)
        np.testing.assert_allclose(seen[0].head_first, R @ people.head[0].numpy() + t, atol=1e-5)
        np.testing.assert_allclose(matrix_from_axis_angle(seen[0].pose[0]), R @ people.rotations[0, 0].numpy(), atol=1e-5)
        hand = SMPLX_JOINTS.index("right_thumb3")
        np.testing.assert_allclose(matrix_from_axis_angle(seen[0].pose[hand]), people.rotations[0, 51].numpy(), atol=1e-5)
        places = people.detections.places_px.numpy() * 48 / 84 - [0, 8] - 0.5
        np.testing.assert_allclose(np.array([one.head_px for one in seen]), places * 3 + 1, atol=1e-3)
