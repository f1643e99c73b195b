"""The runtime of the shipped networks: onnxruntime on the CPU."""

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from numpy import ndarray

from hsimul3r.assets import weights_path
from hsimul3r.require import require

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

DEFAULT_THREADS = 2


@lru_cache(maxsize=4)
def load_network(name: str) -> "InferenceSession":
    """The packaged network `name`, loaded once; threads from OMP_NUM_THREADS, else two."""
    runtime = require("onnxruntime", "perception")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", DEFAULT_THREADS))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(str(weights_path(name)), options, providers=["CPUExecutionProvider"])


def run_network(name: str, picture: ndarray) -> dict[str, ndarray]:
    """Outputs by name for the network's only input."""
    session = load_network(name)
    outputs = session.run(None, {session.get_inputs()[0].name: picture})
    return {entry.name: value for entry, value in zip(session.get_outputs(), outputs)}  # type: ignore[misc]
