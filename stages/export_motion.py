"""The simulated motion and the scene as files that other programs read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from hsimul3r import __version__
from hsimul3r.artifacts import AlignedScene, Artifact, Capture, Rollout, SimScene, StabilityVerdict
from hsimul3r.body.model import embedded_body
from hsimul3r.export.amass import motions_of, write_amass
from hsimul3r.export.hsfm import write_hsfm
from hsimul3r.export.scene import copy_mjcf, write_glb
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.progress import Progress
from hsimul3r.surfaces import body_surfaces, object_surfaces

HSFM_FILE = "hsfm_output_smplx.pkl"
HSFM_TEXT = f"""{HSFM_FILE}
                  the reconstruction before simulation, with cameras and photos, as HSfM's viewer reads it; the body's betas are
                  zero there, since those of our body mean nothing to SMPL-X
"""


@dataclass(frozen=True, kw_only=True)
class ExportMotionConfig:
    """Settings of `run`."""

    writes_glb: bool = True
    writes_hsfm: bool = True
    """The scene for HSfM's viewer, where there are photos."""


@dataclass(frozen=True, kw_only=True)
class Export(Artifact):
    """What was exported: files inside the artifact's folder."""

    motions: tuple[str, ...]
    mjcf: str
    glb: str | None
    hsfm: str | None
    """The reconstruction, before simulation, as HSfM writes it."""
    is_stable: bool
    reason: str


def run(
    sim_scene: SimScene,
    sim_folder: Path,
    rollout: Rollout,
    verdict: StabilityVerdict,
    aligned: AlignedScene | None = None,
    capture: Capture | None = None,
    images: Sequence[UInt8[ndarray, "height width 3"]] = (),
    *,
    cfg: ExportMotionConfig,
    out: Path,
    progress: Progress,
) -> Export:
    """Write `motion_<human>.npz`, `scene/` with the MJCF, `final_state.glb`, `manifest.json` and `README.txt` into `out`.

    Given what was reconstructed and its photos, `hsfm_output_smplx.pkl` too.
    """
    motions = motions_of(rollout, sim_scene.body_model, sim_scene.humans)
    files = tuple(f"motion_{human}.npz" for human in sim_scene.humans)
    for motion, name in progress.track(zip(motions, files), "motions", total=len(files)):
        write_amass(motion, out / name)
    mjcf = copy_mjcf(sim_folder, sim_scene.mjcf, out / "scene").relative_to(out)
    if cfg.writes_glb:
        write_glb(_final_state(sim_scene, rollout), out / "final_state.glb")
    hsfm = None
    if cfg.writes_hsfm and aligned is not None and capture is not None:
        hsfm = HSFM_FILE
        write_hsfm(aligned, embedded_body(), images, capture.sources, out / HSFM_FILE)
    export = Export(
        provenance=replace(rollout.provenance, adapter="AMASS npz, MJCF, GLB, HSfM pickle"),
        motions=files,
        mjcf=str(mjcf),
        glb="final_state.glb" if cfg.writes_glb else None,
        hsfm=hsfm,
        is_stable=verdict.is_stable,
        reason=verdict.reason,
    )
    (out / "manifest.json").write_text(json.dumps(_manifest(export, sim_scene, rollout, verdict), indent=1) + "\n")
    (out / "README.txt").write_text(_readme(export, sim_scene, rollout))
    return export


def _final_state(scene: SimScene, rollout: Rollout) -> list:
    poses = np.tile(np.eye(4), (len(rollout.object_names), 1, 1))
    poses[:, :3, :3] = matrix_from_quaternion(rollout.object_quat[-1])
    poses[:, :3, 3] = rollout.object_pos[-1]
    placed = dict(zip(rollout.object_names, poses))
    assets = [replace(asset, T_world_object=placed[asset.name]) for asset in scene.assets]
    return [*body_surfaces(rollout.bodies, frame=-1), *object_surfaces(assets)]


def _manifest(export: Export, scene: SimScene, rollout: Rollout, verdict: StabilityVerdict) -> dict:
    return {
        "made_by": f"hsimul3r {__version__}",
        "body_model": scene.body_model,
        "controller": rollout.controller,
        "frames": len(rollout.qpos),
        "fps": rollout.fps,
        "is_stable": verdict.is_stable,
        "verdict": verdict.reason,
        "feedback_type": verdict.feedback_type,
        "metric_scale_from": rollout.provenance.scale_source,
        "licences": list(rollout.provenance.licences),
        "motions": list(export.motions),
        "mjcf": export.mjcf,
        "glb": export.glb,
        "hsfm": export.hsfm,
        "objects": [
            {"name": a.name, "category": a.category, "mass_kg": a.mass_kg, "friction": a.friction} for a in scene.assets
        ],
    }


def _readme(export: Export, scene: SimScene, rollout: Rollout) -> str:
    licences = "\n".join(f"  {licence}" for licence in rollout.provenance.licences) or "  none recorded"
    hsfm = HSFM_TEXT if export.hsfm else ""
    return f"""Exported by hsimul3r {__version__}

motion_*.npz      one per person: SMPL-X parameters with AMASS's keys (gender, betas, trans, root_orient, pose_body, pose_jaw,
                  pose_eye, pose_hand, mocap_frame_rate), contact_* per frame (part, target, force [N], point [m]) and the
                  objects' poses (object_pos_m, object_quat_wxyz). World frame, +Z up, floor z = 0, metres, axis-angle.
                  betas are shape coefficients of the body '{scene.body_model}', not of the licensed SMPL-X model.
{export.mjcf}  the scene for MuJoCo with its meshes; open with: python -m mujoco.viewer --mjcf={export.mjcf}
final_state.glb   people and objects after {len(rollout.qpos) / rollout.fps:.1f} s of simulation, for any 3D viewer
{hsfm}manifest.json     the same facts for programs

Controller        {rollout.controller}
Verdict           {export.reason}
Metric scale      from: {rollout.provenance.scale_source}
Licences
{licences}
"""
