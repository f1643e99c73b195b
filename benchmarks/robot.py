"""A robot tries retargeted motions in MuJoCo under its motors' limits: share that keeps its contacts to the end without a fall.

    python benchmarks/robot.py --mocap ../shared/data/mocap --pictures runs/robot_pictures

Motions are those of benchmarks/retarget.py (contacts estimated from the motion, scene at the robot's size), captures cut into
windows. Three controllers: `pd`, servos that are asked for the motion's angles; `lead`, for what makes these come about by
inverse dynamics; `window`, the sampling controller on top. Results are added to `out` one by one; those that are there are not
tried again.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import retarget as retargeting
import tyro
from rich.console import Console
from rich.table import Table

from hsimul3r.progress import Progress
from hsimul3r.retarget.check.follow import FollowConfig, RobotController
from hsimul3r.retarget.check.problem import excerpt
from hsimul3r.retarget.check.verdict import RobotCheck, executed
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.retarget.robot import robot_named
from stages import check_robot

CONSOLE = Console(width=160, markup=False)


@dataclass(frozen=True, kw_only=True)
class Args:
    """What to try."""

    robot: str = "unitree_g1_29dof"
    controllers: tuple[RobotController, ...] = ("pd", "lead", "window")
    skip: int = 11
    count: int = 26
    staged: Path = Path("runs/retarget_staged")
    """Scenes of benchmarks/retarget.py."""
    mocap: Path | None = None
    clips: tuple[str, ...] = ("01_08", "02_06", "02_10")
    window_s: float = 4.0
    """Of captures."""
    windows: int = 1
    """From each capture, apart as evenly as can be."""
    seed: int = 0
    out: Path = Path("runs/robot.json")
    pictures: Path | None = None
    """Folder for a strip of pictures of each try."""


def main(args: Args) -> None:
    results: list[dict[str, Any]] = json.loads(args.out.read_text()) if args.out.is_file() else []
    done = {(result["name"], result["controller"], result["seed"]) for result in results}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for name, motion in motions_of(args):
        for controller in args.controllers:
            if (name, controller, args.seed) in done:
                continue
            results.append(tried(name, motion, controller, args))
            args.out.write_text(json.dumps(results, indent=1) + "\n")
            result = results[-1]
            CONSOLE.print(f"{name}, {controller}, {result['cpu_s']:.1f} CPU s: {result['reason']}", highlight=False)
    CONSOLE.print(table_of(results))
    CONSOLE.print(summary_of(results))


def motions_of(args: Args) -> Iterator[tuple[str, RobotMotion]]:
    """Retargeted motions, captures in windows."""
    robot = robot_named(args.robot)
    clips = retargeting.Args(
        robot=args.robot, skip=args.skip, count=args.count, mocap=args.mocap, clips=args.clips, staged=args.staged
    )
    for clip, _ in retargeting.clips_of(clips):
        motion, _ = retargeting.measured(clip, robot)
        if clip.name not in args.clips:
            yield clip.name, motion
            continue
        length = round(args.window_s * motion.fps)
        last = max(len(motion.joint_position) - 1 - length, 0)
        for first in np.linspace(0, last, args.windows + 2)[1:-1].astype(int).tolist():
            end = min(first + length, len(motion.joint_position) - 1)
            yield f"{clip.name}@{first / motion.fps:.1f}-{end / motion.fps:.1f}", excerpt(motion, first, end)


def tried(name: str, motion: RobotMotion, controller: RobotController, args: Args) -> dict[str, Any]:
    """One try, as plain values."""
    cfg = check_robot.CheckRobotConfig(follow=FollowConfig(controller=controller), threads=1, seed=args.seed)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        check = check_robot.run(motion, cfg=cfg, out=Path(folder), progress=Progress())
    cpu_s = time.process_time() - start
    if args.pictures is not None:
        draw(motion, check, args.pictures / f"{name}_{controller}.png")
    return {
        "name": name,
        "controller": controller,
        "seed": args.seed,
        "cpu_s": cpu_s,
        "simulated_s": (len(check.run.qpos) - 1) / check.run.fps,
        "is_feasible": check.is_feasible,
        "keeps_contacts": all(criterion.holds for criterion in check.criteria if " touches " in criterion.name),
        "stays_up": all(criterion.holds for criterion in check.criteria if criterion.name.endswith(("root [m]", "root [deg]"))),
        "reason": check.reason,
        "failed": [criterion.name for criterion in check.criteria if not criterion.holds],
        "criteria": {criterion.name: criterion.value for criterion in check.criteria},
        "report": check.report,
    }


def draw(motion: RobotMotion, check: RobotCheck, path: Path) -> None:
    """Six moments of what the robot did, from two sides."""
    from sim_envs.robot_pictures import strip

    path.parent.mkdir(parents=True, exist_ok=True)
    strip(replace(executed(motion, check), robot=motion.robot), robot_named(motion.robot), path)


def table_of(results: list[dict[str, Any]]) -> Table:
    table = Table(
        "motion", "controller", "holds", "labels kept", "deviation, max [m]", "at limit, worst motor", "CPU s", "fails by"
    )
    for r in sorted(results, key=lambda r: (r["name"], r["controller"])):
        table.add_row(
            r["name"], r["controller"], "yes" if r["is_feasible"] else "no", f"{r['report']['labels kept [share]']:.2f}",
            f"{r['criteria']['deviation from the motion [m]']:.3f}", f"{r['criteria'][AT_LIMIT]:.2f}", f"{r['cpu_s']:.1f}",
            "; ".join(r["failed"]),
        )  # fmt: skip
    return table


AT_LIMIT = "time at a motor's limit [share]"


def summary_of(results: list[dict[str, Any]]) -> Table:
    table = Table(
        "controller", "tries", "all criteria", "contacts kept, no fall", "no fall", "labels kept", "deviation, mean [m]",
        "CPU s a simulated s",
    )  # fmt: skip
    for controller in dict.fromkeys(r["controller"] for r in results):
        mine = [r for r in results if r["controller"] == controller]
        held = [r["keeps_contacts"] and r["stays_up"] for r in mine]
        table.add_row(
            controller, str(len(mine)), _share([r["is_feasible"] for r in mine]), _share(held),
            _share([r["stays_up"] for r in mine]), f"{np.mean([r['report']['labels kept [share]'] for r in mine]):.2f}",
            f"{np.mean([r['report']['mean deviation [m]'] for r in mine]):.3f}",
            f"{sum(r['cpu_s'] for r in mine) / sum(r['simulated_s'] for r in mine):.2f}",
        )  # fmt: skip
    return table


def _share(holds: list[bool]) -> str:
    return f"{sum(holds)}/{len(holds)}"


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
