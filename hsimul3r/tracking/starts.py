"""Where episodes start: reference-state initialisation, with those parts of a clip drawn more often in which policies fail."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray


@dataclass(frozen=True, kw_only=True)
class StartConfig:
    """Adaptive start sampling, after BeyondMimic."""

    bin_s: float = 0.25
    """Length of the parts of a clip that are told apart."""
    uniform_share: float = 0.2
    """Of starts that are drawn whatever fails."""
    memory: float = 0.99
    """Share of a part's failure rate that one episode leaves standing."""
    first_share: float = 0.2
    """Of starts at the clip's beginning, where it will be judged from."""


class StartSampler:
    """Draws the frames at which episodes start. Its state is the failure rate of each part of the clip."""

    def __init__(self, frames: int, fps: float, cfg: StartConfig):
        self._frames, self._cfg = frames, cfg
        self._length = max(round(cfg.bin_s * fps), 1)
        self.failure_rate = np.full(-(-frames // self._length), 0.5)

    def draw(self, rng: np.random.Generator, count: int) -> Int[ndarray, "count"]:
        """Frames, a part being drawn in proportion to how often an episode that starts there fails."""
        parts = rng.choice(len(self.failure_rate), size=count, p=self.chances())
        frame = parts * self._length + rng.integers(0, self._length, size=count)
        frame[rng.random(count) < self._cfg.first_share] = 0
        return np.minimum(frame, self._frames - 1)

    def chances(self) -> Float[ndarray, "parts"]:
        """The chance of each part."""
        uniform = np.full(len(self.failure_rate), 1 / len(self.failure_rate))
        total = self.failure_rate.sum()
        adaptive = self.failure_rate / total if total > 0 else uniform
        return self._cfg.uniform_share * uniform + (1 - self._cfg.uniform_share) * adaptive

    def learn(self, start: Int[ndarray, "episodes"], has_failed: Bool[ndarray, "episodes"]) -> None:
        """Take in how episodes that started at these frames ended."""
        for part in np.unique(start // self._length):
            outcomes = has_failed[start // self._length == part]
            kept = self._cfg.memory ** len(outcomes)
            self.failure_rate[part] = kept * self.failure_rate[part] + (1 - kept) * outcomes.mean()
