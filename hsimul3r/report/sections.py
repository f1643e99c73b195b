"""What each stage found, as tables for the report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hsimul3r.artifacts import (
    AlignedScene,
    Artifact,
    CameraRig,
    Capture,
    Contact,
    HumanMotion,
    ObjectSet,
    ObjectViews,
    People,
    Rollout,
    SceneGeometry,
    SimScene,
)
from hsimul3r.geometry.cameras import observation_errors
from hsimul3r.report.quantities import Quantity, number, quantity
from hsimul3r.run_record import RunRecord

TITLES = {
    "00_capture": "Photos",
    "10_people": "People in the photos",
    "20_cameras": "Cameras",
    "30_scene": "Up, floor and world",
    "40_humans": "Bodies",
    "45_object_views": "Objects in the photos",
    "50_objects": "Object shapes",
    "60_aligned": "Contact alignment",
    "70_sim": "Simulation scene",
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """`columns` is empty for a plain list of quantities; then `quantities` holds it, else `rows`."""

    title: str
    quantities: tuple[Quantity, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """One stage of the run."""

    folder: str
    title: str
    adapter: str
    state: str
    """'done', 'missing' or what is wrong with it."""
    tables: tuple[Table, ...] = field(default=())


def sections(record: RunRecord) -> tuple[Section, ...]:
    """The stages up to the simulation scene, then one for each controller."""
    stages = [_section(record, folder, artifact) for folder, artifact in record.chain.items()]
    stages += [_simulation(s.controller, s.title, s.rollout) for s in record.simulations if s.rollout is not None]
    return tuple(stages)


def comparisons(report: Mapping[str, float]) -> tuple[tuple[Quantity, Quantity], ...]:
    """Pairs `<name>_before<unit>` and `<name>_after<unit>` of an alignment's report."""
    pairs = []
    for name, value in report.items():
        if "_before" in name and (after := name.replace("_before", "_after")) in report:
            plain = name.replace("_before", "")
            pairs.append((quantity(plain, value), quantity(plain, report[after])))
    return tuple(pairs)


def _section(record: RunRecord, folder: str, artifact: Artifact | None) -> Section:
    fault = record.faults.get(folder)
    if artifact is None:
        state = fault or "missing"
        return Section(folder=folder, title=TITLES[folder], adapter="", state=state)
    tables = tuple(table for table in _TABLES[type(artifact)](artifact) if table.quantities or table.rows)
    return Section(folder=folder, title=TITLES[folder], adapter=artifact.provenance.adapter, state="done", tables=tables)


def _simulation(controller: str, title: str, rollout: Rollout) -> Section:
    return Section(
        folder=f"80_rollout_{controller}",
        title=f"Simulation under {title}",
        adapter=rollout.provenance.adapter,
        state="done",
        tables=_rollout(rollout),
    )


def _capture(capture: Capture) -> tuple[Table, ...]:
    rows = [
        (source, f"{w0} × {h0}", f"{w} × {h}", number(float(focal)) if np.isfinite(focal) else "estimated")
        for source, (w0, h0), (w, h), focal in zip(capture.sources, capture.original_size_px, capture.size_px, capture.focal_px)
    ]
    hints = [(o.name, o.category, str(int(np.isfinite(o.boxes_px).all(axis=1).sum()))) for o in capture.objects]
    return (
        Table(title="", columns=("photo", "size [px]", "working size [px]", "known focal [px]"), rows=tuple(rows)),
        Table(title="Objects named in capture.yaml", columns=("name", "category", "views with a box"), rows=tuple(hints)),
    )


def _people(people: People) -> tuple[Table, ...]:
    rows = []
    for p in sorted(people.views, key=lambda p: (p.view, p.person)):
        identity = f"person {p.person}" if p.person >= 0 else "not linked"
        rows.append((f"view {p.view}", identity, number(float(np.mean(p.confidence))), number(p.agreement)))
    columns = ("view", "identity", "mean confidence", "agreement of the detectors (OKS)")
    return (Table(title=f"{people.person_count} in {len(people.masks)} views", columns=columns, rows=tuple(rows)),)


