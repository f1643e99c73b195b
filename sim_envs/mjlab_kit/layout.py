"""What a policy of `mjlab_kit.task` sees, in this order; for who builds the observation elsewhere.

command               the reference's joint angles, then rates, in this step
motion_anchor_pos_b   the reference's torso in the robot's torso's frame
motion_anchor_ori_b   its turn there: the first two columns of the matrix, row by row
base_lin_vel          of the pelvis' IMU, in its frame
base_ang_vel
joint_pos             less those of the standing pose
joint_vel
actions               the last ones
object_pose_b         every object in the torso's frame: position, turn as above
object_reference_b    where it should be, likewise
"""

POSE = 9


def observation_sizes(joints: int, objects: int) -> dict[str, int]:
    """Values of each observation of the actor; without objects mjlab's own."""
    sizes = {
        "command": 2 * joints,
        "motion_anchor_pos_b": 3,
        "motion_anchor_ori_b": 6,
        "base_lin_vel": 3,
        "base_ang_vel": 3,
        "joint_pos": joints,
        "joint_vel": joints,
        "actions": joints,
    }
    return sizes | ({"object_pose_b": POSE * objects, "object_reference_b": POSE * objects} if objects else {})
