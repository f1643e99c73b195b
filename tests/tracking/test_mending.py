"""A reference made possible: what bears, the zero-moment point, corrections that close contacts and keep the balance."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.body.model import embedded_body
from hsimul3r.body.segments import segments
from hsimul3r.conventions import BODY_JOINTS, GRAVITY
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.tracking.chain import COORDINATES, JOINTS, Chain
from hsimul3r.tracking.mending import Mending
from hsimul3r.tracking.problem import at_rate, tracking_problem
from hsimul3r.tracking.supports import footings, polygon
from sim_envs.contract import JUDGE
from sim_envs.mujoco_cpu import MujocoCpu

MODEL = embedded_body()


def mending(scene):
    problem = at_rate(tracking_problem(scene), 60.0)
    return Mending(person=problem.people[0], footing=footings(scene, problem)[0], fps=60.0)


def leaned(scene, degrees):
    """Everybody turned about the world's Y axis at the pelvis."""
    body = scene.bodies[0]
    pose = body.pose.copy()
    tilt = matrix_from_axis_angle(np.array([0.0, np.radians(degrees), 0.0]))
    pose[:, 0] = axis_angle_from_matrix(tilt @ matrix_from_axis_angle(pose[:, 0]))
    return replace(scene, bodies=(replace(body, pose=pose),))


def chain_of(person, footing):
    return Chain.posed(matrix_from_axis_angle(person.pose), person.joints[:, 0], footing.segments.offset)


def beyond_m(problem, person):
    """How far the zero-moment point is outside the polygon of all that bears."""
    zmp, _ = problem.zero_moment(chain_of(person, problem.footing).at(problem.frames))
    found = []
    for frame, point in zip(problem.frames, zmp):
        edges = polygon(problem.footing.area(frame))
        assert edges is not None
        found.append((edges[:, :2] @ point + edges[:, 2]).max())
    return np.array(found)


def test_masses_are_those_of_the_engine(standing):
    own = segments(MODEL, standing.bodies[0].betas)
    model = MujocoCpu().load(standing, count=1, timing=JUDGE, threads=1)._model
    mass = np.array([model.body(f"person0/{joint}").mass[0] for joint in BODY_JOINTS])
    centre = np.array([model.body(f"person0/{joint}").ipos for joint in BODY_JOINTS])
    np.testing.assert_allclose(own.share, mass / mass.sum(), atol=0.01)
    assert own.share.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(own.centre, centre, atol=0.02)


def test_a_chain_is_the_body_and_its_derivatives_are_differences(standing):
    problem, rng = mending(standing), np.random.default_rng(0)
    body = standing.bodies[0]
    chain = chain_of(problem.person, problem.footing).at(np.zeros(1, int))
    np.testing.assert_allclose(chain.p[0], MODEL.joints(body.betas, body.pose[0], body.transl[0])[:JOINTS], atol=1e-3)
    bones, local = np.array([0, 10, 20]), rng.normal(0, 0.1, (3, 3))
    by = chain.derivative(chain.points(bones, local), bones)[0]
    for coordinate in rng.choice(COORDINATES, 12, replace=False):
        ends = []
        for step in (-1e-5, 1e-5):
            x = np.zeros(COORDINATES)
            x[coordinate] = step
            turned = matrix_from_axis_angle(problem.person.pose[:1]) @ matrix_from_axis_angle(x[None, 3:].reshape(1, -1, 3))
            moved = Chain.posed(turned, problem.person.joints[:1, 0] + x[:3], problem.footing.segments.offset)
            ends.append(moved.points(bones, local)[0])
        np.testing.assert_allclose(by[..., coordinate], (ends[1] - ends[0]) / 2e-5, atol=1e-6)


def test_soles_stand_flat_where_they_are_said_to(standing):
    footing = mending(standing).footing
    feet = [support for support in footing.supports if len(support.bones) == 4]
    assert len(feet) == 2 and all(support.bearing.all() and support.is_held.all() for support in feet)
    heights = sorted(float(support.goal[0, :, 2].mean()) for support in feet)
    assert heights[0] == 0.0 and heights[1] > 0.1
    assert all(np.ptp(support.goal[0, :, 2]) < 1e-12 for support in feet)
    assert footing.area(0).shape == (8, 3)


def test_without_a_foot_on_the_floor_nothing_is_known_to_bear(standing):
    scene = replace(standing, contacts=tuple(c for c in standing.contacts if c.target != "floor"))
    footing = mending(scene).footing
    assert footing.supports and len(footing.area(0)) == 0


