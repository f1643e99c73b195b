"""Forward kinematics against MuJoCo and closed form, derivatives against finite differences."""

import numpy as np
import pytest

from hsimul3r.geometry.rotations import matrix_from_axis_angle, matrix_from_quaternion
from hsimul3r.retarget.kinematics import ROOT, chain_of, posed
from hsimul3r.retarget.normal import NormalEquations, PointRows
from hsimul3r.retarget.robot import robot_named, robot_names
from hsimul3r.retarget.solve import moved
from hsimul3r.retarget.targets import TurnTargets
from tests.retarget.robots import mjcf_of, two_links


def drawn(chain, frames, seed=0):
    """Random postures within the limits."""
    rng = np.random.default_rng(seed)
    turn = matrix_from_axis_angle(rng.normal(size=(frames, 3)))
    return posed(chain, rng.normal(size=(frames, 3)), turn, rng.uniform(chain.low, chain.high, (frames, len(chain.low))))


def test_two_links_in_closed_form():
    chain = chain_of(two_links())
    at = posed(chain, np.array([[1.0, 2.0, 3.0]]), np.eye(3)[None], np.radians([[90.0, -90.0]]))
    assert at.positions[0] == pytest.approx(np.array([[1, 2, 3], [1, 2, 3.5], [2, 2, 3.5]]))
    assert at.rotations[0, 1] == pytest.approx(matrix_from_axis_angle(np.array([0, np.pi / 2, 0])))
    assert at.rotations[0, 2] == pytest.approx(np.eye(3))


@pytest.mark.parametrize("name", robot_names())
def test_bodies_are_where_the_engine_has_them(name):
    mujoco = pytest.importorskip("mujoco")
    robot = robot_named(name)
    model = mujoco.MjModel.from_xml_string(mjcf_of(robot))
    data, at = mujoco.MjData(model), drawn(chain_of(robot), 5)
    for frame in range(5):
        data.qpos[:3] = at.root[frame]
        mujoco.mju_mat2Quat(data.qpos[3:7], at.turn[frame].ravel())
        for joint, angle in zip(robot.joint_names, at.angles[frame]):
            data.joint(joint).qpos[0] = angle
        mujoco.mj_kinematics(model, data)
        for i, body in enumerate(robot.body_names):
            assert data.body(body).xpos == pytest.approx(at.positions[frame, i], abs=1e-9)
            assert data.body(body).xmat.reshape(3, 3) == pytest.approx(at.rotations[frame, i], abs=1e-9)


def within(chain, frames):
    """Random postures away from the limits."""
    at = drawn(chain, frames)
    return posed(chain, at.root, at.turn, 0.9 * at.angles + 0.1 * (chain.low + chain.high) / 2)


@pytest.mark.parametrize("name", robot_names())
def test_derivatives_of_places(name):
    robot, step = robot_named(name), 1e-6
    chain, hand = chain_of(robot), robot.surface("left_hand")
    at, where = within(chain, 3), np.array([chain.body(hand.body)])
    sums = NormalEquations(chain, at)
    place, base = at.places(where, hand.points)[:, 0], at.positions[:, chain.body("torso_link")]
    for unknown in range(ROOT + len(chain.low)):
        shift = np.zeros((3, ROOT + len(chain.low)))
        shift[:, unknown] = step
        there, back = moved(chain, at, shift), moved(chain, at, -shift)
        change = (there.places(where, hand.points) - back.places(where, hand.points))[:, 0] / 2
        change -= (there.positions - back.positions)[:, chain.body("torso_link")] / 2
        for axis in np.eye(3):
            rows = PointRows(
                frame=np.arange(3), body=np.repeat(where, 3), place=place, other=np.full(3, chain.body("torso_link")),
                other_place=base, normal=np.tile(axis, (3, 1)), value=np.zeros(3), weight=np.ones(3),
            )  # fmt: skip
            assert sums.changed(rows, shift) == pytest.approx(change @ axis, abs=1e-11)


def test_derivatives_of_turns():
    chain = chain_of(robot_named("unitree_g1_29dof"))
    at, body, step = within(chain, 3), chain.body("left_wrist_yaw_link"), 1e-6
    aside = matrix_from_axis_angle(1e-3 * np.array([[1.0, 2, 3], [-2, 1, 0], [0, 1, 1]]))
    rows = TurnTargets(body=np.array([body]), target=(aside @ at.rotations[:, body])[:, None], weight=np.ones((3, 1)))

    def equations(postures):
        sums = NormalEquations(chain, postures)
        sums.add_turns(rows)
        return sums

    told = equations(at).gradient
    for unknown in range(len(told)):
        shift = np.zeros(len(told))
        shift[unknown] = step
        shift = shift.reshape(3, -1)
        change = (equations(moved(chain, at, shift)).cost - equations(moved(chain, at, -shift)).cost) / (2 * step)
        assert told[unknown] == pytest.approx(change, abs=2e-5)


def test_the_g1_stands_on_its_soles_at_home():
    robot = robot_named("unitree_g1_29dof")
    chain, root = chain_of(robot), robot.bodies[0]
    at = posed(chain, root.position[None], matrix_from_quaternion(root.quaternion)[None], chain.home[None])
    for side in ("left", "right"):
        foot = robot.surface(f"{side}_foot")
        soles = at.places(np.full(4, chain.body(foot.body)), foot.points)[0]
        assert np.ptp(soles[:, 2]) < 0.005
        assert abs(soles[:, 2].mean()) < 0.01
