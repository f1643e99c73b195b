"""Which pairs of many photos are worth matching: neighbours in the order of capture, and photos that look alike."""

from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray


def likeness(descriptors: list[Float[ndarray, "features size"]]) -> Int[ndarray, "photos photos"]:
    """How many descriptors of two photos are each other's nearest: a rough and cheap match."""
    count = np.zeros((len(descriptors), len(descriptors)), int)
    for a, b in combinations(range(len(descriptors)), 2):
        if len(descriptors[a]) and len(descriptors[b]):
            similarity = descriptors[a] @ descriptors[b].T
            forth, back = similarity.argmax(axis=1), similarity.argmax(axis=0)
            count[a, b] = count[b, a] = int((back[forth] == np.arange(len(forth))).sum())
    return count


def pairs_to_match(alike: Int[ndarray, "photos photos"], *, window: int, most_alike: int) -> list[tuple[int, int]]:
    """Pairs at most `window` apart in the order of capture, closed to a ring, and of each photo those most like it."""
    photos = len(alike)
    chosen = {tuple(sorted((i, (i + step) % photos))) for i in range(photos) for step in range(1, window + 1) if step < photos}
    for i in range(photos):
        others = [int(j) for j in np.argsort(-alike[i], kind="stable") if j != i]
        chosen |= {tuple(sorted((i, j))) for j in others[:most_alike]}
    return sorted(chosen)  # pyright: ignore[reportReturnType]