def _rig(rig: CameraRig) -> tuple[Table, ...]:
    cameras = rig.cameras
    errors = observation_errors(cameras, rig.tracks) if len(rig.tracks.view) else np.zeros(0)
    rows = []
    for view, is_registered in enumerate(cameras.is_registered):
        of_view = errors[rig.tracks.view == view]
        median = number(float(np.median(of_view))) if len(of_view) else "–"
        focal = number(float(cameras.focal_px[view])) if is_registered else "–"
        rows.append(
            (f"view {view}", "yes" if is_registered else "no", focal, f"{cameras.k1[view]:.3f}", str(len(of_view)), median)
        )
    columns = ("view", "registered", "focal [px]", "k1", "points seen", "median error [px]")
    return (Table(title="", columns=columns, rows=tuple(rows)), _report("Adjustment", rig.report))


def _scene(scene: SceneGeometry) -> tuple[Table, ...]:
    return (
        _report("", scene.report),
        _report("", {"points": len(scene.tracks.points), "floor_points": float(scene.is_floor_point.sum())}),
    )


def _motion(motion: HumanMotion) -> tuple[Table, ...]:
    bodies = [_report(f"Person {b.person}", {"stature_m": b.stature_m, **b.report}) for b in motion.bodies]
    return (*bodies, _report("All", motion.report))


def _views(views: ObjectViews) -> tuple[Table, ...]:
    rows = [
        (o.name, o.category, number(o.score), f"{sum(label is not None for label in o.labels)} of {len(o.labels)}")
        for o in views.objects
    ]
    return (Table(title="", columns=("name", "category", "score", "seen in views"), rows=tuple(rows)),)


def _objects(objects: ObjectSet) -> tuple[Table, ...]:
    tables = []
    for a in objects.assets:
        solid = {"mass_kg": a.mass_kg, "density_kg_m3": a.density_kg_m3, "friction": a.friction, **a.report}
        tables.append(_report(f"{a.name}: {a.family.replace('_', ' ')}, convex parts: {len(a.parts)}", solid))
        tables.append(_report(f"{a.name}: shape [m, rad]", a.parameters))
    return tuple(tables)


def _aligned(aligned: AlignedScene) -> tuple[Table, ...]:
    single = {name: value for name, value in aligned.report.items() if "_before" not in name and "_after" not in name}
    return (_contacts(aligned.contacts), _report("Figures", single))


def _sim(sim: SimScene) -> tuple[Table, ...]:
    masses = [(f"person {b.person}", number(mass)) for b, mass in zip(sim.bodies, sim.human_mass_kg)]
    masses += [(asset.name, number(asset.mass_kg)) for asset in sim.assets]
    return (Table(title="", columns=("body", "mass [kg]"), rows=tuple(masses)), _report("Figures", sim.report))


def _rollout(rollout: Rollout) -> tuple[Table, ...]:
    force = np.asarray(rollout.contact_force_n)
    last = force[len(force) // 2 :]
    rows = [
        (name, number(float(np.median(last[:, i]))), number(float(force[:, i].max())))
        for i, name in enumerate(rollout.contact_names)
        if force[:, i].max() > 0.0
    ]
    columns = ("contact", "median force, second half [N]", "peak [N]")
    figures = {"duration_s": len(force) / rollout.fps, **rollout.report}
    return (_report("", figures), Table(title="Contacts that carried force", columns=columns, rows=tuple(rows)))


def _contacts(contacts: Sequence[Contact]) -> Table:
    rows = [
        (f"person {c.person}", c.part.replace("_", " "), c.target, f"{1000 * c.gap_m:+.0f}".replace("-", "−")) for c in contacts
    ]
    return Table(title="Contacts", columns=("person", "body part", "touches", "gap [mm]"), rows=tuple(rows))


def _report(title: str, figures: Mapping[str, float]) -> Table:
    return Table(title=title, quantities=tuple(quantity(name, float(value)) for name, value in figures.items()))


_TABLES: dict[type[Artifact], Callable[..., tuple[Table, ...]]] = {
    Capture: _capture, People: _people, CameraRig: _rig, SceneGeometry: _scene, HumanMotion: _motion, ObjectViews: _views,
    ObjectSet: _objects, AlignedScene: _aligned, SimScene: _sim,
}  # fmt: skip
