"""Frames, units, quaternions and names used everywhere in the project.

Units      metres, seconds, kilograms, radians, newtons. A name says so where it is not SI (`tilt_deg`, `focal_px`).
World      right-handed, +Z up, the floor is z = 0, the origin lies on the floor below the first person's pelvis.
Cameras    OpenCV: +X right, +Y down, +Z forward. `T_cam_world` (4, 4) maps world points to camera points. Pinhole with one
           radial term: u = f * (1 + k1 * r2) * (x / z) + principal. The centre of the top-left pixel is (0, 0).
Transforms `T_a_b` maps points of frame b to frame a: inner names meet when multiplied, `T_a_c = T_a_b @ T_b_c`.
Quaternions wxyz, unit.
Body       SMPL-X format: 55 joints, T-pose template with +Y up, +Z front, +X left. `pose` (55, 3) is axis-angle per joint,
           pose[0] turns the template into the world; `transl` (3,) moves the root: joint 0 lands at J[0](betas) + transl.
Objects    an object's own frame has +Z up, its origin on the floor under the centre of its box, +X to its right and +Y to
           its back: a chair's sitter looks along -Y.
Names      joints, bodies, keypoints and parts are matched by name, never by position in a list.
"""

from typing import Final

SMPLX_JOINTS: Final = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "jaw", "left_eye_smplhf",
    "right_eye_smplhf",
    *(f"left_{finger}{i}" for finger in ("index", "middle", "pinky", "ring", "thumb") for i in (1, 2, 3)),
    *(f"right_{finger}{i}" for finger in ("index", "middle", "pinky", "ring", "thumb") for i in (1, 2, 3)),
)  # fmt: skip
SMPLX_PARENTS: Final = (
    -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15,
    *(parent for finger in range(5) for parent in (20, 25 + 3 * finger, 26 + 3 * finger)),
    *(parent for finger in range(5) for parent in (21, 40 + 3 * finger, 41 + 3 * finger)),
)  # fmt: skip
BODY_JOINTS: Final = SMPLX_JOINTS[:22]
"""The joints that pose estimation and the humanoid move; fingers, jaw and eyes stay at rest."""

KEYPOINTS: Final = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle", "left_heel", "right_heel", "left_toe", "right_toe",
)  # fmt: skip
"""COCO-17 and the feet: the 2D skeleton of every perceived person."""

CONTACT_PARTS: Final = {
    "buttocks": ("pelvis",),
    "left_thigh": ("left_hip",),
    "right_thigh": ("right_hip",),
    "back": ("spine1", "spine2", "spine3"),
    "left_forearm": ("left_elbow",),
    "right_forearm": ("right_elbow",),
    "left_hand": ("left_wrist",),
    "right_hand": ("right_wrist",),
    "left_foot": ("left_ankle", "left_foot"),
    "right_foot": ("right_ankle", "right_foot"),
}
"""Body parts that can plausibly hold a contact, as the joints whose skin they are (DESIGN.md, "Contact")."""

OBJECT_CATEGORIES: Final = ("chair", "armchair", "sofa", "stool", "bench", "table", "desk", "box")
"""What an object may be called in `capture.yaml` and by the detector."""

GRAVITY: Final = 9.81
