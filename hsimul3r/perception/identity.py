"""Who is who across views: 3D skeletons and colours of clothes compared for every two views, then one consistent labelling."""

from dataclasses import dataclass
from itertools import combinations, permutations

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.perception.keypoints import rows

LUMINANCE_WEIGHT = 0.3
"""Brightness says less than hue: the same shirt is seen in sun and in shade."""


@dataclass(frozen=True, kw_only=True)
class SeenPerson:
    """What identity is judged by: a skeleton placed in front of its camera, keypoint weights, colours of torso and thighs."""

    view: int
    points: Float[ndarray, "21 3"]
    weight: Float[ndarray, "21"]
    colour: Float[ndarray, "6"]


@dataclass(frozen=True, kw_only=True)
class IdentityCosts:
    """Costs in metres of joint distance. `unlinked` is the price of a person who stays without partner although one is free."""

    colour: float = 0.004
    unlinked: float = 0.6
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


def link_people(people: tuple[SeenPerson, ...], costs: IdentityCosts = IdentityCosts()) -> tuple[int, ...]:
    """An identity for each seen person, no two of one view alike; -1 for a person linked to nobody.

    For every two views each way to pair their people is priced: the distance that one rigid motion leaves between the
    paired skeletons, plus their colours' distance, plus a price for the unpaired. Clusters are then merged in the order of
    their total evidence (`pairing_evidence`), so that a wrong link between two views is outvoted by the other views.
    Identities are numbered by their number of views, largest first. People of one view beyond `most_people` stay unlinked.
    """
    evidence = np.zeros((len(people), len(people)))
    views = sorted({person.view for person in people})
    for first, second in combinations(views, 2):
        a = [i for i, person in enumerate(people) if person.view == first][: costs.most_people]
        b = [i for i, person in enumerate(people) if person.view == second][: costs.most_people]
        between = pairing_evidence([people[i] for i in a], [people[i] for i in b], costs)
        evidence[np.ix_(a, b)] = between
        evidence[np.ix_(b, a)] = between.T
    return merge_by_evidence([person.view for person in people], evidence)


def pairing_evidence(a: list[SeenPerson], b: list[SeenPerson], costs: IdentityCosts) -> Float[ndarray, "a b"]:
    """For each link the price of the best pairing without it minus that of the best pairing with it, metres."""
    colour = np.array([[np.linalg.norm(one.colour - other.colour) for other in b] for one in a])
    moments = np.array([[_moments(one, other) for other in b] for one in a])
    with_link, without_link = (np.full((len(a), len(b)), np.inf) for _ in range(2))
    fewest = min(len(a), len(b))
    for pairs in _pairings(len(a), len(b)):
        rows_, columns = (np.array([pair[side] for pair in pairs], int) for side in (0, 1))
        price = costs.unlinked * (fewest - len(pairs)) + costs.colour * colour[rows_, columns].sum()
        if pairs:
            price += len(pairs) * _rigid_residual(moments[rows_, columns].sum(axis=0))
        is_linked = np.zeros((len(a), len(b)), bool)
        is_linked[rows_, columns] = True
        with_link = np.where(is_linked, np.minimum(with_link, price), with_link)
        without_link = np.where(is_linked, without_link, np.minimum(without_link, price))
    return without_link - with_link


def merge_by_evidence(views: list[int], evidence: Float[ndarray, "people people"]) -> tuple[int, ...]:
    """Greedy correlation clustering: while it is positive, the two clusters without a common view and with the largest total
    evidence are merged. Returns the cluster of each person, numbered by size, -1 for a cluster of one."""
    clusters = [[i] for i in range(len(views))]
    while True:
        best, chosen = 0.0, None
        for i, j in combinations(range(len(clusters)), 2):
            if {views[p] for p in clusters[i]} & {views[p] for p in clusters[j]}:
                continue
            total = float(evidence[np.ix_(clusters[i], clusters[j])].sum())
            if total > best:
                best, chosen = total, (i, j)
        if chosen is None:
            break
        clusters[chosen[0]] += clusters.pop(chosen[1])
    identity = np.full(len(views), -1)
    linked = sorted((c for c in clusters if len(c) > 1), key=lambda c: (-len(c), min(c)))
    for number, cluster in enumerate(linked):
        identity[cluster] = number
    return tuple(int(i) for i in identity)


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


def _rigid_residual(moments: Float[ndarray, "17"]) -> float:
    """Root mean square distance after the best rotation and translation (Kabsch), from `_moments`."""
    total, x, y = moments[0], moments[1:4], moments[4:7]
    covariance = moments[7:16].reshape(3, 3) / total - np.outer(x, y) / total**2
    spread = moments[16] / total - (x @ x + y @ y) / total**2
    singular = np.linalg.svd(covariance, compute_uv=False)
    if np.linalg.det(covariance) < 0:
        singular[2] = -singular[2]
    return float(np.sqrt(max(0.0, spread - 2 * singular.sum())))
