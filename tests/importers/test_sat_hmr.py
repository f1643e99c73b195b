"""SAT-HMR's and MA-HMR's people, kept outside of this program, are what the network returns within it."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from golden_networks import filled

from hsimul3r.body.model import embedded_body
from hsimul3r.errors import BadForeignFile, UnsafeFile, WeightsNotGiven
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.importers.clip import bodies_in_world
from hsimul3r.importers.sat_hmr import read_predictions
from hsimul3r.importers.tools import read_clip
from stages.adapters.choices import PhotoChoice, open_photo_model
from stages.adapters.networks.sat_hmr_net import SatConfig, SatHmr
from stages.adapters.sat_hmr import SatHmrModel, fit_picture
from stages.adapters.saved_photo import SavedPhoto

SAT = SatConfig(
    input_size=112, width=64, depth=2, heads=1, scale_blocks=1, hidden=16, decoder_layers=2, feedforward=12, queries=5,
    grid_side=4,
)  # fmt: skip
PHOTO = np.random.default_rng(0).integers(0, 255, (90, 60, 3), np.uint8)


@pytest.fixture(scope="module", params=["sat_hmr", "ma_hmr"])
def returned(request):
    """(model's name, its network, what the official code returns of PHOTO, by its names and shapes)."""
    network = filled(SatHmr(replace(SAT, sees_field_of_view=request.param == "ma_hmr")))
    picture = fit_picture(PHOTO, SAT.input_size)
    with torch.no_grad():
        found = network(picture.image, picture.size)
    high, wide = picture.size
    focal = float(found.focal_px)
    poses = axis_angle_from_matrix(found.rotations.double().numpy()).reshape(1, 5, 72)
    out = {
        "pred_poses": torch.tensor(poses), "pred_betas": found.betas[None], "pred_boxes": found.boxes[None],
        "pred_confs": found.confidence[None, :, None], "pred_transl": found.translation[None],
        "pred_intrinsics": torch.tensor([[[[focal, 0, wide / 2], [0, focal, high / 2], [0, 0, 1]]]]),
    }  # fmt: skip
    return request.param, SatHmrModel(network), out


def write(folder, out, kind):
    path = folder / f"photo.{kind}"
    if kind == "pt":
        torch.save(out, path)
    elif kind == "npz":
        np.savez(path, **{name: value.numpy() for name, value in out.items()})
    else:
        path.write_bytes(pickle.dumps({name: value.numpy() for name, value in out.items()}))
    return path


@pytest.mark.parametrize("kind", ["pt", "npz", "pkl"])
def test_kept_people_are_those_of_the_network(tmp_path, returned, kind):
    name, model, out = returned
    saved = SavedPhoto.load(write(tmp_path, out, kind), name)
    expected, found = model.estimate(PHOTO, threshold=0.3), saved.estimate(PHOTO, threshold=0.3)
    assert len(expected.people) == len(found.people) > 0 and saved.licences == model.licences
    assert found.focal_px == pytest.approx(expected.focal_px, rel=0.01), "the picture is a whole number of pixels"
    for a, b in zip(found.people, expected.people):
        np.testing.assert_allclose(matrix_from_axis_angle(a.pose), matrix_from_axis_angle(b.pose), atol=1e-5)
        np.testing.assert_allclose(a.transl, b.transl, atol=1e-5)
        np.testing.assert_allclose(a.betas, b.betas, atol=1e-5)
        np.testing.assert_allclose(a.box_px, b.box_px, atol=0.01)
        assert a.score == pytest.approx(b.score, abs=1e-6)


def test_the_published_networks_pictures_are_not_quite_filled(tmp_path):
    """At side 644 the photo fills 616; boxes are over 644."""
    out = people(2, focal=500.0, size=(616, 462))
    np.savez(tmp_path / "p.npz", **out)
    photo = SavedPhoto.load(tmp_path / "p.npz", "ma_hmr").estimate(np.zeros((924, 1232, 3), np.uint8))
    assert photo.focal_px == 1000.0 and len(photo.people) == 2
    np.testing.assert_allclose(photo.people[0].box_px, np.array([0.4, 0.3, 0.6, 0.7]) * 1288)


def people(count, *, focal, size):
    return {
        "pred_poses": np.zeros((count, 72)), "pred_betas": np.zeros((count, 10)), "pred_transl": np.ones((count, 3)),
        "pred_boxes": np.tile([0.5, 0.5, 0.2, 0.4], (count, 1)),
        "pred_intrinsics": np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]]),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pred_poses": np.zeros((2, 24, 3))}, "no prediction"),
        ({"pred_poses": np.zeros((4, 5, 72))}, "one photo a file"),
        ({"pred_betas": np.zeros((3, 10))}, "not as many"),
        ({"pred_confs": np.ones(7)}, "not as many"),
        ({"pred_transl": np.full((2, 3), np.nan)}, "NaN"),
        ({"pred_intrinsics": np.zeros((3, 3))}, "sees nothing"),
        ({"pred_intrinsics": np.eye(4)}, "no prediction"),
    ],
)
def test_broken_predictions_are_one_clear_error(tmp_path, changes, message):
    np.savez(tmp_path / "p.npz", **{**people(2, focal=500.0, size=(616, 462)), **changes})
    with pytest.raises(BadForeignFile, match=message):
        read_predictions(tmp_path / "p.npz")


