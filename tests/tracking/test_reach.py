"""Limbs that are brought to their contacts by kinematics alone."""

import numpy as np
import pytest

from hsimul3r.benchmark.interactions import foot_on_stool, lean_on_table, sit_on_chair
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.tracking.noise import with_hands_lifted
from hsimul3r.tracking.problem import searched, tracking_problem
from hsimul3r.tracking.reach import limb_of, reached


def names(bone):
    return [BODY_JOINTS[joint] for joint in limb_of(BODY_JOINTS.index(bone))]


def gaps(scene, pose):
    """Distance of every keypoint from its patch when the scene's person takes a pose."""
    problem, body = tracking_problem(scene), scene.bodies[0]
    full = body.pose[0].copy()
    full[:22] = pose
    bones = embedded_body().fk(body.betas, full, body.transl[0])
    place = {o.name: (o.position[0], matrix_from_quaternion(o.quat[0])) for o in problem.objects}
    found = []
    for target in problem.targets:
        bone = bones[BODY_JOINTS.index(target.body.split("/")[1])]
        origin, R = place[target.object]
        found.append(np.linalg.norm(bone[:3, :3] @ target.keypoint + bone[:3, 3] - origin - R @ target.patch_centre))
    return np.array(found)


def test_limbs_end_at_the_trunk():
    assert names("left_wrist") == ["left_wrist", "left_elbow", "left_shoulder", "left_collar"]
    assert names("right_foot") == ["right_ankle", "right_knee", "right_hip"]
    assert names("spine2") == [] and names("pelvis") == []


@pytest.mark.parametrize("lift_m", [0.1, 0.4])
def test_lifted_hands_come_back_to_the_table(simulated, lift_m):
    scene = simulated(with_hands_lifted(lean_on_table(), lift_m))
    problem = tracking_problem(scene)
    pose = reached(problem.people[0], problem)
    assert gaps(scene, problem.people[0].pose[0]).min() > 0.9 * lift_m
    assert gaps(scene, pose).max() < 0.01
    kept = [i for i, name in enumerate(BODY_JOINTS) if name not in names("left_wrist") + names("right_wrist")]
    np.testing.assert_array_equal(pose[kept], problem.people[0].pose[0, kept])


def test_a_foot_comes_to_its_stool(simulated):
    scene = simulated(foot_on_stool())
    problem = tracking_problem(scene)
    assert gaps(scene, reached(problem.people[0], problem)).max() < 1e-3


def test_without_contacts_nothing_moves(simulated):
    problem = searched(tracking_problem(simulated(sit_on_chair())), "none")
    np.testing.assert_array_equal(reached(problem.people[0], problem), problem.people[0].pose[0])
