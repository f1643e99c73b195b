"""Losses of simulation feedback, on velocities v = noise - x0 of a flow model at x_t = (1 - t) x0 + t noise.

The paper writes Eq. 6 with the error of the noise; for x_t given, that is (1 - t) times the error of the velocity, so that both
differ by a weight w(t) only. l is the bit of Eq. 7: 1 for a sample that the simulator accepts.

Where both classes are drawn equally often and (mu+, mu-) are the mean velocities of their samples at x_t, the literal loss has
no minimum; the bounded one has it at v_ref + (mu+ - mu-) / (1 + 2 beta), the reflected one at v_ref + (mu+ - mu-) / (2 b).
All three have the same gradient at v_theta = v_ref, b aside.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid

LossKind = Literal["literal", "bounded", "reflected", "dro", "dpo", "sft"]
KINDS: tuple[LossKind, ...] = get_args(LossKind)
UNBOUNDED: tuple[LossKind, ...] = ("literal", "dro")
"""These fall without end as the error of unstable samples grows."""


@dataclass(frozen=True, kw_only=True)
class Velocities:
    """What the tuned network and the reference say, and what is true, at the same x_t."""

    tuned: Float[Tensor, "batch tokens channels"]
    reference: Float[Tensor, "batch tokens channels"]
    true: Float[Tensor, "batch tokens channels"]
    weight: Float[Tensor, "batch tokens"]
    """w(t) of each token; 0 where the loss is not to look."""

    def square(self, difference: Float[Tensor, "batch tokens channels"]) -> Float[Tensor, "batch"]:
        """Weighted mean square of every sample."""
        return (difference.square().mean(-1) * self.weight).mean(-1)

    def error(self) -> Float[Tensor, "batch"]:
        """|v - v_theta|^2."""
        return self.square(self.true - self.tuned)

    def reference_error(self) -> Float[Tensor, "batch"]:
        """|v - v_ref|^2."""
        return self.square(self.true - self.reference)

    def drift(self) -> Float[Tensor, "batch"]:
        """|v_theta - v_ref|^2."""
        return self.square(self.tuned - self.reference)


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Which loss, and its strength."""

    kind: LossKind = "reflected"
    beta: float = 0.3
    """Of the bounded form: how strongly it is held at the reference."""
    b: float = 0.2
    """Of the reflected form: the smaller, the farther its optimum lies from the reference."""
    dpo_beta: float = 500.0
    """Of DPO, as DSO has it."""


def loss_of(v: Velocities, reward: Float[Tensor, "batch"], cfg: LossConfig) -> Float[Tensor, ""]:
    """The chosen loss of samples with rewards in [0, 1]; only the reflected form sees more of them than above or below one
    half. Paired ones take good and bad samples in turn."""
    is_stable = reward > 0.5
    if cfg.kind == "literal":
        return literal(v, is_stable)
    if cfg.kind == "bounded":
        return bounded(v, is_stable, cfg.beta)
    if cfg.kind == "reflected":
        return reflected(v, reward, cfg.b)
    if cfg.kind == "dro":
        return dro(v)
    return dpo(v, cfg.dpo_beta) if cfg.kind == "dpo" else sft(v, is_stable)


def literal(v: Velocities, is_stable: Bool[Tensor, "batch"]) -> Float[Tensor, ""]:
    """Eq. 6: E[(2 l - 1) |v - v_theta|^2]. Unbounded below in the unstable samples: only a guard or few steps end it."""
    return (_sign(is_stable) * v.error()).mean()


def bounded(v: Velocities, is_stable: Bool[Tensor, "batch"], beta: float) -> Float[Tensor, ""]:
    """Eq. 6 with the reference: E[(2 l - 1) |v - v_theta|^2 + (beta + 1[l = 0]) |v_theta - v_ref|^2], convex for beta >= 0."""
    hold = beta + (~is_stable).float()
    return (_sign(is_stable) * v.error() + hold * v.drift()).mean()


def reflected(v: Velocities, reward: Float[Tensor, "batch"], b: float) -> Float[Tensor, ""]:
    """The reflected velocity (DiffusionNFT, Zheng et al. 2025): E[r |v_ref + d - v|^2 + (1 - r) |v_ref - d - v|^2] / b with the
    step d = b (v_theta - v_ref) and the reward r, which may be the bit l.

    A step away from the reference is trained to point to good samples, and its mirror image to bad ones; a sample of r = 1/2
    holds the network where the reference is.
    """
    step = b * (v.tuned - v.reference)
    toward, away = v.square(v.reference + step - v.true), v.square(v.reference - step - v.true)
    return (reward * toward + (1 - reward) * away).mean() / b


def dro(v: Velocities) -> Float[Tensor, ""]:
    """DRO as DSO's code has it (Li et al. 2025): E[|v+ - v_theta|^2 - |v- - v_theta|^2] of pairs. Unbounded as Eq. 6 is."""
    stable, unstable = _pairs(v.error())
    return (stable - unstable).mean()


def dpo(v: Velocities, beta: float) -> Float[Tensor, ""]:
    """Diffusion-DPO of pairs: E[-log sigmoid(-beta/2 ((L+ - L-) - (L+_ref - L-_ref)))], L the squared error."""
    stable, unstable = _pairs(v.error())
    reference_stable, reference_unstable = _pairs(v.reference_error())
    margin = (stable - unstable) - (reference_stable - reference_unstable)
    return -logsigmoid(-0.5 * beta * margin).mean()


def sft(v: Velocities, is_stable: Bool[Tensor, "batch"]) -> Float[Tensor, ""]:
    """Flow matching on the stable samples alone."""
    return (is_stable.float() * v.error()).sum() / is_stable.sum().clamp(min=1)


@dataclass(kw_only=True)
class ErrorRatios:
    """Errors of the tuned network over those of the reference, by class, as running means: what tells a collapse early."""

    decay: float = 0.9
    sums: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By class, of the two errors; "drift" of |v_theta - v_ref|^2 and of ones."""

    @property
    def stable(self) -> float:
        return self._ratio("stable")

    @property
    def unstable(self) -> float:
        return self._ratio("unstable")

    @property
    def drift(self) -> float:
        """|v_theta - v_ref|^2."""
        return self._ratio("drift", 0.0)

    def add(self, v: Velocities, is_stable: Bool[Tensor, "batch"]) -> None:
        """Take in one batch."""
        error, reference = v.error().detach(), v.reference_error().detach()
        for name, chosen in (("stable", is_stable), ("unstable", ~is_stable)):
            if chosen.any():
                self._add(name, float(error[chosen].sum()), float(reference[chosen].sum()))
        self._add("drift", float(v.drift().detach().mean()), 1.0)

    def _add(self, name: str, above: float, below: float) -> None:
        old = self.sums.get(name, (0.0, 0.0))
        self.sums[name] = (self.decay * old[0] + above, self.decay * old[1] + below)

    def _ratio(self, name: str, otherwise: float = 1.0) -> float:
        above, below = self.sums.get(name, (otherwise, 1.0))
        return above / below


def _sign(is_stable: Bool[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    return torch.where(is_stable, 1.0, -1.0)


def _pairs(values: Float[Tensor, "batch"]) -> tuple[Float[Tensor, "pairs"], Float[Tensor, "pairs"]]:
    return values[0::2], values[1::2]
