"""mjlab's G1 tracking task with the scene's objects: seen, carried, touched where the motion's contacts are, left in place."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .scene import FOLDER, scene_facts, tracking_env_cfg

ROBOT = "unitree_g1_29dof"
COMMAND = "motion"


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """What the objects add."""

    places_weight: float = 1.0
    """Of Eq. 5 at the held contacts, as exp(-mean squared distance / places_std_m^2)."""
    places_std_m: float = 0.1
    borne_weight: float = 0.5
    """Of the share of held contacts that bear."""
    left_m: float = 0.25
    """An object that is farther from its path ends the episode, as mjlab ends it for links that are as far off in height."""
    left_rad: float = 0.8
    object_noise_m: float = 0.02
    """Of the objects' poses as the actor sees them, uniform; of the turns' columns as well."""


def task_env_cfg(folder: Path = FOLDER, *, play: bool = False, options: TaskOptions | None = None) -> Any:
    """The environment's configuration; `play` starts every episode in the first frame, undisturbed."""
    from .terms import SceneMotionCommandCfg

    facts, options = scene_facts(folder), options or TaskOptions()
    if facts["robot"] != ROBOT:
        raise SystemExit(f"mjlab's tracking task is of the robot {ROBOT}; this export is of {facts['robot']}.")
    cfg = tracking_env_cfg(folder, play=play)
    for entry in facts["objects"]:
        del cfg.events[f"reset_{entry['name']}"]
    cfg.commands[COMMAND] = SceneMotionCommandCfg(facts=facts, **vars(cfg.commands[COMMAND]))
    cfg.scene.sensors = (*cfg.scene.sensors, *_contact_sensors(facts))
    _add_rewards(cfg, options)
    _add_endings(cfg, options)
    if facts["objects"]:
        _add_observations(cfg, options)
    return cfg


def training_cfg(*, seed: int, iterations: int, init_std: float, save_every: int) -> Any:
    """mjlab's PPO for its G1 tracking task; `init_std` is that of actions in the beginning."""
    from mjlab.tasks.tracking.config.g1.rl_cfg import unitree_g1_tracking_ppo_runner_cfg

    cfg = unitree_g1_tracking_ppo_runner_cfg()
    cfg.seed, cfg.max_iterations, cfg.save_interval, cfg.upload_model = seed, iterations, save_every, False
    cfg.actor.distribution_cfg["init_std"] = init_std
    return cfg


def _contact_sensors(facts: dict[str, Any]) -> list[Any]:
    """One for each link that has a contact with an object or the floor."""
    from mjlab.sensor import ContactMatch, ContactSensorCfg

    from .labels import FLOOR
    from .terms import sensor_name

    pairs = dict.fromkeys((entry["link"], entry["target"]) for entry in facts["contacts"])
    floor = ContactMatch(mode="body", pattern="terrain")
    return [
        ContactSensorCfg(
            name=sensor_name(link, target),
            primary=ContactMatch(mode="body", pattern=f"^{link}$", entity="robot"),
            secondary=floor if target == FLOOR else ContactMatch(mode="body", pattern=f"^{target}$", entity=target),
            fields=("found", "force"),
            reduce="netforce",
        )
        for link, target in pairs
    ]


def _add_observations(cfg: Any, options: TaskOptions) -> None:
    from mjlab.managers.observation_manager import ObservationTermCfg
    from mjlab.utils.noise import UniformNoiseCfg

    from . import terms

    noise = UniformNoiseCfg(n_min=-options.object_noise_m, n_max=options.object_noise_m)
    params = {"command_name": COMMAND}
    for group, own in (("actor", noise), ("critic", None)):
        found = cfg.observations[group].terms
        found["object_pose_b"] = ObservationTermCfg(func=terms.object_pose_b, params=params, noise=own)
        found["object_reference_b"] = ObservationTermCfg(func=terms.object_reference_b, params=params)


def _add_rewards(cfg: Any, options: TaskOptions) -> None:
    from mjlab.managers.reward_manager import RewardTermCfg

    from . import terms

    cfg.rewards["contact_places"] = RewardTermCfg(
        func=terms.contact_places_exp,
        weight=options.places_weight,
        params={"command_name": COMMAND, "std": options.places_std_m},
    )
    cfg.rewards["contacts_borne"] = RewardTermCfg(
        func=terms.contacts_borne, weight=options.borne_weight, params={"command_name": COMMAND}
    )


def _add_endings(cfg: Any, options: TaskOptions) -> None:
    from mjlab.managers.termination_manager import TerminationTermCfg

    from . import terms

    limits = {"distance_m": options.left_m, "angle_rad": options.left_rad}
    cfg.terminations["object_left"] = TerminationTermCfg(func=terms.object_left, params={"command_name": COMMAND, **limits})
    cfg.terminations["motion_ended"] = TerminationTermCfg(
        func=terms.motion_ended, time_out=True, params={"command_name": COMMAND}
    )
