"""DUSt3R's alignment as users keep it: parameters by its own conventions, and results by the names of its README."""

import os
import pickle

import numpy as np
import pytest
import torch

from hsimul3r.errors import BadForeignFile, UnsafeFile
from hsimul3r.geometry.rotations import matrix_from_axis_angle, quaternion_from_matrix
from hsimul3r.importers.aligner import is_alignment, points_of_depth, read_alignment
from hsimul3r.importers.plain import read_plain

SIZES = [(20, 12), (12, 20), (16, 16)]
FOCALS = np.array([21.0, 23.0, 25.0])
OFF = np.array([[0.5, -0.25], [0.0, 0.0], [1.0, 2.0]])


def poses():
    T = np.tile(np.eye(4), (3, 1, 1))
    T[:, :3, :3] = matrix_from_axis_angle(np.array([[0.0, 0, 0], [0.3, -0.8, 0.2], [-0.1, 2.5, 0.4]]))
    T[:, :3, 3] = [[0, 0, 0], [1.5, -0.2, 0.7], [-3.0, 0.4, 5.0]]
    return T


def depth_of(i):
    w, h = SIZES[i]
    return np.random.default_rng(i).uniform(1.0, 4.0, (h, w))


def points(i):
    return points_of_depth(depth_of(i), np.full(2, FOCALS[i]), np.array(SIZES[i]) / 2 + OFF[i], poses()[i])


def parameters():
    """scene.state_dict() of a PointCloudOptimizer."""
    T = poses()
    quaternions = np.roll(quaternion_from_matrix(T[:, :3, :3]), -1, axis=1) * [[2.0], [0.5], [-1.0]]
    depths = np.zeros((3, 256))
    for i, (w, h) in enumerate(SIZES):
        depths[i, : w * h] = np.log(depth_of(i)).ravel()
    packed = np.sign(T[:, :3, 3]) * np.log1p(np.abs(T[:, :3, 3]))
    found = {
        "im_poses": np.concatenate([quaternions, packed], axis=1), "im_focals": 20 * np.log(FOCALS)[:, None],
        "im_pp": OFF / 10, "im_depthmaps": depths, "pw_poses": np.zeros((6, 8)), "pw_adaptors": np.zeros((6, 2)),
    }  # fmt: skip
    return {name: torch.tensor(value) for name, value in found.items()}


def results(*, torch_like=True):
    cast = torch.tensor if torch_like else np.asarray
    return {
        "imgs": [np.zeros((h, w, 3), np.float32) for w, h in SIZES], "focals": cast(FOCALS[:, None]), "poses": cast(poses()),
        "pts3d": [cast(points(i)) for i in range(3)], "confidence_masks": [cast(depth_of(i) < 3) for i in range(3)],
    }  # fmt: skip


def test_parameters_give_the_cameras_and_points_that_they_mean(tmp_path):
    torch.save(parameters(), tmp_path / "scene.pt")
    content = read_plain(tmp_path / "scene.pt")
    assert is_alignment(content)
    found = read_alignment(content, tmp_path / "scene.pt", [[(8, 8)] * 3, SIZES])
    for i, one in enumerate(found):
        assert one.name == str(i) and one.size_px == SIZES[i] and one.is_cropped
        np.testing.assert_allclose(one.focal_px, FOCALS[i])
        np.testing.assert_allclose(one.principal_px, np.array(SIZES[i]) / 2 + OFF[i])
        np.testing.assert_allclose(np.linalg.inv(one.T_cam_world), poses()[i], atol=1e-12)
        assert one.seen is not None and one.seen.is_sure.all()
        np.testing.assert_allclose(one.seen.points, points(i), atol=1e-9)


def test_parameters_of_the_official_code_give_its_points(shared_data):
    from safetensors.numpy import load_file

    folder = shared_data / "golden" / "dust3r_aligner"
    truth = load_file(folder / "io.safetensors")
    sizes = [(int(w), int(h)) for h, w in truth["shapes"]]
    for i, one in enumerate(read_alignment(load_file(folder / "weights.safetensors"), folder, [sizes])):
        np.testing.assert_allclose(np.linalg.inv(one.T_cam_world), truth["im_poses_4x4"][i], atol=2e-6)
        K = truth["intrinsics"][i]
        np.testing.assert_allclose([*one.focal_px, *one.principal_px], [K[0, 0], K[1, 1], K[0, 2], K[1, 2]], rtol=1e-5)
        assert one.seen is not None
        np.testing.assert_allclose(one.seen.points, truth[f"img{i}.pts3d"], atol=1e-5)


@pytest.mark.parametrize("kind", ["pickled tensors", "pickled arrays", "torch"])
def test_results_by_the_names_of_the_readme(tmp_path, kind):
    path = tmp_path / "scene"
    if kind == "torch":
        torch.save(results(), path)
    else:
        path.write_bytes(pickle.dumps(results(torch_like=kind == "pickled tensors")))
    found = read_alignment(read_plain(path), path, [])
    for i, one in enumerate(found):
        np.testing.assert_allclose(np.linalg.inv(one.T_cam_world), poses()[i], atol=1e-12)
        assert one.focal_px == (FOCALS[i],) * 2 and one.principal_px == tuple(np.array(SIZES[i]) / 2)
        assert one.seen is not None
        np.testing.assert_array_equal(one.seen.points, points(i))
        np.testing.assert_array_equal(one.seen.is_sure, depth_of(i) < 3)
        assert (one.seen.confidence[~one.seen.is_sure] == 1).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**parameters(), "im_depthmaps": torch.zeros(3, 99)}, "largest of 99 pixels"),
        ({**parameters(), "im_poses": torch.zeros(3, 7)}, "no alignment"),
        ({**parameters(), "im_focals": torch.zeros(2, 1)}, "no alignment"),
        ({**results(), "pts3d": results()["pts3d"][:2]}, "no alignment"),
        ({**results(), "confidence_masks": [np.zeros((2, 2), bool)] * 3}, "no alignment"),
        ({**results(), "poses": np.zeros((3, 4, 4))}, "no alignment"),
    ],
)
def test_what_does_not_fit_together_is_one_clear_error(tmp_path, content, message):
    with pytest.raises(BadForeignFile, match=message):
        read_alignment({name: np.asarray(v) if hasattr(v, "numpy") else v for name, v in content.items()}, tmp_path, [SIZES])


class PointCloudOptimizer:
    def __reduce__(self):
        return os.system, ("true",)


def test_the_pickled_scene_itself_is_refused(tmp_path):
    (tmp_path / "scene.pkl").write_bytes(pickle.dumps({"scene": PointCloudOptimizer()}))
    with pytest.raises(UnsafeFile):
        read_plain(tmp_path / "scene.pkl")
    assert not is_alignment({"a": 1}) and not is_alignment([1])
