"""Policies for the G1 in mjlab, from HSIBench's motions: exported, taught, judged in mjlab and in the robot check.

    python benchmarks/robot_policy.py --mjlab-python <python with mjlab 1.6> [--motions sit_down_chair_parsons_chair_00]
    python benchmarks/robot_policy.py --mjlab-python P --policies runs/a/policy.onnx runs/b/policy.onnx --curve runs/a/curve.csv

The first form makes a policy of each motion by `mjlab_kit.warm_start` (on a CPU, a minute of it each) and judges it; with
`--policies` the given ones are judged instead. Judgement: `mjlab_kit.judge` (undisturbed but for the joints' angles at the
start) over `seeds`, and `check-robot` with the policy as controller.
"""

import csv
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import retarget as retargeting
import tyro
from rich.console import Console
from rich.table import Table

from hsimul3r.body.model import embedded_body
from hsimul3r.export.policy import read_facts, require_fit
from hsimul3r.progress import Progress
from hsimul3r.retarget.check.follow import FollowConfig, RobotController
from hsimul3r.retarget.estimate import estimated_contacts
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.retarget.robot import robot_named
from stages import check_robot, export_robot

CONSOLE = Console(width=160, markup=False)
ROBOT = "unitree_g1_29dof"


@dataclass(frozen=True, kw_only=True)
class Args:
    """What to make and judge."""

    mjlab_python: Path
    motions: tuple[str, ...] = ("sit_down_chair_parsons_chair_00",)
    policies: tuple[Path, ...] = ()
    curve: Path | None = None
    """A curve.csv of `mjlab_kit.train` to draw."""
    staged: Path = Path("runs/retarget_staged")
    out: Path = Path("runs/robot_policy")
    tries: int = 6
    """Of each controller, start and seed."""
    seeds: tuple[int, ...] = (0, 1, 2)
    in_mjlab: bool = True
    """Judge there; a minute of CPU a motion and more."""


def main(args: Args) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    figures = {}
    for name in args.motions:
        motion = retargeted(name, args)
        export = exported(name, motion, args)
        policies = args.policies or (taught(name, export, args),)
        rows = judged(name, export, policies, args) if args.in_mjlab else []
        checks = [checked(motion, path) for path in ("lead", *policies)]
        figures[name] = {"judged": rows, "checked": checks}
        CONSOLE.print(table_of(name, rows), highlight=False)
        for check in checks:
            CONSOLE.print(f"check-robot, {check['controller']}: {check['reason']}", highlight=False)
        (args.out / "robot_policy.json").write_text(json.dumps(figures, indent=1) + "\n")
    if args.curve is not None:
        draw_curve(args.curve, args.out / "curve.png")


def retargeted(name: str, args: Args) -> RobotMotion:
    """A motion of HSIBench as the G1's, its contacts estimated."""
    scene = retargeting.kept(name, retargeting.Args(staged=args.staged))
    if scene is None:
        raise SystemExit(f"{name} cannot be staged; take another of benchmarks/retarget.py.")
    contacts = estimated_contacts(embedded_body(), scene.bodies[0], scene.assets, scene.object_paths)
    clip = retargeting.Clip(name=name, scene=scene, contacts=contacts, true=scene.contacts)
    return retargeting.measured(clip, robot_named(ROBOT))[0]


def exported(name: str, motion: RobotMotion, args: Args) -> Path:
    """What `hsimul3r export-g1` writes; an export that is there is taken."""
    out = args.out / name / "export"
    if not out.is_dir():
        partial = out.with_suffix(".partial")
        partial.mkdir(parents=True)
        export_robot.run(motion, cfg=export_robot.ExportRobotConfig(), out=partial, progress=Progress())
        partial.rename(out)
    return out


def taught(name: str, export: Path, args: Args) -> Path:
    """A policy by `mjlab_kit.warm_start`; one that is there is taken."""
    out = (args.out / name / "policy").resolve()
    if not (out / "policy.onnx").is_file():
        in_kit(["warm_start", "--out", str(out)], export, args)
    return out / "policy.onnx"


def judged(name: str, export: Path, policies: tuple[Path, ...], args: Args) -> list[dict[str, Any]]:
    """Rows of `mjlab_kit.judge`."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "judged.json"
        words = ["judge", *(str(path.resolve()) for path in policies), "--out", str(out), "--tries", str(args.tries)]
        in_kit([*words, "--seeds", *(str(seed) for seed in args.seeds)], export, args)
        rows = json.loads(out.read_text())
    (args.out / name / "judged.json").write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def in_kit(words: list[str], export: Path, args: Args) -> None:
    """Run a module of the export's own copy of mjlab_kit."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MUJOCO_GL": "egl"}
    command = [str(args.mjlab_python.absolute()), "-m", f"mjlab_kit.{words[0]}", *words[1:]]
    done = subprocess.run(command, cwd=export / "mjlab", env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{done.stderr[-3000:]}")


def checked(motion: RobotMotion, policy: Path | str) -> dict[str, Any]:
    """The robot check with a policy, or with a controller of its own."""
    if isinstance(policy, Path):
        require_fit(policy, read_facts(policy), robot_named(ROBOT))
        follow = FollowConfig(controller="policy", policy=policy)
    else:
        controller: RobotController = "lead" if policy == "lead" else "pd"
        follow = FollowConfig(controller=controller)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        cfg = check_robot.CheckRobotConfig(follow=follow, threads=1)
        check = check_robot.run(motion, cfg=cfg, out=Path(folder), progress=Progress())
    return {
        "controller": str(policy),
        "is_feasible": check.is_feasible,
        "reason": check.reason,
        "criteria": {criterion.name: criterion.value for criterion in check.criteria},
        "cpu_s": time.process_time() - start,
    }


def table_of(name: str, rows: list[dict[str, Any]]) -> Table:
    """Means over the seeds, and their spread in the first figure."""
    table = Table(
        name, "start", "tries", "share of the motion (seeds)", "to its end", "object contacts borne", "links off [mm]",
        "joints off [rad]", "object moved [mm]",
    )  # fmt: skip
    for controller, start in dict.fromkeys((row["controller"], row["start"]) for row in rows):
        mine = [row for row in rows if (row["controller"], row["start"]) == (controller, start)]

        def mean(field: str, mine: list[dict[str, Any]] = mine) -> float:
            return float(np.mean([row[field] for row in mine]))

        shares = [row["time_share"] for row in mine]
        is_touching = any(row["steps_with_object_contacts"] for row in mine)
        table.add_row(
            Path(controller).parent.name if controller.endswith(".onnx") else controller, start,
            str(sum(row["tries"] for row in mine)), f"{np.mean(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})",
            f"{mean('reached_end'):.2f}", f"{mean('contacts_borne_on_objects'):.2f}" if is_touching else "-",
            f"{1e3 * mean('body_error_m'):.0f}", f"{mean('joint_error_rad'):.3f}", f"{1e3 * mean('object_moved_m_max'):.0f}",
        )  # fmt: skip
    return table


def draw_curve(path: Path, picture: Path) -> None:
    """Reward and length of episodes over iterations."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["reward"]]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, column, label in zip(axes, ("reward", "episode_steps"), ("reward an episode", "steps of 20 ms an episode")):
        axis.plot([int(row["iteration"]) for row in rows], [float(row[column]) for row in rows], marker=".")
        axis.set(xlabel="iteration", ylabel=label)
    FigureCanvasAgg(figure).print_figure(picture, dpi=110)


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
