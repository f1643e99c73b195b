"""What a case of the benchmark is: a room, an object, a person in a pose with contacts, and cameras around them. Nouns only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float
from numpy import ndarray

from hsimul3r.benchmark.objects.pieces import Furniture

Color = tuple[float, float, float]
Covering = Literal["bricks", "plaster", "wallpaper", "paint"]
Flooring = Literal["planks", "tiles", "carpet", "concrete"]
Side = Literal["back", "left", "right", "front"]
"""Walls of a room as seen from its front, -Y."""
Outfit = Literal["tee", "shirt", "sweater", "longsleeve", "jacket"]
Legwear = Literal["trousers", "shorts"]
Haircut = Literal["short", "parted", "bun", "cropped", "shaved", "ponytail", "bob"]


@dataclass(frozen=True, kw_only=True)
class Touch:
    """`count` vertices of a body part (a key of CONTACT_PARTS) lie at `gap_m` of the floor, the object, or its top's plane."""

    part: str
    target: Literal["floor", "object", "top"]
    count: int
    gap_m: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PoseGoal:
    """What a pose shall be, in the object's frame. `anchors_m` holds joints near places, nan coordinates are free."""

    betas: Float[ndarray, "10"]
    key: Float[ndarray, "55 3"]
    root_m: tuple[float, float, float]
    touches: tuple[Touch, ...]
    anchors_m: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    hands_on_thighs: tuple[str, ...] = ()
    balance_m: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class PosedBody:
    """SMPL-X parameters, conventions.py."""

    betas: Float[ndarray, "10"]
    pose: Float[ndarray, "55 3"]
    transl: Float[ndarray, "3"]


@dataclass(frozen=True, kw_only=True)
class PersonLook:
    """Clothes, hair and skin. Colours are sRGB in [0, 1]; `trousers` is the colour of whatever the legs wear."""

    skin: Color
    hair: Color
    haircut: Haircut
    outfit: Outfit
    top: Color
    top_accent: Color
    trousers: Color
    shoes: Color
    legwear: Legwear = "trousers"
    beard: float = 0.0
    """0 none, 1 full."""


@dataclass(frozen=True, kw_only=True)
class RoomLook:
    """A room: a box of `half_m` about `centre_m`, what covers it, what stands in it and what lights it.

    Places on a wall are (side, metres to the right of its middle as seen from inside); places on the floor are (x, y) in the
    world.
    """

    walls: Mapping[Side, tuple[Covering, Color]]
    palette: tuple[Color, Color, Color, Color]
    """Colours of wallpaper, rug and curtains, the ground first."""
    floor: Flooring
    floor_color: Color
    window: tuple[Side, float]
    shelves: tuple[tuple[Side, float], ...]
    pictures: tuple[tuple[Side, float], ...]
    plants: tuple[tuple[float, float], ...]
    clutter: tuple[tuple[float, float], ...]
    magazines: tuple[tuple[float, float], ...] = ()
    obstacles: tuple[tuple[float, float], ...] = ()
    """Piles of boxes that may hide a bit of the person or an object from some cameras."""
    rug_centre: tuple[float, float] | None = None
    rug_yaw_deg: float = 0.0
    centre_m: tuple[float, float] = (0.0, 0.0)
    half_m: tuple[float, float] = (3.6, 3.6)
    height_m: float = 2.6
    window_w: float = 90.0
    window_color: Color = (1.0, 0.96, 0.9)
    lamp_w: float = 40.0
    lamp_color: Color = (1.0, 0.93, 0.82)
    lamp_at: tuple[float, float] = (0.4, -1.2)


@dataclass(frozen=True, kw_only=True)
class CameraWalk:
    """Views of a photographer who walks round: azimuth 0 stands in front of the room (-Y), positive to +X."""

    azimuth_deg: tuple[float, ...]
    distance_m: tuple[float, ...]
    height_m: tuple[float, ...]
    target_m: tuple[float, float, float]
    equivalent_mm: float = 26.5
    size_px: tuple[int, int] = (1280, 960)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case. `yaw_deg` turns object and person together in the room; `object_colors` are the base colours by material."""

    name: str
    furniture: str
    object_colors: Mapping[str, Color]
    goal: PoseGoal
    look: PersonLook
    room: RoomLook
    walk: CameraWalk
    yaw_deg: float
    seed: int


Difficulty = Literal["easy", "medium", "hard"]
CaseKind = Literal["pose", "motion"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Who it is: shape, and whether the wardrobe dresses a man or a woman."""

    betas: Float[ndarray, "10"]
    sex: Literal["female", "male"]


@dataclass(frozen=True, kw_only=True)
class CaseSpec:
    """One case of HSIBench before anything is made: everything else follows from it and its seed."""

    name: str
    """Unique, [a-z0-9_]."""
    interaction: str
    """Key of `posing.templates.POSES` or `posing.motion.MOTIONS`."""
    kind: CaseKind
    objects: tuple[str, ...]
    """Names of the catalogue; the first is the one that the interaction is named after."""
    subject: Subject
    difficulty: Difficulty
    seed: int


@dataclass(frozen=True, kw_only=True)
class StagedObject:
    """A piece of furniture in the scene; one pose, or one a frame where it is moved. `name` is unique in the scene."""

    name: str
    furniture: Furniture
    T_world_object: Float[ndarray, "frames 4 4"]


@dataclass(frozen=True, kw_only=True)
class HeldContact:
    """A body part (key of CONTACT_PARTS) touches `target` (an object's name or "floor"), frames `first` to `last` inclusive."""

    part: str
    target: str
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Staged:
    """People and things of a case in the world frame of conventions.py, before any look or camera. A pose has one frame."""

    objects: tuple[StagedObject, ...]
    betas: Float[ndarray, "10"]
    pose: Float[ndarray, "frames 55 3"]
    transl: Float[ndarray, "frames 3"]
    fps: float
    contacts: tuple[HeldContact, ...]
    """What the interaction is meant to hold; the truth on disk also lists what touches besides."""

    @property
    def frames(self) -> int:
        return len(self.pose)
