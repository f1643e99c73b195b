"""Static interactions: what they are for, and that those staged are true, natural and the same on every run."""

import numpy as np
import pytest

from hsimul3r.benchmark.cases import all_cases, case_named
from hsimul3r.benchmark.objects.catalogue import CATALOGUE, build_furniture
from hsimul3r.benchmark.posing import templates
from hsimul3r.benchmark.posing.check import check_staged, is_true
from hsimul3r.benchmark.posing.puppet import Puppet, anatomical
from hsimul3r.benchmark.posing.templates import POSES, stage_pose
from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.errors import NotPosable

CASES = ("sit_slouched_dining_chair_00", "stand_foot_on_stool_step_stool_00")


@pytest.fixture(scope="module", params=CASES)
def staged(request):
    return stage_pose(case_named(request.param))


def test_every_interaction_has_furniture():
    assert len(POSES) >= 16
    for template in POSES.values():
        assert any(template.suits(build_furniture(name)) for name in CATALOGUE)
        assert template.beside is None or any(template.beside(build_furniture(name)) for name in CATALOGUE)


def test_staged_pose_is_true(staged):
    assert is_true(check_staged(staged))
    assert staged.frames == 1


def test_pelvis_is_over_the_origin_and_the_head_is_up(staged):
    joints = embedded_body().joints(staged.betas, staged.pose[0], staged.transl[0])
    np.testing.assert_allclose(joints[0, :2], 0.0, atol=1e-9)
    frames = embedded_body().fk(staged.betas, staged.pose[0], staged.transl[0])
    assert frames[SMPLX_JOINTS.index("head"), 2, 1] > 0.8


def test_posture_is_anatomical(staged):
    dofs, limits = anatomical(staged.pose[0]), anatomy()
    assert (dofs > limits.low - np.radians(3)).all() and (dofs < limits.high + np.radians(3)).all()
    puppet = Puppet.of(staged.betas, staged.pose[0])
    rebuilt = puppet.posed_body(puppet.posture(staged.pose[0], staged.transl[0] + puppet.joints[0]))
    np.testing.assert_allclose(rebuilt.pose, staged.pose[0], atol=0.08)


def test_second_run_gives_the_same_bits():
    first, second = (stage_pose(case_named(CASES[1])) for _ in range(2))
    assert np.array_equal(first.pose, second.pose)
    assert np.array_equal(first.transl, second.transl)
    assert np.array_equal(first.objects[0].T_world_object, second.objects[0].T_world_object)


def test_what_does_not_close_is_refused(monkeypatch):
    monkeypatch.setattr(templates, "ATTEMPTS", 1)
    monkeypatch.setattr(templates, "is_true", lambda figures: False)
    with pytest.raises(NotPosable, match="stand_foot_on_stool"):
        stage_pose(case_named(CASES[1]))


def test_all_pose_cases_name_a_template_that_suits():
    for case in all_cases():
        if case.kind == "pose":
            assert POSES[case.interaction].suits(build_furniture(case.objects[0]))
