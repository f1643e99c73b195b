"""Shipped network weights (ONNX); `build/README.md` says how they are made, `<name>.NOTICE.txt` whose they are."""

from pathlib import Path


def weights_path(name: str) -> Path:
    """Path of the packaged network `name`, e.g. "movenet_multipose"."""
    return Path(__file__).parent / f"{name}.onnx"
