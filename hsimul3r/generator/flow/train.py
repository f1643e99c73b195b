"""Train the embedded generator: python -m hsimul3r.generator.flow.train --data FOLDER --out FOLDER --steps 20000

Writes `model.safetensors` and `config.json` (the averaged weights, what FlowGenerator loads), `state.safetensors` (from which
the same command goes on), `curve.csv`, and TensorBoard's files in `tensorboard`. A step's random numbers come from the seed and
the step's number alone, so that an interrupted run is the same as a whole one.
"""

import logging
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
import tyro
from torch import Tensor, nn

from hsimul3r.generator.flow.curve import Curve
from hsimul3r.generator.flow.dataset import Batch, Chances, condition_of, disturbed, draw, hidden, read_split
from hsimul3r.generator.flow.evaluate import EvaluateConfig, evaluate
from hsimul3r.generator.flow.network import Memory, NetworkConfig, PartFlow
from hsimul3r.generator.flow.sampling import drawn_times, flow_loss
from hsimul3r.generator.flow.training_state import TrainingState, load_state, save_state
from hsimul3r.generator.flow.weights import save_network

log = logging.getLogger(__name__)
VIEWS: Final = (0.5, 0.25, 0.25)
"""How often a batch has one, two, three views."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of `train`."""

    data: Path
    out: Path
    steps: int = 20000
    batch: int = 64
    learning_rate: float = 1.5e-3
    optimiser: Literal["muon", "adamw"] = "muon"
    """Muon orthogonalises the steps of the blocks' matrices; all else is AdamW's."""
    weight_decay: float = 0.02
    warm_up: int = 100
    average: float = 0.999
    """Decay of the averaged weights, less in the beginning."""
    clip: float = 1.0
    report_every: int = 250
    """Steps between checkpoints, with the held-out loss."""
    sample_every: int = 2500
    """Steps between F-scores of held-out samples; a multiple of `report_every`."""
    seed: int = 0
    threads: int = 1
    has_bfloat16: bool = True
    """Reduced precision: 1.5 times faster on one core."""
    has_tensorboard: bool = True
    network: NetworkConfig = field(default_factory=NetworkConfig)
    chances: Chances = field(default_factory=Chances)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)


def train(cfg: TrainConfig) -> PartFlow:
    """Train up to step `cfg.steps`, from the last checkpoint in `cfg.out` where there is one; returns the averaged network.

    Raises `NoDataset`, `DamagedArtifact`, or `BadWeights` where a checkpoint is not whole.
    """
    torch.set_num_threads(cfg.threads)
    data, held_out = read_split(cfg.data, "train"), read_split(cfg.data, "held_out")
    cfg.out.mkdir(parents=True, exist_ok=True)
    state = load_state(cfg.out, lambda: _beginning(cfg))
    curve = Curve(cfg.out, has_tensorboard=cfg.has_tensorboard)
    losses: list[float] = []
    while state.step < cfg.steps:
        losses.append(_step(state, data, cfg))
        if state.step % cfg.report_every == 0 or state.step == cfg.steps:
            curve.add(state.step, _report(state, held_out, losses, cfg))
            save_state(cfg.out, state)
            save_network(state.averaged, cfg.out, about=_about(cfg, state.step, len(data.seeds)))
            losses = []
    return state.averaged


def held_out_loss(network: PartFlow, held_out: Batch, cfg: TrainConfig) -> tuple[float, float]:
    """Loss of the parts and of the extents on the first 256 held-out objects, always with the same noise."""
    chosen = held_out.take(np.arange(min(256, len(held_out.seeds))))
    generator, count = torch.Generator().manual_seed(5), len(chosen.seeds)
    with torch.no_grad():
        memory = network.remember(condition_of(chosen, views=1, known=np.zeros((count, 4))))
        loss = _token_losses(network, memory, chosen, generator)
    return float(loss[:, :-1].mean()), float(loss[:, -1].mean())


def _beginning(cfg: TrainConfig) -> TrainingState:
    torch.manual_seed(cfg.seed)
    network, averaged = PartFlow(cfg.network), PartFlow(cfg.network)
    averaged.load_state_dict(network.state_dict())
    averaged.requires_grad_(False).eval()
    return TrainingState(network=network, averaged=averaged, optimisers=_optimisers(network, cfg), step=0)


