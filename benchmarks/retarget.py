"""Motions retargeted to a robot: contacts, penetration, skate, joint speeds, frames per CPU second.

    MUJOCO_GL=egl python benchmarks/retarget.py --mocap ../shared/data/mocap --pictures runs/retarget_pictures

HSIBench's motions are staged with their objects; their contacts are estimated from the motion (retarget/estimate.py), the
captures' furniture and contacts by `import_motion`. HSIBench's true contacts say in which frames a seat, a hand or a foot
should touch when the result is measured; the retargeter never sees them. Of the captures it is the estimated ones. The solver
was made on the first candidate of each of the 11 kinds (the first 11 names); these are left out by default.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tyro
from control_cases import MOTION, cases_of, staged_scene
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import AlignedScene, Contact, Provenance
from hsimul3r.body.model import embedded_body
from hsimul3r.errors import NotPosable
from hsimul3r.files import fresh_folder
from hsimul3r.motions.files import copy_motion, motion_files
from hsimul3r.progress import Progress
from hsimul3r.retarget.estimate import estimated_contacts
from hsimul3r.retarget.measure import MotionFaults, faults_of
from hsimul3r.retarget.motion import RobotContact, RobotMotion
from hsimul3r.retarget.retarget import RetargetConfig, retarget, scene_of
from hsimul3r.retarget.robot import RobotDescription, robot_named
from stages import import_motion

CONSOLE = Console(width=160, markup=False)
GMR = "GMR, 6 other clips, true contacts (issue 7): seat gap 40 mm, penetration 53 mm, skate 56 mm/s, 396 frames/CPU s"


@dataclass(frozen=True, kw_only=True)
class Args:
    """What to measure."""

    robot: str = "unitree_g1_29dof"
    skip: int = 11
    count: int = 26
    """Of HSIBench's motions in turn of all kinds; those that cannot be staged are left out."""
    mocap: Path | None = None
    clips: tuple[str, ...] = ("01_08", "02_06", "02_10")
    staged: Path = Path("runs/retarget_staged")
    """Scenes are kept there: staging costs 60 times what retargeting does."""
    out: Path = Path("runs/retarget.json")
    pictures: Path | None = None
    """Folder for a strip of pictures of each clip."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A motion and which contacts should be."""

    name: str
    scene: AlignedScene
    contacts: tuple[Contact, ...]
    """For the retargeter."""
    true: tuple[Contact, ...]
    """For the measures."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One clip retargeted."""

    name: str
    frames: int
    cpu_s: float
    estimate_cpu_s: float
    scene_scale: float
    faults: MotionFaults


def main(args: Args) -> None:
    robot, results = robot_named(args.robot), []
    for clip, estimate_cpu_s in clips_of(args):
        if not results:
            measured(clip, robot)
        motion, cpu_s = measured(clip, robot)
        faults = faults_of(motion, robot, [_robots(contact, len(motion.joint_position)) for contact in clip.true])
        results.append(
            Result(
                name=clip.name,
                frames=len(motion.joint_position),
                cpu_s=cpu_s,
                estimate_cpu_s=estimate_cpu_s,
                scene_scale=motion.scene_scale,
                faults=faults,
            )
        )
        if args.pictures is not None:
            draw(motion, robot, args.pictures / f"{clip.name}.png")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    CONSOLE.print(table_of(results))
    CONSOLE.print(GMR)


def clips_of(args: Args) -> Iterator[tuple[Clip, float]]:
    """Clips and the CPU seconds that estimating their contacts took."""
    model = embedded_body()
    for name in cases_of(MOTION, args.skip + args.count)[args.skip :]:
        scene = kept(name, args)
        if scene is not None:
            start = time.process_time()
            contacts = estimated_contacts(model, scene.bodies[0], scene.assets, scene.object_paths)
            yield (
                Clip(name=name, scene=scene, contacts=contacts, true=scene.contacts),
                time.process_time() - start,
            )
    for name in args.clips if args.mocap is not None else ():
        scene = kept(name, args)
        if scene is not None:
            yield Clip(name=name, scene=scene, contacts=scene.contacts, true=scene.contacts), 0.0


