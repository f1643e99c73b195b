import sys
import types

import cv2
import numpy as np
import pytest
import torch

from hsimul3r.progress import Progress
from stages.adapters import aliked_lightglue


def sampled(image, y, x):
    """Bilinear value of a (height, width) array, zero outside."""
    y0, x0 = int(np.floor(y)), int(np.floor(x))
    total = 0.0
    for yy, wy in ((y0, 1 - (y - y0)), (y0 + 1, y - y0)):
        for xx, wx in ((x0, 1 - (x - x0)), (x0 + 1, x - x0)):
            if 0 <= yy < image.shape[0] and 0 <= xx < image.shape[1]:
                total += wy * wx * image[yy, xx]
    return total


def test_without_offsets_it_is_a_plain_convolution():
    rng = torch.Generator().manual_seed(0)
    image, weight, bias = (torch.randn(shape, generator=rng) for shape in ((1, 3, 7, 9), (4, 3, 3, 3), (4,)))
    out = aliked_lightglue.deform_conv2d(image, torch.zeros(1, 18, 7, 9), weight, bias, padding=(1, 1))
    torch.testing.assert_close(out, torch.nn.functional.conv2d(image, weight, bias, padding=1), atol=1e-5, rtol=1e-5)


def test_offsets_shift_every_tap_by_dy_dx():
    rng = torch.Generator().manual_seed(1)
    image, weight = torch.randn(1, 2, 6, 5, generator=rng), torch.randn(3, 2, 3, 3, generator=rng)
    offset = 1.5 * torch.randn(1, 18, 6, 5, generator=rng)
    out = aliked_lightglue.deform_conv2d(image, offset, weight, padding=(1, 1))
    for row, column in ((0, 0), (2, 3), (5, 4)):
        for channel in range(3):
            expected = sum(
                float(weight[channel, c, k // 3, k % 3])
                * sampled(
                    image[0, c].numpy(),
                    row - 1 + k // 3 + float(offset[0, 2 * k, row, column]),
                    column - 1 + k % 3 + float(offset[0, 2 * k + 1, row, column]),
                )
                for c in range(2)
                for k in range(9)
            )
            assert float(out[0, channel, row, column]) == pytest.approx(expected, abs=1e-4)


def test_the_stand_in_leaves_no_trace(monkeypatch):
    own = types.ModuleType("torchvision")
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchvision", own)
    with aliked_lightglue._torchvision_stand_in():
        from torchvision.models import resnet

        assert resnet.conv3x3(2, 4).weight.shape == (4, 2, 3, 3)
        assert sys.modules["torchvision"] is not own
    assert sys.modules["torchvision"] is own
    assert "torchvision.ops" not in sys.modules


@pytest.mark.slow
def test_matches_of_a_shifted_picture_show_the_shift_and_avoid_the_mask():
    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.integers(0, 255, (40, 56, 3), dtype=np.uint8), (448, 320), interpolation=cv2.INTER_CUBIC)
    images = (scene[:256, :384], scene[24 : 24 + 256, 40 : 40 + 384])
    mask = np.zeros((256, 384), bool)
    mask[:, :150] = True
    found = aliked_lightglue.match_images(
        images, (mask, np.zeros_like(mask)), cfg=aliked_lightglue.FeatureConfig(max_keypoints=300), progress=Progress()
    )
    assert found.keypoints_px[0][:, 0].min() > 149
    (pair,) = found.pairs
    shift = found.keypoints_px[0][pair.index[:, 0]] - found.keypoints_px[1][pair.index[:, 1]]
    assert len(shift) > 50
    np.testing.assert_allclose(np.median(shift, axis=0), [40, 24], atol=0.2)
