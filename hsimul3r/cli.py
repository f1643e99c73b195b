"""The command line: `hsimul3r reconstruct SCENE`, `import-motion FILE`, `simulate`, `view`, `report`, `export`,
`export-g1`, `check-robot`, `convert IN OUT`, `evaluate`, `train-policy`, `collect-feedback`, `dsro-finetune`, `tables`,
`demo`, `hsibench`, `replay-divergence`, `doctor`."""

import hashlib
import os
import re
import sys
import traceback
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Union

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, by numpy: its small solves are twenty times slower on more

import tyro
from rich.console import Console
from rich.markup import escape

from hsimul3r.config import PipelineConfig, load_config, require_licences, save_config, with_seed
from hsimul3r.errors import Hsimul3rError, NoRun, UnknownScene
from hsimul3r.export.formats import FormatName, WritableName
from hsimul3r.generator.dsro.command import DsroConfig
from hsimul3r.generator.feedback.command import FeedbackConfig
from hsimul3r.progress import Progress
from hsimul3r.run_store import RunStore, last_run, remember_run

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data" / "hsibench" / "samples"
BUILT = ROOT / "data" / "hsibench" / "built"


@dataclass(frozen=True, kw_only=True)
class Command:
    """What all commands share."""

    runs: Path = Path("runs")
    """Where runs are kept."""
    config: Path | None = None
    """YAML file that overrides defaults, for example configs/laptop.yaml."""
    debug: bool = False
    """Show tracebacks."""
    cfg: Annotated[PipelineConfig, tyro.conf.arg(name="")] = field(default_factory=PipelineConfig)

    def run(self, console: Console) -> None:
        raise NotImplementedError

    def open_run(self, scene: str | None, console: Console) -> RunStore:
        """The run of `scene`: a run's name, a sample, a folder of photos, or the run made last."""
        return RunStore(find_run(self.runs, scene), Progress(console))


@dataclass(frozen=True, kw_only=True)
class Reconstruct(Command):
    """Photos, or a video, to an aligned, metric scene of people and objects."""

    scene: tyro.conf.Positional[str]
    """A shipped sample, a folder of 2 to 16 photos of one moment, or a video (that takes your weights: docs/models.md)."""

    def run(self, console: Console) -> None:
        from hsimul3r.pipeline import reconstruct, reconstruct_video
        from hsimul3r.report import write_report
        from hsimul3r.video import copy_video, is_video

        source = find_scene(self.scene)
        cfg, of_video = with_seed(self.cfg), source.is_file() and is_video(source)
        named = source.with_suffix("") if of_video else source
        with RunStore(new_run(self.runs, named, source), Progress(console)) as store:
            (store.folder / "source").write_text(str(source.resolve()))
            save_config(cfg, store.folder / "config.yaml")
            remember_run(self.runs, store.folder.name)
            if of_video:
                reconstruct_video(copy_video(source, store.folder / "video"), store, cfg)
            else:
                reconstruct(source, store, cfg)
            report = write_report(store.folder)
        console.print(f"Scene: {store.folder}/60_aligned\nReport: {report}\nNext: make simulate", highlight=False)


