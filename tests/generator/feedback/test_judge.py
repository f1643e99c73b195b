from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.generator.feedback.images import Truth
from hsimul3r.generator.feedback.judge import JudgeConfig, judge, judge_solid, solid_of
from hsimul3r.generator.feedback.shape import Shape, diversity, shape_figures, silhouette_iou
from hsimul3r.generator.flow.furniture import HELD_OUT_FROM, sample_furniture
from hsimul3r.generator.flow.primitives import Primitive, convex_parts, extents, without_mirrors
from hsimul3r.geometry.mesh import union

CFG = JudgeConfig()


def box(role, centre, half):
    return Primitive(role=role, kind="box", centre=np.array(centre, float), half=np.array(half, float), R=np.eye(3))


def chair(gap=0.0, legs=4):
    """A seat with a back; its legs end `gap` below it."""
    places = [(x, y) for x in (-0.2, 0.2) for y in (-0.2, 0.2)][-legs:]
    return [
        box("seat", (0, 0, 0.45), (0.22, 0.22, 0.02)), box("back", (0, 0.21, 0.7), (0.2, 0.015, 0.25)),
        *(box("leg", (x, y, (0.43 - gap) / 2), (0.02, 0.02, (0.43 - gap) / 2)) for x, y in places),
    ]  # fmt: skip


def figures(primitives, truth):
    return shape_figures(Shape.of(union(convex_parts(primitives)), len(without_mirrors(primitives))), truth)


def test_a_whole_chair_is_stable_and_every_test_is_kept():
    found = judge(chair(), CFG)
    assert found.as_made is found.attached
    assert found.attached.kind == 4
    assert not found.attached.has_person
    tests = [check.test for check in found.attached.checks]
    assert list(dict.fromkeys(tests)) == ["solid", "connected", "gravity", "payload"]
    assert tests.count("payload") == 10


def test_loose_legs_are_of_type_one_until_they_are_attached():
    found = judge(chair(gap=0.03), CFG)
    assert (found.as_made.kind, found.attached.kind) == (1, 4)
    assert found.as_made.checks[-1].test == "connected"
    assert found.figures["farthest_m"] == pytest.approx(0.03, abs=1e-6)
    assert judge(chair(gap=0.1), CFG).attached.kind == 1


def test_three_legs_stand_and_do_not_bear():
    found = judge(chair(legs=3), CFG).attached
    assert (found.kind, found.holds("connected"), found.holds("gravity"), found.holds("payload")) == (2, True, True, False)


def test_what_tips_over_is_not_asked_for_more():
    leaning = [*chair(), box("arm", (0.65, 0, 0.48), (0.5, 0.2, 0.05))]
    found = judge(leaning, CFG).attached
    assert found.kind == 1
    assert found.checks[-1].test == "gravity"


def test_nothing_is_no_solid():
    found = judge([], CFG)
    assert (found.as_made.kind, found.attached.kind, found.attached.checks[0].test) == (1, 1, "solid")
    assert len(found.attached.checks) == 1


def test_random_furniture_passes_whole_and_often_fails_without_a_leg():
    whole, broken = [], []
    for seed in range(HELD_OUT_FROM, HELD_OUT_FROM + 16):
        parts = without_mirrors(sample_furniture(seed).primitives)
        legs = [i for i, part in enumerate(parts) if part.role == "leg"]
        if len(legs) == 4:
            whole.append(judge(parts, CFG).attached.is_stable)
            rest = [part for i, part in enumerate(parts) if i != legs[seed % 4]]
            broken.append(judge_solid(solid_of(rest, CFG), 1, CFG).is_stable)
    assert len(whole) >= 6
    assert np.mean(whole) >= 0.9
    assert np.mean(broken) <= 0.6


@pytest.fixture(scope="module")
def furniture():
    return [sample_furniture(HELD_OUT_FROM + seed).primitives for seed in (0, 2, 3, 4, 5)]


def truth_of(primitives):
    return Truth(surface=union(convex_parts(primitives)), yaw=0.5, elevation=0.3)


def test_the_truth_is_like_itself(furniture):
    found = figures(furniture[0], truth_of(furniture[0]))
    assert found["f_score"] == 100
    assert (found["chamfer"], found["extent_error"], found["silhouette_iou"]) == (0, 0, 1)


def test_a_silhouette_is_seen_from_the_camera_that_the_turn_says():
    """Seen from the front, depth does not show; seen from the side it does."""
    flat, deep = ([box("seat", (0, 0, 0.5), (0.3, y, 0.5))] for y in (0.1, 0.4))
    surfaces = [union(convex_parts(one)) for one in (flat, deep)]
    for yaw, expected in ((0.0, 1.0), (np.pi / 2, 0.25)):
        truth = Truth(surface=surfaces[1], yaw=yaw, elevation=0.0)
        assert silhouette_iou(*surfaces, truth) == pytest.approx(expected, abs=0.04)


def degenerate(size):
    """What stands whatever happens: a block as large as the object, a plinth below it, a plate on the floor."""
    x, y, z = size / 2
    block = [box("base", (0, 0, z), (x, y, z))]
    plinth = [box("base", (0, 0, z / 2), (x, y, z / 2)), box("seat", (0, 0, 1.5 * z), (0.6 * x, 0.6 * y, z / 2))]
    return block, plinth, [box("base", (0, 0, 0.02), (x, y, 0.02))]


def test_degenerate_wins_show_in_the_figures_of_shape(furniture):
    """Stable all, and worse than an honest object whose sizes are 10% wrong."""
    honest, wins = [], [[], [], []]
    for primitives in furniture:
        truth = truth_of(primitives)
        wrong = [replace(part, centre=1.1 * part.centre, half=1.1 * part.half) for part in primitives]
        honest.append(figures(wrong, truth))
        for found, made in zip(wins, degenerate(extents(primitives)), strict=True):
            judged = judge(made, CFG, truth=truth)
            assert judged.attached.is_stable
            found.append(judged.figures)

    def mean(found, name):
        return np.mean([one[name] for one in found])

    for found in wins:
        assert mean(found, "parts") < 0.4 * mean(honest, "parts")
        assert mean(found, "f_score") < mean(honest, "f_score") - 10
        assert mean(found, "chamfer") > mean(honest, "chamfer")
        assert mean(found, "silhouette_iou") < mean(honest, "silhouette_iou")
    assert all(mean(found, "fill") > 1.3 * mean(honest, "fill") for found in wins)


def test_a_model_that_always_makes_the_same_has_no_diversity(furniture):
    shapes = [Shape.of(union(convex_parts(one)), 1) for one in furniture[:3]]
    assert diversity([shapes[0]] * 3) == 0.0
    assert diversity(shapes) > 0.03
    assert np.isnan(diversity(shapes[:1]))
