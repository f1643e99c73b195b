"""The simulated motion and the scene as files that other programs read."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hsimul3r import __version__
from hsimul3r.artifacts import Artifact, Rollout, SimScene, StabilityVerdict
from hsimul3r.export.amass import motions_of, write_amass
from hsimul3r.export.scene import copy_mjcf, write_glb
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.progress import Progress
from hsimul3r.surfaces import body_surfaces, object_surfaces


@dataclass(frozen=True, kw_only=True)
class ExportMotionConfig:
    """Settings of `run`."""

    writes_glb: bool = True


@dataclass(frozen=True, kw_only=True)
class Export(Artifact):
    """What was exported: files inside the artifact's folder."""

    motions: tuple[str, ...]
    mjcf: str
    glb: str | None
    is_stable: bool
    reason: str


def run(
    sim_scene: SimScene,
    sim_folder: Path,
    rollout: Rollout,
    verdict: StabilityVerdict,
    *,
    cfg: ExportMotionConfig,
    out: Path,
    progress: Progress,
) -> Export:
    """Write `motion_<human>.npz`, `scene/` with the MJCF, `final_state.glb`, `manifest.json` and `README.txt` into `out`."""
    motions = motions_of(rollout, sim_scene.body_model, sim_scene.humans)
    files = tuple(f"motion_{human}.npz" for human in sim_scene.humans)
    for motion, name in progress.track(zip(motions, files), "motions", total=len(files)):
        write_amass(motion, out / name)
    mjcf = copy_mjcf(sim_folder, sim_scene.mjcf, out / "scene").relative_to(out)
    if cfg.writes_glb:
        write_glb(_final_state(sim_scene, rollout), out / "final_state.glb")
    export = Export(
        provenance=replace(rollout.provenance, adapter="AMASS npz, MJCF, GLB"),
        motions=files,
        mjcf=str(mjcf),
        glb="final_state.glb" if cfg.writes_glb else None,
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
        "objects": [
            {"name": a.name, "category": a.category, "mass_kg": a.mass_kg, "friction": a.friction} for a in scene.assets
        ],
    }


def _readme(export: Export, scene: SimScene, rollout: Rollout) -> str:
    licences = "\n".join(f"  {licence}" for licence in rollout.provenance.licences) or "  none recorded"
    return f"""Exported by hsimul3r {__version__}

motion_*.npz      one per person: SMPL-X parameters with AMASS's keys (gender, betas, trans, root_orient, pose_body, pose_jaw,
                  pose_eye, pose_hand, mocap_frame_rate), contact_* per frame (part, target, force [N], point [m]) and the
                  objects' poses (object_pos_m, object_quat_wxyz). World frame, +Z up, floor z = 0, metres, axis-angle.
                  betas are shape coefficients of the body '{scene.body_model}', not of the licensed SMPL-X model.
{export.mjcf}  the scene for MuJoCo with its meshes; open with: python -m mujoco.viewer --mjcf={export.mjcf}
final_state.glb   people and objects after {len(rollout.qpos) / rollout.fps:.1f} s of simulation, for any 3D viewer
manifest.json     the same facts for programs

Controller        {rollout.controller}
Verdict           {export.reason}
Metric scale      from: {rollout.provenance.scale_source}
Licences
{licences}
"""
