"""What a captured skeleton says of ours: places of joints, and turns of body parts against their rest pose.

Names of bones are CMU's. The rest poses differ only in the legs, which CMU spreads by 20 degrees, and in the arms by a little.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.errors import UnknownSkeleton
from hsimul3r.geometry.rotations import shortest_rotation
from hsimul3r.motions.asfamc import AsfSkeleton, CapturedMotion

SIDES: Final = {"left": "l", "right": "r"}
PLACES: Final = {
    **{f"{side}_hip": f"{s}hipjoint" for side, s in SIDES.items()},
    **{f"{side}_knee": f"{s}femur" for side, s in SIDES.items()},
    **{f"{side}_ankle": f"{s}tibia" for side, s in SIDES.items()},
    **{f"{side}_foot": f"{s}foot" for side, s in SIDES.items()},
    **{f"{side}_shoulder": f"{s}clavicle" for side, s in SIDES.items()},
    **{f"{side}_elbow": f"{s}humerus" for side, s in SIDES.items()},
    **{f"{side}_wrist": f"{s}wrist" for side, s in SIDES.items()},
}
"""Our joints and the bones that end there; CMU's wrist bends where the bone `wrist` ends, `radius` is the upper forearm."""
TURNS: Final = {
    "pelvis": "root", "spine1": "lowerback", "spine2": "upperback", "spine3": "thorax", "neck": "lowerneck", "head": "head",
    **{f"{side}_hip": f"{s}femur" for side, s in SIDES.items()},
    **{f"{side}_knee": f"{s}tibia" for side, s in SIDES.items()},
    **{f"{side}_ankle": f"{s}foot" for side, s in SIDES.items()},
    **{f"{side}_collar": f"{s}clavicle" for side, s in SIDES.items()},
    **{f"{side}_shoulder": f"{s}humerus" for side, s in SIDES.items()},
    **{f"{side}_elbow": f"{s}radius" for side, s in SIDES.items()},
    **{f"{side}_wrist": f"{s}hand" for side, s in SIDES.items()},
}  # fmt: skip
"""Our joints and the bones that their skin turns with."""
TOES: Final = {f"{side}_foot": f"{s}toes" for side, s in SIDES.items()}
"""Our joints at the balls of the feet and the bones beyond; skeletons may lack them."""
ALONG: Final = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
"""Limbs whose direction in the rest pose may differ; a foot or hand is taken along with the limb that it is on."""
CARRIED: Final = {"ankle": "knee", "wrist": "elbow"}
LENGTHS: Final = (
    *((f"{side}_{a}", f"{side}_{b}") for side in SIDES for a, b in (*ALONG.items(), ("ankle", "foot"), ("hip", "shoulder"))),
    ("left_hip", "right_hip"),
    ("left_shoulder", "right_shoulder"),
)
"""Pairs of joints whose distance in the rest pose says how a person is built."""


@dataclass(frozen=True, kw_only=True)
class BodyTargets:
    """Where joints of the body should be and how they should be turned, in the world."""

    fps: float
    places: Mapping[str, Float[ndarray, "frames 3"]]
    turns: Mapping[str, Float[ndarray, "frames 3 3"]]
    """World rotation of joints' frames: of the T-pose to the world."""
    toes: Mapping[str, Float[ndarray, "frames 3 3"]]
    """Turns of the toes against the feet, where they were captured."""
    lengths_m: Mapping[tuple[str, str], float]
    """Of LENGTHS."""

    @property
    def frames(self) -> int:
        return len(self.turns["pelvis"])


def targets_of(motion: CapturedMotion, rest: Float[ndarray, "22 3"]) -> BodyTargets:
    """What a captured motion asks of a body whose joints are at `rest` in its T-pose. Raises `UnknownSkeleton`."""
    missing = sorted({*PLACES.values(), *TURNS.values()} - set(motion.skeleton.bones))
    if missing:
        raise UnknownSkeleton(missing)
    at_rest = rest_ends(motion.skeleton)
    places = {joint: at_rest[bone] for joint, bone in PLACES.items()}
    turns = {joint: motion.rotations[bone] @ _offset(joint, motion.skeleton, rest) for joint, bone in TURNS.items()}
    return BodyTargets(
        fps=motion.fps,
        places={joint: motion.ends[bone] for joint, bone in PLACES.items()},
        turns=turns,
        toes={joint: _bent(joint, motion, rest) for joint, bone in TOES.items() if bone in motion.rotations},
        lengths_m={pair: float(np.linalg.norm(places[pair[0]] - places[pair[1]])) for pair in LENGTHS},
    )


def rest_ends(skeleton: AsfSkeleton) -> dict[str, Float[ndarray, "3"]]:
    """Where the bones end in the rest pose, +Y up, the root at the origin."""
    ends: dict[str, ndarray] = {}
    for name, bone in skeleton.bones.items():
        ends[name] = ends[bone.parent] + bone.offset_m if bone.parent else np.zeros(3)
    return ends


def _bent(joint: str, motion: CapturedMotion, rest: Float[ndarray, "22 3"]) -> Float[ndarray, "frames 3 3"]:
    offset, bone = _offset(joint.replace("foot", "ankle"), motion.skeleton, rest), TOES[joint]
    foot = motion.rotations[motion.skeleton.bones[bone].parent]
    return offset.T @ np.swapaxes(foot, 1, 2) @ motion.rotations[bone] @ offset


def _offset(joint: str, skeleton: AsfSkeleton, rest: Float[ndarray, "22 3"]) -> Float[ndarray, "3 3"]:
    """Rotation of a joint's frame from our rest pose to that of the skeleton."""
    side, _, kind = joint.partition("_")
    kind = CARRIED.get(kind, kind)
    if kind not in ALONG:
        return np.eye(3)
    ours = rest[BODY_JOINTS.index(f"{side}_{ALONG[kind]}")] - rest[BODY_JOINTS.index(f"{side}_{kind}")]
    return shortest_rotation(ours, skeleton.bones[TURNS[f"{side}_{kind}"]].offset_m)
