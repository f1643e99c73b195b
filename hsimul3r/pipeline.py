"""The method, top to bottom: photos to an aligned scene (Sec. 3.2), the scene to a judged simulation (Sec. 3.3 and 3.4).

Only this file and the command line know the order of the stages. Each line makes one artifact, or finds it on disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hsimul3r.artifacts import (
    AlignedScene,
    CameraRig,
    Capture,
    HumanMotion,
    ObjectSet,
    ObjectViews,
    People,
    Rollout,
    SceneGeometry,
    SimScene,
    StabilityVerdict,
    VideoScene,
)
from hsimul3r.config import PipelineConfig
from hsimul3r.errors import RenderingUnavailable
from hsimul3r.images import load_images
from hsimul3r.report import write_report
from hsimul3r.retarget.check.verdict import RobotCheck
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.run_store import RunStore
from hsimul3r.tracking.controllers import ControllerName, controller_for
from hsimul3r.tracking.problem import tracking_problem
from sim_envs.render import render_simulation
from stages import (
    align_interaction,
    build_sim_scene,
    calibrate_cameras,
    check_robot,
    export_motion,
    export_robot,
    fit_humans,
    follow_people,
    generate_objects,
    ground_video,
    import_motion,
    ingest_capture,
    judge_stability,
    perceive_objects,
    perceive_people,
    reconstruct_scene,
    retarget_motion,
    track_motion,
    train_policy,
    watch_video,
)


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What `simulate` made: the scene, and per controller its rollout and verdict."""

    scene: SimScene
    rollouts: dict[str, Rollout]
    verdicts: dict[str, StabilityVerdict]


def reconstruct(photos: Path, store: RunStore, cfg: PipelineConfig) -> AlignedScene:
    """Human-scene reconstruction and alignment (Sec. 3.2)."""
    motion, views = observe(photos, store, cfg)
    return place_objects(motion, views, store, cfg)


def observe(photos: Path, store: RunStore, cfg: PipelineConfig) -> tuple[HumanMotion, ObjectViews]:
    """What the photos show of cameras, scene and people, and where objects are in them."""
    capture = store.stage("00_capture", Capture, ingest_capture.run, photos, cfg=cfg.capture)
    perceive_objects.require_segmenter(capture, cfg.object_views)
    images = load_images(store.folder / "00_capture", capture)
    people = store.stage("10_people", People, perceive_people.run, capture, images, cfg=cfg.people)
    rig = store.stage("20_cameras", CameraRig, calibrate_cameras.run, capture, images, people, cfg=cfg.cameras)
    scene = store.stage("30_scene", SceneGeometry, reconstruct_scene.run, capture, images, people, rig, cfg=cfg.scene)
    motion = store.stage("40_humans", HumanMotion, fit_humans.run, capture, images, people, scene, cfg=cfg.humans)
    views = store.stage(
        "45_object_views", ObjectViews, perceive_objects.run, capture, images, people, motion, cfg=cfg.object_views
    )
    return motion, views


def place_objects(motion: HumanMotion, views: ObjectViews, store: RunStore, cfg: PipelineConfig) -> AlignedScene:
    """Objects as solids (Eq. 2), in contact with the people (Eq. 3, Eq. 4)."""
    images = load_images(store.folder / "00_capture", store.load("00_capture", Capture))
    objects = store.stage("50_objects", ObjectSet, generate_objects.run, views, motion, images, cfg=cfg.objects)
    return store.stage("60_aligned", AlignedScene, align_interaction.run, motion, views, objects, cfg=cfg.alignment)


def import_captured(motion: Path, store: RunStore, cfg: PipelineConfig) -> AlignedScene:
    """A captured motion, in a folder with its files, in place of photos."""
    return store.stage("60_aligned", AlignedScene, import_motion.run, motion, cfg=cfg.motion)


def reconstruct_video(video: Path, store: RunStore, cfg: PipelineConfig) -> AlignedScene:
    """A video, alone in a folder, seen by a recurrent network: cameras, scene, and a person's motion with its furniture."""
    seen = store.stage("20_video", VideoScene, watch_video.run, video, cfg=cfg.video)
    scene = store.stage("30_scene", SceneGeometry, ground_video.run, seen, cfg=cfg.ground)
    return store.stage("60_aligned", AlignedScene, follow_people.run, seen, scene, cfg=cfg.follow)


def simulate(store: RunStore, cfg: PipelineConfig) -> Simulation:
    """The reconstruction under physics (Sec. 3.3) and what the simulator says of it (Sec. 3.4)."""
    aligned = store.load("60_aligned", AlignedScene)
    scene = build_simulation(aligned, store, cfg)
    rollouts, verdicts = {}, {}
    for controller in ("pd", suited(scene)):
        chosen = replace(cfg, tracking=replace(cfg.tracking, controller=controller))
        rollouts[controller], verdicts[controller] = hold(scene, store, chosen)
    simulation = Simulation(scene=scene, rollouts=rollouts, verdicts=verdicts)
    _show(store, simulation)
    return simulation


def suited(scene: SimScene) -> ControllerName:
    """The sampling controller for a scene: poses are held, motions followed."""
    return controller_for(tracking_problem(scene))


