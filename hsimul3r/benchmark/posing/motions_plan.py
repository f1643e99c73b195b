"""What a motion shall be, before it is solved: key poses in time, feet that stand, parts that touch. Nouns only.

Times are in seconds, places in the frame of the plan: the first object's frame (its first frame's, if it moves).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from numpy import ndarray

from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.benchmark.posing.keyposes import KeyPose

FLOOR = "floor"
Place = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Key:
    """A posture at a time. The pelvis is put over the standing feet, or at `pelvis_m` where given."""

    time_s: float
    pose: KeyPose
    pelvis_m: Place | None = None


@dataclass(frozen=True, kw_only=True)
class Stance:
    """A foot stands flat: its ankle above (x, y), its sole at height z, its toes turned out by `yaw_deg` (left foot: to +X).

    In the interval `heel_free_s` only ball and toes stay and the heel may lift.
    """

    side: str
    start_s: float
    end_s: float
    place_m: Place
    yaw_deg: float
    target: str = FLOOR
    heel_free_s: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Hold:
    """`count` vertices of a part (a key of CONTACT_PARTS) lie on an object; if it `stays`, always at the same place."""

    part: str
    target: str
    start_s: float
    end_s: float
    count: int = 6
    stays: bool = False


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """A joint near a place, in the frame of the object `target` (or of the plan); nan coordinates are free.

    If the place is a `wish`, the key poses find one near it, and there the joint stays.
    """

    joint: str
    place_m: Place
    start_s: float
    end_s: float
    sigma_m: float = 0.01
    target: str = FLOOR
    is_wish: bool = False


@dataclass(frozen=True, kw_only=True)
class ThighRest:
    """A hand rests on the thigh of its side."""

    side: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class PlanObject:
    """A piece of furniture and where it stands in each frame of the motion, in the plan's frame."""

    name: str
    furniture: Furniture
    T_plan_object: Float[ndarray, "frames 4 4"]


@dataclass(frozen=True, kw_only=True)
class MotionPlan:
    """Everything a solver needs. `curl_deg` bends the fingers."""

    betas: Float[ndarray, "10"]
    duration_s: float
    objects: tuple[PlanObject, ...]
    keys: tuple[Key, ...]
    stances: tuple[Stance, ...]
    holds: tuple[Hold, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    thigh_rests: tuple[ThighRest, ...] = ()
    lift_m: Mapping[str, float] = field(default_factory=dict)
    """How high a foot is lifted between two stances, by side."""