def test_files_that_are_cut_hostile_or_of_another_photo_say_so(tmp_path):
    np.savez(tmp_path / "p.npz", **people(1, focal=500.0, size=(616, 462)))
    with pytest.raises(BadForeignFile, match="616 x 462, the photo 300 x 400: it belongs to another photo"):
        SavedPhoto.load(tmp_path / "p.npz", "sat_hmr").estimate(np.zeros((400, 300, 3), np.uint8))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "p.npz").read_bytes()[:300])
    with pytest.raises(BadForeignFile, match="cannot be read"):
        read_predictions(tmp_path / "cut.npz")
    (tmp_path / "h.pkl").write_bytes(pickle.dumps({"pred_poses": Exception("x")}))
    with pytest.raises(UnsafeFile):
        read_predictions(tmp_path / "h.pkl")


def test_results_stand_in_for_the_network_but_not_for_smpl(tmp_path, monkeypatch):
    monkeypatch.setenv("HSIMUL3R_WEIGHTS", str(tmp_path))
    np.savez(tmp_path / "p.npz", **people(1, focal=500.0, size=(616, 462)))
    choice = PhotoChoice(kind="ma_hmr", results=str(tmp_path / "p.npz"))
    assert choice.files() == (tmp_path / "SMPL_NEUTRAL.npz",)
    with pytest.raises(WeightsNotGiven, match="SMPL_NEUTRAL"):
        open_photo_model(choice)


def write_motion(folder, frames=(3, 4, 6)):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    body = rng.normal(0, 0.1, (len(frames), 21, 3))
    for i, frame in enumerate(frames):
        np.savez(
            folder / f"{frame:06d}.npz", trans=np.array([0.1 * i, 0.2, 3.0], np.float32),
            root_orient=np.array([np.pi, 0, 0], np.float32), pose_hand=np.zeros(6, np.float32),
            pose_body=body[i].ravel().astype(np.float32), betas=np.zeros((1, 10), np.float32),
        )  # fmt: skip
    return body


def test_a_fork_s_frames_are_a_motion(tmp_path):
    body = write_motion(tmp_path / "out" / "npz")
    for folder in (tmp_path / "out", tmp_path / "out" / "npz"):
        clip = read_clip(folder)
        assert clip.tool == "sat_hmr" and clip.body == "smpl" and clip.people[0].frames.tolist() == [3, 4, 6]
        (found,) = bodies_in_world(clip, embedded_body(), stature_m=1.7, fps=30.0, path=folder)
        np.testing.assert_allclose(matrix_from_axis_angle(found.pose[:, 1:22]), matrix_from_axis_angle(body), atol=1e-6)
        np.testing.assert_allclose(np.diff(found.transl, axis=0), [[0.1, 0, 0]] * 2, atol=1e-6)
        assert np.allclose(matrix_from_axis_angle(found.pose[:, 0])[:, 2, 1], 1), "the body's up is up"
    np.savez(tmp_path / "out" / "npz" / "000005.npz", trans=np.zeros(3))
    with pytest.raises(BadForeignFile, match="no frame of SAT-HMR"):
        read_clip(tmp_path / "out")
