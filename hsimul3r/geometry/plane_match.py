"""A plane made exact by pictures: warped by the true plane, views of a textured floor look alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cma
import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.geometry.floor import Plane


@dataclass(frozen=True, kw_only=True)
class PlaneMatch:
    """Settings of `match_plane`."""

    work_px: tuple[int, ...] = (200, 400)
    """Long side of the pictures, coarse to fine."""
    generations: tuple[int, ...] = (22, 8)
    population: int = 8
    window_px: int = 9
    tilt: float = np.radians(3.0)
    height_m: float = 0.04
    """Standard deviations of the start: of each tilt, and of the height at the middle."""
    doubt: float = 0.004
    """Likeness that one standard deviation from the start costs, and one of a foot below the plane."""
    foot_m: float = 0.03
    finer: float = 0.15
    """Part of the spread that is left for each finer level."""
    reach_m: float = 4.0
    """The plane is compared this far around the middle."""
    contrast: float = 3.0
    """Standard deviation of colours (0 to 255) that counts as noise."""
    most_pairs: int = 15


def match_plane(
    images: Sequence[UInt8[ndarray, "height width 3"]],
    hidden: Sequence[Bool[ndarray, "height width"]],
    cameras: Cameras,
    plane: Plane,
    middle: Float[ndarray, "3"],
    cfg: PlaneMatch,
    *,
    feet: Float[ndarray, "feet 3"],
    foot_weights: Float[ndarray, "feet"],
    seed: int,
) -> tuple[Plane, float, float]:
    """The plane near `plane` by which the pictures match best, and the mean likeness of their windows there before and after.

    CMA-ES on two tilts about `middle` and the height there; without texture the likeness is flat and the plane stays.
    """
    basis = np.linalg.svd(plane.normal[None])[2][1:]
    views = [int(v) for v in np.flatnonzero(cameras.is_registered)]
    x = np.zeros(3)
    for level, (work_px, generations) in enumerate(zip(cfg.work_px, cfg.generations)):
        pictures = {v: _flattened(images[v], hidden[v], cameras, v, work_px) for v in views}
        matcher = _Matcher(pictures, cameras, plane, middle, basis, (feet, foot_weights), cfg)
        options = {"popsize": cfg.population, "seed": seed + 1, "verbose": -9}
        search = cma.CMAEvolutionStrategy(x, cfg.finer**level, options)
        best = matcher.energy(x)
        for _ in range(generations):
            asked = search.ask()
            energies = [matcher.energy(one) for one in asked]
            search.tell(asked, energies)
            if min(energies) < best:
                best, x = min(energies), np.array(asked[int(np.argmin(energies))])
    return matcher.plane(x), matcher.likeness(np.zeros(3)), matcher.likeness(x)


@dataclass(frozen=True)
class _Picture:
    """A view without its lens' distortion, in working size; `K` maps camera to its pixels."""

    colours: Float[ndarray, "h w 3"]
    is_shown: Float[ndarray, "h w"]
    K: Float[ndarray, "3 3"]


def _flattened(
    image: UInt8[ndarray, "height width 3"], hidden: Bool[ndarray, "height width"], cameras: Cameras, view: int, work_px: int
) -> _Picture:
    scale = min(1.0, work_px / max(image.shape[:2]))
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    focal, (cx, cy) = scale * cameras.focal_px[view], scale * (cameras.principal_px[view] + 0.5) - 0.5
    K = np.array([[focal, 0.0, cx], [0.0, focal, cy], [0.0, 0.0, 1.0]])
    lens = np.array([cameras.k1[view], 0.0, 0.0, 0.0])
    colours = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    shown = 255 * (cv2.resize(hidden.astype(np.float32), size, interpolation=cv2.INTER_AREA) == 0.0).astype(np.uint8)
    flat, shown = cv2.undistort(colours, K, lens), cv2.undistort(shown, K, lens)
    return _Picture(flat.astype(np.float32), (shown == 255).astype(np.float32), K)


