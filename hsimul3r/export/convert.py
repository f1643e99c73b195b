"""From one file of motion to another: the formats, which of them a file is in, and the way between two of one kind.

A robot's motion stays that robot's, a person's a person's: between them lies retargeting, which needs the scene.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from hsimul3r.artifacts import BodySequence
from hsimul3r.body.model import EMBEDDED
from hsimul3r.errors import NotConvertible, UnknownFormat
from hsimul3r.export.amass import AmassMotion, write_amass
from hsimul3r.export.formats import FORMATS, WRITABLE, FormatName, WritableName
from hsimul3r.export.robot import holosoma, tracking_npz, unitree_csv
from hsimul3r.export.robot.checks import npz_table
from hsimul3r.export.robot.clip import RobotClip, resampled
from hsimul3r.export.robot.gmr import read_gmr, write_gmr
from hsimul3r.files import whole_file, writable
from hsimul3r.importers.plain import read_plain
from hsimul3r.motions.files import CAPTURED, ESTIMATED, copy_motion, motion_files
from hsimul3r.progress import Progress
from hsimul3r.retarget.robot import RobotDescription
from stages.import_motion import ImportMotionConfig, read_motion


@dataclass(frozen=True, kw_only=True)
class RobotFormat:
    """How a robot's motion is written and read."""

    suffix: str
    fps: float | None
    """What its programs expect; None: any."""
    write: Callable[[RobotClip, Path], None]
    read: Callable[[Path, RobotDescription, float | None], RobotClip]


