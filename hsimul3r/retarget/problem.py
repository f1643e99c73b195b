"""The least-squares problem of a motion: which rows hold at a posture, and how strongly.

Rows are residuals over their standard deviations: targets (targets.py), held points and touches (contacts.py), distances to
surroundings and own parts that would be entered (hinges), accelerations, speeds near their limits.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.geometry.rotations import axis_angle_from_matrix
from hsimul3r.retarget.contacts import Touch
from hsimul3r.retarget.distance import Floor, Hits, Pairs, Samples, Solid, nearest, too_near
from hsimul3r.retarget.kinematics import ROOT, Chain, Postures
from hsimul3r.retarget.normal import NormalEquations, PointRows
from hsimul3r.retarget.targets import PlaceTargets, Targets


@dataclass(frozen=True, kw_only=True)
class SolveConfig:
    """Standard deviations, margins and budgets."""

    touch_m: float = 0.003
    enter_m: float = 0.003
    margin_m: float = 0.002
    """Kept between the robot and what it does not touch."""
    own_m: float = 0.005
    ahead_m: float = 0.03
    """What is not yet entered is watched from this far: a step that would enter it is taken again with that row."""
    reach_m: float = 0.1
    """A touch is looked for within this."""
    home_rad: float = 1.5
    """Pull of the angles towards the standing pose, for what nothing else decides."""
    angle_rad_s2: float = 40.0
    root_m_s2: float = 4.0
    root_rad_s2: float = 30.0
    speed_share: float = 0.8
    """Speeds over this share of a joint's limit are resisted; the limit itself is kept exactly (solve.py)."""
    speed_rad_s: float = 0.5
    coarse_step: int = 3
    """Every how manieth frame is solved first."""
    start_iterations: int = 6
    coarse_iterations: tuple[int, int] = (4, 14)
    iterations: tuple[int, int] = (2, 8)
    """Least and most: more than the least only while something is entered deeper than `deepest_m`."""
    deepest_m: float = 0.007
    settled_rad: float = 0.05
    """Steps shorter than this end an iteration."""
    stalled_rad: float = 0.15
    stalled_share: float = 0.9
    """As do steps shorter than this that leave so much of a depth."""
    largest_rad: float = 0.6
    largest_m: float = 0.2
    """Of one step."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """All that decides the postures of a motion's frames."""

    chain: Chain
    samples: Samples
    pairs: Pairs
    fps: float
    targets: Targets
    held: PlaceTargets
    touches: tuple[Touch, ...]
    surroundings: tuple[Solid | Floor, ...]
    cfg: SolveConfig

    def thinned(self, step: int) -> "Problem":
        """Every `step`th frame only."""
        frames = np.arange(0, len(self.held.weight), step)
        t = self.targets
        return replace(
            self,
            fps=self.fps / step,
            targets=Targets(
                places=_at(t.places, frames),
                limbs=replace(t.limbs, target=t.limbs.target[frames], weight=t.limbs.weight[frames]),
                turns=replace(t.turns, target=t.turns.target[frames], weight=t.turns.weight[frames]),
            ),
            held=_at(self.held, frames),
            touches=tuple(replace(touch, frames=touch.frames[touch.frames % step == 0] // step) for touch in self.touches),
            surroundings=tuple(solid.thinned(frames) for solid in self.surroundings),
        )

    def alone(self) -> "Problem":
        """Without surroundings and what they hold."""
        return replace(self, held=_at(self.held, slice(None), 0.0), touches=(), surroundings=())

    def equations(self, at: Postures) -> NormalEquations:
        """The normal equations at some postures, without what `barriers` finds there."""
        sums, cfg = NormalEquations(self.chain, at), self.cfg
        sums.add_places(self.targets.places)
        sums.add_places(self.held)
        sums.add_limbs(self.targets.limbs)
        sums.add_turns(self.targets.turns)
        for rows in self._touch_rows(at):
            sums.add_points(rows)
        unknowns = ROOT + len(self.chain.joint_names)
        home = np.zeros((len(at), unknowns))
        home[:, ROOT:] = at.angles - self.chain.home
        sums.add_own(home, np.array([0.0] * ROOT + [1 / cfg.home_rad] * (unknowns - ROOT)))
        self._add_course(sums, at)
        return sums

    def _add_course(self, sums: NormalEquations, at: Postures) -> None:
        """Accelerations, and speeds near their limits."""
        cfg, joints = self.cfg, len(self.chain.joint_names)
        steps = changes(at)
        sigma = np.array([cfg.root_m_s2] * 3 + [cfg.root_rad_s2] * 3 + [cfg.angle_rad_s2] * joints) / self.fps**2
        if len(at) > 2:
            sums.add_acceleration(np.diff(steps, axis=0), 1 / sigma)
        limit = cfg.speed_share * self.chain.speed_rad_s / self.fps
        over = steps[:, ROOT:] - np.clip(steps[:, ROOT:], -limit, limit)
        if over.any():
            weight = np.zeros_like(steps)
            weight[:, ROOT:] = (over != 0) * self.fps / cfg.speed_rad_s
            sums.add_velocity(np.pad(over, ((0, 0), (ROOT, 0))), weight)

    def barriers(self, at: Postures) -> PointRows:
        """Distances that must not become negative: to surroundings, and of own parts to each other."""
        cfg = self.cfg
        places = at.places(self.samples.body, self.samples.offset)
        rows = [self._own_rows(at)]
        for solid in self.surroundings:
            hits = solid.near(places, self.samples.radius, cfg.ahead_m)
            rows.append(self._point_rows(hits, places, hits.distance - cfg.margin_m, cfg.enter_m))
        return PointRows.joined(rows)

    def _touch_rows(self, at: Postures) -> list[PointRows]:
        cfg = self.cfg
        places = at.places(self.samples.body, self.samples.offset)
        rows = []
        for touch in self.touches:
            solid = self.surroundings[touch.target].thinned(touch.frames)
            hits = solid.near(places[touch.frames][:, touch.samples], self.samples.radius[touch.samples], cfg.reach_m)
            least = nearest(hits)
            chosen = Hits(
                frame=touch.frames[hits.frame[least]], sample=touch.samples[hits.sample[least]], distance=hits.distance[least],
                normal=hits.normal[least],
            )  # fmt: skip
            rows.append(self._point_rows(chosen, places, chosen.distance, cfg.touch_m))
        return rows

    def _point_rows(
        self, hits: Hits, places: Float[ndarray, "frames samples 3"], value: Float[ndarray, "hits"], sigma: float
    ) -> PointRows:
        count = len(hits.frame)
        place = places[hits.frame, hits.sample]
        return PointRows(
            frame=hits.frame, body=self.samples.body[hits.sample], place=place, other=np.full(count, -1), other_place=place,
            normal=hits.normal, value=value, weight=np.full(count, 1 / sigma),
        )  # fmt: skip

    def _own_rows(self, at: Postures) -> PointRows:
        """Parts of the robot that come near each other."""
        near = too_near(self.pairs, at, self.cfg.ahead_m)
        apart = near.places[:, 0] - near.places[:, 1]
        length = np.linalg.norm(apart, axis=1, keepdims=True)
        return PointRows(
            frame=near.frame, body=self.pairs.body[near.pair, 0], place=near.places[:, 0],
            other=self.pairs.body[near.pair, 1], other_place=near.places[:, 1],
            normal=np.where(length > 1e-9, apart / np.maximum(length, 1e-9), [0.0, 0.0, 1.0]),
            value=near.distance, weight=np.full(len(near.frame), 1 / self.cfg.own_m),
        )  # fmt: skip


def changes(at: Postures) -> Float[ndarray, "steps unknowns"]:
    """What of the unknowns changes from each frame to the next; the root's turn as a rotation vector in the world."""
    turned = axis_angle_from_matrix(at.turn[1:] @ np.swapaxes(at.turn[:-1], 1, 2))
    return np.concatenate([np.diff(at.root, axis=0), turned, np.diff(at.angles, axis=0)], axis=1)


def _at(rows: PlaceTargets, frames: Int[ndarray, "chosen"] | slice, factor: float = 1.0) -> PlaceTargets:
    return replace(rows, target=rows.target[frames], weight=rows.weight[frames] * factor)
