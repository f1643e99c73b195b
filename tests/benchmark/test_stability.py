"""The truth of a case under gravity: what must hold holds, and what is spoilt on purpose does not."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark import check
from hsimul3r.benchmark.check import judge_truth, moments_of, motion_scene, rests, scene_of, sim_scene_of
from hsimul3r.benchmark.truth import Truth, TruthBody, TruthContact, contacts_at, load_truth
from hsimul3r.tracking.problem import tracking_problem


@pytest.fixture(scope="module")
def sitting(samples) -> Truth:
    return load_truth(samples / "sit_chair" / "truth")


def moving(truth: Truth, way_m: list[float]) -> Truth:
    """The person of a truth carried up by so much in each frame."""
    body, frames = truth.body, len(way_m)
    lift = np.outer(way_m, [0.0, 0.0, 1.0])
    carried = TruthBody(
        betas=body.betas, pose=np.repeat(body.pose, frames, axis=0), transl=body.transl + lift,
        joints=body.joints + lift[:, None], fps=30.0,
    )  # fmt: skip
    contacts = tuple(replace(contact, last=0) for contact in truth.contacts)
    return replace(truth, body=carried, contacts=contacts)


def test_a_true_sitter_is_a_stable_interaction(sitting):
    found = judge_truth(sitting, seed=0)
    assert found.is_stable
    assert found.reason.startswith("Stable")
    assert found.figures["held_deviation_mm"] < 50
    (moment,) = found.record()["moments"]
    assert moment["feedback_type"] == 4 and all(c["holds"] for c in moment["criteria"])


def test_a_chair_without_its_front_legs_does_not_stand(sitting):
    (chair,) = sitting.objects
    stands_on = [piece for piece in chair.pieces if piece.vertices[:, 2].min() < 0.01]
    fronts = [piece for piece in stands_on if piece.vertices[:, 1].mean() < 0]
    assert len(fronts) == 2
    broken = replace(chair, pieces=tuple(piece for piece in chair.pieces if all(piece is not f for f in fronts)))
    found = judge_truth(replace(sitting, objects=(broken,)), seed=0)
    assert not found.is_stable
    assert found.moments[0].verdict.feedback_type == 1
    assert "does not stand by itself" in found.reason


def test_somebody_above_the_seat_is_no_stable_interaction(sitting, monkeypatch):
    monkeypatch.setattr(check, "SEARCH", replace(check.SEARCH, max_iterations=1))
    found = judge_truth(moving(sitting, [0.6]), seed=0)
    assert not found.is_stable
    assert found.moments[0].verdict.stands_under_gravity


def test_who_moves_is_not_held_but_the_objects_must_stand(sitting):
    found = judge_truth(moving(sitting, [0.0, 0.2, 0.4, 0.6]), seed=0)
    assert [(moment.frame, moment.is_at_rest) for moment in found.moments] == [(0, False)]
    assert found.moments[0].verdict.stands_under_gravity
    assert found.is_stable


def test_both_ends_of_a_motion_are_judged_where_the_person_rests(sitting):
    truth = moving(sitting, [0.0, 0.0, 0.2, 0.2])
    assert [rests(truth, frame) for frame in range(4)] == [True, True, False, True]
    assert moments_of(truth) == (0, 3)
    assert moments_of(sitting) == (0,)


def test_a_scene_holds_what_is_true_in_its_frame(sitting):
    truth = moving(sitting, [0.0, 0.0, 0.2, 0.2])
    first, last = scene_of(truth, 0), scene_of(truth, 3)
    assert {(c.part, c.target) for c in first.contacts} == {(c.part, c.target) for c in sitting.contacts}
    assert last.contacts == ()
    np.testing.assert_allclose(last.bodies[0].transl - first.bodies[0].transl, [[0, 0, 0.2]])
    assert first.assets[0].mass_kg == pytest.approx(8.2, abs=0.2)
    assert first.provenance.scale_source == "given"


def test_a_contact_is_measured_where_it_is_in_that_frame(sitting):
    truth = moving(sitting, [0.0, 0.1])
    held = TruthContact(part="buttocks", target="object", gap_m=0.0, point=np.zeros(3), first=0, last=1)
    (start,), (end,) = (contacts_at(replace(truth, contacts=(held,)), frame) for frame in (0, 1))
    assert abs(start.gap_m) < 0.005
    assert 0.05 < end.gap_m < 0.11, "the backrest may be nearer than the seat"


def test_a_whole_motion_is_a_tracking_problem_with_contacts_in_their_frames(sitting):
    truth = moving(sitting, [0.0, 0.0, 0.2, 0.2])
    (chair,) = truth.objects
    path = np.repeat(chair.T_world_object, 4, axis=0)
    path[2:, 2, 3] += 0.2
    truth = replace(truth, objects=(replace(chair, T_world_object=path),))
    scene = motion_scene(truth)
    assert [(c.first, c.last) for c in scene.contacts] == [(0, 0)] * len(truth.contacts)
    np.testing.assert_allclose(scene.assets[0].T_world_object, chair.T_world_object[0])
    problem = tracking_problem(sim_scene_of(scene))
    assert problem.frames == 4
    np.testing.assert_allclose(problem.objects[0].position, path[:, :3, 3])
    np.testing.assert_allclose(problem.people[0].joints[:, 0], truth.body.joints[:, 0], atol=1e-6)


def test_things_that_stay_have_no_path(sitting):
    assert motion_scene(moving(sitting, [0.0, 0.1])).object_paths == {}
