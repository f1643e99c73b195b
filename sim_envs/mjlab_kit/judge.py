"""How policies hold in mjlab's environment, undisturbed, against doing nothing and against following blindly.

    python -m mjlab_kit.judge runs/policy.onnx --seeds 0 1 2

Controllers: `zero` (the standing pose as targets), `reference` (the motion's angles), `lead` (and what servos must be asked
for beyond them) and each ONNX file. Starts: `first`, in the motion's first frame, and `any`, spread evenly over its first nine
tenths; joint angles differ by up to 0.1 rad, as in mjlab's own play mode. A try ends where the task ends it; until then its
errors count. All controllers of a seed are tried side by side in one simulation. Prints JSON, a row for each controller, start
and seed.
"""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
import tyro
from torch import Tensor

from .scene import folder_of
from .task import COMMAND
from .teacher import LEADS

Start = Literal["first", "any"]
Controller = Callable[[Tensor, slice], Tensor]
"""Actions (tries, joints) from the observations (tries, values) of a slice of the environments."""
LAST_START = 0.9
"""Share of the motion in which tries begin: they have to last."""
ENDINGS = ("motion_ended", "anchor_pos", "anchor_ori", "ee_body_pos", "object_left")


@dataclass(frozen=True, kw_only=True)
class Args:
    """What is judged."""

    policies: tyro.conf.Positional[tuple[Path, ...]] = ()
    export: Path | None = None
    tries: int = 16
    """Of each controller, start and seed."""
    seeds: tuple[int, ...] = (0, 1, 2)
    starts: tuple[Start, ...] = get_args(Start)
    blind: tuple[str, ...] = ("zero", "reference", "lead")
    device: str = "cpu"
    out: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Environments with one controller and one kind of start."""

    name: str
    start: Start
    envs: slice
    act: Controller


@dataclass(kw_only=True)
class Tally:
    """Of every environment (envs,), until its try ends."""

    steps: Tensor
    ended_by: Tensor
    """Place in `ENDINGS`, -1 while the try lasts."""
    sums: dict[str, Tensor] = field(default_factory=dict)
    peaks: dict[str, Tensor] = field(default_factory=dict)

    @property
    def runs(self) -> Tensor:
        return self.ended_by < 0


def main(args: Args) -> list[dict[str, Any]]:
    """Try all, seed by seed."""
    from .policy import act_of

    makers = {name: BLIND[name] for name in args.blind}
    makers |= {str(path): _policy(act_of(path)) for path in args.policies}
    rows = []
    for seed in args.seeds:
        env = environment(args, seed, len(makers) * len(args.starts) * args.tries)
        pairs: list[tuple[str, Start]] = [(name, start) for name in makers for start in args.starts]
        groups = [
            Group(name=name, start=start, envs=slice(i * args.tries, (i + 1) * args.tries), act=makers[name](env))
            for i, (name, start) in enumerate(pairs)
        ]
        rows += [{"seed": seed, **row} for row in judged(env, groups, seed)]
        env.close()
    return rows


def environment(args: Args, seed: int, count: int) -> Any:
    """The task undisturbed, without domain randomization; only the joints' angles at the start differ."""
    os.environ |= {"WANDB_MODE": "disabled"}
    from mjlab.envs import ManagerBasedRlEnv

    from .task import task_env_cfg

    cfg = task_env_cfg(folder_of(args.export), play=True)
    cfg.scene.num_envs, cfg.seed, cfg.events = count, seed, {}
    cfg.commands[COMMAND].sampling_mode = "uniform"
    return ManagerBasedRlEnv(cfg=cfg, device=args.device)


def judged(env: Any, groups: list[Group], seed: int) -> list[dict[str, Any]]:
    """One try in each environment; what an environment does after its try is over is not counted."""
    torch.manual_seed(seed)
    command = env.command_manager.get_term(COMMAND)
    last = command.motion.time_step_total - 1
    command.start_frames = torch.cat([_starts(group, last) for group in groups]).to(env.device)
    seen, _ = env.reset()
    remaining = (last - command.time_steps + 1).cpu()
    tally = Tally(steps=torch.zeros(env.num_envs), ended_by=torch.full((env.num_envs,), -1))
    while tally.runs.any():
        action = torch.cat([group.act(seen["actor"][group.envs], group.envs) for group in groups])
        seen, reward, _, _, _ = env.step(action)
        tally.steps += tally.runs
        for i, name in enumerate(ENDINGS):
            tally.ended_by[env.termination_manager.get_term(name).cpu() & tally.runs] = i
        _count(tally, command, reward)
    return [_row(group, tally, remaining, env.step_dt) for group in groups]


