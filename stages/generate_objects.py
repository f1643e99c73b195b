"""Objects as solids: shapes that explain the silhouettes, the floor and what the people rest on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import trimesh
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import Cameras, HumanMotion, ObjectAsset, ObjectSet, ObjectView, ObjectViews, Provenance
from hsimul3r.errors import NoObject
from hsimul3r.generator.choice import ChoiceConfig, ChoiceGenerator
from hsimul3r.generator.families import family
from hsimul3r.generator.fit import FitConfig, ParametricGenerator
from hsimul3r.generator.flow.generator import FAMILY as PART_FLOW
from hsimul3r.generator.flow.generator import FlowConfig, FlowGenerator
from hsimul3r.generator.observing import SITTER_REACH_M, observe
from hsimul3r.generator.poisson import FAMILY as POISSON
from hsimul3r.generator.poisson import PointSurfaceConfig, PoissonGenerator
from hsimul3r.generator.protocol import Candidate, Generator
from hsimul3r.generator.supports import PersonSupports, person_supports, posture
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.masks import iou
from hsimul3r.geometry.mesh import solid, union
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.progress import Progress
from stages.adapters import midi3d
from stages.adapters.catalogue import weights_path, weights_place


@dataclass(frozen=True, kw_only=True)
class GenerateObjectsConfig:
    """Settings of `run`."""

    seed: int = 0
    generator: Literal["parametric", "part_flow", "auto", "poisson", "midi3d"] = "parametric"
    """Furniture fitted to the masks, the embedded learnt model, the better of these two by masks and people, the surface of the
    scene points in the masks, or the paper's learnt model."""
    candidates: int = 2
    """Families that are fitted to the end, or samples that are drawn; the best is kept, the next named in the report."""
    sitter_reach_m: float = SITTER_REACH_M
    """A sitter farther than this from the object does not say where its front is."""
    fit: FitConfig = field(default_factory=FitConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)
    choice: ChoiceConfig = field(default_factory=ChoiceConfig)
    points: PointSurfaceConfig = field(default_factory=PointSurfaceConfig)
    midi: midi3d.MidiSettings = field(default_factory=midi3d.MidiSettings)

    def files(self) -> tuple[Path, ...]:
        """What the generator is loaded from."""
        return (weights_place(midi3d.FAMILY, self.midi.weights),) if self.generator == midi3d.FAMILY else ()


def run(
    views: ObjectViews,
    motion: HumanMotion,
    images: tuple[UInt8[ndarray, "height width 3"], ...],
    *,
    cfg: GenerateObjectsConfig,
    out: Path,
    progress: Progress,
) -> ObjectSet:
    """Make a solid of every object of `views`; also writes each as `<name>.glb` into `out`.

    Raises `NoObject` where there is none, or one without a mask, `TooFewPoints` and `BadMesh` where points make no solid, and
    what loading a model's weights raises.
    """
    if not views.objects:
        raise NoObject("No object was found near a person.")
    generator, licences = _generator(cfg, motion, images)
    people = tuple(person_supports(posture(body)) for body in motion.bodies)
    assets = tuple(
        _generate(view, motion, people, generator, cfg) for view in progress.track(views.objects, "fitting objects")
    )  # fmt: skip
    for asset in assets:
        _write_glb(asset, out / f"{asset.name}.glb")
    provenance = Provenance(
        adapter=f"generator:{generator.name}", seed=cfg.seed, scale_source=motion.provenance.scale_source, frame="world",
        licences=(*motion.provenance.licences, *licences),
    )  # fmt: skip
    return ObjectSet(provenance=provenance, assets=assets)


def _generator(
    cfg: GenerateObjectsConfig, motion: HumanMotion, images: tuple[UInt8[ndarray, "height width 3"], ...]
) -> tuple[Generator, tuple[str, ...]]:
    """The generator, and the licences of what it brings."""
    if cfg.generator == "poisson":
        return PoissonGenerator(motion, images, cfg.points), ()
    if cfg.generator == "midi3d":
        model = midi3d.MidiModel.load(weights_path(midi3d.FAMILY, cfg.midi.weights), cfg.midi.device)
        return midi3d.MidiGenerator(model, images, cfg.midi), midi3d.LICENCES
    if cfg.generator == "part_flow":
        return FlowGenerator.load(images, cfg=cfg.flow), ()
    if cfg.generator == "auto":
        return ChoiceGenerator(ParametricGenerator(cfg.fit), FlowGenerator.load(images, cfg=cfg.flow), cfg.choice), ()
    return ParametricGenerator(cfg.fit), ()


def _generate(
    view: ObjectView, motion: HumanMotion, people: tuple[PersonSupports, ...], generator: Generator, cfg: GenerateObjectsConfig
) -> ObjectAsset:
    reach, fewest = cfg.sitter_reach_m, cfg.points.fewest_views
    observation = observe(view, motion, people, sitter_reach_m=reach, fewest_views=fewest)
    candidates = generator.generate(observation, count=cfg.candidates, seed=cfg.seed)
    return asset_of(view, candidates, motion)


def asset_of(view: ObjectView, candidates: tuple[Candidate, ...], motion: HumanMotion) -> ObjectAsset:
    """The first candidate as a solid of the scene; the report says how well it fits and what else was found."""
    best = candidates[0]
    vertices, faces = union(best.parts, view.name)
    return ObjectAsset(
        name=view.name,
        category=_category(view, best),
        family=best.family,
        parameters=best.parameters,
        parts=best.parts,
        vertices=vertices,
        faces=faces,
        T_world_object=best.T_world_object,
        mass_kg=best.density_kg_m3 * solid(vertices, faces).volume_m3,
        density_kg_m3=best.density_kg_m3,
        friction=best.friction,
        report={
            **_energies(candidates),
            **_overlaps(view, vertices @ best.T_world_object[:3, :3].T + best.T_world_object[:3, 3], faces, motion.cameras),
        },
    )  # fmt: skip


def _energies(candidates: tuple[Candidate, ...]) -> dict[str, float]:
    """By family; further candidates of the same one are numbered."""
    names = [candidate.family for candidate in candidates]
    ranks = [names[:i].count(name) for i, name in enumerate(names)]
    return {
        f"energy/{name}_{rank}" if rank else f"energy/{name}": candidate.energy
        for name, rank, candidate in zip(names, ranks, candidates)
    }


def _category(view: ObjectView, best: Candidate) -> str:
    """The perceived category where the family may stand for it, else the family's own."""
    if best.family in (POISSON, PART_FLOW, midi3d.FAMILY):
        return view.category
    allowed = family(best.family).categories
    return view.category if view.category in allowed else allowed[0]


def _overlaps(view: ObjectView, world: Float[ndarray, "vertices 3"], faces: ndarray, cameras: Cameras) -> dict[str, float]:
    """IoU of the solid's silhouette and the mask where it is known, per view that has a trusted mask."""
    overlaps = {}
    for v, labels in enumerate(view.labels):
        if labels is None or (labels == 2).all() or not cameras.is_registered[v]:
            continue
        uv, z = project(cameras, v, world), depth(cameras, v, world)
        height, width = labels.shape
        drawn = np.isfinite(rasterize_depth(uv, z, faces, height=height, width=width)[0])
        overlaps[f"iou/view_{v}"] = iou(drawn, labels == 1, labels == 2)
    return overlaps


def _write_glb(asset: ObjectAsset, path: Path) -> None:
    """The solid in its own frame; glTF has +Y up."""
    R_gltf_object = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    trimesh.Trimesh(asset.vertices @ R_gltf_object.T, asset.faces, process=False).export(path)
