"""A trained policy as ONNX: normalisation, network and all that says how to connect it, in one file.

Input `observation` (sims, size), output `action` (sims, 63). The metadata entry `hsimul3r_policy` is JSON: the observation's
parts with their lengths, joints and axes of the actions, servo gains, rates and bounds. Beside it stand the entries of
robots' policies (hsimul3r.export.policy).
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.export.policy import PolicyFacts, metadata_of
from hsimul3r.files import write_whole_bytes
from hsimul3r.require import require
from hsimul3r.tracking.layout import AXES
from hsimul3r.tracking.policy import METADATA, Act, PolicySpec
from sim_envs.ppo.learner import PURPOSE, Agent
from sim_envs.ppo.servos import ServoGains

OPSET, IR_VERSION = 18, 10
CLAMP = 5.0
"""Of normalised observations, as in rl-games."""


def act_of(agent: Agent) -> Act:
    """The agent's mean action, by torch."""
    import torch

    def act(observation: Float32[ndarray, "sims size"]) -> Float32[ndarray, "sims 63"]:
        agent.model.eval()
        with torch.no_grad():
            seen = agent.model.norm_obs(torch.from_numpy(observation).to(agent.ppo_device))
            return agent.model.a2c_network({"obs": seen})[0].cpu().numpy()

    return act


def description(spec: PolicySpec, gains: ServoGains, *, trained_on: str) -> dict[str, Any]:
    """What a stranger needs to run the policy."""
    return {
        **asdict(spec),
        "observation": spec.layout.parts(),
        "actions": [f"{joint}/{axis}" for joint in BODY_JOINTS[1:] for axis in AXES],
        "stiffness_n_m_rad": gains.stiffness.round(3).tolist(),
        "damping_n_m_s_rad": gains.damping.round(3).tolist(),
        "torque_limit_n_m": gains.limit_n_m.round(3).tolist(),
        "trained_on": trained_on,
    }


def write_policy(agent: Agent, details: dict[str, Any], path: Path) -> None:
    """Write the actor as ONNX, whole or not at all."""
    onnx = require("onnx", PURPOSE)
    helper, network, normal = onnx.helper, agent.model.a2c_network, agent.model.running_mean_std
    mean = normal.running_mean.float().cpu().numpy()
    spread = np.sqrt(normal.running_var.float().cpu().numpy() + np.float32(normal.epsilon))
    tensors = {"mean": mean, "spread": spread, "low": np.float32(-CLAMP), "high": np.float32(CLAMP)}
    nodes = [
        helper.make_node("Sub", ["observation", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "spread"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["seen"]),
    ]
    last = "seen"
    for i, layer in enumerate([*network.actor_mlp, network.mu]):
        out = "action" if layer is network.mu else f"layer{i}"
        if hasattr(layer, "weight"):
            tensors |= {f"weight{i}": layer.weight.detach().cpu().numpy(), f"bias{i}": layer.bias.detach().cpu().numpy()}
            nodes.append(helper.make_node("Gemm", [last, f"weight{i}", f"bias{i}"], [out], transB=1))
        else:
            nodes += _activation(helper, type(layer).__name__, last, out)
        last = out
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "policy",
        [helper.make_tensor_value_info("observation", kind, ["sims", len(mean)])],
        [helper.make_tensor_value_info("action", kind, ["sims", network.mu.out_features])],
        [onnx.numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, {METADATA: json.dumps(details)} | metadata_of(_facts(details)))
    onnx.checker.check_model(model, full_check=True)
    write_whole_bytes(path, model.SerializeToString())


def _facts(details: dict[str, Any]) -> PolicyFacts:
    """The same in the words of robots' policies; targets are turns on top of the reference, so there is no default pose."""
    return PolicyFacts(
        joint_names=tuple(details["actions"]),
        joint_stiffness=tuple(details["stiffness_n_m_rad"]),
        joint_damping=tuple(details["damping_n_m_s_rad"]),
        action_scale=(details["action_rad"],) * len(details["actions"]),
        observation_names=tuple(details["observation"]),
        observation_sizes=tuple(details["observation"].values()),
        command_names=("reference",),
        run_path=details["trained_on"],
    )


def _activation(helper: Any, kind: str, source: str, target: str) -> list[Any]:
    if kind == "SiLU":
        gate = f"{target}_gate"
        return [helper.make_node("Sigmoid", [source], [gate]), helper.make_node("Mul", [source, gate], [target])]
    return [helper.make_node({"ELU": "Elu", "ReLU": "Relu", "Tanh": "Tanh"}[kind], [source], [target])]
