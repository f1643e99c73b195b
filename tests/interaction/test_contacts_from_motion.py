"""What a motion says of its contacts: made from the embedded body moved by hand, so that the truth is known."""

import numpy as np
import pytest

from hsimul3r.artifacts import BodySequence
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, shortest_rotation
from hsimul3r.interaction.contacts_from_motion import Moves, floor_height, rests_of
from hsimul3r.interaction.supports import build_supports
from tests.run_fixture import SEAT_M, sitter

FPS = 30.0


def body_of(pose, transl) -> BodySequence:
    betas = embedded_body().betas_of_stature(1.75)
    return BodySequence(person=0, betas=betas, pose=pose, transl=transl, fps=FPS, stature_m=1.75)


def standing(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Upright, soles on the floor."""
    model, pose = embedded_body(), np.zeros((frames, 55, 3))
    pose[:, 0] = (np.pi / 2, 0, 0)
    betas = model.betas_of_stature(1.75)
    soles = model.vertices(betas, pose[0], np.zeros(3))[:, 2].min()
    return pose, np.tile([0.0, 0.0, -soles], (frames, 1))


def moves(body: BodySequence) -> Moves:
    return Moves.of(embedded_body(), body)


def sway(frames: int, amount: float) -> np.ndarray:
    return amount * np.sin(2 * np.pi * np.arange(frames) / FPS)


def leaning(frames: int) -> BodySequence:
    """The trunk sways over still feet."""
    pose, transl = standing(frames)
    pose[:, SMPLX_JOINTS.index("spine1"), 0] = 0.2 + sway(frames, 0.2)
    return body_of(pose, transl)


def test_a_standing_person_rests_on_the_floor_with_both_feet_and_nothing_else():
    rests = rests_of(moves(leaning(60)))
    assert {(rest.part, rest.is_on_floor) for rest in rests} == {("left_foot", True), ("right_foot", True)}
    assert all((rest.first, rest.last) == (0, 59) for rest in rests)


def test_somebody_who_slides_rests_on_nothing():
    pose, transl = standing(60)
    transl[:, 0] += np.arange(60) / FPS
    assert rests_of(moves(body_of(pose, transl))) == ()


def test_a_foot_that_is_lifted_rests_before_and_after():
    body = leaning(90)
    lift = np.zeros(90)
    lift[30:60] = np.sin(np.pi * np.arange(30) / 30)
    pose = body.pose.copy()
    pose[:, SMPLX_JOINTS.index("left_hip"), 0] -= 0.9 * lift
    pose[:, SMPLX_JOINTS.index("left_knee"), 0] += 1.2 * lift
    left = [rest for rest in rests_of(moves(body_of(pose, body.transl))) if rest.part == "left_foot"]
    assert len(left) == 2
    assert abs(left[0].last - 30) <= 4
    assert abs(left[1].first - 60) <= 4


def test_a_foot_kept_on_a_stool_rests_on_it_though_the_trunk_is_still():
    """Thigh and shank bent as much, so that the sole stays level; a foot that hangs from the ankle rests on nothing."""
    pose, transl = standing(45)
    for side, sign in (("left", 1), ("right", -1)):
        pose[:, SMPLX_JOINTS.index(f"{side}_shoulder"), 2] = -1.3 * sign
    pose[:, SMPLX_JOINTS.index("left_hip"), 0] = -0.9
    pose[:, SMPLX_JOINTS.index("left_knee"), 0] = 0.9
    kept = rests_of(moves(body_of(pose, transl)))
    assert {(rest.part, rest.is_on_floor) for rest in kept} == {("left_foot", False), ("right_foot", True)}
    pose[:, SMPLX_JOINTS.index("left_ankle"), 0] = 0.6
    assert {rest.part for rest in rests_of(moves(body_of(pose, transl)))} == {"right_foot"}


def test_the_floor_is_where_the_feet_stand():
    body = leaning(60)
    raised = body_of(body.pose, body.transl + np.array([0, 0, 0.04]))
    assert floor_height(moves(raised)) == pytest.approx(0.04, abs=2e-3)


def test_feet_on_a_box_get_a_block_of_its_height_that_stands_on_the_floor():
    body = leaning(60)
    moved = moves(body_of(body.pose, body.transl + np.array([0, 0, 0.3])))
    made = build_supports(moved, rests_of(moved), embedded_body().faces)
    assert {(contact.part, contact.target) for contact in made.contacts} == {
        ("left_foot", "support0"), ("right_foot", "support0"),
    }  # fmt: skip
    (asset,) = made.assets
    assert asset.vertices[:, 2].min() == 0
    assert asset.vertices[:, 2].max() == pytest.approx(0.3, abs=0.01)
    assert deepest(moved, made) < 0.015


def test_a_sitter_gets_a_seat_that_leaves_room_for_the_shanks():
    body = sitter(frames=60)
    pose = body.pose.copy()
    pose[:, SMPLX_JOINTS.index("spine1"), 0] = sway(60, 0.1)
    pose[:, SMPLX_JOINTS.index("left_knee"), 0] += sway(60, 0.5)
    moved = moves(body_of(pose, body.transl))
    made = build_supports(moved, rests_of(moved), embedded_body().faces)
    seats = [contact for contact in made.contacts if contact.part == "buttocks"]
    assert len(seats) == 1
    assert seats[0].target != "floor"
    assert seats[0].point[2] == pytest.approx(SEAT_M, abs=0.02)
    assert deepest(moved, made) < 0.015


def test_a_hand_that_stays_on_a_rail_while_the_person_sways_rests_on_it():
    """The arm, held out to the side, swings back as the trunk sways to the front: the hand stays."""
    pose, transl = standing(60)
    turn = 0.25 * np.sin(2 * np.pi * np.arange(60) / 60)
    pose[:, SMPLX_JOINTS.index("left_shoulder"), 2] = -0.9
    model = embedded_body()
    betas = model.betas_of_stature(1.75)
    transl[:, 1] += 0.1 * turn / 0.25
    wrist, shoulder = SMPLX_JOINTS.index("left_wrist"), SMPLX_JOINTS.index("left_shoulder")
    joints = model.joints(betas, pose, transl)
    arm = joints[0, wrist] - joints[0, shoulder]
    pose[:, shoulder] = [_turned(pose[t, shoulder], arm, joints[0, wrist] - joints[t, shoulder]) for t in range(60)]
    feet_fixed = body_of(pose, transl)
    hands = [rest for rest in rests_of(moves(feet_fixed)) if rest.part.endswith("hand")]
    assert [(rest.part, rest.needs_grip, rest.is_on_floor) for rest in hands] == [("left_hand", False, False)]


def test_a_palm_kept_level_in_the_air_rests_on_something_and_one_on_the_lap_does_not():
    """Arms to the sides and down, hands bent up to the level; the sitter's forearms point forward over the thighs."""
    pose, transl = standing(45)
    for side, sign in (("left", 1), ("right", -1)):
        pose[:, SMPLX_JOINTS.index(f"{side}_shoulder")] = (0, 0, -0.6 * sign)
        pose[:, SMPLX_JOINTS.index(f"{side}_wrist")] = (0, 0, 0.6 * sign)
    assert {rest.part for rest in rests_of(moves(body_of(pose, transl))) if not rest.is_on_floor} == {"left_hand", "right_hand"}
    assert not [rest for rest in rests_of(moves(sitter(frames=45))) if rest.part.endswith("hand")]


def _turned(axis_angle, arm, wanted):
    """The shoulder's pose that points the arm where wanted; the body's axes are the world's, turned up."""
    up = matrix_from_axis_angle(np.array([np.pi / 2, 0, 0]))
    turn = shortest_rotation(arm, wanted)
    return axis_angle_from_matrix(up.T @ turn @ up @ matrix_from_axis_angle(axis_angle))


def deepest(moved: Moves, made) -> float:
    """How deep any skin ever is inside a block."""
    depth = 0.0
    for asset in made.assets:
        skin = moved.vertices.reshape(-1, 3) - asset.T_world_object[:3, 3]
        for part in asset.parts:
            inside = np.minimum(skin - part.vertices.min(axis=0), part.vertices.max(axis=0) - skin).min(axis=1)
            depth = max(depth, float(inside.max()))
    return depth