@dataclass(frozen=True, kw_only=True)
class ImportMotion(Command):
    """A motion to a scene with the furniture it needs, ready to simulate: captured (.amc with its .asf, AMASS' .npz), or
    estimated from a video by GVHMR, WHAM, TRAM, PHALP or VideoMimic (.pt, .pkl, .npy, .h5), or by Human3R (its folder)."""

    file: tyro.conf.Positional[Path]
    """The motion, or with --command the video or folder that it is estimated from; what it is called names the run."""
    asf: Path | None = None
    """Skeleton of an .amc; by default the only .asf beside it, or that of CMU's naming (01_08.amc, 01.asf)."""
    tool: str | None = None
    """Program that estimated the motion (gvhmr, wham, tram, phalp, videomimic, human3r, sat_hmr); by default the file's content
    says."""
    person: str | None = None
    """Whose motion to take of several; by default of the one who is there longest."""
    fps: float | None = None
    """Rate of the video of an estimated motion, 30 by default."""
    stature: float | None = None
    """Height of the person in metres."""
    command: str | None = None
    """A program of your own that estimates the motion, for example "conda run -n gvhmr python tools/demo/demo.py
    --video={input} --output_root={output} -s"."""
    result: str = "**/*.pkl"
    """The file that it leaves within {output}; may be a pattern ("**/hmr4d_results.pt")."""
    folder: Path | None = None
    """Where to run it; by default here."""
    timeout_s: float = 3600.0
    """How long it may take."""

    def settings(self) -> PipelineConfig:
        """The configuration with this command's own options in it."""
        own = {"tool": self.tool, "person": self.person, "video_fps": self.fps}
        motion = self.cfg.motion
        estimate = replace(motion.estimate, **{name: value for name, value in own.items() if value is not None})
        return replace(self.cfg, motion=replace(motion, estimate=estimate, stature_m=self.stature or motion.stature_m))

    def estimated(self, store: RunStore) -> tuple[Path, ...]:
        """What the user's program makes of the video, in the run's folder; it is run every time."""
        from hsimul3r.importers.external import ExternalTool, run_external
        from hsimul3r.motions.files import motion_files

        tool = ExternalTool(
            command=self.command or "", result=self.result, kind=self.tool, folder=self.folder, timeout_s=self.timeout_s
        )
        store.progress.say("[bold]external[/bold]")
        return motion_files(run_external(tool, self.file, store.folder / "external").file, None)

    def run(self, console: Console) -> None:
        from hsimul3r.motions.files import copy_motion, motion_files
        from hsimul3r.pipeline import import_captured
        from hsimul3r.report import write_report

        cfg = with_seed(self.settings())
        files = motion_files(self.file, self.asf) if self.command is None else ()
        with RunStore(new_run(self.runs, self.file.with_suffix(""), self.file), Progress(console)) as store:
            motion = copy_motion(files or self.estimated(store), store.folder / "motion")
            (store.folder / "source").write_text(str(self.file.resolve()))
            save_config(cfg, store.folder / "config.yaml")
            remember_run(self.runs, store.folder.name)
            scene = import_captured(motion, store, cfg)
            report = write_report(store.folder)
        seconds = len(scene.bodies[0].pose) / scene.bodies[0].fps
        console.print(
            f"{seconds:.1f} s, contacts: {len(scene.contacts)}, furniture that they need: {len(scene.assets)}\n"
            f"Scene: {store.folder}/60_aligned\nReport: {report}\nNext: make simulate",
            highlight=False,
        )


@dataclass(frozen=True, kw_only=True)
class Simulate(Command):
    """A reconstructed scene to a simulated motion, its video, a verdict and the report."""

    scene: tyro.conf.Positional[str | None] = None

    def run(self, console: Console) -> None:
        from hsimul3r.pipeline import simulate

        with self.open_run(self.scene, console) as store:
            simulation = simulate(store, with_seed(self.cfg))
        for controller, verdict in simulation.verdicts.items():
            colour = "green" if verdict.is_stable else "red"
            console.print(f"[bold {colour}]{controller}: {escape(verdict.reason)}[/]", highlight=False)
        console.print(
            f"Report: {store.folder}/report.html\nVideo: {store.folder}/simulation.mp4\nNext: make view", highlight=False
        )


@dataclass(frozen=True, kw_only=True)
class TrainPolicy(Command):
    """Train a policy by reinforcement learning from what `simulate` solved; stopped at any time, it continues where it was."""

    scene: tyro.conf.Positional[str | None] = None
    others: tuple[str, ...] = ()
    """More simulated runs of the same layout that the same policy learns."""

    def run(self, console: Console) -> None:
        from hsimul3r.pipeline import train
        from hsimul3r.report import write_report

        others = [find_run(self.runs, name) for name in self.others]
        with self.open_run(self.scene, console) as store:
            _, verdict = train(store, others, with_seed(self.cfg))
            report = write_report(store.folder)
        colour = "green" if verdict.is_stable else "red"
        console.print(f"[bold {colour}]ppo: {escape(verdict.reason)}[/]", highlight=False)
        console.print(f"Policy: {store.folder}/82_policy/policy.onnx\nReport: {report}", highlight=False)


@dataclass(frozen=True, kw_only=True)
class CollectFeedback(Command):
    """Sample a generator on many images, have the simulator judge every sample, and keep what it said; stopped at any time, it
    continues where it was."""

    feedback: Annotated[FeedbackConfig, tyro.conf.arg(name="")] = field(default_factory=FeedbackConfig)
    out: Path = Path("runs/feedback")

    def run(self, console: Console) -> None:
        from hsimul3r.generator.feedback.command import SUMMARY, run_feedback

        summary = run_feedback(self.feedback, self.out, Progress(console))
        console.print("\n".join(summary.lines()), highlight=False, markup=False)
        console.print(f"Rollouts: {self.out}\nSummary: {self.out}/{SUMMARY}", highlight=False)


