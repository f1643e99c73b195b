"""What the objects add to mjlab's tracking task: the command that carries them, observations, rewards, terminations."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mjlab.tasks.tracking.mdp import MotionCommand, MotionCommandCfg
from mjlab.utils.lab_api.math import matrix_from_quat, quat_apply, quat_box_minus, subtract_frame_transforms
from torch import Tensor

from .labels import FLOOR, Labels, borne_share, patch_distance, place_error


class SceneMotionCommand(MotionCommand):
    """mjlab's motion command that also puts the objects where they are in the frame from which the robot starts."""

    def __init__(self, cfg: "SceneMotionCommandCfg", env: Any) -> None:
        super().__init__(cfg, env)
        table = np.load(cfg.motion_file)
        self.names: list[str] = table["scene_object_names"].tolist()
        self.frame_pos = torch.tensor(table["scene_object_pos_w"], device=self.device)
        self.frame_quat = torch.tensor(table["scene_object_quat_w"], device=self.device)
        self.frame_velocity = _velocities(self.frame_pos, self.frame_quat, float(table["fps"][0]))
        self.labels = Labels.of(cfg.facts, self.motion.time_step_total, self.device)
        self.label_links = torch.tensor([self.robot.body_names.index(name) for name in self.labels.links], dtype=torch.long)
        self.is_on_object = torch.tensor([name != FLOOR for name in self.labels.targets], dtype=torch.bool, device=self.device)
        self.start_frames: Tensor | None = None
        """(envs,) Where sampling mode "uniform" starts, for who wants to know."""
        self.scene = env.scene

    @property
    def wanted_pos_w(self) -> Tensor:
        """(envs, objects, 3)."""
        return self.frame_pos[self.time_steps] + self._env.scene.env_origins[:, None]

    @property
    def wanted_quat_w(self) -> Tensor:
        """(envs, objects, 4) wxyz."""
        return self.frame_quat[self.time_steps]

    @property
    def object_pos_w(self) -> Tensor:
        """(envs, objects, 3)."""
        return self._of_objects("root_link_pos_w", 3)

    @property
    def object_quat_w(self) -> Tensor:
        """(envs, objects, 4) wxyz."""
        return self._of_objects("root_link_quat_w", 4)

    @property
    def is_held(self) -> Tensor:
        """(envs, labels)."""
        return self.labels.is_held[self.time_steps]

    def label_points_w(self) -> tuple[Tensor, Tensor]:
        """Places on links and on what they belong to, (envs, labels, 3) each."""
        data, labels = self.robot.data, self.labels
        link_pos, link_quat = data.body_link_pos_w[:, self.label_links], data.body_link_quat_w[:, self.label_links]
        keypoint = link_pos + quat_apply(link_quat, labels.keypoint.expand(self.num_envs, -1, -1))
        place = labels.place + self._env.scene.env_origins[:, None]
        on = [i for i, name in enumerate(labels.targets) if name != FLOOR]
        which = [self.names.index(labels.targets[i]) for i in on]
        moved = quat_apply(self.object_quat_w[:, which], labels.place[on].expand(self.num_envs, -1, -1))
        place[:, on] = self.object_pos_w[:, which] + moved
        return keypoint, place

    def is_touched(self) -> Tensor:
        """Whether the link of each label touches its target (envs, labels)."""
        names = [sensor_name(*pair) for pair in zip(self.labels.links, self.labels.targets)]
        found = [self.scene[name].data.found.amax(dim=1) > 0 for name in names]
        return torch.stack(found, dim=1) if found else torch.zeros_like(self.is_held)

    def _resample_command(self, env_ids: Tensor) -> None:
        super()._resample_command(env_ids)
        pos, quat = self.wanted_pos_w[env_ids], self.wanted_quat_w[env_ids]
        state = torch.cat([pos, quat, self.frame_velocity[self.time_steps[env_ids]]], dim=-1)
        for i, name in enumerate(self.names):
            self.scene[name].write_root_state_to_sim(state[:, i], env_ids=env_ids)

    def _uniform_sampling(self, env_ids: Tensor) -> None:
        super()._uniform_sampling(env_ids)
        if self.start_frames is not None:
            self.time_steps[env_ids] = self.start_frames[env_ids]

    def _of_objects(self, field: str, size: int) -> Tensor:
        found = [getattr(self.scene[name].data, field) for name in self.names]
        return torch.stack(found, dim=1) if found else torch.zeros(self.num_envs, 0, size, device=self.device)


