import numpy as np

from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS, KEYPOINTS, SMPLX_JOINTS

from .synthetic import pose_of


def keypoints(**degrees):
    pose = pose_of(anatomy().posture(**degrees), np.eye(3))
    return dict(zip(KEYPOINTS, embedded_body().keypoints(np.zeros(10), pose, np.zeros(3))))


def test_rotations_are_rotations_and_zero_is_the_tpose():
    dofs = np.random.default_rng(0).uniform(anatomy().low, anatomy().high)
    R = anatomy().rotations(dofs)
    assert np.allclose(R @ R.swapaxes(-1, -2), np.eye(3))
    assert np.allclose(np.linalg.det(R), 1)
    assert np.allclose(anatomy().rotations(np.zeros_like(dofs)), np.eye(3))


def test_natural_values_lie_within_the_limits():
    assert (anatomy().low <= anatomy().natural).all()
    assert (anatomy().natural <= anatomy().high).all()


def test_left_and_right_are_mirror_images():
    left = keypoints(left_knee_x=60, left_hip_x=-70, left_hip_z=20, left_elbow_y=-80, left_shoulder_y=-40, left_ankle_y=10)
    right = keypoints(
        right_knee_x=60, right_hip_x=-70, right_hip_z=-20, right_elbow_y=80, right_shoulder_y=40, right_ankle_y=-10
    )
    for name, point in left.items():
        other = name.replace("left_", "R").replace("right_", "L").replace("R", "right_").replace("L", "left_")
        assert np.allclose(point * [-1, 1, 1], right[other], atol=2e-3), name


def test_joints_bend_the_way_people_do():
    rest = keypoints(left_knee_x=0, left_hip_x=0, left_elbow_y=0)
    assert keypoints(left_knee_x=90, left_hip_x=0)["left_ankle"][2] < rest["left_ankle"][2] - 0.3
    assert keypoints(left_hip_x=-80)["left_knee"][2] > rest["left_knee"][2] + 0.3
    assert keypoints(left_elbow_y=-90)["left_wrist"][2] > rest["left_wrist"][2] + 0.1
    assert keypoints(spine1_x=25, spine2_x=25)["nose"][2] > rest["nose"][2] + 0.1


def test_knees_and_elbows_cannot_bend_backwards():
    assert anatomy().low[anatomy().dof("left_knee", "x")] == 0
    assert anatomy().low[anatomy().dof("right_knee", "x")] == 0
    assert anatomy().high[anatomy().dof("left_elbow", "y")] == 0
    assert anatomy().low[anatomy().dof("right_elbow", "y")] == 0


def test_joints_are_named_as_the_body_names_them():
    assert SMPLX_JOINTS[: len(BODY_JOINTS)] == BODY_JOINTS