@dataclass(frozen=True, kw_only=True)
class DsroFinetune(Command):
    """Tune the generator on what the simulator says of its own samples (Sec. 3.4): collect, train, compare; stopped at any
    time, it continues where it was. configs/paper.yaml has the paper's settings."""

    dsro: Annotated[DsroConfig, tyro.conf.arg(name="")] = field(default_factory=DsroConfig)
    out: Path = Path("runs/dsro")
    """Also the folder of weights to use afterwards."""

    def run(self, console: Console) -> None:
        from hsimul3r.generator.dsro.command import TABLE, run_dsro

        report = run_dsro(self.dsro, self.out, Progress(console), seed=self.cfg.seed)
        console.print(report.table, highlight=False, markup=False, soft_wrap=True)
        console.print(
            f"Table: {self.out}/{TABLE}\n"
            f'Next: make demo ARGS="--objects.generator part_flow --objects.flow.weights {self.out.resolve()}"',
            highlight=False,
            soft_wrap=True,
        )


@dataclass(frozen=True, kw_only=True)
class Demo(Command):
    """Reconstruct and simulate a shipped sample: photos to verdict."""

    scene: tyro.conf.Positional[str] = "foot_stool"

    def run(self, console: Console) -> None:
        Reconstruct(scene=self.scene, runs=self.runs, cfg=self.cfg).run(console)
        Simulate(runs=self.runs, cfg=self.cfg).run(console)


@dataclass(frozen=True, kw_only=True)
class View(Command):
    """Look at a run in the browser."""

    scene: tyro.conf.Positional[str | None] = None
    port: int = 8080
    host: str = "127.0.0.1"

    def run(self, console: Console) -> None:
        from hsimul3r.viewer import view

        folder = find_run(self.runs, self.scene)
        view(
            folder,
            port=self.port,
            host=self.host,
            on_ready=lambda address: console.print(f"Viewer of {folder}: {address} (Ctrl+C ends it)", highlight=False),
        )


@dataclass(frozen=True, kw_only=True)
class Report(Command):
    """Write report.html of a run anew."""

    scene: tyro.conf.Positional[str | None] = None

    def run(self, console: Console) -> None:
        from hsimul3r.report import write_report

        console.print(f"Report: {write_report(find_run(self.runs, self.scene))}", highlight=False)


@dataclass(frozen=True, kw_only=True)
class Export(Command):
    """The simulated motion as SMPL-X npz (AMASS keys) and the scene as MJCF."""

    scene: tyro.conf.Positional[str | None] = None

    def run(self, console: Console) -> None:
        from hsimul3r.pipeline import export

        with self.open_run(self.scene, console) as store:
            console.print(f"Export: {export(store, with_seed(self.cfg))}", highlight=False)


@dataclass(frozen=True, kw_only=True)
class ExportG1(Command):
    """The motion as that of a Unitree G1 (another robot by --retarget.robot), with the scene at its size, in all formats that
    robot programs and simulators read."""

    scene: tyro.conf.Positional[str | None] = None

    def run(self, console: Console) -> None:
        from hsimul3r.pipeline import export_to_robot

        with self.open_run(self.scene, console) as store:
            folder = export_to_robot(store, with_seed(self.cfg))
        console.print(f"Export: {folder}\nWhat is what: {folder}/README.txt", highlight=False)


@dataclass(frozen=True, kw_only=True)
class CheckRobot(Command):
    """Whether a Unitree G1 (another robot by --retarget.robot) can do the motion: in simulation, with its motors' limits, among
    the objects, does it keep the contacts and not fall?"""

    scene: tyro.conf.Positional[str | None] = None

    def run(self, console: Console) -> None:
        from hsimul3r.pipeline import check_robot_motion

        with self.open_run(self.scene, console) as store:
            check = check_robot_motion(store, with_seed(self.cfg))
        console.print(f"{escape(check.reason)}\nFigures: {store.folder}/96_robot_check/artifact.json", highlight=False)


