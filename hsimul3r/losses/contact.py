"""Contact between a body part and an object, Sec. 3.2: Eq. 3 draws them together, Eq. 4 takes one out of the other.

Each loss comes with its exact gradient by every point, from which the gradient by a rigid translation follows.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

GATE_M = 0.005
"""Gap below which a part counts as touching, so that Eq. 4 replaces Eq. 3."""


@dataclass(frozen=True, kw_only=True)
class ContactLoss:
    """Value [m] and gradients. Moving the object as a whole has the opposite gradient of moving the part as a whole."""

    value: float
    by_human: Float[ndarray, "human 3"]

    @property
    def by_human_translation(self) -> Float[ndarray, "3"]:
        """Gradient by a translation of the body part."""
        return self.by_human.sum(axis=0)

    @property
    def by_object_translation(self) -> Float[ndarray, "3"]:
        """Gradient by a translation of the object."""
        return -self.by_human_translation


def non_contact_loss(human: Float[ndarray, "human 3"], surface: Float[ndarray, "surface 3"]) -> ContactLoss:
    """Eq. 3: two-sided chamfer distance between a body part H_p and the N_o points of an object's surface.

    l = 1/|H_p| sum_{i in H_p} min_j |mu_j^o - mu_i^h| + 1/N_o sum_j min_{i in H_p} |mu_j^o - mu_i^h|

    As printed, the first term sums over the object's points j for an undetermined i and divides by |H_p|; a minimum over j and
    a sum over i is the reading under which every symbol is bound (DESIGN.md).
    """
    offset = human[:, None, :] - surface[None, :, :]
    distance = np.linalg.norm(offset, axis=2)
    to_surface, to_human = distance.argmin(axis=1), distance.argmin(axis=0)
    i, j = np.arange(len(human)), np.arange(len(surface))
    unit = offset / np.maximum(distance, 1e-12)[:, :, None]
    by_human = unit[i, to_surface] / len(human)
    np.add.at(by_human, to_human, unit[to_human, j] / len(surface))
    return ContactLoss(value=float(distance[i, to_surface].mean() + distance[to_human, j].mean()), by_human=by_human)


def contact_loss(signed_distance: Float[ndarray, "human"], gradient: Float[ndarray, "human 3"]) -> ContactLoss:
    """Eq. 4: mean penetration depth of a body part, l = 1/|H_p| sum_{i in H_p} max(0, -delta(mu_i^h)).

    `signed_distance` is delta at the part's vertices, positive outside the object, `gradient` its derivative there.
    """
    depth = np.maximum(0.0, -signed_distance)
    by_human = -gradient * (depth > 0)[:, None] / len(signed_distance)
    return ContactLoss(value=float(depth.mean()), by_human=by_human)


def gated_contact_loss(
    human: Float[ndarray, "human 3"],
    surface: Float[ndarray, "surface 3"],
    *,
    signed_distance: Float[ndarray, "human"],
    gradient: Float[ndarray, "human 3"],
    gate_m: float = GATE_M,
) -> ContactLoss:
    """Eq. 3 while the part is farther than `gate_m` from the object, Eq. 4 as soon as it is not.

    Eq. 3 alone ends with the part deep inside, since its second term draws the middle of the object's points onto the part;
    `surface` should therefore be the patch near the part, and the gate closes before that term takes over (DESIGN.md).
    """
    if signed_distance.min() > gate_m:
        return non_contact_loss(human, surface)
    return contact_loss(signed_distance, gradient)
