"""The policy as ONNX with all that says how to connect it, and the check that the file is the network.

mjlab's own file (inputs obs, time_step; outputs actions and the reference at that step) with its metadata, but with all digits,
and `observation_sizes` beside `observation_names`. `hsimul3r.export.policy.read_facts` reads it.
"""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from .layout import observation_sizes
from .task import COMMAND

SAME = 1e-5
"""How far the file's actions may be from the network's."""


def write_policy(runner: Any, path: Path) -> float:
    """Write the actor; gives back the largest difference of an action from torch on 64 observations around those known."""
    import onnx

    env = runner.env.unwrapped
    partial = path.with_suffix(".partial")
    runner.export_policy_to_onnx(str(partial.parent), partial.name)
    model = onnx.load(str(partial))
    onnx.helper.set_model_props(model, facts_of(env))
    partial.write_bytes(model.SerializeToString())
    gap = _gap(runner.alg.get_policy(), partial)
    if not gap < SAME:
        raise SystemExit(f"{partial} gives actions {gap:.1e} from the network's, allowed {SAME:.0e}; kept for inspection.")
    partial.replace(path)
    return gap


def facts_of(env: Any) -> dict[str, str]:
    """Entries of the metadata, lists with commas between."""
    from mjlab.rl.exporter_utils import get_base_metadata

    command = env.command_manager.get_term(COMMAND)
    entries = get_base_metadata(env, "local") | {
        "anchor_body_name": command.cfg.anchor_body_name,
        "body_names": list(command.cfg.body_names),
        "observation_sizes": sizes_of(env),
        "scene_object_names": command.names,
    }
    return {name: _words(value) for name, value in entries.items() if not isinstance(value, list) or value}


def sizes_of(env: Any) -> list[int]:
    """Values of each observation; they are those of `layout.observation_sizes`."""
    names = env.observation_manager.active_terms["actor"]
    sizes = [int(np.prod(shape)) for shape in env.observation_manager.group_obs_term_dim["actor"]]
    command = env.command_manager.get_term(COMMAND)
    known = observation_sizes(len(env.scene["robot"].joint_names), len(command.names))
    if dict(zip(names, sizes)) != known:
        raise SystemExit(f"The observation is {dict(zip(names, sizes))}, not {known}: this is not mjlab 1.6's tracking task.")
    return sizes


def act_of(path: Path) -> Callable[[ndarray], ndarray]:
    """The file's actions (envs, joints) of observations (envs, values), by ONNX's own reference implementation."""
    from onnx.reference import ReferenceEvaluator

    session: Any = ReferenceEvaluator(str(path))

    def act(observation: ndarray) -> ndarray:
        feeds = {"obs": observation.astype(np.float32), "time_step": np.zeros((len(observation), 1), np.float32)}
        return session.run(["actions"], feeds)[0]

    return act


def _gap(actor: Any, path: Path) -> float:
    rng, network = np.random.default_rng(0), actor.as_onnx(verbose=False).cpu().eval()
    seen = rng.normal(size=(64, network.input_size)).astype(np.float32)
    normal = network.obs_normalizer
    if hasattr(normal, "mean"):
        seen = seen * normal.std.cpu().numpy() + normal.mean.cpu().numpy()
    with torch.no_grad():
        known = network(torch.from_numpy(seen)).numpy()
    return float(np.abs(act_of(path)(seen) - known).max())


def _words(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    return ",".join(f"{item:.9g}" if isinstance(item, float) else _nested(item) for item in value)


def _nested(item: Any) -> str:
    """A list in a list, as mjlab writes it."""
    return ";".join(str(one) for one in item) if isinstance(item, list | tuple) else str(item)
