"""LoRA tuning of a generator on judged samples: the same steps for the embedded one and for MIDI (Sec. 3.4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hsimul3r.generator.dsro.feedback_set import FeedbackSet
from hsimul3r.generator.dsro.losses import UNBOUNDED, LossConfig, Velocities, loss_of
from hsimul3r.generator.dsro.tunable import Tunable
from hsimul3r.generator.dsro.tuning_state import TuningState, load_tuning, save_tuning
from hsimul3r.generator.flow.curve import Curve
from stages.adapters.lora import LoraSettings, add_adapter, without_adapter

if TYPE_CHECKING:
    from stages.adapters.lora import PeftModel

SCORE: Final = "score"
Measure = Callable[["PeftModel"], Mapping[str, float]]
"""Figures of the network as it is now, on images that it does not learn from; of `SCORE` more is better."""


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """Settings of `tune`; the learning rate, steps and batch are those of the embedded generator."""

    loss: LossConfig = field(default_factory=LossConfig)
    lora: LoraSettings = field(default_factory=LoraSettings)
    steps: int = 80
    batch: int = 32
    """Samples; good and bad ones in turn."""
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    warm_up: int = 10
    cooling: float = 0.4
    """Share of the steps, the last ones, in which the learning rate falls to a tenth."""
    clip: float = 1.0
    hold: float = 3.0
    """Weight of |v_theta - v_ref|^2 of the tokens that are held at the reference."""
    guard: float | None = 1.5
    """An unbounded loss is stopped when the error of unstable samples exceeds so many times the reference's."""
    check_every: int = 40
    """Steps between measurements, each with a checkpoint."""
    patience: int = 3
    """Tuning stops after so many measurements without a better score."""
    seed: int = 0
    has_tensorboard: bool = True


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A network with its best adapter in it."""

    model: "PeftModel"
    step: int
    """Of the adapter that was kept."""
    score: float
    """Minus infinity where nothing was measured."""
    last_step: int
    """At which tuning ended."""


def tune(
    tunable: Tunable, feedback: FeedbackSet, cfg: TuneConfig, *, folder: Path, measure: Measure | None = None
) -> Tuned:  # fmt: skip
    """Tune from the last checkpoint in `folder`, where there is one; without a measure the last adapter is the best.

    Writes `state.safetensors` (the same call goes on from it, to the same bits), `curve.csv` and TensorBoard's files. The
    network's own weights stay as they are: with the adapter disabled it is the reference v_ref.

    Raises `NothingToLearn`, or `BadWeights` where a checkpoint does not fit.
    """
    feedback.require_mixed()
    folder.mkdir(parents=True, exist_ok=True)
    tunable.network.requires_grad_(False).eval()
    model = add_adapter(tunable.network, tunable.layers, cfg.lora, seed=cfg.seed)
    state = _beginning(tunable.network, cfg)
    load_tuning(folder, state)
    curve = Curve(folder, has_tensorboard=cfg.has_tensorboard)
    if state.step == 0:
        _check(state, model, curve, measure, cfg)
    while state.step < cfg.steps and not state.stopped:
        _step(state, model, tunable, feedback, cfg)
        is_broken = cfg.loss.kind in UNBOUNDED and cfg.guard is not None and state.ratios.unstable > cfg.guard
        if state.step % cfg.check_every == 0 or state.step == cfg.steps or is_broken:
            _check(state, model, curve, measure, cfg)
            state.stopped |= is_broken
            save_tuning(folder, state)
    state.return_to_best()
    return Tuned(model=model, step=state.best_step, score=state.best_score, last_step=state.step)


def velocities(
    tunable: Tunable, model: "PeftModel", x0: Float[Tensor, "batch tokens channels"], rows: Int[Tensor, "batch"],
    t: Float[Tensor, "batch"], noise: Float[Tensor, "batch tokens channels"],
) -> Velocities:  # fmt: skip
    """Of the tuned network, the reference and the truth at x_t; the loss looks at the tokens that are not held."""
    xt = x0 + t[:, None, None] * (noise - x0)
    with torch.no_grad(), without_adapter(model):
        reference = tunable.velocity(xt, t, rows)
    weight = tunable.weight(t)[:, None] * (~tunable.is_held).to(x0)
    return Velocities(tuned=tunable.velocity(xt, t, rows), reference=reference, true=noise - x0, weight=weight)


def _beginning(network: nn.Module, cfg: TuneConfig) -> TuningState:
    trainable = [value for value in network.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(trainable, cfg.learning_rate, weight_decay=cfg.weight_decay)
    return TuningState(network=network, optimiser=optimiser)


def _step(state: TuningState, model: "PeftModel", tunable: Tunable, feedback: FeedbackSet, cfg: TuneConfig) -> None:
    """One step of AdamW; its random numbers come from the seed and the step's number alone."""
    rng = np.random.default_rng([cfg.seed, state.step])
    draw = feedback.draw_stable if cfg.loss.kind == "sft" else feedback.draw
    chosen = draw(cfg.batch, rng)
    t, noise = _noise(feedback.samples[chosen].shape, tunable.levels, rng)
    v = velocities(tunable, model, feedback.samples[chosen], torch.from_numpy(feedback.image[chosen]), t, noise)
    reward = torch.from_numpy(feedback.reward[chosen]).float()
    loss = loss_of(v, reward, cfg.loss) + cfg.hold * _held(v, tunable.weight(t), tunable.is_held)
    for group in state.optimiser.param_groups:
        group["lr"] = _learning_rate(state.step, cfg)
    state.optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(state.adapter().values(), cfg.clip)
    state.optimiser.step()
    state.step += 1
    state.ratios.add(v, reward > 0.5)


def _noise(
    shape: torch.Size, levels: Float[Tensor, "levels"], rng: np.random.Generator
) -> tuple[Float[Tensor, "batch"], Float[Tensor, "batch tokens channels"]]:
    """A level of the sampler and noise, the same for both samples of a pair, so that only they tell the classes apart."""
    pairs = -(-shape[0] // 2)
    t = levels[torch.from_numpy(rng.integers(0, len(levels), pairs))].repeat_interleave(2)[: shape[0]]
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    return t, torch.randn(pairs, *shape[1:], generator=generator).repeat_interleave(2, 0)[: shape[0]]


def _held(v: Velocities, weight: Float[Tensor, "batch"], is_held: Bool[Tensor, "tokens"]) -> Float[Tensor, ""]:
    """|v_theta - v_ref|^2 of the tokens that are held; 0 where there are none."""
    apart = (v.tuned - v.reference)[:, is_held].square().flatten(1)
    return (apart.sum(1) * weight).mean() / max(apart.shape[1], 1)


def _learning_rate(step: int, cfg: TuneConfig) -> float:
    """Warm-up, then constant, then down to a tenth."""
    left = (cfg.steps - step) / max(cfg.cooling * cfg.steps, 1.0)
    return cfg.learning_rate * min(1.0, (step + 1) / max(cfg.warm_up, 1), max(0.1, left))


def _check(
    state: TuningState, model: "PeftModel", curve: Curve, measure: Measure | None, cfg: TuneConfig
) -> None:  # fmt: skip
    """Measure, and keep the adapter where it is the best so far."""
    with torch.no_grad():
        found = dict(measure(model)) if measure else {}
    score = found.get(SCORE, float(state.step))
    if score > state.best_score:
        state.keep(score)
    elif state.step - state.best_step >= cfg.patience * cfg.check_every:
        state.stopped = True
    ratios = {"ratio/stable": state.ratios.stable, "ratio/unstable": state.ratios.unstable, "drift": state.ratios.drift}
    curve.add(state.step, found | ratios)
