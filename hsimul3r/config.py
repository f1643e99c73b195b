"""One configuration for a run: each stage's own dataclass, overridden by a YAML file, then by the command line."""

import dataclasses
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import tyro
import yaml

from hsimul3r.errors import BadConfig
from hsimul3r.files import write_whole
from hsimul3r.generator.dsro.command import DsroConfig
from stages.adapters.catalogue import NAMES, LicencePolicy, require_licence
from stages.align_interaction import AlignInteractionConfig
from stages.build_sim_scene import BuildSimSceneConfig
from stages.calibrate_cameras import CalibrateCamerasConfig
from stages.check_robot import CheckRobotConfig
from stages.export_motion import ExportMotionConfig
from stages.export_robot import ExportRobotConfig
from stages.fit_humans import FitHumansConfig
from stages.follow_people import FollowPeopleConfig
from stages.generate_objects import GenerateObjectsConfig
from stages.ground_video import GroundVideoConfig
from stages.import_motion import ImportMotionConfig
from stages.ingest_capture import IngestCaptureConfig
from stages.judge_stability import JudgeStabilityConfig
from stages.perceive_objects import PerceiveObjectsConfig
from stages.perceive_people import PerceivePeopleConfig
from stages.reconstruct_scene import ReconstructSceneConfig
from stages.retarget_motion import RetargetMotionConfig
from stages.track_motion import TrackMotionConfig
from stages.train_policy import TrainPolicyConfig
from stages.watch_video import WatchVideoConfig

Config = TypeVar("Config")


@dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """Settings of every stage, in the order of the pipeline."""

    seed: int = 0
    """Sets the seed of every stage that draws random numbers."""
    licences: LicencePolicy = "any"
    """"commercial-safe" refuses every model whose licence restricts its use."""
    capture: IngestCaptureConfig = field(default_factory=IngestCaptureConfig)
    people: PerceivePeopleConfig = field(default_factory=PerceivePeopleConfig)
    cameras: CalibrateCamerasConfig = field(default_factory=CalibrateCamerasConfig)
    scene: ReconstructSceneConfig = field(default_factory=ReconstructSceneConfig)
    humans: FitHumansConfig = field(default_factory=FitHumansConfig)
    object_views: PerceiveObjectsConfig = field(default_factory=PerceiveObjectsConfig)
    objects: GenerateObjectsConfig = field(default_factory=GenerateObjectsConfig)
    alignment: AlignInteractionConfig = field(default_factory=AlignInteractionConfig)
    motion: ImportMotionConfig = field(default_factory=ImportMotionConfig)
    """Of a captured motion in place of photos."""
    video: WatchVideoConfig = field(default_factory=WatchVideoConfig)
    """Of a video in place of photos."""
    ground: GroundVideoConfig = field(default_factory=GroundVideoConfig)
    follow: FollowPeopleConfig = field(default_factory=FollowPeopleConfig)
    sim_scene: BuildSimSceneConfig = field(default_factory=BuildSimSceneConfig)
    tracking: TrackMotionConfig = field(default_factory=TrackMotionConfig)
    policy: TrainPolicyConfig = field(default_factory=TrainPolicyConfig)
    verdict: JudgeStabilityConfig = field(default_factory=JudgeStabilityConfig)
    export: ExportMotionConfig = field(default_factory=ExportMotionConfig)
    retarget: RetargetMotionConfig = field(default_factory=RetargetMotionConfig)
    robot_export: ExportRobotConfig = field(default_factory=ExportRobotConfig)
    robot_check: CheckRobotConfig = field(default_factory=CheckRobotConfig)
    dsro: Annotated[DsroConfig, tyro.conf.Suppress] = field(default_factory=DsroConfig)
    """Of `dsro-finetune`, which shows these settings as its own; no stage of a run."""


def with_seed(config: PipelineConfig) -> PipelineConfig:
    """`config` with its seed handed to every stage that has one."""
    stages = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    seeded = {name: replace(stage, seed=config.seed) for name, stage in stages.items() if hasattr(stage, "seed")}
    return replace(config, **seeded)


def chosen_models(config: PipelineConfig) -> tuple[str, ...]:
    """Names in the catalogue of the users' models that a configuration would run."""
    choices = (
        config.people.pose, config.people.skeleton, config.cameras.photo, config.object_views.segmenter,
        config.object_views.detector, config.video.model,
    )  # fmt: skip
    by_path = {
        "hmr2": config.people.results, "dust3r": config.cameras.dust3r.weights, "gen3r": config.cameras.gen3r.results
    }  # fmt: skip
    kinds = (*(one.kind for one in choices), config.objects.generator)
    return (*(kind for kind in kinds if kind in NAMES), *(name for name, path in by_path.items() if path))


def require_licences(config: PipelineConfig) -> None:
    """Raises `LicenceRefused`."""
    for name in chosen_models(config):
        require_licence(name, config.licences)


def load_config(path: Path | None) -> PipelineConfig:
    """The defaults, overridden by the entries of a YAML file. Raises `BadConfig`."""
    if path is None:
        return PipelineConfig()
    try:
        entries = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadConfig(path, f"cannot be read ({error})") from error
    return override(PipelineConfig(), entries, path)


def save_config(config: PipelineConfig, path: Path) -> None:
    """Write the resolved configuration as YAML that `load_config` reads back."""
    write_whole(path, yaml.safe_dump(_plain(dataclasses.asdict(config)), sort_keys=False))


def override(default: Config, entries: Any, path: Path, where: str = "") -> Config:
    """A dataclass with the named entries changed, nested ones as mappings; `path` is the file to name in a `BadConfig`."""
    if not isinstance(entries, dict):
        raise BadConfig(path, f"'{where or 'the file'}' must hold named entries, not {entries!r}")
    known = {f.name: getattr(default, f.name) for f in dataclasses.fields(default)}  # pyright: ignore[reportArgumentType]
    changed = {}
    for name, value in entries.items():
        if name not in known:
            raise BadConfig(path, f"unknown entry '{where}{name}'; known: {', '.join(known)}")
        changed[name] = _value(known[name], value, path, f"{where}{name}")
    return replace(default, **changed)  # pyright: ignore[reportArgumentType]


def _value(default: Any, value: Any, path: Path, where: str) -> Any:
    if dataclasses.is_dataclass(default):
        return override(default, value, path, f"{where}.")
    if isinstance(default, tuple) and isinstance(value, list):
        return _tuples(value)
    if isinstance(default, float) and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if default is not None and value is not None and not isinstance(value, type(default)):
        raise BadConfig(path, f"'{where}' is {value!r}; expected {type(default).__name__}, as in {default!r}")
    return value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
