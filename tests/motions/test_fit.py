"""A captured motion of the embedded body itself comes back as it was made."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.errors import UnknownSkeleton
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.motions.asfamc import R_WORLD_FILE, read_amc, read_asf
from hsimul3r.motions.correspondence import targets_of
from hsimul3r.motions.fit import fit_motion
from tests.motions.acclaim import body_rest, turns_of_pose, write_amc, write_asf

FRAMES = 12
TOES_RAD = {"ltoes": -0.4, "rtoes": 0.7}


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """(true betas, true joints (frames, 22, 3), the motion read back)"""
    folder, limits, rng = tmp_path_factory.mktemp("captured"), anatomy(), np.random.default_rng(0)
    betas = embedded_body().betas_of_stature(1.8)
    spread = 0.35 * rng.standard_normal((FRAMES, limits.count)) * (limits.high - limits.low) / 2
    dofs = np.clip(limits.natural + spread, 0.9 * limits.low, 0.9 * limits.high)
    for joint in ("spine1", "left_collar", "right_collar"):
        dofs[:, limits.index // 3 == BODY_JOINTS.index(joint)] = 0
    turn = matrix_from_axis_angle(0.3 * rng.standard_normal((FRAMES, 3))) @ R_WORLD_FILE
    place = rng.normal([0.5, -1, 0.95], 0.2, (FRAMES, 3))
    write_asf(folder / "ours.asf", betas)
    toes = {name: matrix_from_axis_angle(np.tile([angle, 0, 0], (FRAMES, 1))) for name, angle in TOES_RAD.items()}
    turns = turns_of_pose(dofs, turn) | toes
    write_amc(folder / "ours.amc", turns, place)
    motion = read_amc(folder / "ours.amc", read_asf(folder / "ours.asf"), rate=30)
    local = anatomy().rotations(dofs)
    local[:, 0] = turn
    joints = embedded_body().joints(betas, _full(local), place - body_rest(betas)[0])
    return betas, joints[:, : len(BODY_JOINTS)], motion


def _full(local):
    pose = np.zeros((len(local), 55, 3))
    pose[:, : len(BODY_JOINTS)] = axis_angle_from_matrix(local)
    return pose


def test_the_skeleton_read_back_has_the_bodys_joints(captured):
    _, joints, motion = captured
    for name, bone in (("left_wrist", "lwrist"), ("right_ankle", "rtibia"), ("head", "lowerneck"), ("left_foot", "lfoot")):
        np.testing.assert_allclose(motion.ends[bone], joints[:, BODY_JOINTS.index(name)], atol=1e-6)


def test_limbs_come_back_within_millimetres(captured):
    _, joints, motion = captured
    fitted = fit_motion(embedded_body(), targets_of(motion, body_rest(np.zeros(10))), stature_m=1.8)
    assert abs(fitted.body.stature_m - 1.8) < 0.01
    worst = {name: 1e3 * float(np.median(error)) for name, error in fitted.error_m.items()}
    assert max(worst.values()) < 8, worst
    ours = embedded_body().joints(fitted.body.betas, fitted.body.pose, fitted.body.transl)[:, : len(BODY_JOINTS)]
    assert 1e3 * np.median(np.linalg.norm(ours - joints, axis=-1)) < 8


def test_toes_bend_as_captured_but_not_through_the_sole(captured):
    _, _, motion = captured
    pose = fit_motion(embedded_body(), targets_of(motion, body_rest(np.zeros(10)))).body.pose
    np.testing.assert_allclose(pose[:, BODY_JOINTS.index("left_foot")], np.tile([-0.4, 0, 0], (FRAMES, 1)), atol=1e-6)
    np.testing.assert_allclose(pose[:, BODY_JOINTS.index("right_foot")], np.tile([0.2, 0, 0], (FRAMES, 1)), atol=1e-6)


def test_a_skeleton_with_other_names_says_which_are_missing(captured):
    _, _, motion = captured
    bones = {name: bone for name, bone in motion.skeleton.bones.items() if name != "lfemur"}
    with pytest.raises(UnknownSkeleton, match="lfemur"):
        targets_of(replace(motion, skeleton=replace(motion.skeleton, bones=bones)), body_rest(np.zeros(10)))


def test_coordinates_are_the_inverse_of_rotations():
    limits = anatomy()
    dofs = np.random.default_rng(1).uniform(0.95 * limits.low, 0.95 * limits.high, (20, limits.count))
    np.testing.assert_allclose(limits.coordinates(limits.rotations(dofs)), dofs, atol=1e-9)
