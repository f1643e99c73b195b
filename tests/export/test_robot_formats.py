"""Files of robot motions give back what went in, mean what their programs mean, and refuse what is none."""

import io
import pickle
import pickletools

import numpy as np
import pytest
from export.robot_clips import G1, moving_clip

from hsimul3r.errors import BadRobotMotion, UnsafeFile
from hsimul3r.export.robot.clip import WXYZ_TO_XYZW, breadth_first, joints_of, link_motion, resampled
from hsimul3r.export.robot.gmr import read_gmr, write_gmr
from hsimul3r.export.robot.holosoma import read_holosoma, write_holosoma
from hsimul3r.export.robot.tracking_npz import order_of, read_tracking, write_tracking
from hsimul3r.export.robot.unitree_csv import read_csv, write_csv
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.retarget.robot import robot_named

ISAAC_FROM_SDK = [0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 22, 4, 10, 16, 23, 5, 11, 17, 24, 18, 25, 19, 26, 20, 27, 21, 28]
"""Breadth-first order of the G1's joints, as unitree_rl_lab's joint_ids_map has it."""


@pytest.fixture(scope="module")
def clip():
    return moving_clip()


def assert_same(found, clip, *, atol, objects=()):
    assert found.fps == clip.fps
    np.testing.assert_allclose(found.root_position, clip.root_position, atol=atol)
    R = [matrix_from_quaternion(one.root_quaternion) for one in (found, clip)]
    np.testing.assert_allclose(R[0], R[1], atol=atol)
    np.testing.assert_allclose(found.joint_position, clip.joint_position, atol=atol)
    assert [track.name for track in found.objects] == list(objects)
    for track in found.objects:
        [own] = [one for one in clip.objects if one.name == track.name]
        np.testing.assert_allclose(track.position, own.position, atol=atol)
        np.testing.assert_allclose(track.quaternion, own.quaternion, atol=atol)


def test_csv_gives_back_the_motion(clip, tmp_path):
    write_csv(clip, tmp_path / "g1.csv")
    assert_same(read_csv(tmp_path / "g1.csv", clip.robot, None), clip, atol=1e-8)


def test_csv_has_36_columns_with_the_quaternion_xyzw(clip, tmp_path):
    write_csv(clip, tmp_path / "g1.csv")
    rows = np.loadtxt(tmp_path / "g1.csv", delimiter=",")
    assert rows.shape == (len(clip), 36)
    np.testing.assert_allclose(rows[:, 3:7], clip.root_quaternion[:, WXYZ_TO_XYZW], atol=1e-8)
    left_knee = clip.robot.joint_names.index("left_knee_joint")
    assert left_knee == 3
    np.testing.assert_allclose(rows[:, 7 + left_knee], clip.joint_position[:, left_knee], atol=1e-8)


@pytest.mark.parametrize("order", ["mjlab", "isaaclab"])
def test_tracking_npz_gives_back_motion_and_objects(clip, tmp_path, order):
    write_tracking(clip, tmp_path / "g1.npz", order)
    assert_same(read_tracking(tmp_path / "g1.npz", clip.robot), clip, atol=1e-6, objects=("chair", "box"))


@pytest.mark.parametrize("order", ["mjlab", "isaaclab"])
def test_the_order_of_a_tracking_npz_is_told_without_names(clip, tmp_path, order):
    write_tracking(clip, tmp_path / "named.npz", order)
    with np.load(tmp_path / "named.npz") as npz:
        table = {name: npz[name] for name in npz.files if not name.endswith("_names")}
    np.savez(tmp_path / "g1.npz", **table)
    assert order_of(tmp_path / "g1.npz", table, clip.robot) == order
    assert_same(read_tracking(tmp_path / "g1.npz", clip.robot), clip, atol=1e-6)


def test_tracking_npz_has_the_fields_of_mjlab_s_loader(clip, tmp_path):
    write_tracking(clip, tmp_path / "g1.npz", "mjlab")
    with np.load(tmp_path / "g1.npz", allow_pickle=False) as npz:
        shapes = {name: (npz[name].shape, str(npz[name].dtype)) for name in npz.files if not name.startswith("scene_")}
    T = len(clip)
    assert shapes == {
        "fps": ((1,), "float32"), "joint_pos": ((T, 29), "float32"), "joint_vel": ((T, 29), "float32"),
        "body_pos_w": ((T, 30, 3), "float32"), "body_quat_w": ((T, 30, 4), "float32"),
        "body_lin_vel_w": ((T, 30, 3), "float32"), "body_ang_vel_w": ((T, 30, 3), "float32"),
        "joint_names": ((29,), shapes["joint_names"][1]), "body_names": ((30,), shapes["body_names"][1]),
    }  # fmt: skip


