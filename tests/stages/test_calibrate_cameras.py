import dataclasses

import cv2
import numpy as np
import pytest
import torch

from hsimul3r.artifacts import Capture, People, PersonView, Provenance
from hsimul3r.errors import NoOverlap
from hsimul3r.geometry.cameras import camera_centers, depth, rays, transform_points, undistort
from hsimul3r.geometry.global_alignment import PairPointmaps
from hsimul3r.geometry.pointmap_rows import no_rows
from hsimul3r.geometry.pointmap_start import select_pairs
from hsimul3r.geometry.rotations import angle_between
from hsimul3r.progress import Progress
from stages import calibrate_cameras, reconstruct_scene
from stages.adapters.aliked_lightglue import FeatureConfig
from stages.adapters.dense_scene import JoinConfig, join_pairs, pixel_grid
from stages.adapters.networks.pictures import Prepared
from tests.geometry import rig

PEOPLE_ONLY = calibrate_cameras.CalibrateCamerasConfig(use_features=False)


def capture_of(cameras, *, focal=np.nan, is_given=False, stature=None):
    views = len(cameras.size_px)
    names = tuple(f"{v}.png" for v in range(views))
    return Capture(
        provenance=Provenance(adapter="test"), name="test", folder="test", images=names, sources=names,
        size_px=cameras.size_px, original_size_px=cameras.size_px, focal_px=np.full(views, focal),
        is_focal_given=is_given, stature_m=stature, objects=(),
    )  # fmt: skip


def people_of(cameras, sightings):
    views = tuple(
        PersonView(
            view=int(sightings.view[i]), person=int(sightings.person[i]), keypoints_px=sightings.uv_px[i],
            confidence=sightings.confidence[i], skeleton_m=sightings.skeleton[i],
            box_px=np.concatenate([sightings.uv_px[i].min(0), sightings.uv_px[i].max(0)]), agreement=0.9,
        )
        for i in range(len(sightings.view))
    )  # fmt: skip
    masks = tuple(np.zeros((h, w), bool) for w, h in cameras.size_px)
    return People(provenance=Provenance(adapter="test"), views=views, masks=masks, person_count=sightings.persons())


def blank(cameras):
    return tuple(np.full((h, w, 3), 128, np.uint8) for w, h in cameras.size_px)


def run(cameras, sightings, tmp_path, *, images=None, cfg=PEOPLE_ONLY, **known):
    capture, people = capture_of(cameras, **known), people_of(cameras, sightings)
    images = images or blank(cameras)
    found = calibrate_cameras.run(capture, images, people, cfg=cfg, out=tmp_path, progress=Progress())
    scene_cfg = reconstruct_scene.ReconstructSceneConfig()
    return found, reconstruct_scene.run(capture, images, people, found, cfg=scene_cfg, out=tmp_path, progress=Progress())


def worst_turn_deg(found, truth):
    a, b = found.T_cam_world[:, :3, :3], truth.T_cam_world[:, :3, :3]
    return max(np.degrees(angle_between(a[i] @ a[j].T, b[i] @ b[j].T)) for i in range(len(a)) for j in range(i))


def test_people_alone_give_a_metric_rig_and_an_upright_world(tmp_path):
    cameras, skeletons = rig.ring(), rig.people(2)
    sightings = rig.sight(cameras, skeletons, noise_px=2, pose_noise_m=0.04)
    found, scene = run(cameras, sightings, tmp_path, focal=900.0, is_given=True, stature=1.75)
    assert found.provenance.scale_source == "stature" and found.provenance.adapter == "people"
    np.testing.assert_allclose(found.cameras.T_cam_world[0], np.eye(4), atol=1e-12)
    assert worst_turn_deg(found.cameras, cameras) < 4
    np.testing.assert_allclose(found.cameras.focal_px, 900.0, rtol=1e-12)
    heights = camera_centers(scene.cameras)[:, 2]
    np.testing.assert_allclose(heights, camera_centers(cameras)[:, 2], atol=0.25)
    assert np.abs(scene.skeletons[:, 15:17, 2] - 0.09).max() < 0.12
    np.testing.assert_allclose(scene.skeletons[0, 11:13].mean(0)[:2], 0, atol=1e-9)


def test_a_given_stature_sets_the_scale(tmp_path):
    cameras, skeletons = rig.ring(), rig.people(1)
    sightings = rig.sight(cameras, skeletons, noise_px=1)
    short, _ = run(cameras, sightings, tmp_path, focal=900.0, is_given=True, stature=1.5)
    tall, _ = run(cameras, sightings, tmp_path, focal=900.0, is_given=True, stature=2.0)
    ratio = np.linalg.norm(tall.cameras.T_cam_world[3, :3, 3]) / np.linalg.norm(short.cameras.T_cam_world[3, :3, 3])
    # Tall people have longer legs for their height, so the rig grows a little more than the stature.
    assert ratio == pytest.approx(2.0 / 1.5, rel=0.08)