def test_what_stays_bears_when_its_label_ends_and_what_leaves_does_not(standing):
    """A label ends when a foot no longer stands still; it bears until it is off the floor or off the stool."""
    short = replace(standing, contacts=tuple(replace(contact, last=9) for contact in standing.contacts))
    stays = mending(short).footing
    np.testing.assert_allclose(np.sort(stays.area(40)[:, 2]), np.sort(stays.area(0)[:, 2]))
    body = short.bodies[0]
    risen = replace(body, transl=body.transl + np.where(np.arange(len(body.pose)) > 15, 0.1, 0.0)[:, None] * [0, 0, 1])
    leaves = mending(replace(short, bodies=(risen,))).footing
    assert len(leaves.area(25)) == 8 and len(leaves.area(40)) == 0
    assert not any(support.is_held[25] for support in leaves.supports)


def test_labels_without_gaps_say_all_that_bears(standing):
    first, *others = standing.contacts
    footing = mending(replace(standing, contacts=(replace(first, last=9), *others))).footing
    assert not footing.has_gaps
    assert len(footing.area(0)) == 8 and len(footing.area(40)) == 4


@pytest.mark.parametrize(("speed_m_s", "clear_m"), [(0.4, 0.0), (1.25, 0.02), (2.5, 0.04)])
def test_feet_clear_the_floor_as_they_are_fast(standing, speed_m_s, clear_m):
    body = standing.bodies[0]
    shift = np.outer(np.arange(len(body.pose)) * speed_m_s / body.fps, [1, 0, 0])
    gliding = replace(standing, bodies=(replace(body, transl=body.transl + shift),), contacts=())
    problem = mending(gliding)
    np.testing.assert_allclose(problem.least_height_m, clear_m, atol=1e-9)
    after = problem.solve()
    heights = chain_of(after, problem.footing).points(problem.footing.soles, problem.footing.sole_points)[..., 2]
    assert heights[problem.frames].min() > clear_m - 0.01


def test_a_body_that_is_pushed_evenly_needs_its_support_behind_it(standing):
    """Moved as a whole by a t^2 / 2: the zero-moment point is h a / g behind the centre of mass."""
    problem = mending(standing)
    time = np.arange(len(problem.person.pose)) / problem.fps
    joints = problem.person.joints + 0.5 * 2.0 * time[:, None, None] ** 2 * [1, 0, 0]
    pushed = replace(problem, person=replace(problem.person, joints=joints))
    chain = chain_of(pushed.person, pushed.footing).at(pushed.frames)
    zmp, _ = pushed.zero_moment(chain)
    centre = pushed.footing.segments.share @ chain.points(np.arange(JOINTS), pushed.footing.segments.centre)
    ground = pushed.footing.area(0)[:, 2].mean()
    expected = centre[1:-1, 0] - (centre[1:-1, 2] - ground) * 2.0 / GRAVITY
    np.testing.assert_allclose(zmp[1:-1, 0], expected, atol=1e-9)
    np.testing.assert_allclose(zmp[0], centre[0, :2])


def test_who_leans_too_far_is_brought_over_the_feet_which_stay(standing):
    problem = mending(leaned(standing, 20))
    before, after = problem.person, problem.solve()
    assert beyond_m(problem, before).max() > 0.02
    assert beyond_m(problem, after).max() < 0.005
    for support in problem.footing.supports:
        x = chain_of(after, problem.footing).points(support.bones, support.local)
        assert np.abs(x - support.goal).max() < 0.03
    assert np.linalg.norm(after.joints - before.joints, axis=-1).mean() < 0.25


def test_nobody_is_moved_much_farther_than_allowed(standing):
    problem = mending(leaned(standing, 20))
    free, kept = (replace(problem, cfg=replace(problem.cfg, farthest_m=limit)) for limit in (10.0, 0.1))
    moved = [np.linalg.norm(p.solve().joints - p.person.joints, axis=-1).max() for p in (free, kept)]
    assert moved[0] > 0.2 and moved[1] < 0.15


def test_who_is_balanced_is_hardly_changed(standing):
    problem = mending(leaned(standing, 20))
    once = replace(problem, person=problem.solve())
    first, second = (np.linalg.norm(p.solve().joints - p.person.joints, axis=-1).mean() for p in (problem, once))
    assert second < 0.1 * first


def test_who_is_in_the_air_for_a_while_is_mended_before_and_after(standing):
    lifted = replace(standing, contacts=tuple(replace(contact, last=9) for contact in standing.contacts))
    problem = mending(leaned(lifted, 20))
    after = problem.solve()
    assert len(problem.footing.area(0)) and not len(problem.footing.area(40))
    assert problem.areas[-1] is None and np.isfinite(after.joints).all()
    support = problem.footing.supports[0]
    x = chain_of(after, problem.footing).points(support.bones, support.local)
    assert np.abs(x - support.goal)[support.is_held].max() < 0.03
