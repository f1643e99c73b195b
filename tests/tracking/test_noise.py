"""Errors of a reconstruction: what is measured comes out again where it is put on, and contacts stay closed on average."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.interactions import lean_on_table, sit_on_chair
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, rotation_about_z
from hsimul3r.tracking.noise import (
    ErrorBank,
    MotionNoise,
    ObjectError,
    SceneError,
    drifting,
    erroneous,
    measured,
    mirrored,
    turn_about_z,
    with_hands_lifted,
)

RNG = np.random.default_rng(0)
JOINTS = RNG.normal(0, 0.1, (22, 3))
JOINTS[0] = [0.05, 0.0, 0.03]
ERROR = SceneError(
    case="c", kind="sit", joints=JOINTS, betas=RNG.normal(0, 0.2, 10), gap_m=0.0,
    objects=(ObjectError(yaw=0.2, footprint=np.array([1.2, 0.8])),),
)  # fmt: skip


def hands(scene):
    body = scene.bodies[0]
    joints = embedded_body().joints(body.betas, body.pose[0], body.transl[0])
    return joints[[BODY_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]]


def keypoints(scene, contacts):
    """Skin nearest to the contacts of the true scene, in another."""
    body = scene.bodies[0]
    return [embedded_body().vertices(body.betas, body.pose[0], body.transl[0])[i] for i in contacts]


def nearest_skin(scene):
    body, model = scene.bodies[0], embedded_body()
    skin = model.vertices(body.betas, body.pose[0], body.transl[0])
    return [model.parts[c.part][((skin[model.parts[c.part]] - c.point) ** 2).sum(1).argsort()[:8]] for c in scene.contacts]


def test_the_turn_about_the_vertical_is_the_nearest():
    assert turn_about_z(rotation_about_z(0.7)) == pytest.approx(0.7)
    tilted = matrix_from_axis_angle(np.array([0.3, 0, 0])) @ rotation_about_z(0.7)
    assert turn_about_z(tilted) == pytest.approx(0.7)


def test_what_is_put_on_is_measured():
    true = sit_on_chair()
    wrong = erroneous(true, ERROR, np.random.default_rng(0), has_objects=True)
    found = measured(wrong, true, case="c", kind="sit")
    np.testing.assert_allclose(found.joints[1:], ERROR.joints[1:], atol=1e-9)
    np.testing.assert_allclose(found.betas, ERROR.betas, atol=1e-12)
    assert found.objects[0].yaw == pytest.approx(0.2, abs=0.02)
    np.testing.assert_allclose(found.objects[0].footprint, [1.2, 0.8], atol=1e-6)


def test_where_the_scene_stands_and_where_it_faces_is_no_error():
    true = sit_on_chair()
    R, shift = rotation_about_z(1.1), np.array([2.0, -1.0, 0.0])
    body, asset = true.bodies[0], true.assets[0]
    pose = body.pose.copy()
    pose[0, 0] = axis_angle_from_matrix(R @ matrix_from_axis_angle(pose[0, 0]))
    pelvis = embedded_body().joints(body.betas, body.pose[0], body.transl[0])[0]
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R @ asset.T_world_object[:3, :3], R @ asset.T_world_object[:3, 3] + shift
    turned = replace(
        true,
        bodies=(replace(body, pose=pose, transl=(R @ pelvis + shift - pelvis + body.transl[0])[None]),),
        assets=(replace(asset, T_world_object=T),),
    )
    found = measured(turned, true, case="c", kind="sit")
    np.testing.assert_allclose(found.joints, 0, atol=1e-6)
    assert found.objects[0].yaw == pytest.approx(0, abs=1e-9)


def test_a_square_object_has_no_front():
    true = sit_on_chair()
    asset = true.assets[0]
    quarter = asset.T_world_object.copy()
    quarter[:3, :3] = rotation_about_z(np.pi / 2) @ quarter[:3, :3]
    found = measured(replace(true, assets=(replace(asset, T_world_object=quarter),)), true, case="c", kind="sit")
    width, depth = np.ptp(asset.vertices, axis=0)[:2]
    assert found.objects[0].yaw == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(found.objects[0].footprint, [depth / width, width / depth])


def test_contacts_stay_closed_on_average():
    true = lean_on_table()
    near = nearest_skin(true)
    wrong = erroneous(true, ERROR, np.random.default_rng(0), has_objects=False)
    assert wrong.assets == true.assets
    step = np.mean([a.mean(0) - b.mean(0) for a, b in zip(keypoints(wrong, near), keypoints(true, near))], axis=0)
    np.testing.assert_allclose(step, 0, atol=1e-9)


def test_wrong_objects_follow_what_touches_them():
    true = lean_on_table()
    near = nearest_skin(true)
    wrong = erroneous(true, ERROR, np.random.default_rng(0), has_objects=True)
    step = np.mean([a.mean(0) - b.mean(0) for a, b in zip(keypoints(wrong, near), keypoints(true, near))], axis=0)
    moved = np.mean([c.point for c in wrong.contacts], axis=0) - np.mean([c.point for c in true.contacts], axis=0)
    np.testing.assert_allclose(moved, step, atol=1e-9)
    asset = wrong.assets[0]
    assert asset.vertices[:, 2].min() == pytest.approx(0) and asset.T_world_object[2, 3] == 0
    ratio = asset.mass_kg / true.assets[0].mass_kg
    assert ratio == pytest.approx(1.2 * 0.8 * np.ptp(asset.vertices[:, 2]) / np.ptp(true.assets[0].vertices[:, 2]))


def test_a_mirrored_error_is_the_error_of_the_mirrored_pose():
    """Of a bent right knee the mirror shows a bent left one."""
    joints = np.zeros((22, 3))
    joints[BODY_JOINTS.index("right_knee")] = [0.3, 0.1, 0.0]
    found = mirrored(replace(ERROR, joints=joints))
    np.testing.assert_allclose(found.joints[BODY_JOINTS.index("left_knee")], [0.3, -0.1, 0.0])
    assert found.objects[0].yaw == -0.2
    np.testing.assert_allclose(mirrored(mirrored(ERROR)).joints, ERROR.joints)


def test_bank_keeps_errors_and_draws_the_kind(tmp_path):
    other = replace(ERROR, kind="lie", case="d", objects=())
    ErrorBank(errors=(ERROR, other, ERROR)).save(tmp_path / "bank.npz")
    bank = ErrorBank.load(tmp_path / "bank.npz")
    assert [len(e.objects) for e in bank.errors] == [1, 0, 1]
    np.testing.assert_array_equal(bank.errors[2].joints, ERROR.joints)
    rng = np.random.default_rng(0)
    assert {bank.draw(rng, "lie").case for _ in range(8)} == {"d"}
    assert {bank.draw(rng, "stand").case for _ in range(30)} == {"c", "d"}


@pytest.mark.parametrize("lift_m", [0.06, 0.3])
def test_hands_are_lifted_and_nothing_else_moves(lift_m):
    true = lean_on_table()
    lifted = with_hands_lifted(true, lift_m)
    np.testing.assert_allclose(hands(lifted)[:, 2] - hands(true)[:, 2], lift_m, atol=1e-6)
    kept = [i for i, name in enumerate(BODY_JOINTS) if not name.endswith("_shoulder")]
    np.testing.assert_array_equal(lifted.bodies[0].pose[0, kept], true.bodies[0].pose[0, kept])
    assert lifted.contacts == true.contacts


def test_a_drifting_motion_is_off_by_a_constant_and_a_slow_error():
    still = sit_on_chair()
    body = still.bodies[0]
    frames = 61
    true = replace(
        still, bodies=(replace(body, pose=np.repeat(body.pose, frames, axis=0), transl=np.repeat(body.transl, frames, axis=0)),)
    )
    found = drifting(true, MotionNoise(bias_deg=5.0, drift_deg=0.0, tilt_deg=0.0), np.random.default_rng(0)).bodies[0]
    error = np.degrees(found.pose[:, 1:22] - body.pose[:, 1:22])
    assert np.ptp(error, axis=0).max() < 1e-9 and 4.0 < error.std() < 6.0
    slow = drifting(true, MotionNoise(bias_deg=0.0, drift_deg=2.0, tilt_deg=0.0), np.random.default_rng(0)).bodies[0]
    error = np.degrees(slow.pose[:, 1:22] - body.pose[:, 1:22])
    assert 1.0 < error.std() < 3.0 and np.diff(error, axis=0).std() < 1.0
    np.testing.assert_array_equal(slow.pose[:, 22:], np.repeat(body.pose[:, 22:], frames, axis=0))
