"""Contacts of a motion with objects that are known, from the motion: where a part rests, the object nearest to its skin."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import BodySequence, Contact, ObjectAsset
from hsimul3r.body.model import SmplxFormatBody
from hsimul3r.interaction.contacts_from_motion import Moves, Rest, rests_of
from hsimul3r.retarget.distance import FLOOR, Solid

NEAR_M = 0.06
"""A part that rests farther than this from every object rests on none of them."""


def estimated_contacts(
    model: SmplxFormatBody,
    body: BodySequence,
    assets: Sequence[ObjectAsset],
    paths: Mapping[str, Float[ndarray, "frames 4 4"]],
) -> tuple[Contact, ...]:
    """Contacts read off a motion among objects; nothing of how the motion was made is used."""
    solids = [Solid.of(asset, paths.get(asset.name, asset.T_world_object[None])) for asset in assets]
    found = []
    for rest in rests_of(Moves.of(model, body)):
        contact = _on_floor(body.person, rest) if rest.is_on_floor else _nearest(body.person, rest, solids)
        if contact is not None:
            found.append(contact)
    return tuple(found)


def _on_floor(person: int, rest: Rest) -> Contact:
    lowest = rest.skin[rest.skin[:, 2].argmin()]
    return Contact(
        person=person, part=rest.part, target=FLOOR, gap_m=float(lowest[2]), point=lowest * [1, 1, 0], first=rest.first,
        last=rest.last,
    )  # fmt: skip


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
