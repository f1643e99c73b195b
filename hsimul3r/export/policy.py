"""What an ONNX policy says of how to connect it, in the words that BeyondMimic's and mjlab's deployment read.

Metadata entries, lists with commas between: joint_names, joint_stiffness [N m / rad], joint_damping [N m s / rad],
default_joint_pos [rad], action_scale [rad], command_names, observation_names; where known also
observation_terms_history_length, anchor_body_name, body_names, run_path. The policy's target for joint j is
default_joint_pos[j] + action_scale[j] * action[j]; without default_joint_pos it is the reference's next angle instead of it.
Ours add observation_sizes: how many values each observation has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from hsimul3r.errors import PolicyMismatch
from hsimul3r.files import write_whole_bytes
from hsimul3r.require import require
from hsimul3r.retarget.robot import RobotDescription

PURPOSE: Final = "policies as ONNX"
GAINS: Final = ("joint_stiffness", "joint_damping", "action_scale")
NUMBERS: Final = (*GAINS, "default_joint_pos")
COUNTS: Final = ("observation_sizes", "observation_terms_history_length")
NAMES: Final = ("joint_names", "command_names", "observation_names", "body_names")
SAME: Final = 6e-3
"""How far a gain may be from the robot's, of its value, and an angle in radians: mjlab writes three decimals."""


@dataclass(frozen=True, kw_only=True)
class PolicyFacts:
    """How to connect a policy; one number a joint, in the order of `joint_names`."""

    joint_names: tuple[str, ...]
    joint_stiffness: tuple[float, ...]
    joint_damping: tuple[float, ...]
    action_scale: tuple[float, ...]
    observation_names: tuple[str, ...]
    default_joint_pos: tuple[float, ...] = ()
    command_names: tuple[str, ...] = ()
    observation_sizes: tuple[int, ...] = ()
    observation_terms_history_length: tuple[int, ...] = ()
    anchor_body_name: str = ""
    body_names: tuple[str, ...] = ()
    run_path: str = "local"


def facts_of(
    robot: RobotDescription, *, observations: Mapping[str, int], action_scale: tuple[float, ...], **more: Any
) -> PolicyFacts:
    """Of a policy that moves all joints of a robot with its own gains, around its own standing pose."""
    joints = robot.joints
    return PolicyFacts(
        joint_names=robot.joint_names,
        joint_stiffness=tuple(joint.stiffness for joint in joints),
        joint_damping=tuple(joint.damping for joint in joints),
        default_joint_pos=tuple(joint.home for joint in joints),
        action_scale=action_scale,
        observation_names=tuple(observations),
        observation_sizes=tuple(observations.values()),
        **more,
    )


def attach_facts(path: Path, facts: PolicyFacts) -> None:
    """Write the facts into an ONNX file; other entries of its metadata stay."""
    onnx = require("onnx", PURPOSE)
    model = onnx.load(str(path))
    kept = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, kept | metadata_of(facts))
    write_whole_bytes(path, model.SerializeToString())


def read_facts(path: Path) -> PolicyFacts:
    """The facts in an ONNX file, ours or mjlab's. Raises `PolicyMismatch`."""
    onnx = require("onnx", PURPOSE)
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's own, of no common kind
        raise PolicyMismatch(path, f"it is no ONNX file ({type(error).__name__})") from error
    return facts_from(path, {entry.key: entry.value for entry in model.metadata_props})


def metadata_of(facts: PolicyFacts) -> dict[str, str]:
    """The entries of an ONNX file."""
    entries = {}
    for name, value in vars(facts).items():
        entries[name] = value if isinstance(value, str) else ",".join(_text(item) for item in value)
    return {name: text for name, text in entries.items() if text}


def facts_from(path: Path, entries: Mapping[str, str]) -> PolicyFacts:
    """Raises `PolicyMismatch` where something is missing or not one number a joint."""
    missing = [name for name in ("joint_names", *GAINS, "observation_names") if not entries.get(name)]
    if missing:
        raise PolicyMismatch(path, f"its metadata has no {', '.join(missing)}")
    values: dict[str, Any] = {name: tuple(entries[name].split(",")) for name in NAMES if entries.get(name)}
    values |= {name: entries[name] for name in ("anchor_body_name", "run_path") if name in entries}
    count = len(values["joint_names"])
    try:
        values |= {name: tuple(float(word) for word in entries[name].split(",")) for name in NUMBERS if entries.get(name)}
        values |= {name: tuple(int(word) for word in entries[name].split(",")) for name in COUNTS if entries.get(name)}
    except ValueError as error:
        raise PolicyMismatch(path, f"its metadata has no numbers where they belong ({error})") from error
    if len(values["action_scale"]) == 1:
        values["action_scale"] *= count
    wrong = [name for name in NUMBERS if len(values.get(name, values["joint_names"])) != count]
    if wrong:
        raise PolicyMismatch(path, f"its {wrong[0]} has {len(values[wrong[0]])} values for {count} joints")
    return PolicyFacts(**values)


def require_fit(path: Path, facts: PolicyFacts, robot: RobotDescription) -> None:
    """Raises `PolicyMismatch` where joints, gains or the pose to start from are not the robot's."""
    if facts.joint_names != robot.joint_names:
        odd = sorted(set(facts.joint_names) ^ set(robot.joint_names)) or ["the same joints in another order"]
        raise PolicyMismatch(path, f"its joints are not those of '{robot.name}' ({', '.join(odd[:3])})")
    own = facts_of(robot, observations={}, action_scale=facts.action_scale)
    for name in ("joint_stiffness", "joint_damping"):
        given, known = np.array(getattr(facts, name)), np.array(getattr(own, name))
        if (np.abs(given - known) > SAME * known).any():
            raise PolicyMismatch(path, f"its {name} is not that of '{robot.name}': {given.round(2).tolist()}")
    home = np.array(own.default_joint_pos)
    if len(facts.default_joint_pos) != len(home) or np.abs(np.array(facts.default_joint_pos) - home).max() > SAME:
        raise PolicyMismatch(path, f"its default_joint_pos is not where '{robot.name}' stands")


def _text(item: Any) -> str:
    return f"{item:.9g}" if isinstance(item, float) else str(item)
