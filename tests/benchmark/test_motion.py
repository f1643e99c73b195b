"""Motions: weight, feet and hands of a moving body, first where the answer is known, then on one whole motion."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.objects.catalogue import CATALOGUE
from hsimul3r.benchmark.objects.pieces import Furniture, block
from hsimul3r.benchmark.posing.check import check_staged
from hsimul3r.benchmark.posing.keyposes import KeyPose
from hsimul3r.benchmark.posing.motion import MOTIONS, _touching, stage_motion
from hsimul3r.benchmark.posing.motions_balance import quasi_static_residual, support_polygon, zero_moment_points
from hsimul3r.benchmark.posing.motions_body import joint_point, motion_body, point_jacobian
from hsimul3r.benchmark.posing.motions_distance import ANYWHERE, PlanePieces
from hsimul3r.benchmark.posing.motions_problem import key_problem, minimum_jerk
from hsimul3r.benchmark.posing.motions_solver import second_differences
from hsimul3r.benchmark.posing.motions_stage import Stage
from hsimul3r.benchmark.posing.skin import SkinSamples
from hsimul3r.benchmark.scene import CaseSpec, HeldContact, Staged, Subject
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import GRAVITY, SMPLX_JOINTS
from hsimul3r.geometry.mesh import solid

FPS = 30.0


@pytest.fixture(scope="module")
def body():
    betas = embedded_body().betas_of_stature(1.75)
    return motion_body(betas, np.zeros((33, 3)), np.tile(np.eye(3), (22, 1, 1)))


@pytest.fixture(scope="module")
def standing():
    """Three equal frames of a person who stands with both feet on the floor."""
    model, pose = embedded_body(), KeyPose().axis_angles()
    betas = model.betas_of_stature(1.7)
    low = model.vertices(betas, pose, np.zeros(3))[:, 2].min()
    contacts = tuple(HeldContact(part=f"{side}_foot", target="floor", first=0, last=2) for side in ("left", "right"))
    return Staged(
        objects=(), betas=betas, pose=np.tile(pose, (3, 1, 1)), transl=np.tile([0, 0, -low], (3, 1)), fps=FPS, contacts=contacts
    )  # fmt: skip


def test_zero_moment_point_of_a_still_body_is_its_centre_of_mass_from_above():
    points = np.tile(np.random.default_rng(0).normal(size=(1, 50, 3)), (6, 1, 1))
    zmp = zero_moment_points(points, FPS, np.zeros((6, 2)))
    assert np.allclose(zmp, points[0].mean(0)[:2])


def test_zero_moment_point_of_a_pushed_mass_lags_by_height_times_acceleration_over_gravity():
    t = np.arange(20) / FPS
    points = np.stack([0.5 * 2.0 * t**2, 0 * t, np.full_like(t, 0.9)], 1)[:, None]
    zmp = zero_moment_points(points, FPS, np.full((20, 1), 0.1))
    assert np.allclose(zmp[1:-1, 0, 0], points[1:-1, 0, 0] - 0.8 * 2.0 / GRAVITY)


def test_mass_points_have_the_centre_of_the_solid(body):
    vertices = embedded_body().vertices(body.betas, np.zeros((55, 3)), np.zeros(3))
    ours = body.centre.posed(body.chain(np.zeros((1, 22, 3)), body.rest[:1]))[0, 0]
    assert np.linalg.norm(ours - solid(vertices, embedded_body().faces).centroid) < 0.01


def test_points_follow_the_body_model_and_their_derivatives_finite_differences(body):
    rng = np.random.default_rng(1)
    psi, root = rng.normal(0, 0.5, (2, 22, 3)), rng.normal(0, 0.5, (2, 3))
    chain = body.chain(psi, root)
    pose = np.concatenate([psi, np.zeros((2, 33, 3))], 1)
    assert np.allclose(body.skin.posed(chain), embedded_body().vertices(body.betas, pose, root - body.rest[0]), atol=1e-9)
    direction, index = rng.normal(size=(3, 3)), np.array([7, 500, 1100])
    ours = point_jacobian(chain, np.array([1, 1, 1]), body.skin[index], direction)

    def value(state):
        moved = body.skin[index].posed(body.chain(state[None, :-3].reshape(1, 22, 3), state[None, -3:]))[0]
        return (moved * direction).sum(1)

    state, step = np.append(psi[1].ravel(), root[1]), 1e-6
    numeric = np.stack([(value(state + step * e) - value(state - step * e)) / (2 * step) for e in np.eye(69)], 1)
    assert np.allclose(ours, numeric, atol=1e-6)


def test_centre_of_a_joint_is_the_joint(body):
    chain = body.chain(np.full((1, 22, 3), 0.2), np.ones((1, 3)))
    knee = SMPLX_JOINTS.index("left_knee")
    assert np.allclose(joint_point(body, "left_knee").posed(chain)[0, 0], chain.p[0, knee])


def test_distance_to_a_box_that_moves():
    box = Furniture(
        name="box", category="box", pieces=(block("a", "wood", (2, 2, 2), at=(0, 0, 0), bevel=0.0),), support_height_m=1.0,
        density_kg_m3=500.0,
    )  # fmt: skip
    T = np.tile(np.eye(4), (2, 1, 1))
    T[1, 0, 3] = 3.0
    points = np.tile(np.array([[1.5, 0, 0], [0.9, 0, 0]]), (2, 1, 1))
    distance, normal = PlanePieces.of(box).query(points, T, 5.0)
    assert np.allclose(distance, [[0.5, -0.1], [0.5, 1.1]])
    assert np.allclose(normal[:, 0], [[1, 0, 0], [-1, 0, 0]])
    assert np.allclose(PlanePieces.of(box).query(points, T, 0.2)[0], [[0.2, -0.1], [0.2, 0.2]])


def _boxes(*boxes: tuple[tuple[float, float, float], tuple[float, float, float]]) -> PlanePieces:
    """Solids of sizes at the middles of their undersides."""
    pieces = tuple(block(f"b{i}", "wood", size, at=at, bevel=0.0) for i, (size, at) in enumerate(boxes))
    return PlanePieces.of(
        Furniture(name="boxes", category="box", pieces=pieces, support_height_m=1.0, density_kg_m3=500.0)
    )  # fmt: skip


def _hits(pieces: PlanePieces, points: np.ndarray, least_z: float):
    """The points as a skin of their own."""
    skin = SkinSamples(index=np.tile(np.arange(len(points))[:, None], 3), weight=np.tile([1.0, 0.0, 0.0], (len(points), 1)))
    return pieces.hits(
        points[None], np.eye(4)[None], samples=skin, least_z=np.full((1, len(points)), least_z), allowed_m=0.0
    )  # fmt: skip


def test_a_seam_between_overlapping_pieces_is_no_way_out():
    low = _boxes(((1.0, 1.0, 0.4), (0.0, 0.0, 0.0)))
    z = low.high[0, 2] - 0.05
    two = _boxes(((1.0, 1.0, 0.4), (0.0, 0.0, 0.0)), ((1.0, 1.0, 0.4), (0.99, 0.0, 0.0)))
    at_seam = np.array([[0.497, 0.1, z]])
    assert np.isclose(_hits(low, at_seam, ANYWHERE).distance[0], -0.003)
    found = _hits(two, at_seam, ANYWHERE)
    assert np.isclose(found.distance[0], -0.05) and np.allclose(found.normal[0], [0, 0, 1])


def test_a_hand_leaves_a_thin_top_upwards_and_its_edge_sideways():
    top = _boxes(((1.0, 1.0, 0.03), (0.0, 0.0, 0.0)))
    low, high = top.low[0, 2], top.high[0, 2]
    under_half = np.array([[0.0, 0.0, low + 0.008]])
    assert np.allclose(_hits(top, under_half, ANYWHERE).normal[0], [0, 0, -1])
    hand = _hits(top, under_half, -0.3)
    assert np.isclose(hand.distance[0], low + 0.008 - high) and np.allclose(hand.normal[0], [0, 0, 1])
    assert np.allclose(_hits(top, np.array([[0.499, 0.0, low + 0.008]]), -0.3).normal[0], [1, 0, 0])


def test_hits_are_the_points_inside_and_no_others():
    pieces = _boxes(((0.3, 0.2, 0.4), (0.0, 0.0, 0.0)), ((0.5, 0.1, 0.1), (0.1, 0.3, 0.2)))
    points = np.random.default_rng(3).uniform(-0.6, 0.6, (4000, 3))
    inside = pieces.query(points[None], np.eye(4)[None], 0.0)[0][0] < 0
    assert 20 < inside.sum() < 2000
    assert np.array_equal(_hits(pieces, points, ANYWHERE).sample, np.flatnonzero(inside))


def test_a_hold_loses_the_frames_in_which_nothing_touches_yet():
    gaps = np.full(20, 0.0005)
    assert list(range(20))[_touching(gaps)] == list(range(20))
    gaps[:3], gaps[-2:] = 0.01, 0.02
    assert list(range(20))[_touching(gaps)] == list(range(3, 18))
    gaps[:9] = 0.01
    assert list(range(20))[_touching(gaps)] == list(range(18)), "too late to be called a touch"


@pytest.mark.parametrize("stature_m", [1.55, 1.88])
def test_a_sitter_s_legs_reach_from_the_seat_to_the_feet(stature_m):
    subject = Subject(betas=embedded_body().betas_of_stature(stature_m), sex="female")
    spec = CaseSpec(
        name="s", interaction="sit_down_chair", kind="motion", objects=("dining_chair",), subject=subject,
        difficulty="medium", seed=1,
    )  # fmt: skip
    plan = MOTIONS["sit_down_chair"].plan(Stage.of(spec))
    assert (plan.stances[0].heel_free_s is not None) == (stature_m < 1.6), "the short lift their heels on a high seat"
    keys = key_problem(plan, person := motion_body(plan.betas, np.zeros((33, 3)), np.tile(np.eye(3), (22, 1, 1))))
    ankle = person.chain(keys.psi, keys.root).p[-1, SMPLX_JOINTS.index("left_ankle")]
    assert abs(ankle[1] - plan.stances[0].place_m[1]) < 0.05
    assert 0.05 < ankle[2] < 0.16


def test_support_polygon_of_a_square_and_of_a_line():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]])
    edges = support_polygon(square)
    assert edges is not None and np.isclose((edges[:, :2] @ [0.5, 0.5] + edges[:, 2]).max(), -0.5)
    assert support_polygon(square[:2]) is None


def test_least_jerk_rests_at_both_ends():
    share = np.linspace(0, 1, 1001)
    way = minimum_jerk(share)
    assert np.isclose(way[-1], 1) and way[0] == 0
    assert abs(np.diff(way, 2)[[0, -1]]).max() < 1e-6


def test_second_differences_vanish_for_what_rests_and_see_a_jump():
    D = second_differences(6)
    assert np.allclose(D @ np.ones(6), 0)
    assert np.allclose(D @ np.array([0, 0, 0, 1, 1, 1.0]), [0, 0, 1, -1, 0, 0])


def test_standing_person_is_over_the_feet_and_one_who_hangs_out_is_not(standing):
    assert quasi_static_residual(standing).inside == 1.0
    tipped = standing.pose.copy()
    tipped[:, 0] = [np.pi / 2 + np.radians(40), 0, 0]
    out = quasi_static_residual(replace(standing, pose=tipped))
    assert out.inside == 0.0 and out.far == 1.0


def test_every_template_names_objects_of_the_catalogue():
    assert len(MOTIONS) >= 8
    assert {name for template in MOTIONS.values() for names in template.objects for name in names} <= set(CATALOGUE)


@pytest.fixture(scope="module")
def motion():
    subject = Subject(betas=embedded_body().betas_of_stature(1.72), sex="female")
    spec = CaseSpec(
        name="up", interaction="step_up", kind="motion", objects=("step_stool",), subject=subject, difficulty="hard", seed=4
    )
    return stage_motion(spec)


def test_motion_starts_over_the_origin_and_lasts_two_to_five_seconds(motion):
    model = embedded_body()
    assert np.allclose(model.joints(motion.betas, motion.pose[0], motion.transl[0])[0, :2], 0, atol=1e-9)
    assert 2.0 <= motion.frames / motion.fps <= 5.0


def test_motion_touches_nothing_it_should_not_and_holds_what_it_should(motion):
    figures = check_staged(motion)
    assert max(figures["body_object_mm"], figures["body_floor_mm"], figures["gap_mm"]) < 5.0


def test_planted_soles_do_not_move(motion):
    soles = embedded_body().soles(motion.betas, motion.pose, motion.transl)
    for held in motion.contacts:
        own = soles[held.first : held.last + 1, 0 if held.part.startswith("left") else 1]
        speed = np.linalg.norm(np.diff(own, axis=0), axis=-1) * motion.fps
        assert speed.max() < 0.005


def test_weight_stays_over_the_contacts(motion):
    assert quasi_static_residual(motion).far <= 0.1
