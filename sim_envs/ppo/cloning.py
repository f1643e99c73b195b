"""The warm start: behaviour cloning of what sampling control solved.

A solved rollout's commands are played again, from its own states a little disturbed; what they still hold becomes pairs of what
the policy would have seen and what was commanded, so that the policy also learns what to do beside the one path.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int
from numpy import ndarray

from hsimul3r.artifacts import Rollout
from hsimul3r.tracking.policy import actions_for
from sim_envs.ppo.environment import ClipWorlds
from sim_envs.ppo.learner import Agent

LEAST_SPREAD = 0.1
"""Least standard deviation by which an observation is divided: what hardly varied in the demonstrations may vary later."""

SETTLED = 1e9
"""Observations that the normalisation counts as seen, so that it stays: if it moved on, the cloned policy would with it."""


@dataclass(frozen=True, kw_only=True)
class CloningConfig:
    """How much is demonstrated, and how it is learned."""

    rounds: int = 2
    """Episodes of every simulation; 0: no warm start."""
    first_share: float = 0.5
    """Of episodes that start where the rollout started, not somewhere in it."""
    epochs: int = 40
    minibatch: int = 1024
    learning_rate: float = 1e-3
    held_out: float = 0.1
    """Share of the pairs by which the error is measured."""


@dataclass(frozen=True, kw_only=True)
class Demonstrations:
    """Pairs of observation and action, and the share of the replayed episodes that held."""

    observation: Float32[ndarray, "pairs size"]
    action: Float32[ndarray, "pairs 63"]
    held_share: float


def demonstrate(worlds: ClipWorlds, rollouts: Sequence[Rollout], cfg: CloningConfig) -> Demonstrations:
    """Replay the rollouts of one clip in all its simulations; episodes that fail are left out."""
    every = [round(rollout.fps / worlds.layout.fps) for rollout in rollouts]
    ctrl = [rollout.ctrl[::step] for rollout, step in zip(rollouts, every)]
    states = [(rollout.qpos[::step], rollout.qvel[::step]) for rollout, step in zip(rollouts, every)]
    pairs, held = [], []
    for _ in range(cfg.rounds):
        which = worlds.rng.integers(len(rollouts), size=worlds.simulation.count)
        length = np.array([len(ctrl[i]) for i in which])
        time = np.where(worlds.rng.random(len(which)) < cfg.first_share, 0, worlds.rng.integers(0, length // 2 + 1))
        qpos, qvel = (np.stack([states[i][part][t] for i, t in zip(which, time)]) for part in (0, 1))
        worlds.start_from(np.arange(len(which)), np.minimum(time, worlds.reference.frames - 1), qpos, qvel)
        found, is_held = _replay(worlds, [ctrl[i] for i in which], time)
        pairs.append(found)
        held.append(is_held)
    return Demonstrations(
        observation=np.concatenate([observation for observation, _ in pairs]),
        action=np.concatenate([action for _, action in pairs]),
        held_share=float(np.mean(held)),
    )


def _replay(
    worlds: ClipWorlds, ctrl: Sequence[ndarray], time: Int[ndarray, "sims"]
) -> tuple[tuple[Float32[ndarray, "pairs size"], Float32[ndarray, "pairs 63"]], ndarray]:
    """One episode of every simulation: the pairs of those that hold, and which do."""
    count = len(ctrl)
    is_running, is_held = np.ones(count, bool), np.ones(count, bool)
    seen, done, kept = [], [], []
    step, seeing = 0, worlds.observe()
    while is_running.any():
        given = np.stack([c[min(t + step, len(c) - 1)] for c, t in zip(ctrl, time)])
        seen.append(seeing)
        done.append(actions_for(given, worlds.reference, worlds.frame, worlds.spec).astype(np.float32))
        kept.append(is_running.copy())
        outcome = worlds.command(given)
        seeing, step = outcome.observation, step + 1
        is_held &= ~(is_running & outcome.has_failed)
        is_running &= ~(outcome.has_failed | outcome.is_over)
    mask = np.stack(kept) & is_held
    return (np.stack(seen)[mask], np.stack(done)[mask]), is_held


def clone(
    agent: Agent,
    demonstrations: Demonstrations,
    cfg: CloningConfig,
    *,
    seed: int,
    on_epoch: Callable[[float], None] = lambda _: None,
) -> float:
    """Fit the agent's actor and its normalisation to the demonstrations; the held-out error per action (root mean square)."""
    import torch

    observation, action = (torch.from_numpy(part) for part in (demonstrations.observation, demonstrations.action))
    network, normal = agent.model.a2c_network, agent.model.running_mean_std
    normal.running_mean.copy_(observation.mean(dim=0))
    normal.running_var.copy_(observation.var(dim=0).clamp(min=LEAST_SPREAD**2))
    normal.count.fill_(SETTLED)
    agent.model.eval()
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(observation), generator=generator)
    held_out = max(round(cfg.held_out * len(order)), 1)
    test, train = order[:held_out], order[held_out:]
    actor = torch.nn.Sequential(network.actor_mlp, network.mu)
    optimizer = torch.optim.Adam(actor.parameters(), lr=cfg.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, cfg.epochs)
    with torch.no_grad():
        seen = agent.model.norm_obs(observation)
    for _ in range(cfg.epochs):
        for rows in train[torch.randperm(len(train), generator=generator)].split(cfg.minibatch):
            optimizer.zero_grad()
            (actor(seen[rows]) - action[rows]).square().mean().backward()
            optimizer.step()
        schedule.step()
        on_epoch(1.0)
    with torch.no_grad():
        return float((actor(seen[test]) - action[test]).square().mean().sqrt())
