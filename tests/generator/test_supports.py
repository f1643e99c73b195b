import numpy as np
import pytest

from hsimul3r.benchmark.interactions import INTERACTIONS
from hsimul3r.body.model import embedded_body
from hsimul3r.generator.objective import FLESH_L
from hsimul3r.generator.supports import FLESH_DEPTH_M, carries, person_supports, posture, usual_seat
from hsimul3r.geometry.sdf import ConvexUnion, RayedMesh


def supports(name):
    return person_supports(posture(INTERACTIONS[name]().bodies[0]))


def test_a_sitter_needs_a_seat_and_says_where_its_front_is():
    found = supports("chair")
    seat = next(s for s in found.supports if s.kind == "seat")
    chair = INTERACTIONS["chair"]().assets[0]
    assert found.facing == pytest.approx(0.0, abs=0.05)
    assert seat.point[2] == pytest.approx(chair.vertices[np.isclose(np.abs(chair.vertices[:, 0]), 0.23), 2].max(), abs=0.03)


def test_a_raised_foot_needs_a_step_and_a_standing_one_does_not():
    found = supports("stool")
    assert [s.kind for s in found.supports].count("foot") == 1
    assert found.facing is None


def test_leaning_hands_ask_for_a_top():
    found = supports("lean")
    hands = [s.point[2] for s in found.supports if s.kind == "hand"]
    assert len(hands) == 2
    assert all(0.65 < height < 0.8 for height in hands)


def test_the_usual_seat_carries_its_sitter():
    found = supports("sofa")
    seat = next(s for s in found.supports if s.kind == "seat")
    assert found.facing is not None
    assert carries(usual_seat("sofa", seat, found.facing), seat)
    assert not carries(usual_seat("sofa", seat, found.facing), supports("chair").supports[0])


def test_flesh_is_inside_the_body_and_clear_of_the_seat_that_carries_it():
    scene = INTERACTIONS["chair"]()
    flesh = person_supports(posture(scene.bodies[0])).flesh
    skin = RayedMesh(posture(scene.bodies[0]).vertices, embedded_body().faces)
    assert 15 < FLESH_L * len(flesh) < 60 and skin.query(flesh).distance.max() < -FLESH_DEPTH_M
    chair = scene.assets[0]
    local = (flesh - chair.T_world_object[:3, 3]) @ chair.T_world_object[:3, :3]
    assert ConvexUnion(chair.parts).query(local).distance.min() > 0.0
