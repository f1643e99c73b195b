"""Where the cameras stand: a ring of sixteen phones round the person, or one phone that films.

Azimuth 0 is in front of the person, positive to the person's left. Every picture holds the whole person and all objects, in
every moment, with a margin; how much the hands of the photographers shake is drawn from the case's generator.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from hsimul3r.benchmark.camera.shot import View, look_at
from hsimul3r.benchmark.scene import Staged
from hsimul3r.body.model import embedded_body
from hsimul3r.errors import NotInView

SIZE_PX = (960, 720)
FILM_PX = (640, 480)
FULL_FRAME_DIAGONAL_MM = 43.27
RING_DEG: Final = tuple(20.0 * step for step in range(-7, 9))
VIEW_SETS: Final = {4: (4, 6, 8, 10), 10: tuple(range(3, 13)), 16: tuple(range(16))}
"""Views of the ring by how many: 60 and 20 degrees to either side of the front; the front and both sides; all."""
DISTANCES_M = np.arange(2.2, 4.21, 0.1)
USUAL_M = 3.0
EQUIVALENT_MM = (24.0, 30.0)
K1 = (-0.12, 0.04)
HEIGHT_M = (1.2, 1.7)
MARGIN = 0.045
"""Free rim, as a share of the picture's width and height."""
DRESS_M = 0.04
"""Hair, clothes and shoes stand off the bare body by less."""
WALK_M_PER_S = 0.45

Points = Float[ndarray, "points 3"]
Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class _Lens:
    """The phone of a case."""

    focal_px: float
    k1: float

    @property
    def limits(self) -> Float[ndarray, "2"]:
        """Largest |x/z|, |y/z| that the picture holds inside its margin, for either sign of k1."""
        half = (0.5 - MARGIN) * np.asarray(SIZE_PX) / self.focal_px
        return half / (1 + max(self.k1, 0.0) * float(half @ half))


def ring(staged: Staged, rng: Rng) -> tuple[View, ...]:
    """Sixteen views at RING_DEG round a scene, hand-held; one phone for all."""
    points, start = outline(staged), front_deg(staged)
    azimuths = start + np.asarray(RING_DEG) + rng.uniform(-3, 3, len(RING_DEG))
    heights = rng.uniform(*HEIGHT_M, len(RING_DEG))
    lens = _lens(points, azimuths, heights, rng)
    views = []
    for azimuth, height in zip(azimuths, heights):
        distance = _distance(points, azimuth, height, lens)
        distance += rng.uniform(0, max(0.0, min(0.4, USUAL_M - distance)))
        aimed = _aimed(points, _stand(points, azimuth, distance, height), lens)
        exposure = float(np.clip(rng.normal(0, 0.15), -0.35, 0.35))
        views.append(replace(_held(aimed, points, lens, rng), exposure=exposure))
    return tuple(views)


