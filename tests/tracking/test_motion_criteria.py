"""The verdict on motions, on rollouts whose every figure is set by hand."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.artifacts import Provenance, Rollout
from hsimul3r.benchmark.interactions import sit_on_chair
from hsimul3r.conventions import GRAVITY
from hsimul3r.geometry.rotations import quaternion_from_axis_angle, quaternion_from_matrix, rotation_about_z
from hsimul3r.tracking.criteria import InteractionThresholds, interaction_criteria, turn_deg
from hsimul3r.tracking.problem import TrackingProblem, at_rate, tracking_problem
from stages.judge_stability import feedback_type, reason_in_words

FRAMES, FPS, REST = 61, 30.0, 30
"""Two seconds of motion and one of rest."""
HELD_FROM = 30
LIMITS = InteractionThresholds()


@pytest.fixture(scope="module")
def problem(simulated) -> TrackingProblem:
    """A sitter who turns a chair by 30 degrees under way and pushes it 40 cm, held from frame 30 on, at rest at the end."""
    scene = simulated(sit_on_chair())
    body, asset = scene.bodies[0], scene.assets[0]
    share = np.clip(np.arange(FRAMES) / (FRAMES - 10), 0, 1)
    path = np.repeat(asset.T_world_object[None], FRAMES, axis=0)
    path[:, 0, 3] += 0.4 * share
    path[:, :3, :3] = [rotation_about_z(np.radians(30) * s) @ asset.T_world_object[:3, :3] for s in share]
    moving = replace(
        body, pose=np.repeat(body.pose, FRAMES, axis=0), transl=body.transl + np.outer(0.4 * share, [1, 0, 0]), fps=FPS
    )
    contact = replace(next(c for c in scene.contacts if c.part == "buttocks"), first=HELD_FROM)
    moved = replace(scene, bodies=(moving,), contacts=(contact,), object_paths={"chair": path})
    return at_rate(tracking_problem(moved), FPS)


@pytest.fixture
def perfect(problem) -> Rollout:
    """Everything is where the reference has it; half of the weight is borne while it should be."""
    frame = np.minimum(np.arange(FRAMES + REST), FRAMES - 1)
    chair = problem.objects[0]
    names = tuple(f"person0/root:{c}" for c in ("x", "y", "z", "qw", "qx", "qy", "qz"))
    names += tuple(f"chair:{c}" for c in ("x", "y", "z", "qw", "qx", "qy", "qz"))
    weight = problem.people[0].mass_kg * GRAVITY
    return Rollout(
        provenance=Provenance(adapter="by hand", scale_source="given", frame="world"), controller="window", fps=FPS,
        qpos_names=names, qpos=np.zeros((len(frame), 14)), qvel=np.zeros((len(frame), 12)), ctrl=np.zeros((len(frame), 0)),
        bodies=(), object_names=("chair",), object_pos=chair.position[frame][:, None], object_quat=chair.quat[frame][:, None],
        contact_names=("person0/buttocks/chair",),
        contact_force_n=np.where(frame >= HELD_FROM, 0.5 * weight, 0.0)[:, None],
        contact_point=np.zeros((len(frame), 1, 3)), penetration_m=np.zeros(len(frame)), body_deviation_m=np.zeros(len(frame)),
        replay_hash="", report={},
    )  # fmt: skip


def failed(rollout, problem, limits=LIMITS):
    return {c.name for c in interaction_criteria(rollout, problem, limits) if not c.holds}


def judged(rollout, problem):
    criteria = interaction_criteria(rollout, problem, LIMITS)
    settles, touches = (all(c.holds for c in criteria if c.test == test) for test in ("settled", "contact"))
    return feedback_type(True, settles, touches), reason_in_words(criteria, "window", is_motion=True)


def changed(rollout, field, frames, value):
    array = getattr(rollout, field).copy()
    array[frames] = value
    return replace(rollout, **{field: array})


def test_who_follows_the_reference_is_stable(perfect, problem):
    assert failed(perfect, problem) == set()
    kind, reason = judged(perfect, problem)
    assert kind == 4 and "the motion is followed" in reason


def test_one_frame_off_the_reference_is_enough(perfect, problem):
    off = changed(perfect, "body_deviation_m", 17, 0.26)
    assert failed(off, problem) == {"deviation from the reconstruction [m]"}
    kind, reason = judged(off, problem)
    assert kind == 3 and "does not follow the reconstructed motion" in reason


def test_contacts_count_in_the_frames_in_which_they_are_held_only(perfect, problem):
    held = np.arange(HELD_FROM, FRAMES + REST)
    few, many = held[: int(0.15 * len(held))], held[: int(0.25 * len(held))]
    assert failed(changed(perfect, "contact_force_n", few, 0.0), problem) == set()
    assert failed(changed(perfect, "contact_force_n", many, 0.0), problem) == {"time person0 touches chair [share]"}
    early = changed(perfect, "contact_force_n", slice(0, HELD_FROM), 3.0)
    assert failed(early, problem) == set()


def test_objects_must_stay_on_their_paths_all_the_time(perfect, problem):
    away = perfect.object_pos[40] + np.array([0.0, 0.21, 0.0])
    assert failed(changed(perfect, "object_pos", 40, away), problem) == {"distance of chair from its path [m]"}
    kind, reason = judged(changed(perfect, "object_pos", 40, away), problem)
    assert kind == 2 and "do not stay on their paths" in reason
    still = replace(perfect, object_pos=np.repeat(perfect.object_pos[:1], len(perfect.qpos), axis=0))
    assert failed(still, problem) == {"distance of chair from its path [m]"}
    turned = quaternion_from_matrix(rotation_about_z(np.radians(30 + 16)) @ rotation_about_z(0.0))
    assert failed(changed(perfect, "object_quat", -1, turned), problem) == {"turn of chair from its path [deg]"}


def test_an_overlap_at_the_start_may_decay(perfect, problem):
    assert failed(changed(perfect, "penetration_m", slice(0, 15), 0.08), problem) == set()
    assert failed(changed(perfect, "penetration_m", 16, 0.04), problem) == {"penetration [m]"}


def test_a_wedged_limb_is_no_contact(perfect, problem):
    weight = problem.people[0].mass_kg * GRAVITY
    names = failed(changed(perfect, "contact_force_n", 70, 11 * weight), problem)
    assert names == {"peak force of person0 on chair [body weights]"}


def test_rest_is_asked_for_where_the_reference_rests(perfect, problem):
    moving = changed(perfect, "qvel", slice(-10, None), 1.0)
    assert failed(moving, problem) == {"speed of person0", "speed of chair"}
    person = problem.people[0]
    shift = np.outer(np.arange(FRAMES) / FPS, [1.0, 0, 0])[:, None]
    walking = replace(problem, people=(replace(person, joints=person.joints + shift),))
    assert failed(moving, walking) == set()
    cut = replace(moving, **{name: getattr(moving, name)[:FRAMES] for name in (
        "qpos", "qvel", "ctrl", "object_pos", "object_quat", "contact_force_n", "contact_point", "penetration_m",
        "body_deviation_m")})  # fmt: skip
    assert failed(cut, problem) == set()


def test_turns_are_about_any_axis_and_of_either_sign():
    still = np.array([1.0, 0, 0, 0])
    for axis in np.eye(3):
        turned = quaternion_from_axis_angle(np.radians(20) * axis)
        np.testing.assert_allclose([turn_deg(turned, still), turn_deg(-turned, still)], 20.0)
