"""Eq. 5 in miniature (the paper's Table 1): hands above what they should hold, at three settings of the scene term."""

from pathlib import Path

import pytest

from hsimul3r.benchmark.cases import case_named
from hsimul3r.benchmark.check import scene_of, sim_scene_of, truth_without_pictures
from hsimul3r.benchmark.posing.templates import stage_pose
from hsimul3r.progress import Progress
from hsimul3r.tracking.criteria import InteractionThresholds, interaction_criteria
from hsimul3r.tracking.noise import with_hands_lifted
from hsimul3r.tracking.problem import SceneTerm, tracking_problem
from hsimul3r.tracking.static_cem import StaticCemConfig
from stages import track_motion

REACHES = {"hands_on_chair_back_shell_chair_00": 0.45, "hand_on_chair_beside_windsor_chair_00": 0.25}
"""Poses that stand without their hands, and how far these are lifted [m]."""


def held(scene, term: SceneTerm) -> bool:
    """Whether the search holds the reconstruction with its contacts."""
    cfg = track_motion.TrackMotionConfig(
        controller="static", scene_term=term, threads=1, search=StaticCemConfig(samples=48, max_iterations=6)
    )
    rollout = track_motion.run(scene, cfg=cfg, out=Path(), progress=Progress())
    return all(c.holds for c in interaction_criteria(rollout, tracking_problem(scene), InteractionThresholds()))


@pytest.mark.slow
def test_the_surface_is_better_than_the_centre_and_the_centre_than_nothing():
    scenes = [
        sim_scene_of(with_hands_lifted(scene_of(truth_without_pictures(stage_pose(case_named(name)))), lift))
        for name, lift in REACHES.items()
    ]
    none, center, surface = (sum(held(scene, term) for scene in scenes) for term in ("none", "center", "surface"))
    assert none < center < surface
