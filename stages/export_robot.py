"""A robot's motion and its scene as the files that robot programs and simulators read, all in one folder."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from hsimul3r import __version__
from hsimul3r.artifacts import Artifact, Rollout, SimScene
from hsimul3r.errors import MissingPackage
from hsimul3r.export.amass import motions_of, write_amass
from hsimul3r.export.convert import ROBOT_FORMATS
from hsimul3r.export.mjlab import write_mjlab
from hsimul3r.export.robot.clip import RobotClip, clip_of, resampled
from hsimul3r.export.robot.look import robot_surface
from hsimul3r.export.scene import write_glb
from hsimul3r.export.urdf import write_urdf
from hsimul3r.export.usd import write_usd
from hsimul3r.progress import Progress
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.surfaces import object_surfaces

USD_FILE = "scene/scene.usda"
SAYS = {
    "motion/unitree-csv.csv": "30 frames a second, root xyz, root quaternion xyzw, joints; Unitree's, BeyondMimic's csv_to_npz",
    "motion/mjlab.npz": "50 frames a second, depth-first, velocities of link origins; mjlab's tracking task",
    "motion/isaaclab.npz": "50 frames a second, breadth-first, velocities of centres of mass; BeyondMimic on Isaac Lab",
    "motion/gmr.pkl": "GMR's pickle, which names nothing but numpy.ndarray (TWIST and others)",
    "motion/gmr.npz": "the same table without a pickle",
    "motion/holosoma.npz": "50 frames a second, with the object that moves most; holosoma's whole-body tracking",
    "scene/mjcf/scene.xml": "floor and objects for MuJoCo: python -m mujoco.viewer --mjcf=scene/mjcf/scene.xml",
    "scene/urdf/scene.urdf": "the objects on floating joints; one URDF each beside it, placed by scene.json",
    USD_FILE: "UsdPhysics: rigid bodies, convex colliders, masses, inertias, friction; metres, +Z up (Isaac Sim, Newton)",
    "scene/scene.glb": "objects and the robot as capsules in the first frame, for any 3D viewer",
    "mjlab/scene.json": "for mjlab: the floor as terrain, objects as entities, contacts; the motion is motion.npz beside it",
    "mjlab/mjlab_kit/__init__.py": "mjlab's G1 tracking task among the objects: training, ONNX, judgement (how: in that file)",
}


@dataclass(frozen=True, kw_only=True)
class ExportRobotConfig:
    """Settings of `run`."""

    floor_friction: float = 0.5
    contact_time_s: float = 0.01
    """MuJoCo's time constant of contacts, where a format has a word for it."""


@dataclass(frozen=True, kw_only=True)
class RobotExport(Artifact):
    """What was exported: files inside the artifact's folder."""

    robot: str
    files: tuple[str, ...]
    left_out: tuple[str, ...]
    """Files that need a package that is not installed."""


def run(
    motion: RobotMotion,
    scene: SimScene | None = None,
    rollout: Rollout | None = None,
    *,
    cfg: ExportRobotConfig,
    out: Path,
    progress: Progress,
) -> RobotExport:
    """Write `motion/`, `scene/`, `mjlab/`, `README.txt` and `manifest.json` into `out`; of a simulated run also `person/`."""
    clip = clip_of(motion)
    files = [*_write_motions(clip, out, progress), *_write_people(scene, rollout, out)]
    written, left_out = _write_scene(motion, clip, cfg, out)
    write_mjlab(motion, out / "mjlab", floor_friction=cfg.floor_friction, contact_time_s=cfg.contact_time_s)
    files += [*written, "mjlab/scene.json", "mjlab/mjlab_kit/__init__.py"]
    export = RobotExport(
        provenance=replace(motion.provenance, adapter="CSV, npz, pickle, MJCF, URDF, USD, GLB"),
        robot=motion.robot,
        files=tuple(files),
        left_out=left_out,
    )
    (out / "manifest.json").write_text(json.dumps(_manifest(export, motion), indent=1) + "\n")
    (out / "README.txt").write_text(_readme(export, motion))
    return export


