"""One person's motion, as captured, reconstructed or simulated, as that of a robot in the scene at the robot's size."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from hsimul3r.artifacts import AlignedScene, Rollout, SimScene
from hsimul3r.errors import NoSuchPerson
from hsimul3r.progress import Progress
from hsimul3r.retarget.measure import faults_of
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.retarget.recorded import recorded_scene
from hsimul3r.retarget.retarget import RetargetConfig, retarget, scene_of
from hsimul3r.retarget.robot import robot_named
from hsimul3r.tracking.bodies import body_named


@dataclass(frozen=True, kw_only=True)
class RetargetMotionConfig:
    """Which robot, whose motion, and how."""

    robot: str = "unitree_g1_29dof"
    """A shipped robot's name, or the path of a description made by `python -m sim_envs.describe_robot`."""
    person: int | None = None
    """By default the first."""
    fps: float = 30.0
    """Simulated motions are thinned to about this rate."""
    method: RetargetConfig = field(default_factory=RetargetConfig)


def run(
    scene: AlignedScene | SimScene,
    rollout: Rollout | None = None,
    *,
    cfg: RetargetMotionConfig,
    out: Path,
    progress: Progress,
) -> RobotMotion:
    """The motion of `rollout` with the contacts that the simulator recorded, where it is given; else the scene's own. What is
    left of gaps, penetration and skate is in its report.

    Raises `BadRobot`, `RobotLacks`, `NoSuchPerson`, `UnknownBodyModel`.
    """
    robot = robot_named(cfg.robot)
    known = [body.person for body in scene.bodies]
    person = known[0] if cfg.person is None and known else cfg.person
    if person not in known:
        raise NoSuchPerson(person, known)
    model = body_named(scene.body_model)
    if rollout is not None and isinstance(scene, SimScene):
        source = recorded_scene(model, scene, rollout, person, fps=cfg.fps)
    else:
        body = scene.bodies[known.index(person)]
        source = scene_of(model, body, scene.assets, scene.contacts, scene.object_paths)
    provenance = replace(
        scene.provenance,
        adapter=f"retargeted to {robot.name}",
        licences=(*scene.provenance.licences, f"{robot.name}: {robot.licence}"),
    )
    with progress.bar(f"retargeting to {robot.name}", 1) as advance:
        motion = retarget(source, robot, cfg=cfg.method, name=cfg.robot, provenance=provenance)
        advance(1.0)
    faults = asdict(faults_of(motion, robot, motion.contacts))
    return replace(motion, report={**motion.report, **{name: float(v) for name, v in faults.items() if np.isfinite(v)}})
