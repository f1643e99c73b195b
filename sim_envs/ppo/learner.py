"""PPO by rl-games over the imitation environment: its agent, stepped here so that training can be watched, stopped and resumed.

rl-games 1.6.5 runs with numpy 2.4, torch 2.13 and gymnasium 1.4 as it is, but its own `restore` unpickles whatever a file
names; checkpoints are read here with torch's restricted reader and handed to the agent.
"""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from hsimul3r.errors import NotFinite
from hsimul3r.require import require
from hsimul3r.tracking.policy import ACTIONS
from sim_envs.ppo.environment import ImitationEnvironment

Agent = Any
"""rl_games.algos_torch.a2c_continuous.A2CAgent."""

PURPOSE = "training policies (pip install -e '.[rl]')"


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Two networks alike, for action and value."""

    units: tuple[int, ...] = (512, 256)
    activation: Literal["elu", "relu", "swish", "tanh"] = "elu"
    log_sigma: float = -0.7
    """Of the actions' exploration, kept fixed. rl-games' divergence has a bias of about 3e-4 / sigma^2 for as many actions, so
    that sigma must not be small: an action's unit is small instead."""


@dataclass(frozen=True, kw_only=True)
class PpoConfig:
    """Budget and step sizes; PHC's where it has them."""

    steps: int = 1_000_000
    """Of all simulations together."""
    horizon: int = 32
    """Steps of each simulation between two updates."""
    minibatch: int = 2048
    epochs: int = 5
    learning_rate: float = 2e-4
    greatest_learning_rate: float = 1e-3
    kl: float = 0.01
    """Wanted change of the policy in an update: the learning rate follows."""
    clip: float = 0.2
    gamma: float = 0.97
    gae: float = 0.95
    critic_only: int = 8
    """First updates in which only the value learns: a warm start is not spoilt by an untrained critic."""
    save_every: int = 10
    """Updates."""
    device: str = "cpu"
    network: NetworkConfig = field(default_factory=NetworkConfig)


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """One update's row of the learning curve."""

    steps: int
    reward: float
    """Mean per step."""
    failure_share: float
    """Of the episodes that ended."""
    deviation_m: float
    episode_s: float
    """Mean length of the episodes that ended."""
    value_loss: float
    kl: float
    learning_rate: float


class Worlds:
    """The environment as rl-games wants one (`IVecEnv`)."""

    def __init__(self, environment: ImitationEnvironment):
        self.environment = environment
        self._ended: list[tuple[int, int]] = []
        self._rewards: list[float] = []
        self._deviations: list[float] = []

    def reset(self) -> Float32[ndarray, "sims size"]:
        return self.environment.reset()

    def step(self, actions: Float32[ndarray, "sims 63"]) -> tuple[ndarray, ndarray, ndarray, dict[str, ndarray]]:
        outcome = self.environment.step(actions)
        is_done = outcome.has_failed | outcome.is_over
        self._ended.append((int(is_done.sum()), int(outcome.has_failed.sum())))
        self._rewards.append(float(outcome.reward.mean()))
        self._deviations.append(float(outcome.deviation_m[~outcome.has_failed].mean()))
        return outcome.observation, outcome.reward, is_done.astype(np.uint8), {"time_outs": outcome.is_over.astype(np.float32)}

    def get_env_info(self) -> dict[str, Any]:
        spaces = require("gymnasium", PURPOSE).spaces
        size = self.environment.spec.layout.size
        return {
            "observation_space": spaces.Box(-np.inf, np.inf, (size,), np.float32),
            "action_space": spaces.Box(-np.inf, np.inf, (ACTIONS,), np.float32),
        }

    def set_train_info(self, env_frames: int, *_: object) -> None:
        """Training does not change the task."""

    def get_env_state(self) -> list[list[float]]:
        return [world.sampler.failure_rate.tolist() for world in self.environment.worlds]

    def set_env_state(self, env_state: list[list[float]] | None) -> None:
        for world, rates in zip(self.environment.worlds, env_state or ()):
            world.sampler.failure_rate[:] = rates

    def summary(self) -> dict[str, float]:
        """What happened since the last summary."""
        ended, failed = np.sum(self._ended, axis=0)
        simulated_s = len(self._ended) * self.environment.count / self.environment.spec.layout.fps
        figures = {
            "reward": float(np.mean(self._rewards)),
            "failure_share": float(failed / max(ended, 1)),
            "deviation_m": float(np.nanmean(self._deviations)),
            "episode_s": float(simulated_s / max(ended, 1)),
        }
        self._ended, self._rewards, self._deviations = [], [], []
        return figures


def make_agent(environment: ImitationEnvironment, cfg: PpoConfig, *, folder: Path, seed: int) -> Agent:
    """An untrained agent of rl-games; TensorBoard's files go to `folder`."""
    import torch

    module = require("rl_games.algos_torch.a2c_continuous", PURPOSE)
    shaper = require("rl_games.common.tr_helpers", PURPOSE).DefaultRewardsShaper
    observer = require("rl_games.common.algo_observer", PURPOSE).DefaultAlgoObserver
    torch.manual_seed(seed)
    worlds = Worlds(environment)
    settings = _settings(cfg, environment.count, folder)
    settings["config"] |= {
        "reward_shaper": shaper(),
        "features": {"observer": observer()},
        "vec_env": worlds,
        "env_info": worlds.get_env_info(),
    }
    with contextlib.redirect_stdout(io.StringIO()):
        agent = module.A2CAgent("hsimul3r", settings)
    with torch.no_grad():
        agent.model.a2c_network.mu.weight.mul_(0.01)
    agent.scheduler.max_lr = cfg.greatest_learning_rate
    agent.model.a2c_network.sigma.requires_grad_(False)
    return agent


