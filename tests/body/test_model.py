import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from hsimul3r.body.build_body import STEPPED, stepped
from hsimul3r.body.model import embedded_body, fine_body, rodrigues
from hsimul3r.conventions import CONTACT_PARTS, KEYPOINTS, SMPLX_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import matrix_from_axis_angle

RNG = np.random.default_rng(0)


def random_body():
    pose = 0.4 * RNG.standard_normal((55, 3))
    pose[0] = 1.2 * RNG.standard_normal(3)
    return RNG.standard_normal(10), pose, RNG.standard_normal(3)


def joint(name):
    return SMPLX_JOINTS.index(name)


def test_root_lands_at_rest_root_plus_translation():
    body = embedded_body()
    betas, pose, transl = random_body()
    rest = body.joints(betas, np.zeros((55, 3)), np.zeros(3))
    assert np.allclose(body.joints(betas, pose, transl)[0], rest[0] + transl)


def test_identity_pose_is_the_template():
    body = embedded_body()
    at_rest = (np.zeros(10), np.zeros((55, 3)), np.zeros(3))
    assert np.allclose(body.vertices(*at_rest), body.skin.template.numpy())
    assert np.allclose(body.joints(*at_rest), body.skeleton.template.numpy())
    assert np.allclose(body.keypoints(*at_rest), body.keypoint_points.template.numpy())


def test_root_rotation_turns_everything_about_the_pelvis():
    body = embedded_body()
    betas, pose, transl = random_body()
    turned = pose.copy()
    turned[0] = 0
    R = matrix_from_axis_angle(pose[0])
    pelvis = body.joints(betas, pose, transl)[0]
    for points in (body.vertices, body.joints, body.keypoints):
        still = points(betas, turned, transl)
        assert np.allclose(points(betas, pose, transl), (still - pelvis) @ R.T + pelvis)


def test_forward_kinematics_follows_the_tree():
    body = embedded_body()
    betas, pose, transl = random_body()
    T = body.fk(betas, pose, transl)
    rest = body.joints(betas, np.zeros((55, 3)), np.zeros(3))
    R = matrix_from_axis_angle(pose)
    for j in range(1, 55):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = R[j], rest[j] - rest[SMPLX_PARENTS[j]]
        assert np.allclose(T[j], T[SMPLX_PARENTS[j]] @ local)


def test_skin_of_one_joint_moves_rigidly_with_it():
    body = embedded_body()
    betas, pose, transl = random_body()
    T, skin = body.fk(betas, pose, transl), body.vertices(betas, pose, transl)
    rest, rest_joints = body.vertices(betas, np.zeros((55, 3)), np.zeros(3)), body.joints(betas, np.zeros((55, 3)), np.zeros(3))
    vertex, owner = np.nonzero(body.weights > 1 - 1e-6)
    assert len(vertex) > 100
    expected = np.einsum("vij,vj->vi", T[owner, :3, :3], rest[vertex] - rest_joints[owner]) + T[owner, :3, 3]
    assert np.allclose(skin[vertex], expected, atol=1e-5)


def test_shape_is_linear_in_betas():
    body = embedded_body()
    rest = (np.zeros((55, 3)), np.zeros(3))
    a, b = RNG.standard_normal((2, 10))
    for points in (body.vertices, body.joints, body.keypoints):
        middle = 0.5 * (points(a, *rest) + points(b, *rest))
        assert np.allclose(points((a + b) / 2, *rest), middle)


def test_batches_equal_single_bodies():
    body = embedded_body()
    bodies = [random_body() for _ in range(3)]
    betas, pose, transl = (np.stack(values) for values in zip(*bodies))
    together = body.soles(betas, pose, transl)
    assert together.shape == (3, 2, 4, 3)
    assert np.allclose(together[1], body.soles(*bodies[1]))
    frames = body.joints(betas[0], pose, transl)
    assert np.allclose(frames[2], body.joints(betas[0], pose[2], transl[2]))