def _starts(group: Group, last: int) -> Tensor:
    end = 0.0 if group.start == "first" else LAST_START * last
    return torch.linspace(0, end, group.envs.stop - group.envs.start).long()


def _count(tally: Tally, command: Any, reward: Tensor) -> None:
    from .terms import object_errors

    distance, angle = object_errors(command)
    held, touched = command.is_held, command.is_held & command.is_touched()
    values = {
        "counted": torch.ones_like(reward),
        "body_error_m": command.metrics["error_body_pos"],
        "anchor_error_m": command.metrics["error_anchor_pos"],
        "joint_error_rad": command.metrics["error_joint_pos"] / command.robot_joint_pos.shape[1] ** 0.5,
        "reward": reward,
        "held": held.sum(1),
        "borne": touched.sum(1),
        "held_on_objects": (held & command.is_on_object).sum(1),
        "borne_on_objects": (touched & command.is_on_object).sum(1),
    }
    for name, value in values.items():
        tally.sums[name] = tally.sums.get(name, torch.zeros(len(reward))) + value.cpu() * tally.runs
    for name, value in {"object_moved_m": distance, "object_turned_rad": angle}.items():
        worst = (value.amax(dim=1) if value.shape[1] else torch.zeros(len(reward))).cpu() * tally.runs
        tally.peaks[name] = torch.maximum(tally.peaks.get(name, torch.zeros(len(reward))), worst)


def _row(group: Group, tally: Tally, remaining: Tensor, step_s: float) -> dict[str, Any]:
    """Means over a group's tries; errors are means over all steps that count."""
    part, steps = group.envs, tally.steps[group.envs]
    sums = {name: float(value[part].sum()) for name, value in tally.sums.items()}
    ended = {name: float((tally.ended_by[part] == i).float().mean()) for i, name in enumerate(ENDINGS)}
    mean = {name: sums[name] / max(sums["counted"], 1.0) for name in MEANS}
    return {
        "controller": group.name,
        "start": group.start,
        "tries": len(steps),
        "time_s": float(steps.mean() * step_s),
        "time_share": float((steps / remaining[part]).mean()),
        "reached_end": ended["motion_ended"],
        "contacts_borne": sums["borne"] / max(sums["held"], 1.0),
        "contacts_borne_on_objects": sums["borne_on_objects"] / max(sums["held_on_objects"], 1.0),
        "steps_with_object_contacts": sums["held_on_objects"],
        **mean,
        **{f"{name}_max": float(value[part].mean()) for name, value in tally.peaks.items()},
        "ended_by": ended,
    }


MEANS = ("body_error_m", "anchor_error_m", "joint_error_rad", "reward")


def _zero(env: Any) -> Controller:
    action = torch.zeros(env.num_envs, env.action_manager.total_action_dim, device=env.device)
    return lambda seen, part: action[part]


def _reference(env: Any) -> Controller:
    command, term = env.command_manager.get_term(COMMAND), env.action_manager.get_term("joint_pos")
    home = env.scene["robot"].data.default_joint_pos
    return lambda seen, part: ((command.joint_pos - home) / term._scale)[part]


def _lead(env: Any) -> Controller:
    command, term = env.command_manager.get_term(COMMAND), env.action_manager.get_term("joint_pos")
    robot = env.scene["robot"]
    leads = np.load(Path(command.cfg.motion_file).with_name(LEADS))
    order = [leads["joint_names"].tolist().index(name) for name in robot.joint_names]
    targets = command.motion.joint_pos + torch.from_numpy(leads["lead"][:, order]).to(env.device)

    def act(_: Tensor, part: slice) -> Tensor:
        frame = (command.time_steps[part] - 1).clamp(min=0)  # the command is of the next frame
        return (targets[frame] - robot.data.default_joint_pos[part]) / term._scale[part]

    return act


def _policy(act: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], Controller]:
    return lambda env: lambda seen, part: torch.from_numpy(act(seen.cpu().numpy())).to(seen.device)


BLIND: dict[str, Callable[[Any], Controller]] = {"zero": _zero, "reference": _reference, "lead": _lead}


if __name__ == "__main__":
    chosen = tyro.cli(Args, description=__doc__)
    text = json.dumps(main(chosen), indent=1) + "\n"
    sys.stdout.write(text)
    if chosen.out is not None:
        chosen.out.write_text(text)
