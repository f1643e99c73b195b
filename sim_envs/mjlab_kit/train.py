"""Train mjlab's PPO on the task, from the beginning or from the last checkpoint, and write the policy as ONNX.

    python -m mjlab_kit.train --envs 4096 --iterations 30000

`--out` gets model_<iteration>.pt, curve.csv and policy.onnx. On a CPU, 64 environments or more cost some 2 ms a step each:
enough to see that everything is connected, a thousandth of what such a policy needs.
"""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .scene import folder_of


@dataclass(frozen=True, kw_only=True)
class Args:
    """Training."""

    export: Path | None = None
    """A folder made by `hsimul3r export-g1`, or its folder `mjlab`; where this copy lies, if it lies in one."""
    out: Path = Path("runs")
    envs: int = 4096
    iterations: int = 30_000
    """Of 24 steps in each environment; with --resume so many more."""
    resume: bool = False
    """Go on from the last checkpoint in `out`."""
    seed: int = 0
    device: str | None = None
    """cuda:0 where there is one, else cpu."""
    init_std: float = 1.0
    """Of actions in the beginning, in units of the action scale; small after a warm start."""
    learning_rate: float | None = None
    """Fixed; None: mjlab's, which follows how much the policy changes, and which few environments drive to nothing."""
    save_every: int = 500


def main(args: Args) -> None:
    """Train and write the policy."""
    runner = runner_of(args)
    last = last_checkpoint(args.out)
    if args.resume and last is None:
        raise SystemExit(f"No model_<iteration>.pt in {args.out} to resume from; leave --resume out.")
    if not args.resume and last is not None:
        raise SystemExit(f"{last} is there: give --resume to go on from it, or another --out.")
    if last is not None:
        load(runner, last, args.learning_rate)
    runner.learn(args.iterations, init_at_random_ep_len=True)
    save(runner, args.out)


def runner_of(args: Args) -> Any:
    """mjlab's runner over the task."""
    os.environ |= {"WANDB_MODE": "disabled"}
    import torch
    from mjlab.envs import ManagerBasedRlEnv
    from mjlab.rl import RslRlVecEnvWrapper
    from mjlab.tasks.tracking.rl import MotionTrackingOnPolicyRunner

    from .curve import CurveWriter
    from .task import task_env_cfg, training_cfg

    class Runner(MotionTrackingOnPolicyRunner):
        """Checkpoints without mjlab's ONNX file, which `write_policy` makes with all digits."""

        def save(self, path: str, infos: Any = None) -> None:
            del infos
            save(self, Path(path).parent)

    device = args.device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    cfg = task_env_cfg(folder_of(args.export))
    cfg.scene.num_envs, cfg.seed = args.envs, args.seed
    training = training_cfg(seed=args.seed, iterations=args.iterations, init_std=args.init_std, save_every=args.save_every)
    if args.learning_rate is not None:
        training.algorithm.schedule, training.algorithm.learning_rate = "fixed", args.learning_rate
    args.out.mkdir(parents=True, exist_ok=True)
    env = RslRlVecEnvWrapper(ManagerBasedRlEnv(cfg=cfg, device=device))
    agent = asdict(training) | {"logger": {"class_name": CurveWriter}}
    return Runner(env, agent, str(args.out), device)


def save(runner: Any, folder: Path) -> None:
    """A checkpoint and the policy."""
    import torch

    from .policy import write_policy

    steps = runner.env.unwrapped.common_step_counter
    state = runner.alg.save() | {"iteration": runner.current_learning_iteration, "env_steps": steps}
    path = folder / f"model_{runner.current_learning_iteration}.pt"
    torch.save(state, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)
    write_policy(runner, folder / "policy.onnx")


def load(runner: Any, path: Path, learning_rate: float | None = None) -> None:
    """Go on where a checkpoint was written, at its learning rate or another; it is read as tensors and numbers only."""
    import torch

    state = torch.load(path, weights_only=True, map_location=runner.device)
    runner.alg.load(state, None, True)
    if learning_rate is not None:
        runner.alg.learning_rate = learning_rate
        for group in runner.alg.optimizer.param_groups:
            group["lr"] = learning_rate
    runner.current_learning_iteration = state["iteration"] + 1
    runner.env.unwrapped.common_step_counter = state["env_steps"]


def last_checkpoint(folder: Path) -> Path | None:
    """That of the most iterations."""
    found = {int(path.stem.removeprefix("model_")): path for path in folder.glob("model_*.pt")}
    return found[max(found)] if found else None


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Args, description=__doc__))