def build_simulation(aligned: AlignedScene, store: RunStore, cfg: PipelineConfig) -> SimScene:
    """The reconstruction as the simulator has it."""
    return store.stage("70_sim", SimScene, build_sim_scene.run, aligned, cfg=cfg.sim_scene)


def hold(scene: SimScene, store: RunStore, cfg: PipelineConfig) -> tuple[Rollout, StabilityVerdict]:
    """What `cfg.tracking.controller` makes of a scene (Sec. 3.3, Eq. 5), and the verdict on it (Sec. 3.4)."""
    asked = cfg.tracking.controller
    controller = suited(scene) if asked == "auto" else asked
    tracking = replace(cfg.tracking, controller=controller)
    rollout = store.stage(f"80_rollout_{controller}", Rollout, track_motion.run, scene, cfg=tracking)
    verdict = store.stage(f"85_verdict_{controller}", StabilityVerdict, judge_stability.run, scene, rollout, cfg=cfg.verdict)
    return rollout, verdict


def train(store: RunStore, others: Sequence[Path], cfg: PipelineConfig) -> tuple[Rollout, StabilityVerdict]:
    """A policy from what sampling control solved of a run, and of the runs in `others`; what it does in this one (Sec. 3.3)."""
    scene = store.load("70_sim", SimScene)
    solved = store.load(f"80_rollout_{suited(scene)}", Rollout)
    clips = [path for folder in others for path in _solved_in(folder)]
    policy = store.stage("82_policy", train_policy.TrainedPolicy, train_policy.run, scene, solved, *clips, cfg=cfg.policy)
    file = str(store.folder / "82_policy" / policy.policy)
    tracking = replace(cfg.tracking, controller="ppo", policy=file, policy_sha256=policy.sha256)
    return hold(scene, store, replace(cfg, tracking=tracking))


def _solved_in(folder: Path) -> tuple[Path, Path]:
    """The scene of another run and the rollout that solved it. Raises `NoRun`."""
    other = RunStore(folder)
    rollout = f"80_rollout_{suited(other.load('70_sim', SimScene))}"
    other.load(rollout, Rollout)
    return folder / "70_sim", folder / rollout


def export(store: RunStore, cfg: PipelineConfig) -> Path:
    """The simulated motion as AMASS-style npz, the scene as MJCF and, of photos, as HSfM's file, in one folder of the run."""
    scene = store.load("70_sim", SimScene)
    controller = suited(scene)
    rollout = store.load(f"80_rollout_{controller}", Rollout)
    verdict = store.load(f"85_verdict_{controller}", StabilityVerdict)
    sim_folder = store.folder / "70_sim"
    store.stage(
        "90_export", export_motion.Export, export_motion.run, scene, sim_folder, rollout, verdict,
        *_photographed(store), cfg=cfg.export,
    )  # fmt: skip
    return store.folder / "90_export"


def export_to_robot(store: RunStore, cfg: PipelineConfig) -> Path:
    """The simulated motion, or where nothing was simulated the scene's own, as a robot's; motion and scene in one folder."""
    motion = _retargeted(store, cfg)
    simulated = _simulated(store)
    store.stage("94_robot_export", export_robot.RobotExport, export_robot.run, motion, *simulated, cfg=cfg.robot_export)
    return store.folder / "94_robot_export"


def check_robot_motion(store: RunStore, cfg: PipelineConfig) -> RobotCheck:
    """Whether the robot keeps the motion's contacts and does not fall, under its motors' limits."""
    return store.stage("96_robot_check", RobotCheck, check_robot.run, _retargeted(store, cfg), cfg=cfg.robot_check)


def _retargeted(store: RunStore, cfg: PipelineConfig) -> RobotMotion:
    source = _simulated(store) or (store.load("60_aligned", AlignedScene),)
    return store.stage("92_robot", RobotMotion, retarget_motion.run, *source, cfg=cfg.retarget)


def _simulated(store: RunStore) -> tuple[SimScene, Rollout] | tuple[()]:
    """The scene and what the sampling controller made of it; nothing before `simulate`."""
    if not (store.folder / "70_sim").is_dir():
        return ()
    scene = store.load("70_sim", SimScene)
    rollout = f"80_rollout_{suited(scene)}"
    return (scene, store.load(rollout, Rollout)) if (store.folder / rollout).is_dir() else ()


def _photographed(store: RunStore) -> tuple:
    """The reconstruction, its capture and the photos; nothing for an imported motion."""
    if not (store.folder / "00_capture").is_dir():
        return ()
    capture = store.load("00_capture", Capture)
    return store.load("60_aligned", AlignedScene), capture, load_images(store.folder / "00_capture", capture)


def _show(store: RunStore, simulation: Simulation) -> None:
    """The film, where this machine can render, and the report."""
    rollouts, verdicts = tuple(simulation.rollouts.values()), tuple(simulation.verdicts.values())

    def write(path: Path) -> None:
        render_simulation(simulation.scene, rollouts, verdicts, path, progress=store.progress)

    try:
        store.file("simulation.mp4", write, simulation.scene, *rollouts, *verdicts)
    except RenderingUnavailable as error:
        store.progress.say(f"No film: {error}")
    write_report(store.folder)