def kept(name: str, args: Args) -> AlignedScene | None:
    """A scene, staged or imported the first time; None where the motion cannot be staged."""
    folder, refused = args.staged / name, args.staged / f"{name}.refused"
    if folder.is_dir():
        return AlignedScene.load(folder)
    if refused.is_file():
        return None
    args.staged.mkdir(parents=True, exist_ok=True)
    try:
        scene = imported(args.mocap, name) if args.mocap is not None and name in args.clips else staged_scene(name)
    except NotPosable as error:
        CONSOLE.print(f"{name}: {error.reason}")
        refused.write_text(error.reason)
        return None
    with fresh_folder(folder) as partial:
        scene.save(partial)
    return scene


def imported(mocap: Path, name: str) -> AlignedScene:
    with tempfile.TemporaryDirectory() as folder:
        source = copy_motion(motion_files(mocap / f"{name}.amc", None), Path(folder) / "motion")
        cfg = import_motion.ImportMotionConfig()
        return import_motion.run(source, cfg=cfg, out=Path(folder), progress=Progress())


def measured(clip: Clip, robot: RobotDescription) -> tuple[RobotMotion, float]:
    """The robot's motion and the CPU seconds from the person's to it, scene and all."""
    scene, start = clip.scene, time.process_time()
    source = scene_of(embedded_body(), scene.bodies[0], scene.assets, clip.contacts, scene.object_paths)
    provenance = Provenance(adapter="benchmark", scale_source="given", frame="world")
    motion = retarget(source, robot, cfg=RetargetConfig(), name=robot.name, provenance=provenance)
    return motion, time.process_time() - start


def _robots(contact: Contact, frames: int) -> RobotContact:
    last = frames - 1 if contact.last is None else min(contact.last, frames - 1)
    return RobotContact(part=contact.part, body="", target=contact.target, point=contact.point, first=contact.first, last=last)


def table_of(results: list[Result]) -> Table:
    table = Table(
        "clip", "frames", "seat gap, p95 [mm]", "hands [mm]", "deepest [mm]", "skate [mm/s]", "joint speed [rad/s], share",
        "frames / CPU s", "with estimating",
    )  # fmt: skip
    for r in results:
        f = r.faults
        table.add_row(
            r.name, str(r.frames), f"{f.seat_gap_mm:.1f}, {f.seat_gap_p95_mm:.1f}", f"{f.hand_gap_mm:.1f}",
            f"{f.deepest_mm:.1f}", f"{f.skate_mm_s:.1f}", f"{f.speed_rad_s:.1f}, {f.speed_share:.2f}",
            f"{r.frames / r.cpu_s:.0f}", f"{r.frames / (r.cpu_s + r.estimate_cpu_s):.0f}" if r.estimate_cpu_s else "",
        )  # fmt: skip

    def over(field: str) -> np.ndarray:
        values = np.array([getattr(r.faults, field) for r in results])
        return values[np.isfinite(values)]

    frames, cpu_s = sum(r.frames for r in results), sum(r.cpu_s for r in results)
    mine = [r for r in results if r.estimate_cpu_s]
    estimating = sum(r.frames for r in mine) / sum(r.cpu_s + r.estimate_cpu_s for r in mine) if mine else np.nan
    for name, fold in (("mean", np.mean), ("worst", np.max)):
        table.add_row(
            name, str(frames), f"{fold(over('seat_gap_mm')):.1f}, {fold(over('seat_gap_p95_mm')):.1f}",
            f"{fold(over('hand_gap_mm')):.1f}", f"{fold(over('deepest_mm')):.1f}", f"{fold(over('skate_mm_s')):.1f}",
            f"{fold(over('speed_rad_s')):.1f}, {fold(over('speed_share')):.2f}", f"{frames / cpu_s:.0f}", f"{estimating:.0f}",
        )  # fmt: skip
    return table


def draw(motion: RobotMotion, robot: RobotDescription, path: Path) -> None:
    """A strip of six moments from two sides."""
    from sim_envs.robot_pictures import strip

    path.parent.mkdir(parents=True, exist_ok=True)
    strip(motion, robot, path)


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
