"""Makes torchvision importable beside a build of torch that it was not compiled for.

PyPI's torchvision is linked to CUDA's torch. Beside a CPU torch its kernels do not load, `import torchvision` fails, and with
it transformers, peft and diffusers, which import it where it is installed. Its Python part works all the same, as long as the
operators exist of which it registers the shapes: non-maximum suppression is defined here in Python, its quantised twin only
by name.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

_DEFINITIONS: list[torch.library.Library] = []
"""Kept, since an operator goes when its library does."""


def mend_torchvision() -> None:
    """To be called before importing a package that imports torchvision; does nothing where that works or is not there."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None or "torchvision" in sys.modules or _DEFINITIONS or _kernels_load(found.origin):
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", nms, "CPU")
    _DEFINITIONS.append(library)
    setattr(importlib.import_module("torchvision.extension"), "_has_ops", lambda: True)  # noqa: B010


def _kernels_load(package: str) -> bool:
    for kernels in Path(package).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(kernels))
        except OSError:
            return False
    return hasattr(torch.ops.torchvision, "nms")


def nms(dets: Float[Tensor, "boxes 4"], scores: Float[Tensor, "boxes"], iou_threshold: float) -> Int[Tensor, "kept"]:
    """Indices of the boxes (x0, y0, x1, y1) that no better one overlaps by more than `iou_threshold`, best first."""
    order = scores.argsort(descending=True, stable=True)
    area = (dets[:, 2:] - dets[:, :2]).clamp(min=0).prod(dim=1)
    kept: list[int] = []
    for i in order.tolist():
        low, high = torch.maximum(dets[kept, :2], dets[i, :2]), torch.minimum(dets[kept, 2:], dets[i, 2:])
        shared = (high - low).clamp(min=0).prod(dim=1)
        if not bool((shared > iou_threshold * (area[kept] + area[i] - shared)).any()):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)
