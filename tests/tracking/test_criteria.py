"""What a rollout must satisfy, on rollouts with altered readings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hsimul3r.benchmark.interactions import sit_on_chair
from hsimul3r.conventions import GRAVITY
from hsimul3r.progress import Progress
from hsimul3r.tracking.criteria import InteractionThresholds, interaction_criteria
from hsimul3r.tracking.problem import tracking_problem
from stages import track_motion


@pytest.fixture(scope="module")
def chair(simulated):
    return simulated(sit_on_chair())


@pytest.fixture(scope="module")
def rollout(chair):
    cfg = track_motion.TrackMotionConfig(controller="pd", hold_s=0.6)
    return track_motion.run(chair, cfg=cfg, out=Path(), progress=Progress())


def peak(chair, rollout):
    criteria = interaction_criteria(rollout, tracking_problem(chair), InteractionThresholds())
    return next(c for c in criteria if c.name == "peak force of person0 on chair [body weights]")


def test_a_wedged_limb_without_a_label_is_refused(chair, rollout):
    before = peak(chair, rollout)
    assert before.holds and 0.3 < before.value < 2.0
    wedged = np.full((len(rollout.qpos), 1), 12 * chair.human_mass_kg[0] * GRAVITY)
    found = peak(
        chair,
        replace(
            rollout,
            contact_names=(*rollout.contact_names, "person0/left_forearm/chair"),
            contact_force_n=np.concatenate([rollout.contact_force_n, wedged], axis=1),
            contact_point=np.concatenate([rollout.contact_point, np.zeros((len(wedged), 1, 3))], axis=1),
        ),
    )
    assert not found.holds and found.test == "settled"
    assert 12 < found.value < before.value + 12 + 1e-9