def test_isaac_s_joints_are_breadth_first(clip):
    joints = joints_of(clip.robot, breadth_first(clip.robot))
    assert joints == tuple(clip.robot.joint_names[i] for i in ISAAC_FROM_SDK)


def test_isaac_s_links_are_those_that_its_joints_carry(clip):
    links = breadth_first(clip.robot)
    carried = [
        "torso_link" if name == "waist_pitch_joint" else name.replace("_joint", "_link")
        for name in joints_of(clip.robot, links)
    ]
    assert links == ("pelvis", *carried)


def test_isaac_s_velocities_are_those_of_the_centres_of_mass(clip, tmp_path):
    write_tracking(clip, tmp_path / "g1.npz", "isaaclab")
    with np.load(tmp_path / "g1.npz") as npz:
        names, velocity = npz["body_names"].tolist(), npz["body_lin_vel_w"]
    moving = link_motion(clip)
    torso = clip.robot.body_names.index("torso_link")
    place = moving.position[:, torso] + np.einsum(
        "tij,j->ti", matrix_from_quaternion(moving.quaternion[:, torso]), clip.robot.bodies[torso].centre
    )
    found = velocity[:, names.index("torso_link")]
    by_difference = np.gradient(place, 1 / clip.fps, axis=0)
    assert np.abs(found - by_difference)[1:-1].max() < 0.02
    assert np.abs(moving.velocity[:, torso] - by_difference)[1:-1].max() > 0.05


def test_link_velocities_are_the_derivatives_of_link_places():
    """Error of second order in the time step: four times smaller at half of it."""
    errors = []
    for fps in (60.0, 120.0):
        clip = moving_clip(fps=fps)
        moving = link_motion(clip)
        errors.append(np.abs(np.gradient(moving.position, 1 / fps, axis=0) - moving.velocity)[2:-2].max())
    assert errors[1] < errors[0] / 3.5
    assert errors[1] < 2e-3


def test_gmr_pickle_gives_back_the_motion_and_names_nothing_but_an_array(clip, tmp_path):
    path = tmp_path / "g1.pkl"
    write_gmr(clip, path)
    assert_same(read_gmr(path, clip.robot), clip, atol=1e-12)
    calls = [(op.name, arg) for op, arg, _ in pickletools.genops(path.read_bytes())]
    named = {arg for name, arg in calls if name in ("SHORT_BINUNICODE", "GLOBAL")} & {"numpy", "ndarray", "_reconstruct"}
    assert sum(name == "STACK_GLOBAL" for name, _ in calls) == 1 and named == {"numpy", "ndarray"}


def test_gmr_pickle_is_what_its_programs_expect(clip, tmp_path):
    """They use pickle itself, and change the arrays in place."""
    write_gmr(clip, tmp_path / "g1.pkl")
    table = pickle.load(io.BytesIO((tmp_path / "g1.pkl").read_bytes()))  # noqa: S301
    table["root_pos"][:, 2] -= 0.1
    assert set(table) == {"fps", "root_pos", "root_rot", "dof_pos", "local_body_pos", "link_body_list"}
    assert (table["fps"], table["link_body_list"][0]) == (30.0, "pelvis")
    np.testing.assert_array_equal(table["root_rot"], clip.root_quaternion[:, WXYZ_TO_XYZW])
    assert table["local_body_pos"].shape == (len(clip), 30, 3)
    R = matrix_from_quaternion(clip.root_quaternion)
    world = np.einsum("tij,tbj->tbi", R, table["local_body_pos"]) + clip.root_position[:, None]
    np.testing.assert_allclose(world, link_motion(clip).position, atol=1e-12)


def test_gmr_npz_gives_back_the_motion(clip, tmp_path):
    write_gmr(clip, tmp_path / "g1.npz")
    assert_same(read_gmr(tmp_path / "g1.npz", clip.robot), clip, atol=1e-12)


