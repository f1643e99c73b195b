"""The person asked: a made object in its true one's place, brought into contact, held under gravity, judged (Sec. 3.3, 3.4).

It is the chain's own forward pass: registration, alignment (Eq. 3, Eq. 4), the engine's scene, sampling control, verdict.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hsimul3r.artifacts import ConvexPart, ObjectAsset, ObjectSet, Provenance, StabilityVerdict
from hsimul3r.errors import Hsimul3rError
from hsimul3r.generator.feedback.images import PersonScene
from hsimul3r.generator.feedback.record import Check
from hsimul3r.generator.feedback.shape import MadeObject
from hsimul3r.generator.registration import Registered, RegistrationConfig, register
from hsimul3r.geometry.mesh import solid
from hsimul3r.progress import Progress
from hsimul3r.tracking.static_cem import StaticCemConfig
from stages import align_interaction, build_sim_scene, judge_stability, track_motion

FAMILY = "sample"


@dataclass(frozen=True, kw_only=True)
class ForwardConfig:
    """How long is searched for a way to place the object and to hold the pose."""

    registration: RegistrationConfig = field(default_factory=RegistrationConfig)
    alignment: align_interaction.AlignInteractionConfig = field(default_factory=align_interaction.AlignInteractionConfig)
    search: StaticCemConfig = field(default_factory=lambda: StaticCemConfig(samples=48, max_iterations=8))
    seed: int = 0


def ask_person(made: MadeObject, person: PersonScene, cfg: ForwardConfig) -> tuple[Check, ...]:
    """Every criterion of the chain's verdict as a check. An object that cannot be placed or aligned holds no contact."""
    try:
        verdict = forward_pass(made, person, cfg)
    except Hsimul3rError as error:
        return (Check(test="contact", name=f"no forward pass: {error}", value=1.0, limit=0.5, margin=-1.0),)
    return tuple(
        Check(test=c.test, name=c.name, value=c.value, limit=c.threshold, margin=c.margin if c.holds else min(c.margin, -1e-9))
        for c in verdict.criteria
    )


def forward_pass(made: MadeObject, person: PersonScene, cfg: ForwardConfig) -> StabilityVerdict:
    """Photos' people with the made object, to the verdict; on one thread, nothing is kept on disk."""
    vertices, faces = made.surface
    placed = register(vertices, faces, person.observation, cfg=cfg.registration, seed=cfg.seed)
    objects = ObjectSet(
        provenance=Provenance(adapter=FAMILY, seed=cfg.seed, scale_source=person.motion.provenance.scale_source, frame="world"),
        assets=(asset_of(made, placed, person), *person.others),
    )
    tracking = track_motion.TrackMotionConfig(controller="static", threads=1, seed=cfg.seed, search=cfg.search)
    judging = judge_stability.JudgeStabilityConfig(threads=1)
    quiet = Progress()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        aligned = align_interaction.run(person.motion, person.views, objects, cfg=cfg.alignment, out=out, progress=quiet)
        scene = build_sim_scene.run(aligned, cfg=build_sim_scene.BuildSimSceneConfig(), out=out, progress=quiet)
        rollout = track_motion.run(scene, cfg=tracking, out=out, progress=quiet)
        return judge_stability.run(scene, rollout, cfg=judging, out=out, progress=quiet)


def asset_of(made: MadeObject, placed: Registered, person: PersonScene) -> ObjectAsset:
    """The object in the size and place that the silhouettes gave it."""
    vertices, faces = made.surface
    scale = np.ptp(placed.vertices, axis=0) / np.ptp(vertices, axis=0)
    shift = placed.vertices.min(axis=0) - vertices.min(axis=0) * scale
    sized = vertices * scale + shift
    return ObjectAsset(
        name=person.name, category=person.view.category, family=FAMILY, parameters={},
        parts=tuple(ConvexPart(vertices=part.vertices * scale + shift, faces=part.faces) for part in made.parts),
        vertices=sized, faces=faces, T_world_object=placed.T_world_object,
        mass_kg=made.density_kg_m3 * solid(sized, faces).volume_m3, density_kg_m3=made.density_kg_m3, friction=made.friction,
        report={"registration": placed.energy},
    )  # fmt: skip