def _optimisers(network: PartFlow, cfg: TrainConfig) -> tuple[torch.optim.Optimizer, ...]:
    """One for all parameters, or Muon for the matrices of eye and blocks and AdamW for the rest."""
    matrices = [
        value
        for name, value in network.named_parameters()
        if cfg.optimiser == "muon" and value.ndim == 2 and name.startswith(("blocks.", "eye.layers.")) and min(value.shape) > 6
    ]
    chosen = {id(value) for value in matrices}
    rest = [value for value in network.parameters() if id(value) not in chosen]
    adamw = torch.optim.AdamW(rest, cfg.learning_rate, betas=(0.9, 0.98), weight_decay=cfg.weight_decay)
    if not matrices:
        return (adamw,)
    muon = torch.optim.Muon(matrices, cfg.learning_rate, weight_decay=cfg.weight_decay, adjust_lr_fn="match_rms_adamw")
    return muon, adamw


def _step(state: TrainingState, data: Batch, cfg: TrainConfig) -> float:
    """One step of AdamW; returns the loss."""
    rng = np.random.default_rng([cfg.seed, state.step])
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    batch = disturbed(draw(data, cfg.batch, rng), rng, cfg.chances)
    most = data.side_m.shape[1]
    chance = np.array(VIEWS[:most]) / sum(VIEWS[:most])
    views = 1 + int(rng.choice(len(chance), p=chance))
    condition = condition_of(batch, views=views, known=hidden(cfg.batch, rng, cfg.chances))
    state.network.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=cfg.has_bfloat16):
        memory = _dropped(state.network, state.network.remember(condition), rng, cfg.chances.everything)
        loss = _token_losses(state.network, memory, batch, generator).mean()
    state.network.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(state.network.parameters(), cfg.clip)
    for optimiser in state.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = _learning_rate(state.step, cfg)
        optimiser.step()
    state.step += 1
    _average(state.averaged.parameters(), state.network.parameters(), min(cfg.average, state.step / (state.step + 10.0)))
    return float(loss.detach())


def _token_losses(network: PartFlow, memory: Memory, batch: Batch, generator: torch.Generator) -> Tensor:
    x0 = torch.from_numpy(batch.tokens).float()
    noise = torch.randn(x0.shape, generator=generator)
    return flow_loss(network, memory, x0, drawn_times(len(x0), generator), noise)


def _dropped(network: PartFlow, memory: Memory, rng: np.random.Generator, chance: float) -> Memory:
    """Nothing is seen of some objects, so that the network learns the guidance's other half."""
    is_dropped = torch.from_numpy(rng.random(len(memory.tokens)) < chance)[:, None]
    return Memory(tokens=memory.tokens, is_used=torch.where(is_dropped, network.nothing_seen(memory).is_used, memory.is_used))


def _learning_rate(step: int, cfg: TrainConfig) -> float:
    """Warm-up, then half a cosine down to one percent."""
    done = min(step / cfg.steps, 1.0)
    return cfg.learning_rate * min(1.0, (step + 1) / cfg.warm_up) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


@torch.no_grad()
def _average(averaged: Iterable[Tensor], current: Iterable[Tensor], decay: float) -> None:
    for mean, value in zip(averaged, current):
        mean.lerp_(value, 1.0 - decay)


def _report(state: TrainingState, held_out: Batch, losses: list[float], cfg: TrainConfig) -> dict[str, float]:
    parts, outline = held_out_loss(state.averaged, held_out, cfg)
    found = {"loss/train": float(np.mean(losses)), "loss/held_out_parts": parts, "loss/held_out_extents": outline}
    if state.step % cfg.sample_every == 0 or state.step == cfg.steps:
        scores = evaluate(state.averaged, held_out, cfg.evaluate)
        found |= {f"held_out/{name}": value for name, value in asdict(scores).items()}
    return found


def _about(cfg: TrainConfig, step: int, objects: int) -> dict[str, Any]:
    return {"steps": step, "batch": cfg.batch, "objects": objects, "learning_rate": cfg.learning_rate, "seed": cfg.seed}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(tyro.cli(TrainConfig))
