"""The report's page: what a run folder holds, put into words and drawings, in one file that loads nothing else."""

from dataclasses import dataclass
from pathlib import Path

import jinja2

from hsimul3r import __version__
from hsimul3r.artifacts import Criterion, SimScene, StabilityVerdict
from hsimul3r.conventions import GRAVITY
from hsimul3r.files import write_whole
from hsimul3r.geometry.overlay import OBJECT_COLORS, PERSON_COLORS, object_color
from hsimul3r.report.pictures import photo_pairs, stage_pictures, video_stills, video_uri
from hsimul3r.report.plots import ForcePlot, TopView, force_plot, hex_color, top_view
from hsimul3r.report.quantities import number, quantity
from hsimul3r.report.sections import comparisons, sections
from hsimul3r.run_record import FEEDBACK_TYPES, RunRecord, Simulation, read_run
from hsimul3r.surfaces import body_surfaces, object_surfaces

REPORT_NAME = "report.html"
VIDEO_NAME = "simulation.mp4"
SCALE_SOURCES = {
    "stature": "the person's stature",
    "calibrated": "known camera poses",
    "given": "a given length",
    "unknown": "unknown: no simulation can be built",
}
TESTS = {"gravity": "stands under gravity", "settled": "comes to rest", "contact": "holds its contacts"}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One controller's simulation in the report."""

    title: str
    verdict: StabilityVerdict | None
    kind: str
    tests: tuple[tuple[str, bool], ...]
    decisive: tuple[Criterion, ...]
    """What failed, then what came closest to failing in each test."""
    others: tuple[Criterion, ...]
    plot: ForcePlot | None


def write_report(run_folder: Path) -> Path:
    """Write `report.html` of a run, whole or stopped half-way, into its folder. Raises `NoRun` where there is no run."""
    return write_page(read_run(run_folder), run_folder / REPORT_NAME)


def write_page(record: RunRecord, path: Path) -> Path:
    """Write the report of a run to `path`."""
    text = _template().render(
        record=record, version=__version__, number=number, quantity=quantity, test_names=TESTS,
        best=_outcome(record.best, record.sim) if record.best else None,
        outcomes=[_outcome(simulation, record.sim) for simulation in record.simulations],
        resume=_resume_command(record), used=_used(record),
        sections=sections(record), comparisons=comparisons(record.aligned.report if record.aligned else {}),
        pictures={path.name: stage_pictures(path) for path in sorted(record.folder.glob("[1-9]*_*")) if path.is_dir()},
        total_s=sum(cost.seconds for cost in record.costs), peak_mb=max((c.peak_rss_mb for c in record.costs), default=0.0),
        longest_s=max((cost.seconds for cost in record.costs), default=1.0),
        **_film(record), **_scene_drawings(record),
    )  # fmt: skip
    write_whole(path, text)
    return path


def _film(record: RunRecord) -> dict[str, object]:
    """The film of the simulations, where it is of those that the run holds."""
    path = record.folder / VIDEO_NAME
    is_current = path.is_file() and any(simulation.rollout for simulation in record.simulations)
    stills = video_stills(path) if is_current else ()
    return {"has_video": bool(stills), "video": video_uri(path) if stills else None, "stills": stills}


def _scene_drawings(record: RunRecord) -> dict[str, object]:
    world = record.reconstruction
    people = body_surfaces(world.bodies)
    seen_from_above: TopView | None = None
    if world.cameras is not None and world.tracks is not None:
        colored = [(asset, object_color(i)) for i, asset in enumerate(world.assets)]
        seen_from_above = top_view(world.cameras, world.tracks, people, colored)
    return {"photos": photo_pairs(record, [*people, *object_surfaces(world.assets)], world.cameras), "top": seen_from_above}


def _outcome(simulation: Simulation, scene: SimScene | None) -> Outcome:
    verdict, rollout = simulation.verdict, simulation.rollout
    curves = [hex_color(color) for pair in zip(OBJECT_COLORS, PERSON_COLORS) for color in pair]
    weights = [mass * GRAVITY for mass in scene.human_mass_kg] if scene else []
    plot = force_plot(rollout, curves, max(weights, default=None)) if rollout else None
    if verdict is None:
        return Outcome(title=simulation.title, verdict=None, kind="", tests=(), decisive=(), others=(), plot=plot)
    holds = (verdict.stands_under_gravity, verdict.is_settled, verdict.holds_contact)
    decisive = decisive_criteria(verdict)
    return Outcome(
        title=simulation.title,
        verdict=verdict,
        kind=FEEDBACK_TYPES[verdict.feedback_type],
        tests=tuple(zip(TESTS.values(), holds)),
        decisive=decisive,
        others=tuple(c for c in verdict.criteria if c not in decisive),
        plot=plot,
    )


def decisive_criteria(verdict: StabilityVerdict, most: int = 12) -> tuple[Criterion, ...]:
    """The failed criteria, worst first, then of every test the one that came closest to failing."""
    failed = sorted((c for c in verdict.criteria if not c.holds), key=lambda c: c.margin)[:most]
    held = [[c for c in verdict.criteria if c.test == test and c.holds] for test in TESTS]
    return (*failed, *(min(criteria, key=lambda c: c.margin) for criteria in held if criteria))


def _used(record: RunRecord) -> tuple[tuple[str, str], ...]:
    """What the run rests on, for the head of the page."""
    made = [artifact for artifact in record.artifacts if artifact is not None]
    newest = made[-1].provenance
    licences = sorted({licence for artifact in made for licence in artifact.provenance.licences})
    seeds = sorted({artifact.provenance.seed for artifact in made})
    body = next((made.body_model for made in (record.motion, record.aligned) if made is not None), "")
    stature = record.capture.stature_m if record.capture else None
    lines = [
        ("Photos", str(len(record.capture.images)) if record.capture else ""),
        ("Metres come from", SCALE_SOURCES[newest.scale_source] + (f" ({stature:.2f} m, given)" if stature else "")),
        ("Body", body),
        ("Seed", ", ".join(map(str, seeds))),
        ("Adapters", ", ".join(dict.fromkeys(artifact.provenance.adapter for artifact in made))),
        ("Licences", "; ".join(licences)),
        ("Made by", f"hsimul3r {__version__}"),
    ]
    return tuple((label, value) for label, value in lines if value)


def _resume_command(record: RunRecord) -> str:
    """The command that makes what is missing, '' where nothing is."""
    if not record.missing:
        return ""
    if record.aligned is not None:
        return f"make simulate SCENE={record.name}"
    source = record.folder / "source"
    name = record.capture.name if record.capture is not None else record.name
    return f"make reconstruct SCENE={source.read_text().strip() if source.is_file() else name}"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("template.html.j2")