def film(staged: Staged, rng: Rng, moving: bool) -> tuple[View, ...]:
    """One view a frame: a tripod in front of the person, or a photographer who walks an arc and films by hand."""
    points, frames = outline(staged), staged.frames
    seconds = frames / staged.fps
    azimuth, height = front_deg(staged) + rng.uniform(-40, 40), rng.uniform(*HEIGHT_M)
    sweep = rng.uniform(0.6, 1.0) * np.degrees(WALK_M_PER_S * seconds / USUAL_M) * rng.choice((-1, 1)) if moving else 0.0
    path = azimuth + sweep * (np.linspace(0, 1, frames) - 0.5)
    lens = _lens(points, path[:: max(1, frames // 8)], np.full(len(path[:: max(1, frames // 8)]), height), rng)
    distance = max(_distance(points, at, height, lens) for at in path[:: max(1, frames // 8)]) + 0.15
    exposure = float(rng.normal(0, 0.12))
    if not moving:
        still = replace(_aimed(points, _stand(points, azimuth, distance, height), lens), exposure=exposure)
        return (_for_film(still),) * frames
    sway, turn = _shake(staged, rng)
    aimed = (_aimed(points, _stand(points, at, distance, height) + step, lens) for at, step in zip(path, sway))
    return tuple(replace(_for_film(_turned(view, angles)), exposure=exposure) for view, angles in zip(aimed, turn))


def _for_film(view: View) -> View:
    """The same view in the size of a film's frames."""
    return replace(view, size_px=FILM_PX, focal_px=view.focal_px * FILM_PX[0] / view.size_px[0])


def outline(staged: Staged) -> Points:
    """Corners of the convex hull of the person and all objects in all frames."""
    body, frames = embedded_body(), range(0, staged.frames, max(1, staged.frames // 30))
    skins = [body.vertices(staged.betas, staged.pose[frame], staged.transl[frame]) for frame in frames]
    things = [
        corners @ T[:3, :3].T + T[:3, 3]
        for item in staged.objects
        for corners in (np.concatenate([piece.shape.vertices for piece in item.furniture.pieces]),)
        for T in item.T_world_object
    ]
    points = np.concatenate([*skins, *things])
    return points[ConvexHull(points).vertices]


def front_deg(staged: Staged) -> float:
    """Azimuth in the world (0 is -Y, positive to +X) that the person faces at first.

    Who bends forward faces where the trunk points; who lies on the back, where the object faces.
    """
    trunk, facing = Rotation.from_rotvec(staged.pose[0, 0]).apply([(0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
    if np.hypot(*facing[:2]) < 0.5:
        facing = trunk if facing[2] < 0 else staged.objects[0].T_world_object[0, :3, :3] @ (0.0, -1.0, 0.0)
    return float(np.degrees(np.arctan2(facing[0], -facing[1])))


def centre_of(points: Points) -> Float[ndarray, "3"]:
    """The middle of a scene's box."""
    return (points.min(0) + points.max(0)) / 2


def _lens(points: Points, azimuths: ndarray, heights: ndarray, rng: Rng) -> _Lens:
    """A phone; one of wider angle where the drawn one would have to step back further than usual."""
    millimetres, k1 = rng.uniform(*EQUIVALENT_MM), float(rng.uniform(*K1))

    def lens(mm: float) -> _Lens:
        return _Lens(focal_px=mm / FULL_FRAME_DIAGONAL_MM * float(np.hypot(*SIZE_PX)), k1=k1)

    for mm in (millimetres, 0.5 * (millimetres + EQUIVALENT_MM[0])):
        if all(_distance(points, azimuth, height, lens(mm)) <= USUAL_M for azimuth, height in zip(azimuths, heights)):
            return lens(mm)
    return lens(EQUIVALENT_MM[0])


def _stand(points: Points, azimuth_deg: float, distance: float, height: float) -> Float[ndarray, "3"]:
    centre, angle = centre_of(points), np.radians(azimuth_deg)
    return np.array([centre[0] + distance * np.sin(angle), centre[1] - distance * np.cos(angle), height])


def _distance(points: Points, azimuth_deg: float, height: float, lens: _Lens) -> float:
    """The nearest of DISTANCES_M from which everything is in the picture; raises `NotInView` where the scene is too big."""
    for distance in DISTANCES_M:
        view = _aimed(points, _stand(points, azimuth_deg, distance, height), lens)
        if _is_inside(points, view, lens):
            return float(distance)
    raise NotInView(f"{np.ptp(points, axis=0).round(1)} m do not fit into a picture from {DISTANCES_M[-1]:.1f} m")


def _directions(points: Points, view: View) -> Float[ndarray, "points 2"]:
    """x/z and y/z, of points at least 0.3 m before the camera; infinite behind."""
    local = points @ view.T_cam_world[:3, :3].T + view.T_cam_world[:3, 3]
    return np.where(local[:, 2:] > 0.3, local[:, :2] / np.maximum(local[:, 2:], 0.3), np.inf)


def _slack(points: Points, view: View, lens: _Lens) -> Float[ndarray, "2"]:
    """How far everything can still move towards the rim of the picture (x/z, y/z); negative where it is over it."""
    reach = DRESS_M / USUAL_M
    return lens.limits - np.abs(_directions(points, view)).max(0) - reach


def _is_inside(points: Points, view: View, lens: _Lens) -> bool:
    return bool((_slack(points, view, lens) >= 0).all())


def _aimed(points: Points, centre: Float[ndarray, "3"], lens: _Lens) -> View:
    """A level camera at `centre` with everything in the middle of its picture."""
    target = centre_of(points)
    for _ in range(3):
        view = View(size_px=SIZE_PX, focal_px=lens.focal_px, T_cam_world=look_at(centre, target), k1=lens.k1)
        seen = _directions(points, view)
        if not np.isfinite(seen).all():
            break
        middle = (seen.min(0) + seen.max(0)) / 2
        target = centre + view.T_cam_world[:3, :3].T @ np.array([*middle, 1.0])
    return View(size_px=SIZE_PX, focal_px=lens.focal_px, T_cam_world=look_at(centre, target), k1=lens.k1)


def _held(aimed: View, points: Points, lens: _Lens, rng: Rng) -> View:
    """The aimed camera as a hand holds it: off the middle within the room there is, and rolled a little."""
    room = np.clip(0.7 * _slack(points, aimed, lens), 0.0, 0.09)
    shift, roll = rng.uniform(-room, room), rng.normal(0, 1.3)
    for share in (1.0, 0.5, 0.0):
        held = _turned(aimed, share * np.array([shift[1], -shift[0], np.radians(np.clip(roll, -3, 3))]))
        if _is_inside(points, held, lens):
            return held
    return aimed


def _turned(view: View, angles: Float[ndarray, "3"]) -> View:
    """The camera turned by small angles [rad] about its own axes."""
    T = view.T_cam_world.copy()
    T[:3] = Rotation.from_rotvec(angles).as_matrix() @ T[:3]
    return replace(view, T_cam_world=T)


def _shake(staged: Staged, rng: Rng) -> tuple[Float[ndarray, "frames 3"], Float[ndarray, "frames 3"]]:
    """Sway of a walking photographer's hands [m] and turns of the phone [rad]: slow drift, steps, tremor."""
    frames, fps = staged.frames, staged.fps

    def noise(seconds: float) -> Float[ndarray, "frames 3"]:
        pad = int(4 * seconds * fps) + 1
        smooth = gaussian_filter1d(rng.normal(size=(frames + 2 * pad, 3)), seconds * fps, axis=0)
        return (smooth / smooth.std(axis=0))[pad : pad + frames]

    steps = np.sin(2 * np.pi * rng.uniform(1.7, 2.1) * np.arange(frames) / fps + rng.uniform(0, 2 * np.pi))
    sway = 0.012 * noise(0.5) + 0.008 * steps[:, None] * (0.0, 0.0, 1.0)
    turn = np.radians(0.35) * noise(0.4) + np.radians(0.06) * noise(0.06) + np.radians(0.15) * steps[:, None] * (1.0, 0.0, 0.3)
    return sway, turn
