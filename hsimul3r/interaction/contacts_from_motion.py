"""What a moving person must be resting on, from the motion alone: parts that stay in place while the body does not.

A foot that is slow at the floor's height stands on it. A foot or hand that stays where it is while the trunk moves rests on
something there, and so does one that stays level, unless it is a hand on the person's own lap. Buttocks rest on something where
the thighs are raised, the pelvis stays, and the weight is not above the feet. Hands on something that moves are not found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.spatial import ConvexHull, QhullError

from hsimul3r.artifacts import BodySequence
from hsimul3r.body.model import BodyModel
from hsimul3r.conventions import BODY_JOINTS

SEGMENTS: Final = (
    ("pelvis", "spine3", 0.355), ("spine3", "neck", 0.142), ("head", "head", 0.081),
    *((f"{side}_{a}", f"{side}_{b}", share) for side in ("left", "right") for a, b, share in (
        ("hip", "knee", 0.100), ("knee", "ankle", 0.0465), ("ankle", "foot", 0.0145),
        ("shoulder", "elbow", 0.028), ("elbow", "wrist", 0.016), ("wrist", "wrist", 0.006),
    )),
)  # fmt: skip
"""Share of the weight between two joints (Winter, Biomechanics and Motor Control of Human Movement, Table 4.1)."""
FEET: Final = ("left_foot", "right_foot")
HANDS: Final = ("left_hand", "right_hand")
LAP: Final = ("buttocks", "left_thigh", "right_thigh", "back")


@dataclass(frozen=True, kw_only=True)
class RestConfig:
    """When a part counts as at rest, and when that says that it rests on something."""

    speed_m_s: float = 0.15
    share: float = 0.15
    """Of a part's skin that must be slow: a foot may turn on its toes."""
    gap_s: float = 0.13
    """Shorter pauses between rests of one part are no pauses; up to `long_gap_s` where it does not leave its place."""
    long_gap_s: float = 0.7
    stay_m: float = 0.05
    least_s: float = 0.25
    least_seat_s: float = 0.5
    floor_m: float = 0.05
    """A resting foot lower than this stands on the floor."""
    trunk_m: float = 0.03
    """Standard deviation of the neck's place that shows a foot or hand to be held; for hands twice that."""
    trunk_ratio: float = 2.5
    """By how much more the neck must move than the part."""
    sole_m: float = 0.15
    palm_m: float = 0.135
    """A sole or palm of which at least this length is at one height, for `least_level_s`, does not hang."""
    least_level_s: float = 0.5
    lap_m: float = 0.15
    """A hand this near to trunk or thighs may rest on them."""
    hanging_deg: float = 30.0
    """Thighs that are raised by less are those of somebody who stands."""
    balance_m: float = 0.05
    """A weight that is farther outside the feet than this is carried by something else."""
    skin_m: float = 0.03
    """Skin within this of a part's lowest point touches what the part rests on."""


@dataclass(frozen=True, kw_only=True)
class Rest:
    """A part that rests on something from frame `first` to `last`, inclusive."""

    part: str
    first: int
    last: int
    is_on_floor: bool
    height_m: float
    """Of what it rests on: the part's lowest skin, typically."""
    skin: Float[ndarray, "points 3"]
    """The skin that touches it, in the middle of the rest."""
    needs_grip: bool = False
    """A hand above the shoulder holds on to something; it does not lean on it."""


@dataclass(frozen=True, kw_only=True)
class Moves:
    """A person's skin and joints over time, from which everything else here is read."""

    fps: float
    vertices: Float[ndarray, "frames vertices 3"]
    joints: Float[ndarray, "frames 22 3"]
    parts: dict[str, Int[ndarray, "part"]]

    @classmethod
    def of(cls, model: BodyModel, body: BodySequence) -> "Moves":
        """Every frame of a sequence."""
        return cls(
            fps=body.fps,
            vertices=model.vertices(body.betas, body.pose, body.transl),
            joints=model.joints(body.betas, body.pose, body.transl)[:, : len(BODY_JOINTS)],
            parts=dict(model.parts),
        )

    def skin(self, part: str) -> Float[ndarray, "frames part 3"]:
        return self.vertices[:, self.parts[part]]

    def joint(self, name: str) -> Float[ndarray, "frames 3"]:
        return self.joints[:, BODY_JOINTS.index(name)]

    def lowest(self, part: str) -> Float[ndarray, "frames"]:
        return self.skin(part)[..., 2].min(axis=1)

    def still(self, part: str, cfg: RestConfig) -> Bool[ndarray, "frames"]:
        """Frames in which enough of a part's skin is slow."""
        speed = np.linalg.norm(np.gradient(self.skin(part), 1 / self.fps, axis=0), axis=-1)
        count = max(round(cfg.share * speed.shape[1]), 3)
        return np.sort(speed, axis=1)[:, count - 1] < cfg.speed_m_s

    def weight(self) -> Float[ndarray, "frames 3"]:
        """The centre of mass."""
        shares = np.array([share for *_, share in SEGMENTS])
        middles = np.stack([(self.joint(a) + self.joint(b)) / 2 for a, b, _ in SEGMENTS])
        return np.einsum("s,stx->tx", shares / shares.sum(), middles)


