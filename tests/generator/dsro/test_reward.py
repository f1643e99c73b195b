from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.errors import NothingToLearn
from hsimul3r.generator.dsro.reward import ENOUGH_M, PIECE_M, WORST_M, graded, has_more_to_say, worth
from hsimul3r.generator.feedback.record import Check, Judgement, Rollout


def rollout(support_m, *, pieces=1, falls=False):
    checks = [Check(test="connected", name="pieces", value=pieces, limit=1.0, margin=1.0 - pieces)]
    if pieces == 1:
        tilt = 60.0 if falls else 1.0
        checks.append(Check(test="gravity", name="tilt", value=tilt, limit=20.0, margin=1 - tilt / 20.0))
    judged = Judgement(checks=tuple(checks), has_person=False)
    return Rollout(
        image="a", seed=0, model="m", judge="j", sample=np.zeros((2, 3), np.float32), as_made=judged, attached=judged,
        figures={"pieces": float(pieces), "support_m": support_m},
    )  # fmt: skip


def test_what_is_nearer_to_standing_is_worth_more_and_the_simulator_has_the_last_word():
    assert worth(rollout(0.2)) == ENOUGH_M
    assert worth(rollout(0.01)) == 0.01
    assert worth(rollout(0.2, falls=True)) == 0.0
    assert worth(rollout(-0.04, falls=True)) == -0.04
    assert worth(rollout(-9.0, falls=True)) == WORST_M
    assert worth(rollout(0.2, pieces=2)) == pytest.approx(WORST_M - PIECE_M)
    assert worth(rollout(0.2, pieces=3)) == worth(rollout(0.2, pieces=8)) < worth(rollout(0.2, pieces=2))


def test_meshes_of_other_generators_are_not_graded():
    with pytest.raises(NothingToLearn, match="lesson"):
        worth(replace(rollout(0.2), figures={"pieces": 1.0}))


@pytest.mark.parametrize(
    ("rollouts", "by_degrees", "by_bits"),
    [
        ([rollout(0.2), rollout(0.1)], False, False),
        ([rollout(0.2), rollout(0.01)], True, False),
        ([rollout(0.2, falls=True)], True, True),
    ],
)
def test_only_pictures_with_something_wrong_are_looked_at_again(rollouts, by_degrees, by_bits):
    assert has_more_to_say(rollouts, "graded") == by_degrees
    assert has_more_to_say(rollouts, "attached") == by_bits


def test_grades_compare_samples_of_one_picture():
    rewards = graded(np.array([0.0, 0.0, -0.1, -0.1, 0.02, 0.04]), np.array([0, 0, 1, 1, 2, 2]))
    assert rewards[:4].tolist() == [0.5] * 4
    assert rewards[5] > 0.5 > rewards[4]
    assert rewards[4] + rewards[5] == pytest.approx(1.0)
    assert graded(np.array([0.01, 0.01]), np.array([0, 0])).tolist() == [0.5, 0.5]


def test_grades_stay_within_nought_and_one():
    rewards = graded(np.array([0.03] * 20 + [-0.25]), np.zeros(21, int))
    assert rewards.min() == 0.0
    assert 0.5 < rewards[0] < 1.0
