from pathlib import Path

import numpy as np
import pytest

from hsimul3r.benchmark.objects.catalogue import build_furniture
from hsimul3r.benchmark.posing.solver import pose_body
from hsimul3r.benchmark.samples import SAMPLES
from hsimul3r.benchmark.truth import load_truth
from hsimul3r.body.model import embedded_body

DATA = Path(__file__).parents[2] / "data" / "hsibench" / "samples"


@pytest.mark.slow
def test_shipped_pose_is_what_the_code_makes():
    """Posing anew gives the shipped pose; only place and heading in the room differ from the object's frame."""
    case = SAMPLES["foot_stool"]()
    posed = pose_body(embedded_body(), build_furniture(case.furniture), case.goal)
    shipped = load_truth(DATA / "foot_stool" / "truth").body
    np.testing.assert_allclose(posed.betas, shipped.betas, atol=1e-9)
    np.testing.assert_allclose(posed.pose[1:], shipped.pose[0, 1:], atol=1e-3)
