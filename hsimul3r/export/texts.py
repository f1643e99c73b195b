"""Names in files of arrays."""

from collections.abc import Sequence

import numpy as np
from numpy import ndarray


def texts(names: Sequence[str]) -> ndarray:
    """Names as an array that an npz holds without pickle."""
    return np.array(names, dtype=str) if names else np.empty(0, "<U1")
