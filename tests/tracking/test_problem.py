"""A motion as a reference: frames, schedules of contacts, moved objects, another frame rate."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.interactions import sit_on_chair
from hsimul3r.geometry.rotations import matrix_from_axis_angle, rotation_about_z
from hsimul3r.tracking.costs import CostWeights
from hsimul3r.tracking.moment import MomentCost
from hsimul3r.tracking.problem import at_rate, tracking_problem
from sim_envs import backend
from sim_envs.contract import PLAN

FRAMES = 5


@pytest.fixture(scope="module")
def sliding(simulated):
    """A sitter on a chair; both move 4 cm sideways a frame while the chair turns; the buttocks touch it from frame 2 on."""
    scene = simulated(sit_on_chair())
    body, chair = scene.bodies[0], scene.assets[0]
    shift = np.outer(np.arange(FRAMES), [0.04, 0.0, 0.0])
    path = np.repeat(chair.T_world_object[None], FRAMES, axis=0)
    path[:, :3, 3] += shift
    path[:, :3, :3] = [rotation_about_z(0.1 * f) @ chair.T_world_object[:3, :3] for f in range(FRAMES)]
    moving = replace(body, pose=np.repeat(body.pose, FRAMES, axis=0), transl=body.transl + shift, fps=10.0)
    contact = next(c for c in scene.contacts if c.part == "buttocks")
    late = replace(contact, first=2, point=contact.point + shift[2])
    return replace(scene, bodies=(moving,), contacts=(late,), object_paths={"chair": path})


def test_the_reference_has_every_frame_of_people_and_of_moved_objects(sliding):
    problem = tracking_problem(sliding)
    person, chair = problem.people[0], problem.objects[0]
    assert problem.frames == FRAMES and problem.fps == 10.0
    np.testing.assert_allclose(np.diff(person.joints, axis=0), np.tile([0.04, 0, 0], (FRAMES - 1, 22, 1)), atol=1e-12)
    np.testing.assert_allclose(np.diff(chair.position, axis=0), np.tile([0.04, 0, 0], (FRAMES - 1, 1)), atol=1e-12)


def test_a_contact_s_patch_lies_on_the_object_where_it_is_when_the_contact_begins(sliding):
    target = tracking_problem(sliding).targets[0]
    T = sliding.object_paths["chair"][2]
    world = T[:3, :3] @ target.patch_centre + T[:3, 3]
    assert np.linalg.norm(world - sliding.contacts[0].point) < 0.05
    assert target.is_held.tolist() == [False, False, True, True, True]


def test_another_rate_keeps_ends_and_halves_steps(sliding):
    problem = tracking_problem(sliding)
    fine = at_rate(problem, 20.0)
    assert fine.frames == 2 * FRAMES - 1 and fine.fps == 20.0
    np.testing.assert_allclose(fine.people[0].joints[::2], problem.people[0].joints, atol=1e-9)
    np.testing.assert_allclose(fine.people[0].pose[::2], problem.people[0].pose, atol=1e-9)
    half_way = matrix_from_axis_angle(np.array([0, 0, 0.05])) @ sliding.object_paths["chair"][0][:3, :3]
    w, x, y, z = fine.objects[0].quat[1]
    np.testing.assert_allclose([1 - 2 * (y * y + z * z), 2 * (x * y + w * z)], half_way[:2, 0], atol=1e-9)
    assert fine.targets[0].is_held.tolist() == [False] * 4 + [True] * 5


def test_eq_5_and_missed_forces_count_only_while_a_contact_is_held(sliding):
    simulation = backend("mujoco_cpu").load(sliding, count=3, timing=PLAN, threads=1)
    simulation.step(np.zeros((3, len(simulation.ctrl_names))), 1)
    weights = CostWeights(position=0, rotation=0, root=0, velocity=0, object_drift=0, object_tilt=0, penetration=0)
    cost = MomentCost.of(tracking_problem(sliding), simulation, weights)
    early, late, beyond = (cost(simulation, frame)[:, 0] for frame in (0, 3, 50))
    assert (early == 0).all() and (late > 0).all()
    np.testing.assert_array_equal(late, beyond)
    mixed = cost(simulation, np.array([0, 3, 1]))[:, 0]
    np.testing.assert_allclose(mixed, [0.0, late[1], 0.0])