ROBOT_FORMATS: Final[dict[str, RobotFormat]] = {
    "unitree-csv": RobotFormat(
        suffix=".csv", fps=unitree_csv.FPS, write=unitree_csv.write_csv, read=unitree_csv.read_csv,
    ),
    "mjlab": RobotFormat(
        suffix=".npz", fps=tracking_npz.FPS, write=lambda clip, path: tracking_npz.write_tracking(clip, path, "mjlab"),
        read=lambda path, robot, _: tracking_npz.read_tracking(path, robot),
    ),
    "isaaclab": RobotFormat(
        suffix=".npz", fps=tracking_npz.FPS, write=lambda clip, path: tracking_npz.write_tracking(clip, path, "isaaclab"),
        read=lambda path, robot, _: tracking_npz.read_tracking(path, robot),
    ),
    "gmr": RobotFormat(suffix=".pkl", fps=None, write=write_gmr, read=lambda path, robot, _: read_gmr(path, robot)),
    "holosoma": RobotFormat(
        suffix=".npz", fps=holosoma.FPS, write=holosoma.write_holosoma,
        read=lambda path, robot, _: holosoma.read_holosoma(path, robot),
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """What files do not say of themselves."""

    robot: RobotDescription
    source_format: FormatName | None = None
    """By default told from the content."""
    target_format: WritableName | None = None
    """By default told from the ending, where only one format has it."""
    source_fps: float | None = None
    """Rate of a file that does not say its own: a CSV, an .amc, an estimate."""
    fps: float | None = None
    """Rate to write, by default what the target's programs expect."""
    asf: Path | None = None
    """Skeleton of an .amc."""
    motion: ImportMotionConfig = field(default_factory=ImportMotionConfig)
    """How a person's motion is read."""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What was done."""

    source_format: FormatName
    target_format: WritableName
    frames: int
    fps: float


def convert(source: Path, target: Path, options: ConvertOptions, progress: Progress) -> Converted:
    """Write the motion of `source` as `target`. Raises `UnknownFormat`, `NotConvertible` and what the readers raise."""
    with writable(target.parent, option="OUT"):
        target.parent.mkdir(parents=True, exist_ok=True)
    known = options.source_format or format_of(source, options.robot)
    wanted = options.target_format or _format_to_write(target, known)
    if (known in ROBOT_FORMATS) != (wanted in ROBOT_FORMATS):
        raise NotConvertible(known, wanted)
    if known not in ROBOT_FORMATS:
        body = _read_person(source, options, progress)
        with whole_file(target) as path:
            write_amass(_as_amass(body), path)
        return Converted(source_format=known, target_format=wanted, frames=len(body.pose), fps=body.fps)
    clip = ROBOT_FORMATS[known].read(source, options.robot, options.source_fps)
    clip = resampled(clip, options.fps or ROBOT_FORMATS[wanted].fps)
    with whole_file(target) as path:
        ROBOT_FORMATS[wanted].write(clip, path)
    return Converted(source_format=known, target_format=wanted, frames=len(clip), fps=clip.fps)


def format_of(path: Path, robot: RobotDescription) -> FormatName:
    """The format that a file is in, by its ending and its content. Raises `UnknownFormat`, `BadRobotMotion`."""
    if not path.is_file():
        raise UnknownFormat(f"There is no file '{path}'.", FORMATS)
    kind = path.suffix.lower()
    if kind == ".csv":
        return "unitree-csv"
    if kind == ".npz":
        return _format_of_npz(path, robot)
    if kind in (".pkl", ".pickle") and _is_gmr(read_plain(path)):
        return "gmr"
    if kind in CAPTURED:
        return "captured"
    if kind in ESTIMATED:
        return "estimated"
    raise UnknownFormat(f"'{path}' ends in none of .csv, {', '.join((*CAPTURED, *ESTIMATED))}.", FORMATS)


def _format_of_npz(path: Path, robot: RobotDescription) -> FormatName:
    table = npz_table(path)
    if "joint_pos" in table and "body_pos_w" in table:
        names = len(table.get("joint_names", ()))
        has_root = table["joint_pos"].ndim == 2 and names > 0 and table["joint_pos"].shape[1] == names + 7
        return "holosoma" if has_root else tracking_npz.order_of(path, table, robot)
    if _is_gmr(table):
        return "gmr"
    if "trans" in table:
        return "amass"
    raise UnknownFormat(f"'{path}' holds {', '.join(sorted(table)) or 'nothing'}, which is no motion known here.", FORMATS)


def _is_gmr(table: Any) -> bool:
    return isinstance(table, dict) and {"root_rot", "dof_pos"} <= set(table)


def _format_to_write(target: Path, source: FormatName) -> WritableName:
    """Raises `UnknownFormat` where the ending of `target` leaves a choice."""
    kind = target.suffix.lower()
    if source not in ROBOT_FORMATS and kind == ".npz":
        return "amass"
    fitting = [name for name, known in ROBOT_FORMATS.items() if known.suffix == kind]
    if len(fitting) != 1:
        raise UnknownFormat(f"'{target}' may be {' or '.join(fitting) or 'nothing known'}: say which with --to.", WRITABLE)
    return next(name for name in WRITABLE if name == fitting[0])


def _read_person(source: Path, options: ConvertOptions, progress: Progress) -> BodySequence:
    """On the floor, on our body."""
    given = {"fps": options.fps, "amc_fps": options.source_fps}
    cfg = replace(options.motion, **{name: value for name, value in given.items() if value is not None})
    if options.source_fps is not None:
        cfg = replace(cfg, estimate=replace(cfg.estimate, video_fps=options.source_fps))
    with tempfile.TemporaryDirectory() as folder:
        copied = copy_motion(motion_files(source, options.asf), Path(folder) / "motion")
        return read_motion(copied, cfg=cfg, progress=progress)[0]


def _as_amass(body: BodySequence) -> AmassMotion:
    """Without contacts and objects, which no other format has."""
    frames = len(body.pose)
    return AmassMotion(
        body_model=EMBEDDED,
        body=body,
        contact_part=(),
        contact_target=(),
        contact_force_n=np.empty((frames, 0)),
        contact_point_m=np.empty((frames, 0, 3)),
        object_name=(),
        object_pos_m=np.empty((frames, 0, 3)),
        object_quat_wxyz=np.empty((frames, 0, 4)),
    )
