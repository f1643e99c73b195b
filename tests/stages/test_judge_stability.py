from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.artifacts import AlignedScene, StabilityVerdict
from hsimul3r.benchmark.interactions import (
    aligned_scene,
    chair_boxes,
    foot_on_stool,
    furniture,
    lean_on_table,
    sit_on_chair,
    sit_on_sofa,
    stool_boxes,
)
from hsimul3r.conventions import GRAVITY
from hsimul3r.progress import Progress
from hsimul3r.tracking.criteria import GravityThresholds, InteractionThresholds
from stages import build_sim_scene, judge_stability, track_motion
from stages.judge_stability import JudgeStabilityConfig, tilted_gravity

QUIET = Progress(None)


def verdict(aligned: AlignedScene, out, cfg=None) -> StabilityVerdict:
    scene = build_sim_scene.run(aligned, cfg=build_sim_scene.BuildSimSceneConfig(), out=out, progress=QUIET)
    tracking = track_motion.TrackMotionConfig(controller="pd")
    rollout = track_motion.run(scene, cfg=tracking, out=out, progress=QUIET)
    return judge_stability.run(scene, rollout, cfg=cfg or JudgeStabilityConfig(), out=out, progress=QUIET)


def with_object(aligned: AlignedScene, boxes, **changes) -> AlignedScene:
    old = aligned.assets[0]
    made = furniture(old.name, boxes, mass_kg=old.mass_kg, position=tuple(old.T_world_object[:3, 3].tolist()))
    return replace(aligned, assets=(replace(made, **changes),))


@pytest.mark.parametrize("interaction", [sit_on_chair, sit_on_sofa, lean_on_table], ids=lambda f: f.__name__)
def test_a_clean_interaction_is_type_four(interaction, tmp_path):
    judged = verdict(interaction(), tmp_path)
    assert (judged.feedback_type, judged.is_stable) == (4, True), judged.reason
    assert judged.stands_under_gravity and judged.is_settled and judged.holds_contact
    assert all(criterion.margin >= 0 for criterion in judged.criteria)
    judged.save(tmp_path)
    assert StabilityVerdict.load(tmp_path).reason == judged.reason


def test_a_chair_without_a_rear_leg_is_type_one(tmp_path):
    aligned = sit_on_chair()
    seat = float(aligned.assets[0].parts[4].vertices[:, 2].max())
    judged = verdict(with_object(aligned, chair_boxes(seat, missing_leg=1)), tmp_path)
    assert judged.feedback_type == 1 and not judged.is_stable and not judged.stands_under_gravity
    assert "does not stand by itself" in judged.reason and "chair" in judged.reason


def test_probes_find_a_stool_that_survives_the_drop_without_a_leg(tmp_path):
    """Three of four legs carry the middle by a hair: level ground is no test."""
    empty = replace(foot_on_stool(), bodies=(), contacts=())
    legs = tuple(((x, y, 0.295), (0.01, 0.01, 0.295)) for x, y in ((-0.17, 0.18), (0.18, -0.17), (0.17, 0.17)))
    three_legs = with_object(empty, (*legs, ((0.0, 0.0, 0.585), (0.19, 0.19, 0.015))))
    judged = verdict(three_legs, tmp_path)
    alone = [c for c in judged.criteria if c.test == "gravity" and "standing alone" in c.name]
    assert len(alone) == 3 and all(criterion.holds for criterion in alone)
    assert judged.feedback_type == 1 and "pushed towards" in judged.reason
    calm = replace(JudgeStabilityConfig(), probe_tilt_deg=0.0, probe_push_weight=0.0)
    assert verdict(three_legs, tmp_path, calm).stands_under_gravity
    assert verdict(with_object(empty, stool_boxes(0.7)), tmp_path).stands_under_gravity


def test_a_person_away_from_the_object_is_type_three(tmp_path):
    aligned = sit_on_chair()
    body = aligned.bodies[0]
    away = replace(aligned, bodies=(replace(body, transl=body.transl + np.array([1.2, 0, 0])),))
    judged = verdict(away, tmp_path)
    assert judged.feedback_type == 3 and judged.stands_under_gravity and judged.is_settled
    assert any("touches" in criterion.name and not criterion.holds for criterion in judged.criteria)


def test_an_object_kicked_away_is_type_two(tmp_path):
    """A light stool that the person falls against."""
    aligned = foot_on_stool()
    body = aligned.bodies[0]
    pushed = replace(aligned, bodies=(replace(body, transl=body.transl + np.array([0, -0.12, -0.02])),))
    judged = verdict(with_object(pushed, stool_boxes(0.3), mass_kg=1.0), tmp_path)
    assert judged.feedback_type == 2, judged.reason
    assert judged.stands_under_gravity and not judged.is_settled


def test_no_labelled_contact_is_no_interaction(tmp_path):
    judged = verdict(replace(sit_on_chair(), contacts=()), tmp_path)
    assert judged.feedback_type == 3
    assert "No body part was found to touch" in judged.reason


def test_a_scene_without_objects_is_judged(tmp_path):
    aligned = lean_on_table()
    judged = verdict(aligned_scene(aligned.bodies, (), {}), tmp_path)
    assert judged.stands_under_gravity and not judged.is_stable


def test_thresholds_decide(tmp_path):
    strict = JudgeStabilityConfig(
        interaction=InteractionThresholds(deviation_m=1e-4), gravity=GravityThresholds(drift_m=0.5, tilt_deg=90)
    )
    judged = verdict(sit_on_chair(), tmp_path, strict)
    assert judged.feedback_type == 3
    failed = [criterion for criterion in judged.criteria if not criterion.holds]
    assert [criterion.threshold for criterion in failed] == [1e-4]
    assert failed[0].margin < 0


def test_tilted_gravity_keeps_its_length():
    tilted = tilted_gravity(np.radians(2.0), np.array([[1.0, 0.0], [0.0, -1.0]]))
    np.testing.assert_allclose(np.linalg.norm(tilted, axis=1), GRAVITY)
    np.testing.assert_allclose(np.degrees(np.arctan2(tilted[0, 0], -tilted[0, 2])), 2.0)


@pytest.mark.parametrize(("missing", "bears"), [(None, True), (0, False)], ids=["whole", "without a leg"])
def test_a_load_is_asked_for_where_it_is_wanted(missing, bears, tmp_path):
    aligned = replace(sit_on_chair(), bodies=(), contacts=())
    seat = float(aligned.assets[0].parts[4].vertices[:, 2].max())
    if missing is not None:
        aligned = with_object(aligned, chair_boxes(seat, missing_leg=missing))
    judged = verdict(aligned, tmp_path, JudgeStabilityConfig(payload_n=500.0))
    loads = [c for c in judged.criteria if "500 N" in c.name]
    assert {c.test for c in loads} == {"settled"}
    assert all(c.holds for c in loads) == bears
    assert not [c for c in verdict(aligned, tmp_path).criteria if " N in " in c.name]
