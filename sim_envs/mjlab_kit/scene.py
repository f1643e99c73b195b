"""A scene and a motion exported by hsimul3r as mjlab has them: the floor is the terrain, every object an entity.

    from mjlab_kit.scene import tracking_env_cfg
    env = ManagerBasedRlEnv(tracking_env_cfg(play=True), device="cpu")

is mjlab's own task among the objects; `mjlab_kit.task` adds what it sees, earns and ends by because of them.
"""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import json
from functools import partial
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1]
"""Where the export is, of a copy that lies in it."""
CONTACTS_PER_WORLD, CONSTRAINTS_PER_WORLD = 150, 900
"""Room for contacts with furniture, in which mjlab's own task has no part."""


def folder_of(export: Path | None) -> Path:
    """The folder `mjlab` of an export; None: that in which this copy lies."""
    tried = [FOLDER] if export is None else [export / "mjlab", export]
    for folder in tried:
        if (folder / "scene.json").is_file():
            return folder.resolve()
    raise SystemExit(f"No scene.json in {tried[0]}. Give --export <run>/94_robot_export, made by `hsimul3r export-g1`.")


def scene_facts(folder: Path = FOLDER) -> dict[str, Any]:
    """What scene.json says."""
    return json.loads((folder / "scene.json").read_text())


def terrain_cfg(folder: Path = FOLDER) -> Any:
    """The floor, a plane with the scene's friction, as `SceneCfg.terrain`."""
    from mjlab.terrains import TerrainEntityCfg
    from mjlab.utils.spec_config import CollisionCfg

    sliding = scene_facts(folder)["floor"]["friction"]
    floor = CollisionCfg(
        geom_names_expr=("terrain",), contype=1, conaffinity=1, condim=3, priority=0, friction=(sliding, 0.005, 0.0001)
    )
    return TerrainEntityCfg(terrain_type="plane", collisions=(floor,))


def object_cfgs(folder: Path = FOLDER) -> dict[str, Any]:
    """Every object at its place, for `SceneCfg.entities`."""
    import mujoco
    from mjlab.entity import EntityCfg

    return {
        entry["name"]: EntityCfg(
            spec_fn=partial(mujoco.MjSpec.from_file, str(folder / entry["mjcf"])),
            init_state=EntityCfg.InitialStateCfg(
                pos=tuple(entry["position_m"]), rot=tuple(entry["quaternion_wxyz"]), joint_pos={}, joint_vel={}
            ),
        )
        for entry in scene_facts(folder)["objects"]
    }


def tracking_env_cfg(folder: Path = FOLDER, *, play: bool = False) -> Any:
    """mjlab's tracking task of the G1 with this motion among these objects, which every reset puts back.

    Objects that the motion carries start where they are in its first frame; use `play` or sampling_mode "start" for them, or
    `mjlab_kit.task`, which puts them where they are in the frame from which the robot starts.
    """
    from mjlab.envs.mdp.events import reset_root_state_uniform
    from mjlab.managers.event_manager import EventTermCfg
    from mjlab.managers.scene_entity_config import SceneEntityCfg
    from mjlab.tasks.tracking.config.g1.env_cfgs import unitree_g1_flat_tracking_env_cfg

    cfg = unitree_g1_flat_tracking_env_cfg(play=play)
    cfg.commands["motion"].motion_file = str(folder / "motion.npz")
    cfg.scene.terrain = terrain_cfg(folder)
    for name, entity in object_cfgs(folder).items():
        cfg.scene.entities[name] = entity
        params = {"pose_range": {}, "velocity_range": {}, "asset_cfg": SceneEntityCfg(name)}
        cfg.events[f"reset_{name}"] = EventTermCfg(func=reset_root_state_uniform, mode="reset", params=params)
    cfg.sim.nconmax, cfg.sim.njmax = CONTACTS_PER_WORLD, CONSTRAINTS_PER_WORLD
    return cfg
