"""A run as it lies on disk, whole or stopped half-way: what the report and the viewer show."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hsimul3r.artifacts import (
    AlignedScene,
    Artifact,
    BodySequence,
    CameraRig,
    Cameras,
    Capture,
    HumanMotion,
    ObjectAsset,
    ObjectSet,
    ObjectViews,
    People,
    PointTracks,
    Rollout,
    SceneGeometry,
    SimScene,
    StabilityVerdict,
)
from hsimul3r.errors import NoRun

Kind = TypeVar("Kind", bound=Artifact)

FOLDERS: dict[str, type[Artifact]] = {
    "00_capture": Capture,
    "10_people": People,
    "20_cameras": CameraRig,
    "30_scene": SceneGeometry,
    "40_humans": HumanMotion,
    "45_object_views": ObjectViews,
    "50_objects": ObjectSet,
    "60_aligned": AlignedScene,
    "70_sim": SimScene,
}
CONTROLLERS = {"pd": "PD control", "static": "sampling control"}
"""Controllers in the order they are shown, with their names for people."""
FEEDBACK_TYPES = {
    1: "The object does not stand under gravity",
    2: "The object does not stay put under the person",
    3: "Stable, but without real contact",
    4: "Stable interaction",
}
"""Fig. 3 in words."""


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What one controller made of the scene, and what was judged of it."""

    controller: str
    rollout: Rollout | None
    verdict: StabilityVerdict | None

    @property
    def title(self) -> str:
        return CONTROLLERS.get(self.controller, self.controller)


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """The best that a run knows of the scene: the aligned one, else the fitted bodies, else the cameras alone."""

    cameras: Cameras | None
    tracks: PointTracks | None
    bodies: tuple[BodySequence, ...]
    assets: tuple[ObjectAsset, ...]


@dataclass(frozen=True, kw_only=True)
class StageCost:
    """A line of `manifest.json`."""

    folder: str
    seconds: float
    peak_rss_mb: float


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Every artifact that a run folder holds; None where a stage has not run or its folder is damaged (see `faults`)."""

    folder: Path
    capture: Capture
    people: People | None
    rig: CameraRig | None
    scene: SceneGeometry | None
    motion: HumanMotion | None
    views: ObjectViews | None
    objects: ObjectSet | None
    aligned: AlignedScene | None
    sim: SimScene | None
    simulations: tuple[Simulation, ...]
    costs: tuple[StageCost, ...]
    faults: dict[str, str]
    """Folder name to what is wrong with it, for folders that exist but cannot be read."""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def missing(self) -> tuple[str, ...]:
        """Folders of the chain, up to the verdict, that are not there or not readable."""
        lacking = [name for name, artifact in zip(FOLDERS, self.artifacts) if artifact is None]
        if not any(simulation.rollout for simulation in self.simulations):
            lacking.append("80_rollout")
        if not any(simulation.verdict for simulation in self.simulations):
            lacking.append("85_verdict")
        return tuple(lacking)

    @property
    def artifacts(self) -> tuple[Artifact | None, ...]:
        """In the order of `FOLDERS`."""
        return (
            self.capture, self.people, self.rig, self.scene, self.motion, self.views, self.objects, self.aligned, self.sim,
        )  # fmt: skip

    @property
    def reconstruction(self) -> Reconstruction:
        """The latest stage that places cameras, people and objects in one world."""
        if (aligned := self.aligned) is not None:
            return Reconstruction(cameras=aligned.cameras, tracks=aligned.tracks, bodies=aligned.bodies, assets=aligned.assets)
        assets = self.objects.assets if self.objects else ()
        if (motion := self.motion) is not None:
            return Reconstruction(cameras=motion.cameras, tracks=motion.tracks, bodies=motion.bodies, assets=assets)
        if self.scene is not None:
            return Reconstruction(cameras=self.scene.cameras, tracks=self.scene.tracks, bodies=(), assets=())
        return Reconstruction(cameras=None, tracks=None, bodies=(), assets=())

    @property
    def best(self) -> Simulation | None:
        """The judged simulation to show first: a stable one where there is one, then the later controller."""
        judged = [simulation for simulation in self.simulations if simulation.verdict is not None]
        return max(judged, key=lambda s: (s.verdict is not None and s.verdict.is_stable, s.controller), default=None)


def read_run(folder: Path) -> RunRecord:
    """Read what a run folder holds. Raises `NoRun` where not even a capture lies there."""
    faults: dict[str, str] = {}

    def read(name: str, kind: type[Kind]) -> Kind | None:
        if not (folder / name).is_dir():
            return None
        try:
            return kind.load(folder / name)
        except ValueError as error:
            faults[name] = str(error)
            return None

    capture = read("00_capture", Capture)
    if capture is None:
        raise NoRun(f"'{folder}' holds no readable capture ({faults.get('00_capture', 'no folder 00_capture')}).")
    controllers = sorted(
        {path.name.split("_", 2)[2] for path in folder.glob("8[05]_*_*") if path.is_dir() and path.suffix == ""},
        key=lambda name: (list(CONTROLLERS).index(name) if name in CONTROLLERS else len(CONTROLLERS), name),
    )
    return RunRecord(
        folder=folder,
        capture=capture,
        people=read("10_people", People),
        rig=read("20_cameras", CameraRig),
        scene=read("30_scene", SceneGeometry),
        motion=read("40_humans", HumanMotion),
        views=read("45_object_views", ObjectViews),
        objects=read("50_objects", ObjectSet),
        aligned=read("60_aligned", AlignedScene),
        sim=read("70_sim", SimScene),
        simulations=tuple(
            Simulation(
                controller=name,
                rollout=read(f"80_rollout_{name}", Rollout),
                verdict=read(f"85_verdict_{name}", StabilityVerdict),
            )
            for name in controllers
        ),
        costs=_read_costs(folder),
        faults=faults,
    )


def _read_costs(folder: Path) -> tuple[StageCost, ...]:
    """Lines of `manifest.json` in the order of the folders; none where it is absent or damaged."""
    try:
        stages = json.loads((folder / "manifest.json").read_text())["stages"].values()
        costs = [
            StageCost(folder=str(s["folder"]), seconds=float(s["seconds"]), peak_rss_mb=float(s["peak_rss_mb"])) for s in stages
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()
    return tuple(sorted(costs, key=lambda cost: cost.folder))
