"""The pose that closes the labelled contacts by moving limbs alone: the direction in which Eq. 5 falls fastest.

A hand half a metre above the table that it should lean on is many joint errors away from it: a search that changes every joint
a little does not find the way. Gauss-Newton on the distance from keypoint to patch does, in a few steps and without simulation.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, matrix_from_quaternion, skew
from hsimul3r.tracking.layout import joint_kind
from hsimul3r.tracking.problem import ContactTarget, PersonReference, TrackingProblem
from hsimul3r.tracking.sampling import POSE_SCALE

LIMBS = ("hip", "knee", "ankle", "collar", "shoulder", "elbow", "wrist")
"""Joints that reach; pelvis and trunk stay where they are."""
STEPS = 25
STRIDE_M = 0.08
"""How far a keypoint goes in a step."""
DAMPING_M = 0.02


def reached(person: PersonReference, problem: TrackingProblem) -> Float[ndarray, "22 3"]:
    """The first frame's pose with the limbs as near to their contacts of that time as they come, axis-angle."""
    targets = [t for t in problem.targets if t.person == person.name and t.is_held[0] and limb_of(_bone(t))]
    if not targets:
        return person.pose[0].copy()
    goals = np.array([_goal(target, problem) for target in targets])
    local = matrix_from_axis_angle(person.pose[0])
    offsets = _offsets(person)
    for _ in range(STEPS):
        position, R = _bones(local, offsets)
        for joint, turn in _step(targets, goals, position, R).items():
            parent = R[SMPLX_PARENTS[joint]]
            local[joint] = parent.T @ matrix_from_axis_angle(turn) @ parent @ local[joint]
    pose = person.pose[0].copy()
    moved = sorted({joint for target in targets for joint in limb_of(_bone(target))})
    pose[moved] = axis_angle_from_matrix(local[moved])
    return pose


def limb_of(bone: int) -> tuple[int, ...]:
    """The joints that move a bone without moving the trunk, from it to the trunk."""
    if bone < 0 or joint_kind(BODY_JOINTS[bone]) not in (*LIMBS, "foot"):
        return ()
    rest = limb_of(SMPLX_PARENTS[bone])
    return (bone, *rest) if joint_kind(BODY_JOINTS[bone]) in LIMBS else rest


def _step(
    targets: Sequence[ContactTarget], goals: Float[ndarray, "targets 3"], position: Float[ndarray, "22 3"],
    R: Float[ndarray, "22 3 3"],
) -> dict[int, Float[ndarray, "3"]]:  # fmt: skip
    """Turns about the world's axes [rad] that bring all keypoints nearer, small where a joint is known well."""
    bones = [_bone(target) for target in targets]
    keypoints = [position[bone] + R[bone] @ target.keypoint for bone, target in zip(bones, targets)]
    joints = sorted({joint for bone in bones for joint in limb_of(bone)})
    scale = np.repeat([POSE_SCALE[joint_kind(BODY_JOINTS[joint])] for joint in joints], 3)
    jacobian = np.zeros((3 * len(targets), 3 * len(joints)))
    for row, (bone, keypoint) in enumerate(zip(bones, keypoints)):
        for joint in limb_of(bone):
            column = 3 * joints.index(joint)
            jacobian[3 * row : 3 * row + 3, column : column + 3] = -skew(keypoint - position[joint])
    gap = goals - keypoints
    gap *= np.minimum(1.0, STRIDE_M / np.maximum(np.linalg.norm(gap, axis=1, keepdims=True), 1e-9))
    weighted = jacobian * scale
    damping = (DAMPING_M * POSE_SCALE["shoulder"]) ** 2 * np.eye(len(weighted))
    turns = scale * (weighted.T @ np.linalg.solve(weighted @ weighted.T + damping, gap.ravel()))
    return {joint: turns[3 * i : 3 * i + 3] for i, joint in enumerate(joints)}


def _bone(target: ContactTarget) -> int:
    return BODY_JOINTS.index(target.body.removeprefix(f"{target.person}/"))


def _goal(target: ContactTarget, problem: TrackingProblem) -> Float[ndarray, "3"]:
    """The middle of the patch in the world."""
    reference = next(item for item in problem.objects if item.name == target.object)
    return reference.position[0] + matrix_from_quaternion(reference.quat[0]) @ target.patch_centre


def _offsets(person: PersonReference) -> Float[ndarray, "22 3"]:
    """Every joint in its parent's frame; the pelvis in the world."""
    joints, R = person.joints[0], matrix_from_quaternion(person.quats[0])
    offsets = joints.copy()
    for joint, parent in enumerate(SMPLX_PARENTS[1 : len(BODY_JOINTS)], start=1):
        offsets[joint] = R[parent].T @ (joints[joint] - joints[parent])
    return offsets


def _bones(
    local: Float[ndarray, "22 3 3"], offsets: Float[ndarray, "22 3"]
) -> tuple[Float[ndarray, "22 3"], Float[ndarray, "22 3 3"]]:
    """World positions and orientations."""
    position, R = offsets.copy(), local.copy()
    for joint, parent in enumerate(SMPLX_PARENTS[1 : len(BODY_JOINTS)], start=1):
        position[joint] = position[parent] + R[parent] @ offsets[joint]
        R[joint] = R[parent] @ local[joint]
    return position, R
