"""Who is who across views: 3D skeletons and colours of clothes compared for every two views, one labelling for all views."""

from dataclasses import dataclass
from itertools import combinations, permutations

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from hsimul3r.perception.keypoints import rows

LUMINANCE_WEIGHT = 0.1
"""Brightness says little: the same shirt is seen in sun and in shade."""


@dataclass(frozen=True, kw_only=True)
class SeenPerson:
    """What identity is judged by: a skeleton placed in front of its camera, keypoint weights, colours of torso and thighs."""

    view: int
    points: Float[ndarray, "21 3"]
    weight: Float[ndarray, "21"]
    colour: Float[ndarray, "6"]


@dataclass(frozen=True, kw_only=True)
class IdentityCosts:
    """What a link between two views costs: the residual of a rigid fit over what is usual, and the difference of colours."""

    residual_alone_m: float = 0.15
    residual_group_m: float = 0.3
    """Usual distance left by one rigid motion between the views: of one skeleton, and of several people together, whose places
    along the viewing ray are uncertain too."""
    colour: float = 20.0
    """Usual difference of colours, CIELAB."""
    link: float = 3.2
    """A link that costs more than this is worse than none."""
    most_people: int = 5


def clothes_colour(
    image: UInt8[ndarray, "height width 3"], keypoints_px: Float[ndarray, "21 2"], shrink: float = 0.8
) -> Float[ndarray, "6"]:
    """Median CIELAB colour of the torso and of the thighs of a person in an RGB image, luminance weighted down."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float64)
    colours = []
    for names in (
        ("left_shoulder", "right_shoulder", "right_hip", "left_hip"),
        ("left_hip", "right_hip", "right_knee", "left_knee"),
    ):
        corners = keypoints_px[rows(*names)]
        corners = corners.mean(axis=0) + shrink * (corners - corners.mean(axis=0))
        inside = np.zeros(image.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, cv2.convexHull(np.round(corners).astype(np.int32)), 1)
        pixels = lab[inside > 0]
        colours.append(np.median(pixels, axis=0) if len(pixels) > 20 else np.full(3, 128.0))
    return np.concatenate(colours) * np.tile([LUMINANCE_WEIGHT, 1.0, 1.0], 2)


def link_people(people: tuple[SeenPerson, ...], costs: IdentityCosts) -> tuple[int, ...]:
    """An identity for each seen person, no two of one view alike; -1 for a person linked to nobody.

    All views are judged together, so that a wrong link between two views is outvoted by the others: the labelling with the
    lowest `price` is searched by adding view after view, pricing every way to pair its people with those known, then by
    single changes; each view is the first once. Identities are numbered by their number of views, largest first. Where no
    view shows two people, all are one. People of one view beyond the first `most_people` stay unlinked.
    """
    views = np.array([person.view for person in people])
    if len(set(views.tolist())) == len(people):
        return (0,) * len(people) if len(people) > 1 else (-1,) * len(people)
    rank = np.array([(views[:i] == view).sum() for i, view in enumerate(views)])
    chosen = np.flatnonzero(rank < costs.most_people)
    links = measure_links([people[i] for i in chosen])
    starts = [_improve(_add_views(links, int(first), costs), links, costs) for first in np.unique(links.views)]
    best = min(starts, key=lambda labels: price(labels, links, costs))
    labels = -np.ones(len(people), int) - np.arange(len(people))
    labels[chosen] = best
    return _number(labels)


@dataclass(frozen=True, kw_only=True)
class Links:
    """All pairs of people of different views; link l joins people first[l] and second[l] of the pair of views pair[l]."""

    views: Int[ndarray, "people"]
    first: Int[ndarray, "links"]
    second: Int[ndarray, "links"]
    pair: Int[ndarray, "links"]
    moments: Float[ndarray, "links 17"]
    colour: Float[ndarray, "links"]


def measure_links(people: list[SeenPerson]) -> Links:
    views = np.array([person.view for person in people])
    first, second = np.nonzero(views[:, None] < views[None])
    return Links(
        views=views,
        first=first,
        second=second,
        pair=views[first] * (views.max() + 1) + views[second],
        moments=np.array([_moments(people[i], people[j]) for i, j in zip(first, second)]),
        colour=np.array([np.linalg.norm(people[i].colour - people[j].colour) for i, j in zip(first, second)]),
    )


def price(labels: Int[ndarray, "people"], links: Links, costs: IdentityCosts) -> float:
    """Sum over identities of (number of views - 1) times the mean cost of its links less `costs.link`.

    A link costs the residual of the one rigid motion that relates all the people linked between its two views, over what is
    usual, and its colours' difference, over what is usual.
    """
    chosen = np.flatnonzero(labels[links.first] == labels[links.second])
    if len(chosen) == 0:
        return 0.0
    _, pair = np.unique(links.pair[chosen], return_inverse=True)
    together = np.zeros((pair.max() + 1, 17))
    np.add.at(together, pair, links.moments[chosen])
    usual = np.where(together[:, 0] > 1.5, costs.residual_group_m, costs.residual_alone_m)
    cost = (_rigid_residual(together) / usual)[pair] + links.colour[chosen] / costs.colour - costs.link
    _, identity = np.unique(labels[links.first[chosen]], return_inverse=True)
    count = np.bincount(identity)
    views = (1 + np.sqrt(1 + 8 * count)) / 2
    return float(((views - 1) * np.bincount(identity, cost) / count).sum())


def _add_views(links: Links, first: int, costs: IdentityCosts) -> Int[ndarray, "people"]:
    """A labelling made by adding the views, `first` and then those with most people, each at its lowest price."""
    labels = -1 - np.arange(len(links.views))
    crowd = {int(view): int((links.views == view).sum()) for view in np.unique(links.views)}
    for view in sorted(crowd, key=lambda v: (v != first, -crowd[v], v)):
        here = np.flatnonzero(links.views == view)
        known = np.unique(labels[labels >= 0])
        fresh = np.arange(len(here)) + (known.max() + 1 if len(known) else 0)
        tries = []
        for pairs in _pairings(len(here), len(known)):
            attempt = labels.copy()
            attempt[here] = fresh
            for i, k in pairs:
                attempt[here[i]] = known[k]
            tries.append(attempt)
        labels = min(tries, key=lambda attempt: price(attempt, links, costs))
    return labels


def _improve(labels: Int[ndarray, "people"], links: Links, costs: IdentityCosts) -> Int[ndarray, "people"]:
    """Give one person another identity, exchanging it with whoever has it in that view, as long as that lowers the price."""
    lowest, is_done = price(labels, links, costs), False
    while not is_done:
        is_done = True
        for i in range(len(labels)):
            for label in [*np.unique(labels), labels.max() + 1]:
                attempt = np.where((links.views == links.views[i]) & (labels == label), labels[i], labels)
                attempt[i] = label
                found = price(attempt, links, costs)
                if found < lowest - 1e-9:
                    labels, lowest, is_done = attempt, found, False
    return labels


def _number(labels: Int[ndarray, "people"]) -> tuple[int, ...]:
    """Labels as 0, 1, ... by number of views and order of appearance; -1 where a label occurs once."""
    _, start, inverse, count = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = sorted(np.flatnonzero(count > 1), key=lambda k: (-count[k], start[k]))
    number = {int(k): i for i, k in enumerate(order)}
    return tuple(number.get(int(k), -1) for k in inverse)


def _pairings(count_a: int, count_b: int) -> list[list[tuple[int, int]]]:
    """All partial one-to-one pairings of two sets."""
    return [
        list(zip(chosen, partners))
        for size in range(min(count_a, count_b) + 1)
        for chosen in combinations(range(count_a), size)
        for partners in permutations(range(count_b), size)
    ]


def _moments(a: SeenPerson, b: SeenPerson) -> Float[ndarray, "17"]:
    """Weighted sums of a rigid fit of one person: they add over people, so that a pairing's fit needs one 3x3 SVD."""
    weight = np.minimum(a.weight, b.weight) + 0.02
    weight = weight / weight.sum()
    x, y = a.points, b.points
    second = (weight[:, None, None] * x[:, :, None] * y[:, None, :]).sum(axis=0)
    norms = weight @ (x**2).sum(axis=1) + weight @ (y**2).sum(axis=1)
    return np.concatenate([[1.0], weight @ x, weight @ y, second.ravel(), [norms]])


def _rigid_residual(moments: Float[ndarray, "fits 17"]) -> Float[ndarray, "fits"]:
    """Root mean square distance after the best rotation and translation (Kabsch), from sums of `_moments`."""
    mean = moments / moments[:, :1]
    x, y = mean[:, 1:4], mean[:, 4:7]
    covariance = mean[:, 7:16].reshape(-1, 3, 3) - x[:, :, None] * y[:, None, :]
    spread = mean[:, 16] - (x**2).sum(axis=1) - (y**2).sum(axis=1)
    singular = np.linalg.svd(covariance, compute_uv=False)
    singular[:, 2] *= np.where(np.linalg.det(covariance) < 0, -1, 1)
    return np.sqrt(np.maximum(0.0, spread - 2 * singular.sum(axis=1)))