def floor_height(moves: Moves, cfg: RestConfig | None = None, *, near_m: float = 0.15) -> float:
    """Height of the floor under the feet: the middle of the lowest stances, 0 where none is within `near_m` of 0."""
    cfg = cfg or RestConfig()
    heights = [
        float(np.median(moves.lowest(foot)[first : last + 1]))
        for foot in FEET
        for first, last in _intervals(moves, foot, cfg, cfg.least_s)
    ]
    near = [height for height in heights if abs(height) < near_m]
    return float(np.median([height for height in near if height < min(near) + cfg.floor_m])) if near else 0.0


def rests_of(moves: Moves, cfg: RestConfig | None = None) -> tuple[Rest, ...]:
    """All rests of feet, hands, buttocks and thighs; the floor is at z = 0."""
    cfg = cfg or RestConfig()
    feet = [rest for foot in FEET for rest in _feet(moves, foot, cfg)]
    hands = [rest for hand in HANDS for rest in _hands(moves, hand, cfg)]
    seats = _seats(moves, feet, cfg)
    thighs = [rest for seat in seats for side in ("left", "right") for rest in _thighs(moves, f"{side}_thigh", seat, cfg)]
    return tuple(sorted((*feet, *hands, *seats, *thighs), key=lambda rest: (rest.first, rest.part)))


def _feet(moves: Moves, foot: str, cfg: RestConfig) -> list[Rest]:
    found = []
    for first, last in _intervals(moves, foot, cfg, cfg.least_s):
        rest = _rest(moves, foot, first, last, cfg)
        if rest.is_on_floor or _is_held(moves, rest, cfg, cfg.trunk_m) or _is_level(rest, cfg.sole_m, moves.fps, cfg):
            found.append(rest)
    return found


def _hands(moves: Moves, hand: str, cfg: RestConfig) -> list[Rest]:
    found = []
    shoulder = moves.joint(hand.replace("hand", "shoulder"))[:, 2]
    for first, last in _intervals(moves, hand, cfg, cfg.least_s):
        needs_grip = bool(np.median(moves.skin(hand)[first : last + 1, :, 2] - shoulder[first : last + 1, None]) > 0)
        rest = _rest(moves, hand, first, last, cfg, needs_grip=needs_grip)
        leans = not needs_grip and _is_level(rest, cfg.palm_m, moves.fps, cfg) and not _is_on_lap(moves, rest, cfg)
        if leans or _is_held(moves, rest, cfg, 2 * cfg.trunk_m):
            found.append(rest)
    return found


def _seats(moves: Moves, feet: Sequence[Rest], cfg: RestConfig) -> list[Rest]:
    """Rests of the buttocks that carry the weight."""
    raised = _thighs_raised(moves, cfg)
    carried = raised & (_beside_feet(moves, feet) > cfg.balance_m)
    found = []
    for first, last in _intervals(moves, "buttocks", cfg, cfg.least_seat_s):
        sits = np.flatnonzero(carried[first : last + 1]) + first
        if len(sits) >= cfg.least_seat_s * moves.fps and carried[sits[0] : sits[-1] + 1].mean() > 0.5:
            found.append(_rest(moves, "buttocks", int(sits[0]), int(sits[-1]), cfg))
    return found


def _thighs(moves: Moves, thigh: str, seat: Rest, cfg: RestConfig) -> list[Rest]:
    """A sitter's thigh, while it lies as high as the buttocks."""
    low = np.abs(moves.lowest(thigh) - seat.height_m) < cfg.skin_m
    inside = np.zeros(len(low), bool)
    inside[seat.first : seat.last + 1] = low[seat.first : seat.last + 1]
    return [
        _rest(moves, thigh, first, last, cfg) for first, last in runs(inside) if last - first >= cfg.least_seat_s * moves.fps
    ]


