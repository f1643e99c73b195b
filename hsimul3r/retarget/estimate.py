"""Contacts of a motion with objects that are known, from motion and shapes: what rests on what, and what stays on what.

Where a part rests (interaction/contacts_from_motion.py) it rests on the object nearest to its skin, or on the floor. A seat is
found late and left early that way, a hand on what moves not at all; so a part is also in contact while its skin is at an
object's surface, a hand only while it moves little against it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.artifacts import BodySequence, Contact, ObjectAsset
from hsimul3r.body.model import BodyModel
from hsimul3r.interaction.contacts_from_motion import Moves, Rest, rests_of
from hsimul3r.retarget.distance import Solid
from hsimul3r.retarget.recorded import intervals_of, on_floor

NEAR_M: Final = 0.06
"""A part that rests farther than this from every object rests on none of them."""
SKIN_M: Final = 0.008
"""Skin nearer than this is at a surface."""
SPEED_M_S: Final = 0.15
PAUSE_S: Final = 0.2
LEAST_S: Final = 0.3
STAYING: Final = (
    "buttocks", "left_thigh", "right_thigh", "back", "left_forearm", "right_forearm", "left_hand", "right_hand",
)  # fmt: skip
"""Parts that are in contact while they are at a surface; feet are where they rest."""


def estimated_contacts(
    model: BodyModel,
    body: BodySequence,
    assets: Sequence[ObjectAsset],
    paths: Mapping[str, Float[ndarray, "frames 4 4"]],
) -> tuple[Contact, ...]:
    """Contacts read off a motion among objects; nothing of how the motion was made is used."""
    solids = [Solid.of(asset, paths.get(asset.name, asset.T_world_object[None])) for asset in assets]
    moves = Moves.of(model, body)
    found = []
    for rest in rests_of(moves):
        contact = on_floor(body.person, rest) if rest.is_on_floor else _nearest(body.person, rest, solids)
        if contact is not None:
            found.append(contact)
    for solid in solids:
        for part in STAYING:
            found += _staying(body.person, part, moves, solid)
    return tuple(_joined(found))


def _nearest(person: int, rest: Rest, solids: Sequence[Solid]) -> Contact | None:
    """With the object whose surface is nearest to the skin that rests, in the middle of the rest."""
    middle = np.array([(rest.first + rest.last) // 2])
    best: Contact | None = None
    for solid in solids:
        here = solid.thinned(middle)
        local = here.to_local(rest.skin[None])[0]
        closest = here.surface.query(local)
        k = int(closest.distance.argmin())
        gap = float(closest.distance[k])
        if gap < NEAR_M and (best is None or gap < best.gap_m):
            T = solid.at(np.array([rest.first]))[0]
            best = Contact(
                person=person, part=rest.part, target=solid.name, gap_m=gap,
                point=T[:3, :3] @ closest.closest[k] + T[:3, 3], first=rest.first, last=rest.last,
            )  # fmt: skip
    return best


def _staying(person: int, part: str, moves: Moves, solid: Solid) -> Iterator[Contact]:
    """Contacts of a part while its skin is at an object."""
    skin = moves.skin(part)
    hits = solid.near(skin, np.zeros(skin.shape[1]), SKIN_M)
    is_at = np.zeros(len(skin), bool)
    is_at[hits.frame] = True
    if part.endswith("_hand"):
        is_at &= _is_slow(solid.to_local(skin).mean(axis=1), moves.fps)
    for first, last in intervals_of(is_at, round(PAUSE_S * moves.fps), round(LEAST_S * moves.fps)):
        here = np.flatnonzero(hits.frame == first)
        k = here[hits.distance[here].argmin()]
        point = skin[first, hits.sample[k]] - hits.distance[k] * hits.normal[k]
        yield Contact(
            person=person, part=part, target=solid.name, gap_m=float(hits.distance[k]), point=point, first=first, last=last
        )


def _is_slow(places: Float[ndarray, "frames 3"], fps: float) -> Bool[ndarray, "frames"]:
    return np.linalg.norm(np.gradient(places, 1 / fps, axis=0), axis=1) < SPEED_M_S


def _joined(contacts: Sequence[Contact]) -> Iterator[Contact]:
    """Contacts of a part with a target that overlap become one, the earliest with its place."""
    waiting: dict[tuple[str, str], Contact] = {}
    for contact in sorted(contacts, key=lambda c: c.first):
        key, last = (contact.part, contact.target), contact.last or 0
        before = waiting.get(key)
        if before is not None and contact.first <= (before.last or 0) + 1:
            waiting[key] = replace(before, last=max(before.last or 0, last))
            continue
        if before is not None:
            yield before
        waiting[key] = contact
    yield from waiting.values()