class _Matcher:
    """Likeness of all pairs of views over a plane."""

    def __init__(
        self, pictures: dict[int, _Picture], cameras: Cameras, start: Plane, middle: Float[ndarray, "3"],
        basis: Float[ndarray, "2 3"], feet: tuple[Float[ndarray, "feet 3"], Float[ndarray, "feet"]], cfg: PlaneMatch,
    ):  # fmt: skip
        self.feet, self.foot_weights = feet
        self.pictures, self.cameras, self.start, self.cfg = pictures, cameras, start, cfg
        self.middle, self.basis = middle - start.height(middle) * start.normal, basis
        self.pairs = list(combinations(pictures, 2))[: cfg.most_pairs]

    def energy(self, x: Float[ndarray, "3"]) -> float:
        """Nothing of a person is below a floor."""
        below = np.maximum(-self.plane(x).height(self.feet) / self.cfg.foot_m - 1.0, 0.0)
        return self.cfg.doubt * float(x @ x + self.foot_weights @ below) - self.likeness(x)

    def plane(self, x: Float[ndarray, "3"]) -> Plane:
        """The start, tilted about the middle and raised."""
        normal = self.start.normal + np.tan(self.cfg.tilt) * x[:2] @ self.basis
        normal = normal / np.linalg.norm(normal)
        return Plane(normal=normal, offset=-float(normal @ self.middle) - self.cfg.height_m * float(x[2]))

    def likeness(self, x: Float[ndarray, "3"]) -> float:
        """Mean normalised cross-correlation over the pairs' common pixels on the plane."""
        plane, total, count = self.plane(x), 0.0, 1e-9
        for a, b in self.pairs:
            one = self._pair(a, b, plane)
            total, count = total + one[0], count + one[1]
        return total / count

    def _pair(self, a: int, b: int, plane: Plane) -> tuple[float, float]:
        look, other = self.pictures[a], self.pictures[b]
        normal, depth = plane_in_camera(plane, self.cameras.T_cam_world[a])
        step = self.cameras.T_cam_world[b] @ np.linalg.inv(self.cameras.T_cam_world[a])
        H = other.K @ (step[:3, :3] - np.outer(step[:3, 3], normal) / depth) @ np.linalg.inv(look.K)
        size = look.is_shown.shape[::-1]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpPerspective(other.colours, H, size, flags=flags)
        is_common = look.is_shown * (cv2.warpPerspective(other.is_shown, H, size, flags=flags) > 0.999)
        weight = cv2.erode(is_common, np.ones((self.cfg.window_px,) * 2, np.uint8)) * self._is_near(a, look, normal, depth)
        alike = correlation(look.colours, warped, self.cfg.window_px, self.cfg.contrast)
        return float((alike * weight).sum()), float(weight.sum())

    def _is_near(self, view: int, look: _Picture, normal: Float[ndarray, "3"], depth: float) -> Bool[ndarray, "h w"]:
        """Pixels whose rays meet the plane near the middle."""
        height, width = look.is_shown.shape
        x = (np.arange(width) - look.K[0, 2]) / look.K[0, 0]
        y = (np.arange(height)[:, None] - look.K[1, 2]) / look.K[1, 1]
        slope = normal[0] * x + normal[1] * y + normal[2]
        z = np.where(slope < -1e-6, -depth / np.minimum(slope, -1e-6), np.inf)
        middle = self.cameras.T_cam_world[view][:3, :3] @ self.middle + self.cameras.T_cam_world[view][:3, 3]
        with np.errstate(invalid="ignore"):
            squared = (x * z - middle[0]) ** 2 + (y * z - middle[1]) ** 2 + (z - middle[2]) ** 2
        return squared < self.cfg.reach_m**2


def plane_in_camera(plane: Plane, T_cam_world: Float[ndarray, "4 4"]) -> tuple[Float[ndarray, "3"], float]:
    """Normal and offset of a plane in a camera: normal @ x + offset == 0 there."""
    normal = T_cam_world[:3, :3] @ plane.normal
    return normal, plane.offset - float(normal @ T_cam_world[:3, 3])


def correlation(a: Float[ndarray, "h w 3"], b: Float[ndarray, "h w 3"], window_px: int, noise: float) -> Float[ndarray, "h w"]:
    """Normalised cross-correlation of the windows around every pixel, over all channels together; near 0 where the colours
    spread less than `noise`."""
    size = (window_px, window_px)
    mean_a, mean_b = cv2.blur(a, size), cv2.blur(b, size)

    def moment(x: ndarray, y: ndarray, mean_x: ndarray, mean_y: ndarray) -> Float[ndarray, "h w"]:
        return (cv2.blur(x * y, size) - mean_x * mean_y).sum(-1)

    variances = [np.maximum(moment(x, x, m, m), 0.0) for x, m in ((a, mean_a), (b, mean_b))]
    return moment(a, b, mean_a, mean_b) / (np.sqrt(variances[0] * variances[1]) + 3.0 * noise**2)