def _is_held(moves: Moves, rest: Rest, cfg: RestConfig, least_m: float) -> bool:
    """True where the neck moves and the part does not."""
    frames = slice(rest.first, rest.last + 1)
    trunk = moves.joint("neck")[frames].std(axis=0).max()
    part = moves.skin(rest.part)[frames].mean(axis=1).std(axis=0).max()
    return bool(trunk > max(least_m, cfg.trunk_ratio * part))


def _is_level(rest: Rest, least_m: float, fps: float, cfg: RestConfig) -> bool:
    """True where a sole or palm stays with so much of its length at one height."""
    length = np.linalg.norm(np.ptp(rest.skin[:, :2], axis=0))
    return rest.last - rest.first >= cfg.least_level_s * fps and bool(length >= least_m)


def _is_on_lap(moves: Moves, rest: Rest, cfg: RestConfig) -> bool:
    own = np.concatenate([moves.skin(part)[(rest.first + rest.last) // 2] for part in LAP])
    return bool(np.linalg.norm(rest.skin[:, None] - own, axis=2).min() < cfg.lap_m)


def _rest(moves: Moves, part: str, first: int, last: int, cfg: RestConfig, *, needs_grip: bool = False) -> Rest:
    lowest = moves.lowest(part)[first : last + 1]
    skin = moves.skin(part)[(first + last) // 2]
    return Rest(
        part=part,
        first=first,
        last=last,
        is_on_floor=part in FEET and bool(np.median(lowest) < cfg.floor_m),
        height_m=float(np.percentile(lowest, 10)),
        skin=skin[skin[:, 2] < skin[:, 2].min() + cfg.skin_m],
        needs_grip=needs_grip,
    )


def _intervals(moves: Moves, part: str, cfg: RestConfig, least_s: float) -> list[tuple[int, int]]:
    """Frames (first, last) in which a part rests, short pauses and those in which it stays where it is left out."""
    centre = moves.skin(part).mean(axis=1)
    joined: list[tuple[int, int]] = []
    for first, last in runs(moves.still(part, cfg)):
        if joined and _is_same_place(centre, joined[-1][1], first, moves.fps, cfg):
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return [(first, last) for first, last in joined if last - first >= least_s * moves.fps]


def _is_same_place(centre: Float[ndarray, "frames 3"], before: int, after: int, fps: float, cfg: RestConfig) -> bool:
    gap_s = (after - before) / fps
    strays = np.linalg.norm(centre[before : after + 1] - centre[before], axis=1).max()
    return gap_s <= cfg.gap_s or bool(gap_s <= cfg.long_gap_s and strays < cfg.stay_m)


def runs(flags: Bool[ndarray, "frames"]) -> list[tuple[int, int]]:
    """(first, last) of every run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2])]


def _thighs_raised(moves: Moves, cfg: RestConfig) -> Bool[ndarray, "frames"]:
    raised = []
    for side in ("left", "right"):
        along = moves.joint(f"{side}_knee") - moves.joint(f"{side}_hip")
        raised.append(-along[:, 2] / np.linalg.norm(along, axis=1) < np.cos(np.radians(cfg.hanging_deg)))
    return raised[0] & raised[1]


def _beside_feet(moves: Moves, feet: Sequence[Rest]) -> Float[ndarray, "frames"]:
    """How far the weight is, seen from above, outside the polygon of the resting feet; infinite where none rests."""
    weight = moves.weight()[:, :2]
    rests = np.zeros((len(weight), len(feet)), bool)
    for k, rest in enumerate(feet):
        rests[rest.first : rest.last + 1, k] = True
    beside = np.full(len(weight), np.inf)
    for which in np.unique(rests[rests.any(axis=1)], axis=0):
        frames = (rests == which).all(axis=1)
        points = np.concatenate([feet[k].skin[:, :2] for k in np.flatnonzero(which).tolist()])
        beside[frames] = _outside(points, weight[frames])
    return beside


def _outside(points: Float[ndarray, "points 2"], places: Float[ndarray, "places 2"]) -> Float[ndarray, "places"]:
    """Distances of places from the convex hull of points, 0 inside."""
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        return np.linalg.norm(points - places[:, None], axis=2).min(axis=1)
    along = np.roll(corners, -1, axis=0) - corners
    away = places[:, None] - corners
    is_inside = (along[:, 0] * away[..., 1] - along[:, 1] * away[..., 0] >= 0).all(axis=1)
    share = np.clip((away * along).sum(axis=2) / np.maximum((along**2).sum(axis=1), 1e-12), 0, 1)
    return np.where(is_inside, 0.0, np.linalg.norm(away - share[..., None] * along, axis=2).min(axis=1))
