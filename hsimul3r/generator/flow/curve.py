"""The curve of a training: `curve.csv` and TensorBoard's files."""

import logging
from pathlib import Path
from typing import Any, Final

from hsimul3r.require import require

log = logging.getLogger(__name__)
CURVE: Final = "curve.csv"


class Curve:
    """The curve as text and for TensorBoard."""

    def __init__(self, folder: Path, *, has_tensorboard: bool):
        self.path = folder / CURVE
        self._writer: Any = None
        if has_tensorboard:
            require("tensorboard", "the training curve (or give --no-has-tensorboard)")
            self._writer = require("torch.utils.tensorboard", "the training curve").SummaryWriter(str(folder / "tensorboard"))

    def add(self, step: int, numbers: dict[str, float]) -> None:
        """Write one step's numbers."""
        with self.path.open("a") as file:
            file.writelines(f"{step},{name},{value:.6g}\n" for name, value in numbers.items())
        for name, value in numbers.items():
            if self._writer is not None:
                self._writer.add_scalar(name, value, step)
        if self._writer is not None:
            self._writer.flush()
        log.info("step %d: %s", step, ", ".join(f"{name} {value:.4f}" for name, value in numbers.items()))
