"""A captured or estimated motion as a scene: our body moving as captured, and the furniture that it must have rested on."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.markup import escape

from hsimul3r.artifacts import AlignedScene, BodySequence, Provenance, ScaleSource
from hsimul3r.body.model import SmplxFormatBody, embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.errors import BadMotion
from hsimul3r.interaction.contacts_from_motion import RestConfig
from hsimul3r.interaction.motion_scene import motion_scene, on_floor
from hsimul3r.interaction.supports import SupportConfig
from hsimul3r.motions.amass import read_amass_motion
from hsimul3r.motions.asfamc import read_amc, read_asf
from hsimul3r.motions.correspondence import targets_of
from hsimul3r.motions.estimates import EstimateConfig, read_estimate
from hsimul3r.motions.files import estimate_in
from hsimul3r.motions.fit import MotionFitConfig, fit_motion
from hsimul3r.progress import Progress

TERMS = "motion capture: under the terms of its source"
DEFAULT_STATURE_M = 1.70


@dataclass(frozen=True, kw_only=True)
class ImportMotionConfig:
    """How a captured motion is read, and what counts as rest."""

    fps: float = 30.0
    """Frames are left out down to about this rate."""
    amc_fps: float = 120.0
    """Rate of an .amc, which does not say it."""
    start_s: float = 0.0
    end_s: float | None = None
    """Part of the motion to take."""
    stature_m: float | None = None
    """Of the person; by default that of the captured skeleton, for an .npz or an estimate of another body 1.70 m."""
    estimate: EstimateConfig = field(default_factory=EstimateConfig)
    """Of the files that programs which estimate motion from video leave."""
    fit: MotionFitConfig = field(default_factory=MotionFitConfig)
    rest: RestConfig = field(default_factory=RestConfig)
    supports: SupportConfig = field(default_factory=SupportConfig)


def run(source: Path, *, cfg: ImportMotionConfig, out: Path, progress: Progress) -> AlignedScene:
    """`source` is a folder made by `motions.files.copy_motion`.

    Raises `BadMotion`, `BadForeignFile`, `UnsafeFile`, `NotFinite`.
    """
    body, provenance = read_motion(source, cfg=cfg, progress=progress)
    return motion_scene(body, provenance, rest=cfg.rest, supports=cfg.supports)


def read_motion(source: Path, *, cfg: ImportMotionConfig, progress: Progress) -> tuple[BodySequence, Provenance]:
    """The motion in a folder made by `motions.files.copy_motion`, as our body on the floor. Raises as `run`."""
    model, estimate = embedded_body(), estimate_in(source)
    if estimate is not None:
        read, provenance = _estimated(estimate, model, cfg, progress)
    else:
        with progress.bar("fitting the body", 1) as advance:
            read = _part(source, _captured(source, model, cfg), cfg)
            advance(1.0)
        provenance = _provenance("motion capture", "given", (TERMS,))
    return on_floor(model, read, cfg.rest), provenance


def _provenance(adapter: str, scale_source: ScaleSource, licences: tuple[str, ...]) -> Provenance:
    return Provenance(adapter=adapter, scale_source=scale_source, frame="world", licences=licences)


def _estimated(
    path: Path, model: SmplxFormatBody, cfg: ImportMotionConfig, progress: Progress
) -> tuple[BodySequence, Provenance]:
    """The chosen person's motion; says whom it chose of several."""
    found = read_estimate(
        path, model, fps=cfg.fps, start_s=cfg.start_s, end_s=cfg.end_s, stature_m=cfg.stature_m or DEFAULT_STATURE_M,
        cfg=cfg.estimate,
    )  # fmt: skip
    if found.people_count > 1:
        progress.say(escape(f"People: {found.people}; imported: '{found.chosen}' (another by --person)"))
    report = {"people_in_file": float(found.people_count), "frames_filled": float(found.frames_filled)}
    return replace(found.body, report=report), _provenance(found.tool, "stature", found.licences)


def _captured(source: Path, model: SmplxFormatBody, cfg: ImportMotionConfig) -> BodySequence:
    npz = sorted(source.glob("*.npz"))
    if npz:
        return read_amass_motion(npz[0], model, fps=cfg.fps, stature_m=cfg.stature_m or DEFAULT_STATURE_M)
    amc, asf = sorted(source.glob("*.amc")), sorted(source.glob("*.asf"))
    if not amc or not asf:
        raise BadMotion(source, "it holds neither an .npz nor an .amc with its .asf")
    motion = read_amc(amc[0], read_asf(asf[0]), rate=cfg.amc_fps, fps=cfg.fps)
    rest = model.joints(np.zeros(10), np.zeros((len(SMPLX_JOINTS), 3)), np.zeros(3))
    return fit_motion(model, targets_of(motion, rest), stature_m=cfg.stature_m, cfg=cfg.fit).body


def _part(source: Path, body: BodySequence, cfg: ImportMotionConfig) -> BodySequence:
    last = None if cfg.end_s is None else round(cfg.end_s * body.fps) + 1
    pose, transl = body.pose[round(cfg.start_s * body.fps) : last], body.transl[round(cfg.start_s * body.fps) : last]
    if len(pose) < 2:
        raise BadMotion(source, f"it holds {len(body.pose) / body.fps:.1f} s, nothing between {cfg.start_s} and {cfg.end_s} s")
    return replace(body, pose=pose, transl=transl)