def test_a_person_missing_in_one_view_keeps_her_place(tmp_path):
    cameras, skeletons = rig.ring(), rig.people(2)
    sightings = rig.sight(cameras, skeletons, missing={(0, 0)}, noise_px=1, pose_noise_m=0.03)
    found, scene = run(cameras, sightings, tmp_path)
    assert found.persons == (0, 1) and found.cameras.is_registered.all()
    apart = np.linalg.norm(scene.skeletons[0, 11] - scene.skeletons[1, 11])
    assert apart == pytest.approx(np.linalg.norm(skeletons[0, 11] - skeletons[1, 11]), rel=0.2)


def test_the_same_seed_gives_the_same_bits(tmp_path):
    cameras, skeletons = rig.ring(), rig.people(1)
    sightings = rig.sight(cameras, skeletons, noise_px=2, pose_noise_m=0.04)
    first, second = (run(cameras, sightings, tmp_path) for _ in range(2))
    assert first[0].cameras.T_cam_world.tobytes() == second[0].cameras.T_cam_world.tobytes()
    assert first[1].T_world_rig.tobytes() == second[1].T_world_rig.tobytes()


def test_photos_of_different_people_are_refused(tmp_path):
    cameras, skeletons = rig.ring(), rig.people(2)
    unseen = {(v, p) for v in range(4) for p in range(2)} - {(0, 0), (1, 1)}
    sightings = rig.sight(cameras, skeletons, missing=unseen)
    with pytest.raises(NoOverlap, match="nobody was recognised in two"):
        run(cameras, sightings, tmp_path)


def test_two_equal_views_are_refused(tmp_path):
    cameras, skeletons = rig.ring(sizes=((1280, 720), (1280, 720)), spread_deg=0.0), rig.people(1)
    cameras.T_cam_world[1] = cameras.T_cam_world[0]
    with pytest.raises(NoOverlap, match="nearly the same place"):
        run(cameras, rig.sight(cameras, skeletons), tmp_path)


def painted_room(cameras, seed=0):
    """Photographs of a textured floor and back wall: flat panels warped by their homographies, lenses without distortion."""
    rng = np.random.default_rng(seed)
    floor, wall = ([-3, -2, 0], [3, -2, 0], [-3, 3, 0]), ([-3, 3, 2.5], [3, 3, 2.5], [-3, 3, 0])
    textures = [
        cv2.resize(rng.integers(0, 255, (60, 72, 3), dtype=np.uint8), (1440, 1200), interpolation=cv2.INTER_LINEAR)
        for _ in range(2)
    ]
    images = []
    for (width, height), T, f, (cx, cy) in zip(
        cameras.size_px.tolist(), cameras.T_cam_world, cameras.focal_px, cameras.principal_px
    ):
        K = np.array([[f, 0, cx], [0, f, cy], [0, 0, 1]])
        picture = np.full((height, width, 3), 90, np.uint8)
        for (corner, right, below), texture in zip(np.array([floor, wall], float), textures):
            plane = np.stack([(right - corner) / 1439, (below - corner) / 1199, corner], axis=1)
            H = K @ (T[:3, :3] @ plane + np.outer(T[:3, 3], [0, 0, 1]))
            is_panel = cv2.warpPerspective(np.ones(texture.shape[:2], np.uint8), H, (width, height)) > 0
            picture[is_panel] = cv2.warpPerspective(texture, H, (width, height), flags=cv2.INTER_AREA)[is_panel]
        images.append(picture)
    return tuple(images)


@pytest.mark.slow
def test_features_and_people_together_recover_a_painted_room(tmp_path):
    cameras = rig.ring(sizes=((640, 480), (640, 480), (640, 480)), focal=520.0, k1=0.0, spread_deg=50.0)
    sightings = rig.sight(cameras, rig.people(1), noise_px=3, pose_noise_m=0.05)
    cfg = calibrate_cameras.CalibrateCamerasConfig(features=FeatureConfig(max_keypoints=700))
    found, scene = run(cameras, sightings, tmp_path, images=painted_room(cameras), cfg=cfg, stature=1.75)
    assert found.provenance.adapter.startswith("aliked")
    assert found.report["tracks_px_mean"] < 1.2
    assert worst_turn_deg(found.cameras, cameras) < 0.7
    assert found.cameras.focal_px[0] == pytest.approx(520, rel=0.05)
    centres, true = camera_centers(scene.cameras), camera_centers(cameras)
    scale = np.linalg.norm(centres[2] - centres[0]) / np.linalg.norm(true[2] - true[0])
    assert scale == pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(centres[:, 2] / scale, true[:, 2], atol=0.03)
    assert scene.report["floor_likeness"] > scene.report["floor_likeness_of_points"]
    assert scene.is_floor_point.sum() > 10
    np.testing.assert_allclose(scene.tracks.points[scene.is_floor_point][:, 2], 0, atol=0.04)


