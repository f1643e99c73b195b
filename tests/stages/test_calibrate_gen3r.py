"""A synthetic pair of photos and a person in a room, with the room as Gen3R's infer.py would have left it."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from hsimul3r.errors import BadForeignFile
from hsimul3r.progress import Progress
from stages import calibrate_cameras
from stages.adapters.gen3r import LICENCES, Gen3rConfig
from stages.adapters.photo_rig import PhotoModel
from tests.adapters import test_photo_rig as photo_rig
from tests.geometry import rig
from tests.stages.test_calibrate_cameras import blank, capture_of, people_of, worst_turn_deg

SCALE = 0.3
"""Gen3R's units in a metre."""


def room():
    """Floor and two walls behind what the cameras look at, a cloud in the world."""
    u, v = (axis.ravel() for axis in np.meshgrid(np.arange(-4, 4, 0.025), np.arange(-4, 4, 0.025)))
    heights = v / 2 + 2.0
    planes = (u, v, 0 * u), (u, 0 * u + 3.0, heights), (0 * u - 3.0, u, heights), (0 * u + 3.0, u, heights)
    return np.concatenate([np.stack(plane, axis=1) for plane in planes])


def write_results(folder, extrinsics, focal, points):
    K = [[focal, 0, 280.0], [0, focal, 280.0], [0, 0, 1]]
    (folder / "cameras.json").write_text(json.dumps({"extrinsics": [T.tolist() for T in extrinsics], "intrinsics": [K] * 3}))
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n"
    head += "".join(f"property double {axis}\n" for axis in "xyz") + "end_header\n"
    (folder / "pcds.ply").write_bytes(head.encode() + points.astype("<f8").tobytes())


def leave_results(folder, cameras):
    """cameras.json of three frames, the first and the last the photos', and pcds.ply, in the first camera's frame."""
    first = cameras.T_cam_world[0]
    frames = [cameras.T_cam_world[0], cameras.T_cam_world[0], cameras.T_cam_world[-1]]
    extrinsics = [T @ np.linalg.inv(first) for T in frames]
    for T in extrinsics:
        T[:3, 3] *= SCALE
    f = float(cameras.focal_px[0]) * 560 / int(cameras.size_px[0].min())
    points = SCALE * (room() @ first[:3, :3].T + first[:3, 3])
    write_results(folder, extrinsics, f, points)
    return calibrate_cameras.CalibrateCamerasConfig(gen3r=Gen3rConfig(results=str(folder)))


def test_two_photos_get_gen3r_s_cameras_and_room_in_people_s_metres(tmp_path):
    cameras, skeletons = rig.ring(sizes=((1280, 720), (1280, 720)), spread_deg=40.0), rig.people(1)
    sightings = rig.sight(cameras, skeletons, noise_px=1, pose_noise_m=0.03)
    cfg = leave_results(tmp_path, cameras)
    capture = capture_of(cameras, focal=float(cameras.focal_px[0]), is_given=True)
    people = people_of(cameras, sightings)
    found = calibrate_cameras.run(capture, blank(cameras), people, cfg=cfg, out=tmp_path, progress=Progress())
    assert found.provenance.adapter == "gen3r+colmap+people" and set(LICENCES) <= set(found.provenance.licences)
    assert worst_turn_deg(found.cameras, cameras) < 1
    assert [view.view for view in found.dense] == [0, 1] and len(found.tracks.points) > 100
    size = np.linalg.norm(found.cameras.T_cam_world[1, :3, 3])
    first = cameras.T_cam_world[0]
    apart = np.linalg.norm((cameras.T_cam_world[1] @ np.linalg.inv(first))[:3, 3])
    for view in found.dense:
        points = (view.points[view.is_static] * apart / size - first[:3, 3]) @ first[:3, :3]
        off = np.min([np.abs(points[:, 2]), np.abs(np.abs(points[:, 0]) - 3), np.abs(points[:, 1] - 3)], axis=0)
        assert np.median(off) < 0.02


def test_a_single_photo_gets_gen3r_s_focal_length_and_people_s_metres(tmp_path, monkeypatch):
    """Gen3R sees a wall at 0.5 of its units where the person stands, in the place of a network that sees people."""
    axis = np.arange(-0.7, 0.7, 0.003)
    x, y = (side.ravel() for side in np.meshgrid(axis, axis))
    write_results(tmp_path, [np.eye(4)] * 3, 700.0, np.stack([x, y, 0 * x + 0.5], axis=1))
    smpl = SimpleNamespace(**vars(photo_rig.SMPL), licence="SMPL")
    network = SimpleNamespace(estimate=lambda image: photo_rig.PHOTO, licences=("network",))
    model = PhotoModel(name="ma_hmr", network=network, smpl=smpl)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(calibrate_cameras, "open_photo_model", lambda choice: model)
    sighting = dataclasses.replace(photo_rig.PEOPLE.views[0], keypoints_px=np.tile([[300.0, 200.0]], (21, 1)))
    people = dataclasses.replace(photo_rig.PEOPLE, views=(sighting,))
    cfg = calibrate_cameras.CalibrateCamerasConfig(gen3r=Gen3rConfig(results=str(tmp_path)))
    image = np.zeros((480, 640, 3), np.uint8)
    found = calibrate_cameras.run(photo_rig.capture(), (image,), people, cfg=cfg, out=tmp_path, progress=Progress())
    assert found.provenance.adapter == "ma_hmr+gen3r" and found.provenance.licences == ("network", "SMPL", *LICENCES)
    np.testing.assert_allclose(found.cameras.focal_px, 700 * 480 / 560, rtol=0.002)
    (view,) = found.dense
    np.testing.assert_allclose(view.points[view.is_static][:, 2], np.median(found.skeletons[0, :, 2]), rtol=1e-3)


def test_more_photos_than_gen3r_takes_are_refused(tmp_path):
    cameras, skeletons = rig.ring(), rig.people(1)
    cfg, people = leave_results(tmp_path, cameras), people_of(cameras, rig.sight(cameras, skeletons))
    with pytest.raises(BadForeignFile, match="one or two photos, and the capture has 4"):
        calibrate_cameras.run(capture_of(cameras), blank(cameras), people, cfg=cfg, out=tmp_path, progress=Progress())
