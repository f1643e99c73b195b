"""The person asked: a made object in its true one's place, brought into contact, held under gravity, judged (Sec. 3.3, 3.4).

It is the chain's own forward pass: placing, alignment (Eq. 3, Eq. 4), the engine's scene, sampling control, verdict.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hsimul3r.artifacts import ObjectAsset, ObjectSet, Provenance, StabilityVerdict
from hsimul3r.errors import Hsimul3rError
from hsimul3r.generator.feedback.images import PersonScene
from hsimul3r.generator.feedback.record import Check
from hsimul3r.generator.registration import MadeObject, RegistrationConfig, placed
from hsimul3r.progress import Progress
from hsimul3r.tracking.static_cem import StaticCemConfig
from stages import align_interaction, build_sim_scene, generate_objects, judge_stability, track_motion


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
        return (refused(error),)
    return tuple(
        Check(test=c.test, name=c.name, value=c.value, limit=c.threshold, margin=c.margin if c.holds else min(c.margin, -1e-9))
        for c in verdict.criteria
    )


def refused(error: Hsimul3rError) -> Check:
    """Of an object with which there is no forward pass."""
    return Check(test="contact", name=f"no forward pass: {error}", value=1.0, limit=0.5, margin=-1.0)


def forward_pass(made: MadeObject, person: PersonScene, cfg: ForwardConfig) -> StabilityVerdict:
    """Photos' people with the made object, to the verdict; on one thread, nothing is kept on disk."""
    asset, scale_source = placed_asset(made, person, cfg), person.motion.provenance.scale_source
    objects = ObjectSet(
        provenance=Provenance(adapter=asset.family, seed=cfg.seed, scale_source=scale_source, frame="world"),
        assets=(asset, *person.others),
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


def placed_asset(made: MadeObject, person: PersonScene, cfg: ForwardConfig) -> ObjectAsset:
    """The object where the photos show it, as stage generate_objects leaves it. Raises `NoObject`."""
    seen = person.observation
    best = placed(made.turned(person.first_yaw), seen, cfg=cfg.registration, seed=cfg.seed)
    return generate_objects.asset_of(person.view, (best,), person.motion)