def test_a_pickle_that_calls_something_is_not_read(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    (tmp_path / "g1.pkl").write_bytes(pickle.dumps({"root_pos": Evil()}))
    with pytest.raises(UnsafeFile, match="print"):
        read_gmr(tmp_path / "g1.pkl", robot_named(G1))


def test_holosoma_npz_gives_back_the_motion_and_the_object_that_moves(clip, tmp_path):
    write_holosoma(clip, tmp_path / "g1.npz")
    assert_same(read_holosoma(tmp_path / "g1.npz", clip.robot), clip, atol=1e-6, objects=("box",))
    write_holosoma(clip, tmp_path / "chair.npz", "chair")
    assert [track.name for track in read_holosoma(tmp_path / "chair.npz", clip.robot).objects] == ["chair"]


def test_holosoma_npz_has_the_state_of_the_root_and_the_world_as_a_body(clip, tmp_path):
    write_holosoma(clip, tmp_path / "g1.npz")
    with np.load(tmp_path / "g1.npz", allow_pickle=False) as npz:
        table = {name: npz[name] for name in npz.files}
    T = len(clip)
    assert (table["joint_pos"].shape, table["joint_vel"].shape, table["body_pos_w"].shape) == ((T, 36), (T, 35), (T, 31, 3))
    assert table["body_names"].tolist()[:2] == ["world", "pelvis"]
    np.testing.assert_allclose(table["object_ang_vel_w"], np.tile([0, 0, 1.0], (T, 1)), atol=1e-6)
    np.testing.assert_allclose(table["object_lin_vel_w"], np.tile([0.3, 0, 0], (T, 1)), atol=1e-5)


def test_resampling_keeps_length_and_goes_through_the_frames(clip):
    faster = resampled(clip, 60.0)
    assert len(faster) == 2 * len(clip) - 1
    np.testing.assert_allclose(faster.joint_position[::2], clip.joint_position, atol=1e-12)
    np.testing.assert_allclose(faster.root_quaternion[::2], clip.root_quaternion, atol=1e-9)
    at_50 = resampled(clip, 50.0)
    assert (len(at_50), at_50.fps, len(at_50.objects[1].position)) == (51, 50.0, 51)
    assert resampled(clip, None) is clip


def test_a_single_frame_has_no_velocity(clip):
    one = resampled(moving_clip(seconds=0.0), 50.0)
    moving = link_motion(one)
    assert len(one) == 1 and not moving.velocity.any() and not moving.turn_rate.any()


def test_a_csv_of_another_robot_is_refused(clip, tmp_path):
    (tmp_path / "h1.csv").write_text("0,0,1,0,0,0,1,0.1,0.2\n")
    with pytest.raises(BadRobotMotion, match=r"9 columns.*36"):
        read_csv(tmp_path / "h1.csv", clip.robot, None)
    (tmp_path / "text.csv").write_text("a,b\n")
    with pytest.raises(BadRobotMotion, match="numbers"):
        read_csv(tmp_path / "text.csv", clip.robot, None)


def test_a_csv_whose_quaternion_is_none_is_refused(clip, tmp_path):
    (tmp_path / "g1.csv").write_text(",".join(["0.5"] * 36) + "\n0" + ",0" * 35 + "\n")
    with pytest.raises(BadRobotMotion, match="length one"):
        read_csv(tmp_path / "g1.csv", clip.robot, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("body_quat_w"), "no 'body_quat_w'"),
        (lambda t: t.update(joint_pos=t["joint_pos"][:, :23]), "shape"),
        (lambda t: t.update(joint_pos=t["joint_pos"] + 1.0), "up to"),
        (lambda t: t.update(fps=np.array([0])), "fps"),
        (lambda t: t.update(body_pos_w=t["body_pos_w"] * np.nan), "NaN"),
    ],
)
def test_a_tracking_npz_that_does_not_fit_is_refused(clip, tmp_path, change, message):
    write_tracking(clip, tmp_path / "good.npz", "mjlab")
    with np.load(tmp_path / "good.npz") as npz:
        table = {name: npz[name] for name in npz.files}
    change(table)
    np.savez(tmp_path / "bad.npz", **table)
    with pytest.raises(BadRobotMotion, match=message):
        read_tracking(tmp_path / "bad.npz", clip.robot)


def test_holosoma_s_missing_joints_are_named(clip, tmp_path):
    np.savez(tmp_path / "x.npz", joint_names=np.array(["a"]), joint_pos=np.zeros((2, 8)))
    with pytest.raises(BadRobotMotion, match="left_ankle_pitch_joint"):
        read_holosoma(tmp_path / "x.npz", clip.robot)