def test_gradient_of_keypoints_equals_finite_differences():
    body = embedded_body()
    betas, pose, transl = (torch.as_tensor(value) for value in random_body())
    pose[5] = 0

    def keypoints(values):
        R, _, offsets = body.skeleton.transforms(betas, rodrigues(values), transl)
        return body.keypoint_points.posed(betas, R, offsets)

    gradient = torch.func.jacrev(keypoints)(pose)
    for j, axis in ((0, 0), (1, 1), (4, 0), (5, 2), (18, 1)):
        step = torch.zeros_like(pose)
        step[j, axis] = 1e-6
        numeric = (keypoints(pose + step) - keypoints(pose - step)) / 2e-6
        assert torch.allclose(gradient[:, :, j, axis], numeric, atol=1e-7)


def test_left_is_positive_x_and_front_is_positive_z():
    body = embedded_body()
    points = dict(zip(KEYPOINTS, body.keypoint_points.template.numpy()))
    joints = dict(zip(SMPLX_JOINTS, body.skeleton.template.numpy()))
    for name, point in (points | joints).items():
        if name.startswith("left_"):
            assert point[0] > 0.02, name
        if name.startswith("right_"):
            assert point[0] < -0.02, name
    assert points["nose"][2] > points["left_ear"][2]
    assert points["left_toe"][2] > points["left_heel"][2] + 0.15
    assert points["nose"][1] > joints["pelvis"][1] > points["left_heel"][1]


@pytest.mark.parametrize("stature", [1.5, 1.7, 1.95])
def test_betas_of_stature_give_that_height_of_the_mesh(stature):
    body = embedded_body()
    betas = body.betas_of_stature(stature)
    assert body.stature(betas) == pytest.approx(stature)
    height = np.ptp(body.vertices(betas, np.zeros((55, 3)), np.zeros(3))[:, 1])
    assert height == pytest.approx(stature, abs=0.01)


def test_body_is_watertight_and_weighs_like_a_person():
    import trimesh

    body = embedded_body()
    mesh = trimesh.Trimesh(body.skin.template.numpy(), body.faces, process=False)
    assert mesh.is_watertight
    assert 0.05 < mesh.volume < 0.08


def test_parts_lie_where_their_names_say():
    body = embedded_body()
    skin, joints = body.skin.template.numpy(), body.skeleton.template.numpy()
    assert set(body.parts) == set(CONTACT_PARTS)
    assert all(len(vertices) > 20 for vertices in body.parts.values())
    assert skin[body.parts["left_hand"], 0].min() > joints[joint("left_elbow"), 0]
    assert skin[body.parts["right_foot"], 1].max() < joints[joint("right_knee"), 1]
    assert skin[body.parts["back"], 2].max() < joints[joint("spine2"), 2] + 0.05
    assert np.median(skin[body.parts["buttocks"], 2]) < joints[joint("pelvis"), 2]
    owned = np.concatenate(list(body.parts.values()))
    assert len(owned) == len(set(owned))


def test_weights_sum_to_one_and_the_jaw_has_some():
    body = embedded_body()
    assert np.allclose(body.weights.sum(1), 1)
    assert body.weights[:, joint("jaw")].sum() > 5


def test_fine_body_is_the_embedded_body_on_a_finer_mesh():
    """Joints, keypoints and stature agree; the coarse skin lies on the fine one but for what its bigger triangles cut off."""
    coarse, fine = embedded_body(), fine_body()
    betas, pose, transl = random_body()
    np.testing.assert_array_equal(fine.joints(betas, pose, transl), coarse.joints(betas, pose, transl))
    np.testing.assert_array_equal(fine.keypoints(betas, pose, transl), coarse.keypoints(betas, pose, transl))
    assert fine.stature(betas) == coarse.stature(betas)
    rest = np.zeros((55, 3)), np.zeros(3)
    distance = cKDTree(fine.vertices(betas, *rest)).query(coarse.vertices(betas, *rest))[0]
    assert distance.mean() < 0.006
    assert distance.max() < 0.03
    assert len(fine.faces) == 27420


def test_stepped_tables_lose_half_a_step():
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=(5, 3)).astype(np.float32) for name in STEPPED}
    small = stepped(table)
    for name in STEPPED:
        error = np.abs(small[name] * small[f"{name}_step"] - table[name])
        assert small[name].dtype == np.int16
        assert error.max() <= 0.51 * small[f"{name}_step"]