@dataclass(kw_only=True)
class SceneMotionCommandCfg(MotionCommandCfg):
    """`facts` are those of scene.json."""

    facts: dict[str, Any]

    def build(self, env: Any) -> SceneMotionCommand:
        return SceneMotionCommand(self, env)


def sensor_name(link: str, target: str) -> str:
    """Of what finds the contacts of a link with an object or the floor."""
    return f"contact_{link}_{target}"


def object_pose_b(env: Any, command_name: str) -> Tensor:
    """Every object in the frame of the robot's anchor (envs, 9 objects)."""
    command = _command(env, command_name)
    return _in_anchor(command, command.object_pos_w, command.object_quat_w)


def object_reference_b(env: Any, command_name: str) -> Tensor:
    """Where every object should be, in the frame of the robot's anchor (envs, 9 objects)."""
    command = _command(env, command_name)
    return _in_anchor(command, command.wanted_pos_w, command.wanted_quat_w)


def contact_places_exp(env: Any, command_name: str, std: float) -> Tensor:
    """Eq. 5 as a reward: one where every held contact is in its place, or none is held."""
    command = _command(env, command_name)
    return torch.exp(-patch_distance(*command.label_points_w(), command.is_held) / std**2)


def contacts_borne(env: Any, command_name: str) -> Tensor:
    """Share of the held contacts that the simulation finds."""
    command = _command(env, command_name)
    return borne_share(command.is_touched(), command.is_held)


def object_left(env: Any, command_name: str, distance_m: float, angle_rad: float) -> Tensor:
    """An object is not where the motion has it."""
    distance, angle = object_errors(_command(env, command_name))
    return ((distance > distance_m) | (angle > angle_rad)).any(dim=-1)


def motion_ended(env: Any, command_name: str) -> Tensor:
    """The last frame is reached: objects can only be put back by a reset."""
    command = _command(env, command_name)
    return command.time_steps >= command.motion.time_step_total - 1


def object_errors(command: SceneMotionCommand) -> tuple[Tensor, Tensor]:
    """Distance [m] and angle [rad] of every object from its path (envs, objects)."""
    dot = (command.object_quat_w * command.wanted_quat_w).sum(-1)
    return place_error(command.object_pos_w, command.wanted_pos_w, dot)


def _command(env: Any, name: str) -> SceneMotionCommand:
    return env.command_manager.get_term(name)


def _in_anchor(command: SceneMotionCommand, pos_w: Tensor, quat_w: Tensor) -> Tensor:
    count = pos_w.shape[1]
    anchor_pos = command.robot_anchor_pos_w[:, None].expand(-1, count, -1)
    anchor_quat = command.robot_anchor_quat_w[:, None].expand(-1, count, -1)
    pos, quat = subtract_frame_transforms(anchor_pos, anchor_quat, pos_w, quat_w)
    columns = matrix_from_quat(quat)[..., :2].flatten(start_dim=-2)
    return torch.cat([pos, columns], dim=-1).flatten(start_dim=1)


def _velocities(pos: Tensor, quat: Tensor, fps: float) -> Tensor:
    """Linear and angular, world (frames, objects, 6), by central differences."""
    frame = torch.arange(len(pos), device=pos.device)
    before, after = (frame - 1).clamp(min=0), (frame + 1).clamp(max=len(pos) - 1)
    span = ((after - before).clamp(min=1) / fps)[:, None, None]
    turn = quat_box_minus(quat[after].flatten(0, 1), quat[before].flatten(0, 1)).view_as(pos)
    return torch.cat([pos[after] - pos[before], turn], dim=-1) / span
