import numpy as np
import pytest

from hsimul3r.errors import NothingToLearn
from hsimul3r.generator.dsro.feedback_set import FeedbackSet
from hsimul3r.generator.feedback.record import Check, Judgement, Rollout

HOLDS, FALLS = (
    Judgement(checks=(Check(test="gravity", name="tilt", value=value, limit=20.0, margin=1 - value / 20.0),), has_person=False)
    for value in (1.0, 60.0)
)


def rollout(image, as_made, attached):
    sample = np.full((2, 3), len(image), np.float32)
    return Rollout(image=image, seed=0, model="m", judge="j", sample=sample, as_made=as_made, attached=attached)


ROLLOUTS = [rollout("a", HOLDS, HOLDS), rollout("a", FALLS, HOLDS), rollout("a", FALLS, FALLS), rollout("bb", FALLS, HOLDS)]


@pytest.mark.parametrize(
    ("lesson", "bits"),
    [("attached", [True, True, False, True]), ("as_made", [True, False, False, False]), ("both", [True, False])],
)
def test_lessons(lesson, bits):
    judged = FeedbackSet.of(ROLLOUTS, ["bb", "a"], lesson)
    assert judged.is_stable.tolist() == bits
    assert judged.image.tolist() == [1, 1, 1, 0][: len(bits)]
    assert judged.samples[:, 0, 0].tolist() == [1, 1, 1, 2][: len(bits)]


def test_other_images_are_left_out():
    assert FeedbackSet.of(ROLLOUTS, ["bb"], "attached").image.tolist() == [0]
    with pytest.raises(NothingToLearn, match="not one"):
        FeedbackSet.of(ROLLOUTS, ["c"], "attached")