def _write_motions(clip: RobotClip, out: Path, progress: Progress) -> list[str]:
    (out / "motion").mkdir()
    files = []
    for name, known in progress.track(ROBOT_FORMATS.items(), "robot motions", total=len(ROBOT_FORMATS)):
        files.append(f"motion/{name}{known.suffix}")
        known.write(resampled(clip, known.fps), out / files[-1])
    ROBOT_FORMATS["gmr"].write(clip, out / "motion/gmr.npz")
    return [*files, "motion/gmr.npz"]


def _write_people(scene: SimScene | None, rollout: Rollout | None, out: Path) -> list[str]:
    """The simulated people whose motion it was, as AMASS."""
    if scene is None or rollout is None:
        return []
    (out / "person").mkdir()
    files = [f"person/{human}.npz" for human in scene.humans]
    for motion, file in zip(motions_of(rollout, scene.body_model, scene.humans), files):
        write_amass(motion, out / file)
    return files


def _write_scene(motion: RobotMotion, clip: RobotClip, cfg: ExportRobotConfig, out: Path) -> tuple[list[str], tuple[str, ...]]:
    """Files written, and those for which a package is missing."""
    from sim_envs.scene_builder import SceneParts, WorldConfig, write_mjcf

    world = WorldConfig(contact_time_s=cfg.contact_time_s, floor_friction=cfg.floor_friction)
    (out / "scene/mjcf").mkdir(parents=True)
    write_mjcf(SceneParts(body_model="", bodies=(), humans=(), assets=motion.assets, world=world), out / "scene/mjcf")
    write_urdf(motion.assets, cfg.floor_friction, out / "scene/urdf")
    write_glb([*object_surfaces(motion.assets), robot_surface(clip, 0)], out / "scene/scene.glb")
    files = ["scene/mjcf/scene.xml", "scene/urdf/scene.urdf", "scene/scene.glb"]
    try:
        write_usd(motion.assets, cfg.floor_friction, out / USD_FILE)
    except MissingPackage:
        return files, (USD_FILE,)
    return [*files, USD_FILE], ()


def _manifest(export: RobotExport, motion: RobotMotion) -> dict:
    return {
        "made_by": f"hsimul3r {__version__}",
        "robot": export.robot,
        "frames": len(motion.root_position),
        "fps": motion.fps,
        "scene_scale": motion.scene_scale,
        "object_scales": {name: scale.tolist() for name, scale in motion.object_scales.items()},
        "metric_scale_from": motion.provenance.scale_source,
        "licences": list(motion.provenance.licences),
        "files": {file: SAYS.get(file, "") for file in export.files},
        "left_out": list(export.left_out),
        "objects": [{"name": a.name, "mass_kg": a.mass_kg, "friction": a.friction} for a in motion.assets],
        "contacts": [
            {"part": c.part, "body": c.body, "target": c.target, "first": c.first, "last": c.last} for c in motion.contacts
        ],
    }


def _readme(export: RobotExport, motion: RobotMotion) -> str:
    width = max(len(file) for file in export.files)
    says = {file: SAYS.get(file, "the simulated person: SMPL-X parameters with AMASS's keys") for file in export.files}
    lines = "\n".join(f"{file:<{width}}  {text}" for file, text in says.items())
    missing = "".join(f"\nNot written: {file} (pip install usd-core)" for file in export.left_out)
    licences = "\n".join(f"  {licence}" for licence in motion.provenance.licences) or "  none recorded"
    return f"""Exported by hsimul3r {__version__} for the robot {export.robot}

{lines}{missing}

All: metres, seconds, radians, +Z up, floor at z = 0. Objects are of the size that the robot uses: {motion.scene_scale:.3f}
of the person's scene, or as manifest.json says of each; those that the motion does not carry stand still.

Motion            {len(motion.root_position)} frames at {motion.fps:g} a second before resampling
Contacts          {len(motion.contacts)}, listed in manifest.json
Metric scale      from: {motion.provenance.scale_source}
Licences
{licences}
"""