@dataclass(frozen=True, kw_only=True)
class Convert(Command):
    """A file of motion in another format: of a robot between unitree-csv, mjlab, isaaclab, gmr and holosoma, of a person from
    AMASS, .amc and the estimates of other programs to AMASS."""

    source: tyro.conf.Positional[Path]
    target: tyro.conf.Positional[Path]
    to: WritableName | None = None
    """Format to write; by default told from the ending, where only one has it."""
    from_: Annotated[FormatName | None, tyro.conf.arg(name="from")] = None
    """Format of the source; by default told from its content."""
    robot: str = "unitree_g1_29dof"
    """Whose motion it is: a robot's name or the path of its description."""
    fps: float | None = None
    """Rate to write; by default what programs of that format expect."""
    source_fps: float | None = None
    """Rate of a source that does not say its own: a CSV, an .amc, a video's estimate."""
    asf: Path | None = None
    """Skeleton of an .amc."""

    def run(self, console: Console) -> None:
        from hsimul3r.export.convert import ConvertOptions, convert
        from hsimul3r.retarget.robot import robot_named

        options = ConvertOptions(
            robot=robot_named(self.robot), source_format=self.from_, target_format=self.to, source_fps=self.source_fps,
            fps=self.fps, asf=self.asf, motion=self.cfg.motion,
        )  # fmt: skip
        done = convert(self.source, self.target, options, Progress(console))
        console.print(
            f"{done.source_format} to {done.target_format}: {done.frames} frames, {done.fps:g} a second\n{self.target}",
            highlight=False,
        )


@dataclass(frozen=True, kw_only=True)
class Evaluate(Command):
    """Compare a run of a shipped sample with the sample's truth."""

    scene: tyro.conf.Positional[str | None] = None

    def run(self, console: Console) -> None:
        from stages.evaluate import evaluate_run, markdown_table

        folder = find_run(self.runs, self.scene)
        truth = SAMPLES / folder.name / "truth"
        if not truth.is_dir():
            raise UnknownScene(folder.name, sample_names())
        console.print(markdown_table({folder.name: evaluate_run(folder, truth)}), highlight=False)


@dataclass(frozen=True, kw_only=True)
class Tables(Command):
    """Run the variants of the pipeline on the cases of HSIBench and write the paper's Tables 1 to 3."""

    data: Path = BUILT if BUILT.is_dir() else SAMPLES
    """Folder of cases: photos, and their truth in truth/."""
    experiment: Path = ROOT / "configs" / "hsibench.yaml"
    """Rows, seeds, views and expected bounds."""
    split: Literal["all", "easy", "medium", "hard"] = "all"
    cases: tuple[str, ...] = ()
    """Names of cases; all by default."""
    rows: tuple[str, ...] = ()
    """Names of rows; all by default."""
    views: tuple[int, ...] = ()
    """Numbers of photos of each case to use: 4, 10, 16; by default as the experiment says."""
    seeds: tuple[int, ...] = ()
    workers: int = 0
    """Processes, each of up to 3 GB; 0 takes as many as there are processors."""

    def run(self, console: Console) -> None:
        from hsimul3r.experiment import run_tables
        from hsimul3r.experiment_plan import load_experiment, selected

        plan = selected(load_experiment(self.experiment, self.cfg), rows=self.rows, views=self.views, seeds=self.seeds)
        result = run_tables(
            plan,
            self.data,
            split=self.split,
            names=self.cases,
            out=self.runs / f"tables_{self.data.name}",
            workers=self.workers or len(os.sched_getaffinity(0)),
            progress=Progress(console),
        )
        console.print(result.tables.read_text(), highlight=False, markup=False, soft_wrap=True)
        console.print(f"Tables: {result.tables}\nPlots: {', '.join(str(path) for path in result.plots)}", highlight=False)
        for line in result.broken:
            console.print(f"[bold red]Expected bound broken: {line}[/]", highlight=False)
        console.print(f"Expected bounds: {result.tested} tested, {len(result.broken)} broken", highlight=False)
        if result.broken:
            raise SystemExit(1)


@dataclass(frozen=True, kw_only=True)
class Hsibench(Command):
    """Build the benchmark: cases with photos and exact truth; stopped at any time, it continues where it was."""

    count: int = 24
    """Cases wanted that pass the checks of their own truth."""
    views: Literal[4, 10, 16] = 4
    """Photos of a pose."""
    all: bool = False
    """300 cases, motions too, 16 photos of each pose."""
    workers: int = 0
    """Processes; 0: one a core."""
    out: Path = BUILT
    cases: tuple[str, ...] = ()
    """Only these, by name."""
    verify: int = 0
    """Build so many finished cases again and compare all their files bit by bit."""

    def run(self, console: Console) -> None:
        from hsimul3r.benchmark.build import BuildConfig, build, verify

        count, views = (300, 16) if self.all else (self.count, self.views)
        cfg = BuildConfig(out=self.out, count=count, views=views, has_motions=self.all, only=self.cases, workers=self.workers)
        if self.verify:
            names = verify(cfg, self.verify, Progress(console))
            console.print(f"The same bits again: {', '.join(names)}", highlight=False)
            return
        ledger = build(cfg, Progress(console))
        for name, trouble in ledger.troubles.items():
            console.print(f"[red]{name} was left out: {trouble}[/]", highlight=False)
        console.print(f"{ledger.in_words()}\nCases: {self.out}\nTable: {self.out}/summary.md", highlight=False)