@pytest.mark.slow
def test_pictures_without_texture_fall_back_to_people(tmp_path):
    cameras = rig.ring(sizes=((480, 360), (480, 360)), focal=400.0, spread_deg=50.0)
    sightings = rig.sight(cameras, rig.people(1), noise_px=1)
    cfg = dataclasses.replace(PEOPLE_ONLY, use_features=True, features=FeatureConfig(max_keypoints=200))
    found, _ = run(cameras, sightings, tmp_path, cfg=cfg)
    assert found.provenance.adapter == "people" and found.cameras.is_registered.all()


def depth_of_room(cameras, view, prepared):
    """Depth of floor and two walls at a prepared picture's pixels."""
    grid = pixel_grid(prepared)
    origin, d = rays(cameras, view, grid)
    reach = [-origin[2] / np.minimum(d[:, 2], -1e-9), *((side - origin[k]) / d[:, k] for k, side in ((1, 3.0), (0, -3.5)))]
    reach = np.min([np.where(r > 0, r, np.inf) for r in reach], axis=0)
    return depth(cameras, view, origin + reach[:, None] * d).reshape(prepared.size_px[::-1])


def pointmaps_of_room(cameras, prepared, noise=0.01, seed=0):
    """What a network might say of every ordered pair: in the first camera's frame, in a scale of its own."""
    rng = np.random.default_rng(seed)
    depths = [depth_of_room(cameras, v, picture) for v, picture in enumerate(prepared)]
    maps = []
    for i, j in select_pairs(len(prepared)):
        said = {}
        for side, v in (("first", i), ("second", j)):
            xy = undistort(cameras, v, pixel_grid(prepared[v])).reshape(*depths[v].shape, 2)
            z = depths[v] * (1 + noise * rng.normal(size=depths[v].shape))
            in_camera = np.concatenate([xy, np.ones((*z.shape, 1))], axis=-1) * z[..., None]
            T = cameras.T_cam_world[i] @ np.linalg.inv(cameras.T_cam_world[v])
            said |= {f"points_{side}": 0.4 * transform_points(T, in_camera), f"confidence_{side}": np.full(z.shape, 8.0)}
        maps.append(PairPointmaps(first=i, second=j, **said))
    return maps


@pytest.mark.slow
def test_pointmaps_count_in_the_adjustment_beside_people(tmp_path):
    """Matches alone leave the lens per cents off; the same pointmaps as rows bring it back, and people's pixels say nothing."""
    cameras = rig.ring(sizes=((640, 360),) * 3, focal=450.0, k1=0.0, spread_deg=70.0)
    prepared = [Prepared(image=torch.zeros(1, 3, 45, 80), scale=np.full(2, 8.0), offset_px=np.full(2, 3.5)) for _ in range(3)]
    people = people_of(cameras, rig.sight(cameras, rig.people(1), noise_px=3, pose_noise_m=0.05))
    people.masks[0][100:300, 250:400] = True
    maps, unknown = pointmaps_of_room(cameras, prepared), np.full(3, np.nan)
    cfg = JoinConfig(iterations=40, match_stride=3, pointmap_rows=700)
    dense = join_pairs(maps, prepared, people.masks, unknown, cfg=cfg, progress=Progress(None))
    of_first = dense.rows.uv_px[dense.rows.view == 0]
    assert len(of_first) and not people.masks[0][tuple(of_first[:, ::-1].astype(int).T)].any()
    found = {}
    for name, rows in (("matches", no_rows()), ("rows", dense.rows)):
        scene = dataclasses.replace(dense, rows=rows)
        settings = calibrate_cameras.CalibrateCamerasConfig(
            focal_ratios=(0.75,), track_errors_px=(12.0, 3.0), track_errors_from_people_px=(25.0, 4.0)
        )  # fmt: skip
        found[name] = calibrate_cameras.calibrate(
            capture_of(cameras), blank(cameras), people, scene, settings, Progress(None)
        )  # fmt: skip
    error = {name: abs(one.cameras.focal_px[0] / 450 - 1) for name, one in found.items()}
    turn = {name: worst_turn_deg(one.cameras, cameras) for name, one in found.items()}
    assert error["rows"] < 0.01 and turn["rows"] < 0.6
    assert error["rows"] < error["matches"] and turn["rows"] < turn["matches"]
    assert found["rows"].report["pointmap_rows"] > 300 and "pointmap_rows" not in found["matches"].report
    assert found["rows"].report["pointmaps_percent_median"] < 3
