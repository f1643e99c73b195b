"""Whether a reference rests at its ends, and how fast everything is in its first frame."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.interactions import sit_on_chair
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, rotation_about_z
from hsimul3r.tracking.motion import duration_s, first_moment, first_velocity, followed_s, rests_at_end, rests_at_start
from hsimul3r.tracking.problem import at_rate, tracking_problem
from sim_envs import backend
from sim_envs.contract import JUDGE

FRAMES, FPS, TURN = 13, 20.0, 0.3
SPEED = np.array([0.6, 0.0, -0.2])


@pytest.fixture(scope="module")
def moving(simulated):
    """Person and chair move with SPEED, the chair turns about the vertical and the person about its own X by TURN rad/s."""
    scene = simulated(sit_on_chair())
    body, chair = scene.bodies[0], scene.assets[0]
    time = np.arange(FRAMES) / FPS
    pose = np.repeat(body.pose, FRAMES, axis=0)
    spin = matrix_from_axis_angle(np.outer(TURN * time, [1.0, 0, 0]))
    pose[:, 0] = axis_angle_from_matrix(matrix_from_axis_angle(body.pose[0, 0]) @ spin)
    pose[:, 4] = axis_angle_from_matrix(matrix_from_axis_angle(body.pose[0, 4]) @ spin)
    path = np.repeat(chair.T_world_object[None], FRAMES, axis=0)
    path[:, :3, 3] += np.outer(time, SPEED)
    path[:, :3, :3] = [rotation_about_z(TURN * t) @ chair.T_world_object[:3, :3] for t in time]
    walk = replace(body, pose=pose, transl=body.transl + np.outer(time, SPEED), fps=FPS)
    return replace(scene, bodies=(walk,), object_paths={"chair": path})


def test_velocities_carry_the_first_frame_along_the_reference(moving):
    """A free flight with the first velocity: the engine's own integration is the truth."""
    simulation = backend("mujoco_cpu").load(moving, count=1, timing=JUDGE, threads=1)
    problem = tracking_problem(moving)
    qvel = first_velocity(problem, simulation.qvel_names)
    place = {name: i for i, name in enumerate(simulation.qvel_names)}
    root = [place[f"person0/root:{c}"] for c in ("vx", "vy", "vz", "wx", "wy", "wz")]
    np.testing.assert_allclose(qvel[root], [*SPEED, TURN, 0, 0], atol=1e-9)
    chair = [place[f"chair:{c}"] for c in ("vx", "vy", "vz", "wx", "wy", "wz")]
    up = moving.assets[0].T_world_object[:3, :3].T @ [0, 0, TURN]
    np.testing.assert_allclose(qvel[chair], [*SPEED, *up], atol=1e-9)
    knee = [place[f"person0/left_knee:{c}"] for c in ("wx", "wy", "wz")]
    np.testing.assert_allclose(qvel[knee], [TURN, 0, 0], atol=1e-9)
    others = np.setdiff1d(np.arange(len(qvel)), [*root, *chair, *knee])
    np.testing.assert_allclose(qvel[others], 0, atol=1e-9)


def test_what_moves_does_not_rest(moving):
    problem = tracking_problem(moving)
    assert not rests_at_start(problem) and not rests_at_end(problem)
    assert duration_s(problem) == pytest.approx((FRAMES - 1) / FPS)


@pytest.mark.parametrize(("motion_s", "rests", "expected_s"), [(0.0, True, 3.0), (2.5, True, 3.5), (2.5, False, 2.5)])
def test_a_moment_is_held_and_a_motion_that_rests_at_its_end_rests_on(motion_s, rests, expected_s):
    assert followed_s(motion_s, rests_at_end=rests, hold_s=3.0, rest_s=1.0) == expected_s


def test_a_motion_that_stops_rests_at_its_end_only(moving):
    body = moving.bodies[0]
    stopped = np.minimum(np.arange(FRAMES), FRAMES - 6)
    problem = tracking_problem(replace(moving, bodies=(replace(body, pose=body.pose[stopped], transl=body.transl[stopped]),)))
    assert rests_at_end(problem) and not rests_at_start(problem)
    assert rests_at_end(at_rate(problem, 60.0)) and not rests_at_start(at_rate(problem, 60.0))


def test_a_resting_start_has_no_velocity(moving, simulated):
    simulation = backend("mujoco_cpu").load(moving, count=1, timing=JUDGE, threads=1)
    pose = tracking_problem(simulated(sit_on_chair()))
    assert rests_at_start(pose) and rests_at_end(pose)
    np.testing.assert_array_equal(first_velocity(pose, simulation.qvel_names), 0)


def test_the_first_moment_has_the_contacts_of_the_first_frame(moving):
    contacts = tuple(replace(c, first=3 if c.part == "buttocks" else 0) for c in moving.contacts)
    problem = tracking_problem(replace(moving, contacts=contacts))
    moment = first_moment(problem)
    assert moment.frames == 1 and moment.people[0].pose.shape == (1, 22, 3)
    assert {t.pair for t in problem.targets} - {t.pair for t in moment.targets} == {"person0/buttocks/chair"}
