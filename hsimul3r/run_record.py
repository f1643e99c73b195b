"""A run as it lies on disk, whole or stopped half-way: what the report and the viewer show."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

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
WITHOUT_PHOTOS = ("60_aligned", "70_sim")
"""The chain of a run that begins with a motion instead of photos."""
CONTROLLERS = {
    "pd": "PD control",
    "static": "sampling control",
    "window": "sampling control of motions",
    "ppo": "a trained policy",
}
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
    capture: Capture | None
    """None where the run begins with a motion."""
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
        """Folders of the chain, up to the verdicts of all controllers, that are not there or not readable."""
        lacking = [name for name, artifact in self.chain.items() if artifact is None]
        done = {simulation.controller: simulation for simulation in self.simulations}
        for controller in ("pd", "window" if self.is_motion else "static"):
            simulation = done.get(controller)
            lacking += [f"80_rollout_{controller}"] * (simulation is None or simulation.rollout is None)
            lacking += [f"85_verdict_{controller}"] * (simulation is None or simulation.verdict is None)
        return tuple(lacking)

    @property
    def artifacts(self) -> tuple[Artifact | None, ...]:
        """In the order of `FOLDERS`."""
        return (
            self.capture, self.people, self.rig, self.scene, self.motion, self.views, self.objects, self.aligned, self.sim,
        )  # fmt: skip

    @property
    def is_motion(self) -> bool:
        """True where people move; a single moment is held."""
        bodies = self.reconstruction.bodies
        return max((len(body.pose) for body in bodies), default=1) > 1

    @property
    def chain(self) -> dict[str, Artifact | None]:
        """The stages up to the simulation scene that this run goes through."""
        chain = dict(zip(FOLDERS, self.artifacts))
        return chain if self.capture is not None else {name: chain[name] for name in WITHOUT_PHOTOS}

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
    """Read what a run folder holds. Raises `NoRun` where neither a capture nor a scene lies there."""
    reader = _Reader(folder)
    capture = reader.read("00_capture", Capture)
    aligned, sim = reader.read("60_aligned", AlignedScene), reader.read("70_sim", SimScene)
    if capture is None and (aligned is None or "00_capture" in reader.faults):
        raise NoRun(f"'{folder}' holds no readable capture ({reader.faults.get('00_capture', 'no folder 00_capture')}).")
    simulations = tuple(reader.simulation(controller) for controller in reader.controllers())
    if aligned is not None and sim is not None and not _is_made_from(sim, aligned):
        reader.faults["70_sim"] = "it was made from an earlier reconstruction; simulate again"
        sim, simulations = None, ()
    return RunRecord(
        folder=folder,
        capture=capture,
        people=reader.read("10_people", People),
        rig=reader.read("20_cameras", CameraRig),
        scene=reader.read("30_scene", SceneGeometry),
        motion=reader.read("40_humans", HumanMotion),
        views=reader.read("45_object_views", ObjectViews),
        objects=reader.read("50_objects", ObjectSet),
        aligned=aligned,
        sim=sim,
        simulations=simulations,
        costs=_read_costs(folder),
        faults=reader.faults,
    )


class _Reader:
    """Loads artifacts and notes what is wrong with those that cannot be loaded."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.faults: dict[str, str] = {}

    def read(self, name: str, kind: type[Kind]) -> Kind | None:
        if not (self.folder / name).is_dir():
            return None
        try:
            return kind.load(self.folder / name)
        except ValueError as error:
            self.faults[name] = f"it is damaged: {error}; delete that folder, it will be made anew"
            return None

    def controllers(self) -> list[str]:
        """Controllers that left a folder, in the order in which they are shown."""
        found = {path.name.split("_", 2)[2] for path in self.folder.glob("8[05]_*_*") if path.is_dir() and not path.suffix}
        return [name for name in CONTROLLERS if name in found] + sorted(found - set(CONTROLLERS))

    def simulation(self, controller: str) -> Simulation:
        return Simulation(
            controller=controller,
            rollout=self.read(f"80_rollout_{controller}", Rollout),
            verdict=self.read(f"85_verdict_{controller}", StabilityVerdict),
        )


def _is_made_from(sim: SimScene, aligned: AlignedScene) -> bool:
    """True where people and objects stand in the simulation as they were aligned."""
    if len(sim.bodies) != len(aligned.bodies) or len(sim.assets) != len(aligned.assets):
        return False
    bodies = all(
        np.array_equal(a.pose, b.pose) and np.array_equal(a.transl, b.transl) for a, b in zip(sim.bodies, aligned.bodies)
    )
    assets = all(
        np.array_equal(a.vertices, b.vertices) and np.array_equal(a.T_world_object, b.T_world_object)
        for a, b in zip(sim.assets, aligned.assets)
    )
    return bodies and assets


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
