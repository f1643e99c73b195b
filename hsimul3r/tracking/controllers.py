"""The controllers behind one interface: given a task, a plan for the fine simulation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from hsimul3r.errors import NotForMotions
from hsimul3r.progress import Progress
from hsimul3r.tracking.feedforward import Gains, servo_lead
from hsimul3r.tracking.layout import HumanLayout
from hsimul3r.tracking.mending import mended
from hsimul3r.tracking.motion import first_moment, first_velocity, rests_at_start
from hsimul3r.tracking.pd import follow_reconstruction
from hsimul3r.tracking.problem import TrackingProblem
from hsimul3r.tracking.recording import Execution, Plan, RecordConfig
from hsimul3r.tracking.simulation import Simulator
from hsimul3r.tracking.static_cem import Certificate, StaticCemConfig, optimise
from hsimul3r.tracking.supports import Footing
from hsimul3r.tracking.window import CANDIDATES, Rehearsal, WindowConfig, WindowPlanner, WindowSpace, track

ControllerName = Literal["pd", "static", "window"]


def controller_for(problem: TrackingProblem) -> ControllerName:
    """The sampling controller that suits a reference: `static` for a single moment, `window` for a motion."""
    return "static" if problem.frames == 1 else "window"


@dataclass(frozen=True, kw_only=True)
class ControlTask:
    """What is to be followed, and the means. Both problems have the recording's frame rate."""

    problem: TrackingProblem
    known: TrackingProblem
    """The problem as a search may see it, `hsimul3r.tracking.problem.searched`."""
    simulator: Simulator
    recording: RecordConfig
    certify: Callable[["ControlTask", Sequence[Plan]], list[Certificate]]
    """What the fine simulation says of plans for a task."""
    seed: int
    progress: Progress
    footings: tuple[Footing, ...] = ()
    """What bears whom in a motion, as far as a search may see it."""


@dataclass(frozen=True, kw_only=True)
class Controlled:
    """A controller's plan and figures for the report."""

    plan: Plan
    report: dict[str, float] = field(default_factory=dict)


class Controller(Protocol):
    """Follows a task's reference."""

    def control(self, task: ControlTask) -> Controlled: ...


@dataclass(frozen=True, kw_only=True)
class OpenLoop:
    """The plain baseline (`pd`): the servos follow the reference, whatever happens."""

    def control(self, task: ControlTask) -> Controlled:
        simulation = task.simulator("judge", 1)
        plan = follow_reconstruction(task.problem, simulation.qpos_names, simulation.ctrl_names)
        return Controlled(plan=replace(plan, qvel=first_velocity(task.problem, simulation.qvel_names)))


@dataclass(frozen=True, kw_only=True)
class StaticSearch:
    """Holds a single moment (`static`)."""

    cfg: StaticCemConfig

    def control(self, task: ControlTask) -> Controlled:
        """Raises `NotForMotions`."""
        if task.problem.frames > 1:
            raise NotForMotions("static", task.problem.frames)
        coarse = task.simulator("plan", self.cfg.samples)
        with task.progress.bar("searching a stable pose", self.cfg.max_iterations) as advance:
            solution = optimise(
                task.known,
                coarse,
                lambda plans: task.certify(task, plans),
                self.cfg,
                soft_start=task.recording.soft_start,
                seed=task.seed,
                on_iteration=advance,
            )
        report = {
            "is_certified": float(solution.is_certified),
            "iterations": float(solution.iterations),
            "planned_s": solution.simulated_s,
        }
        return Controlled(plan=solution.plan, report=report)


@dataclass(frozen=True, kw_only=True)
class WindowSearch:
    """Follows a motion with a receding horizon (`window`); a reference that cannot be followed is mended first, and so is a
    start that cannot be held."""

    cfg: WindowConfig

    def control(self, task: ControlTask) -> Controlled:
        judge = task.simulator("judge", 3)
        layouts = [HumanLayout.of(p.name, judge.qpos_names, judge.ctrl_names) for p in task.known.people]
        if task.footings:
            task = replace(task, known=mended(task.known, task.footings, layouts, self.cfg.mending))
        gains = Gains.measured(judge, tuple(person.name for person in task.known.people))
        feet = task.footings or (None,) * len(layouts)
        leads = [
            servo_lead(person, footing, layout, gains, task.recording.fps)
            for person, footing, layout in zip(task.known.people, feet, layouts)
        ]
        execution = Execution(simulation=task.simulator("judge", 1), cfg=task.recording)
        coarse, fine = task.simulator("plan", self.cfg.samples), task.simulator("judge", CANDIDATES)
        planner = WindowPlanner(
            space=WindowSpace.of(task.known, coarse, self.cfg, leads),
            cfg=self.cfg,
            soft_start=task.recording.soft_start,
            fps=task.recording.fps,
            coarse=Rehearsal.of(task.known, coarse, self.cfg.weights),
            fine=Rehearsal.of(task.known, fine, self.cfg.weights),
        )
        frames = round(task.recording.duration_s * task.recording.fps)
        start = self._start(task)
        searches = -(-frames // (planner.frames * planner.commit))
        with task.progress.bar("following the motion", searches) as advance:
            solution = track(planner, execution, start.plan, frames, seed=task.seed, on_search=advance)
        report = {"searches": float(solution.searches), "planned_s": solution.simulated_s}
        start_report = {f"start_{name}": value for name, value in start.report.items()}
        return Controlled(plan=solution.plan, report={**report, **start_report})

    def _start(self, task: ControlTask) -> Controlled:
        """A first frame that the motion rests in can be corrected as a pose is; else it starts as reconstructed, moving."""
        if not rests_at_start(task.problem):
            return OpenLoop().control(replace(task, problem=task.known))
        moment = replace(
            task,
            problem=first_moment(task.problem),
            known=first_moment(task.known),
            recording=replace(task.recording, duration_s=self.cfg.start_s),
        )
        return StaticSearch(cfg=self.cfg.start).control(moment)