@dataclass(frozen=True, kw_only=True)
class Doctor(Command):
    """Check the machine: packages, rendering, memory, disk, shipped weights."""

    def run(self, console: Console) -> None:
        from hsimul3r.doctor import examine

        if not examine(console, self.runs):
            raise SystemExit(1)


@dataclass(frozen=True, kw_only=True)
class Weights(Command):
    """The models that you can bring: what they give, their licences, where their files go, which are here."""

    check: bool = False
    """Compare the files that are here with their published checksums."""

    def run(self, console: Console) -> None:
        from hsimul3r.weights_table import show_weights

        show_weights(console, checks=self.check)


@dataclass(frozen=True, kw_only=True)
class ReplayDivergence(Command):
    """Run a simulation that broke down again, and say where, which joint and which contacts."""

    folder: tyro.conf.Positional[Path]
    """<run>/80_rollout_*/divergence/<number>_simulation<row>."""

    def run(self, console: Console) -> None:
        from sim_envs.guard import replay

        console.print(replay(self.folder).in_words(), highlight=False)


COMMANDS = (
    Reconstruct,
    ImportMotion,
    Simulate,
    TrainPolicy,
    CollectFeedback,
    DsroFinetune,
    Demo,
    View,
    Report,
    Export,
    ExportG1,
    CheckRobot,
    Convert,
    Evaluate,
    Tables,
    Hsibench,
    ReplayDivergence,
    Weights,
    Doctor,
)


def sample_names() -> list[str]:
    return sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()) if SAMPLES.is_dir() else []


def find_scene(scene: str) -> Path:
    """The folder of photos that SCENE means. Raises `UnknownScene`."""
    if scene in sample_names():
        return SAMPLES / scene
    path = Path(scene).expanduser()
    if not path.exists():
        raise UnknownScene(scene, sample_names())
    return path


def new_run(runs: Path, named: Path, source_path: Path | None = None) -> Path:
    """The run folder for a folder of photos or a file; another source of the same name gets a run of its own."""
    source = str((source_path or named).resolve())
    folder = runs / named.resolve().name
    taken = folder / "source"
    if taken.is_file() and taken.read_text() != source:
        folder = folder.with_name(f"{folder.name}-{hashlib.sha256(source.encode()).hexdigest()[:6]}")
    return folder


def find_run(runs: Path, scene: str | None) -> Path:
    """The existing run that SCENE means, or the run made last. Raises `NoRun`."""
    if not scene:
        return last_run(runs)
    folder = runs / scene if (runs / scene / "source").is_file() else new_run(runs, find_scene(scene))
    if not folder.is_dir():
        raise NoRun(f"Scene '{scene}' was not reconstructed in '{runs}'.")
    return folder


def parse(arguments: list[str]) -> Command:
    """The command; raises `SystemExit` with tyro's own message for words it does not know."""
    path = next((Path(value) for flag, value in pairwise(arguments) if flag == "--config"), None)
    cfg = load_config(path)
    subcommands = []
    for kind in COMMANDS:
        needed = {
            Reconstruct: ("scene",),
            ImportMotion: ("file",),
            ReplayDivergence: ("folder",),
            Convert: ("source", "target"),
        }
        given = {"dsro": cfg.dsro} if kind is DsroFinetune else {}
        default = kind(cfg=cfg, **given, **{name: tyro.MISSING for name in needed.get(kind, ())})
        name = re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()
        subcommands.append(Annotated[kind, tyro.conf.subcommand(name, default=default)])
    commands = Union[tuple(subcommands)]  # noqa: UP007
    return tyro.cli(commands, args=arguments, prog="hsimul3r", description=__doc__)  # pyright: ignore


def main(argv: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    console, debug = Console(), "--debug" in arguments
    try:
        command = parse(list(arguments))
        require_licences(command.cfg)
        command.run(console)
    except Hsimul3rError as error:
        _explain(debug, f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _explain(False, "stopped; the same command continues where it was")
        return 130
    except Exception as error:
        _explain(debug, f"internal error: {type(error).__name__}: {error}\nThis is a bug; run again with --debug to see where.")
        return 1
    return 0


def _explain(debug: bool, message: str) -> None:
    if debug:
        traceback.print_exc()
    Console(stderr=True).print(message, style="red", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