def learn(
    agent: Agent,
    cfg: PpoConfig,
    *,
    curve: list[Progressed],
    on_update: Callable[[Progressed], None] = lambda _: None,
) -> list[Progressed]:
    """Train until `cfg.steps` steps are done, from where the agent is; `on_update` sees every row of the curve."""
    schedule, worlds = agent.scheduler, agent.vec_env
    agent.init_tensors()
    agent.obs = agent.env_reset()
    agent.curr_frames = agent.batch_size_envs
    while agent.frame < cfg.steps:
        is_critic_only = agent.epoch_num < cfg.critic_only
        agent.scheduler = require("rl_games.common.schedulers", PURPOSE).IdentityScheduler() if is_critic_only else schedule
        for parameter in (*agent.model.a2c_network.actor_mlp.parameters(), *agent.model.a2c_network.mu.parameters()):
            parameter.requires_grad_(not is_critic_only)
        update = agent.update_epoch()
        step_s, play_s, update_s, total_s, a_losses, c_losses, _, entropies, kls, rate, scale = agent.train_epoch()
        agent.dataset.update_values_dict(None)
        agent.frame += agent.curr_frames
        agent.write_stats(
            total_s, update, step_s, play_s, update_s, a_losses, c_losses, entropies, kls, rate, scale,
            agent.frame, total_s, play_s, agent.curr_frames,
        )  # fmt: skip
        row = Progressed(
            steps=int(agent.frame),
            value_loss=float(sum(loss.item() for loss in c_losses) / len(c_losses)),
            kl=float(sum(kl.item() for kl in kls) / len(kls)),
            learning_rate=float(rate),
            **worlds.summary(),
        )
        if not np.isfinite(row.value_loss):
            raise NotFinite(
                "The value network", "Lower the learning rate, or resume from the last checkpoint with a smaller one."
            )
        for name, value in vars(row).items():
            agent.writer.add_scalar(f"imitation/{name}", value, agent.frame)
        curve.append(row)
        on_update(row)
    agent.writer.flush()
    return curve


def save_training(agent: Agent, curve: list[Progressed], path: Path) -> None:
    """Write everything that training goes on from, whole or not at all."""
    import torch

    state = agent.get_full_state_weights()
    state["last_mean_rewards"] = float(state["last_mean_rewards"])
    state["learning_rate"] = float(agent.last_lr)
    state["curve"] = [vars(row) for row in curve]
    partial = path.with_name(f".partial-{path.name}")
    torch.save(state, partial)
    partial.replace(path)


def resume_training(agent: Agent, path: Path, *, seed: int) -> list[Progressed]:
    """Put an agent where `save_training` left it, its episodes starting anew; the learning curve up to there."""
    import torch

    state = torch.load(path, weights_only=True)
    agent.set_full_state_weights(state)
    agent.last_lr = state["learning_rate"]
    agent.update_lr(agent.last_lr)
    torch.manual_seed(seed + int(agent.frame))
    agent.vec_env.environment.reseed(seed, int(agent.frame))
    return [Progressed(**row) for row in state["curve"]]


def _settings(cfg: PpoConfig, simulations: int, folder: Path) -> dict[str, Any]:
    """rl-games' configuration."""
    network = {
        "name": "actor_critic",
        "separate": True,
        "space": {
            "continuous": {
                "mu_activation": "None",
                "sigma_activation": "None",
                "mu_init": {"name": "default"},
                "sigma_init": {"name": "const_initializer", "val": cfg.network.log_sigma},
                "fixed_sigma": True,
            }
        },
        "mlp": {"units": list(cfg.network.units), "activation": cfg.network.activation, "initializer": {"name": "default"}},
    }
    config = {
        "name": "hsimul3r", "full_experiment_name": folder.name, "train_dir": str(folder.parent),
        "env_name": "imitation", "num_actors": simulations, "device": cfg.device, "device_name": cfg.device,
        "horizon_length": cfg.horizon, "minibatch_size": min(cfg.minibatch, cfg.horizon * simulations),
        "mini_epochs": cfg.epochs, "gamma": cfg.gamma, "tau": cfg.gae, "e_clip": cfg.clip, "clip_value": True,
        "learning_rate": cfg.learning_rate, "lr_schedule": "adaptive", "schedule_type": "standard", "kl_threshold": cfg.kl,
        "normalize_input": True, "normalize_value": True, "normalize_advantage": True, "value_bootstrap": True,
        "critic_coef": 2.0, "entropy_coef": 0.0, "bounds_loss_coef": 0.0, "clip_actions": False,
        "truncate_grads": True, "grad_norm": 1.0,
        "ppo": True, "mixed_precision": False, "torch_compile": False, "print_stats": False,
    }  # fmt: skip
    return {"model": {"name": "continuous_a2c_logstd"}, "network": network, "config": config}
