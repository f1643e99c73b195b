import numpy as np
import pytest

from hsimul3r.body.conversion import ConversionConfig, convert_body
from hsimul3r.body.licensed import load_licensed_body
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.errors import BadBody
from hsimul3r.geometry.rotations import matrix_from_axis_angle

SMPL_JOINTS = [*range(22), SMPLX_JOINTS.index("left_middle1"), SMPLX_JOINTS.index("right_middle1")]
QUICK = ConversionConfig(rounds=5, steps=3)


def regressor(body):
    """Joints as weights of vertices that hold for every shape: as a licensed file has them."""
    vertices = np.concatenate([body.skin.template.numpy()[..., None], body.skin.shapes.numpy()], axis=2)
    joints = np.concatenate([body.skeleton.template.numpy()[..., None], body.skeleton.shapes.numpy()], axis=2)
    count = len(vertices)
    return np.linalg.lstsq(vertices.reshape(count, -1).T, joints.reshape(55, -1).T, rcond=None)[0].T


def tables(body):
    """The embedded body's arrays in SMPL-X's file format."""
    shapes = np.concatenate([body.skin.shapes.numpy(), np.ones((len(body.weights), 3, 10))], axis=2)
    return {
        "v_template": body.skin.template.numpy(), "f": body.faces.astype(np.uint32), "shapedirs": shapes,
        "posedirs": np.zeros((len(body.weights), 3, 486)), "J_regressor": regressor(body), "weights": body.weights,
        "kintree_table": np.zeros((2, 55)),
    }  # fmt: skip


def without_fingers(table):
    """The same in SMPL's format: 24 joints, all of a hand's skin on its one joint."""
    weights = table["weights"][:, SMPL_JOINTS].copy()
    for side, joint in ((range(25, 40), 22), (range(40, 55), 23)):
        weights[:, joint] = table["weights"][:, list(side)].sum(axis=1)
    weights[:, 15] += table["weights"][:, 22:25].sum(axis=1)
    small = table | {"weights": weights, "J_regressor": table["J_regressor"][SMPL_JOINTS]}
    return small | {"posedirs": np.zeros((len(weights), 3, 207)), "shapedirs": table["shapedirs"][..., :10]}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, table = tmp_path_factory.mktemp("bodies"), tables(embedded_body())
    np.savez(folder / "SMPLX_NEUTRAL.npz", **table)
    np.savez(folder / "SMPL_NEUTRAL.npz", **without_fingers(table))
    return folder


@pytest.fixture(scope="module")
def smplx(files):
    return load_licensed_body(files / "SMPLX_NEUTRAL.npz")


@pytest.fixture(scope="module")
def smpl(files):
    return load_licensed_body(files / "SMPL_NEUTRAL.npz")


def someone(seed, *, fingers=True):
    rng = np.random.default_rng(seed)
    pose = 0.3 * rng.standard_normal((55, 3))
    pose[22:] *= fingers
    return rng.standard_normal(10), pose, rng.standard_normal(3)


def test_a_file_of_the_embedded_body_is_the_embedded_body(smplx):
    own, at = embedded_body(), someone(0)
    for name in ("joints", "vertices", "fk"):
        assert np.allclose(getattr(smplx, name)(*at), getattr(own, name)(*at), atol=1e-9), name
    assert np.allclose(smplx.keypoints(*at), own.keypoints(*at), atol=0.006)
    assert np.allclose(smplx.soles(*at), own.soles(*at), atol=0.003)
    assert smplx.stature(at[0]) == pytest.approx(own.stature(at[0]), abs=0.01)
    assert {part: len(index) for part, index in smplx.parts.items()} == {part: len(i) for part, i in own.parts.items()}
    assert smplx.name == "smplx:SMPLX_NEUTRAL"
    assert "non-commercial" in smplx.licence


def test_smpl_moves_as_smplx_with_stiff_fingers(smpl):
    own, at = embedded_body(), someone(1, fingers=False)
    assert np.allclose(smpl.joints(*at)[:22], own.joints(*at)[:22], atol=1e-9)
    assert np.allclose(smpl.vertices(*at), own.vertices(*at), atol=1e-6)
    assert "SMPL body" in smpl.licence


def test_bent_joints_change_the_shape(files, tmp_path):
    with np.load(files / "SMPLX_NEUTRAL.npz") as npz:
        table = dict(npz)
    knee = SMPLX_JOINTS.index("left_knee")
    table["posedirs"] = np.zeros_like(table["posedirs"])
    table["posedirs"][7, 2, 9 * (knee - 1) + 4] = 0.2
    np.savez(tmp_path / "SMPLX.npz", **table)
    body, pose = load_licensed_body(tmp_path / "SMPLX.npz"), np.zeros((55, 3))
    pose[knee] = [0.8, 0, 0]
    moved = body.vertices(np.zeros(10), pose, np.zeros(3)) - embedded_body().vertices(np.zeros(10), pose, np.zeros(3))
    assert np.abs(np.delete(moved, 7, axis=0)).max() < 1e-6
    expected = 0.2 * (matrix_from_axis_angle(pose[knee])[1, 1] - 1)
    assert np.linalg.norm(moved[7]) == pytest.approx(abs(expected), rel=1e-5)
    both = body.vertices(np.zeros((2, 10)), np.stack([pose, np.zeros((55, 3))]), np.zeros(3))
    assert np.allclose(both[0] - embedded_body().vertices(np.zeros(10), pose, np.zeros(3)), moved)


def test_conversion_finds_the_same_body_and_states_its_error(smplx):
    betas, pose, transl = someone(2)
    found = convert_body(smplx, betas, pose, transl, embedded_body(), cfg=QUICK)
    assert found.skin_error_m < 0.001
    assert found.skin_error_95_m < 0.003
    assert found.joint_error_m < 0.003
    assert np.array_equal(found.pose[22:], pose[22:])
    joints = embedded_body().joints(found.betas, found.pose, found.transl)
    assert np.linalg.norm(joints - smplx.joints(betas, pose, transl), axis=1)[:22].mean() == pytest.approx(found.joint_error_m)


def test_what_cannot_be_converted_shows_in_the_error(smplx):
    class Swollen:
        faces, weights = smplx.faces, smplx.weights

        def vertices(self, *at):
            vertices = smplx.vertices(*at)
            return vertices + np.where(smplx.weights[:, [15]] > 0.5, 0.05 * (vertices - vertices.mean(axis=0)), 0)

        def joints(self, *at):
            return smplx.joints(*at)

    at = (np.zeros(10), np.zeros((55, 3)), np.zeros(3))
    plain, swollen = (convert_body(body, *at, embedded_body(), cfg=QUICK) for body in (smplx, Swollen()))
    assert swollen.skin_error_m > plain.skin_error_m + 1e-4


@pytest.mark.parametrize("wrong", ["missing", "joints", "shapes", "no npz", "pickled"])
def test_a_wrong_file_is_said(files, tmp_path, wrong):
    path = tmp_path / "body.npz"
    with np.load(files / "SMPL_NEUTRAL.npz") as npz:
        table = dict(npz)
    if wrong == "missing":
        del table["weights"]
    if wrong == "joints":
        table["J_regressor"] = table["J_regressor"][:20]
    if wrong == "shapes":
        table["posedirs"] = table["posedirs"][..., :9]
    if wrong == "pickled":
        table["f"] = np.array([{}], object)
    np.savez(path, **table)
    if wrong == "no npz":
        path.write_bytes(b"nothing")
    with pytest.raises(BadBody):
        load_licensed_body(path)
