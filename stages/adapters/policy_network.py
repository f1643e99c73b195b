"""A policy file in onnxruntime: the function from observations to actions, and how to connect it to a scene."""

import hashlib
import json
from pathlib import Path
from typing import Any

from jaxtyping import Float32
from numpy import ndarray

from hsimul3r.errors import PolicyMismatch
from hsimul3r.require import require
from hsimul3r.tracking.observation import ObservationLayout
from hsimul3r.tracking.policy import METADATA, Act, PolicySpec


def load_policy(path: Path, sha256: str = "") -> tuple[Act, PolicySpec]:
    """Raises `PolicyMismatch` where the file is missing, no policy of this project, or not the one of that hash."""
    runtime = require("onnxruntime", "policies")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        content = path.read_bytes()
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            raise PolicyMismatch(path, "is another policy than the one that was asked for")
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        details = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in details["layout"].items()}
        spec = PolicySpec(
            layout=ObservationLayout(**fields), action_rad=details["action_rad"], reach_rad=details["reach_rad"]
        )  # fmt: skip
    except OSError as error:
        raise PolicyMismatch(path, f"cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError, runtime.capi.onnxruntime_pybind11_state.InvalidProtobuf) as error:
        raise PolicyMismatch(path, "is no ONNX policy of hsimul3r") from error
    if session.get_inputs()[0].shape[1] != spec.layout.size:
        raise PolicyMismatch(path, f"sees {session.get_inputs()[0].shape[1]} numbers; its layout here has {spec.layout.size}")

    def act(observation: Float32[ndarray, "sims size"]) -> Float32[ndarray, "sims 63"]:
        return session.run(None, {"observation": observation})[0]

    return act, spec
