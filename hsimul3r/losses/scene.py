"""Eq. 5, the scene-targeted term of Sec. 3.3: how far a person's contact keypoints are from the surface they should touch."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray


def scene_distance(
    keypoints: Float[ndarray, "*batch contacts 3"], surface: Float[ndarray, "*batch contacts points 3"]
) -> Float[ndarray, "*batch"]:
    """Eq. 5: l = 1/(N_contact N_surf) sum_j sum_i |mu_i^o - k_j^h|^2 [m^2].

    `surface[j]` are the N_surf points sampled in the local contact region of keypoint j. Zero without contacts.
    """
    if keypoints.shape[-2] == 0:
        return np.zeros(keypoints.shape[:-2])
    return ((surface - keypoints[..., None, :]) ** 2).sum(axis=-1).mean(axis=(-1, -2))


def patch_distance(
    keypoints: Float[ndarray, "*batch contacts 3"],
    centres: Float[ndarray, "*batch contacts 3"],
    spread: Float[ndarray, "contacts"],
    is_held: Bool[ndarray, "*batch contacts"] | None = None,
) -> Float[ndarray, "*batch"]:
    """Eq. 5 of patches that move rigidly with their objects, without visiting their points.

    mean_i |mu_i - k|^2 = |mean_i mu_i - k|^2 + mean_i |mu_i - mean|^2, and the second term, `spread`, does not change when the
    patch moves. It also shows what the equation asks for: its minimum is the patch's centre, so a patch must be small.

    The mean is over the contacts that are held at the time (all, unless `is_held` says otherwise); zero where none is.
    """
    if keypoints.shape[-2] == 0:
        return np.zeros(keypoints.shape[:-2])
    distance = ((centres - keypoints) ** 2).sum(axis=-1) + spread
    if is_held is None:
        return distance.mean(axis=-1)
    return (distance * is_held).sum(axis=-1) / np.maximum(is_held.sum(axis=-1), 1)


def local_patch(surface: Float[ndarray, "surface 3"], contact: Float[ndarray, "3"], count: int) -> Int[ndarray, "count"]:
    """Indices of the `count` surface points nearest to a contact: the local contact region of Eq. 5."""
    return np.argsort(((surface - contact) ** 2).sum(axis=1), kind="stable")[:count]


def patch_moments(patch: Float[ndarray, "points 3"]) -> tuple[Float[ndarray, "3"], float]:
    """Centre and spread (mean squared distance from the centre) of a patch, for `patch_distance`."""
    centre = patch.mean(axis=0)
    return centre, float(((patch - centre) ** 2).sum(axis=1).mean())
