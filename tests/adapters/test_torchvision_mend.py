"""torchvision's Python part works beside any torch."""

import importlib.util
import subprocess
import sys

import pytest
import torch

from stages.adapters.torchvision_mend import nms


def test_suppression_keeps_the_best_of_overlapping_boxes():
    boxes = torch.tensor([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30], [0, 0, 10, 5]], dtype=torch.float32)
    scores = torch.tensor([0.8, 0.9, 0.5, 0.7])
    assert nms(boxes, scores, 0.5).tolist() == [1, 3, 2]
    assert nms(boxes, scores, 0.95).tolist() == [1, 0, 3, 2]
    assert nms(boxes, scores, 0.2).tolist() == [1, 2]
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed")
def test_torchvision_is_importable_in_a_fresh_process():
    code = (
        "from stages.adapters.torchvision_mend import mend_torchvision; mend_torchvision(); mend_torchvision();"
        "import torch, torchvision;"
        "print(torchvision.ops.nms(torch.tensor([[0, 0, 9, 9], [0, 0, 9, 8.]]), torch.tensor([.1, .2]), .5).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[1]", done.stderr
