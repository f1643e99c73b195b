"""Synthetic captures with closed-form truth, for the tests of calibration."""

import numpy as np

from hsimul3r.artifacts import Cameras, PointTracks
from hsimul3r.geometry.cameras import project, transform_points
from hsimul3r.geometry.rotations import rotation_about_z, shortest_rotation
from hsimul3r.geometry.skeletons import Sightings, hips_centre

STANDING = np.array(
    [
        [0.0, -0.10, 1.60], [0.03, -0.09, 1.63], [-0.03, -0.09, 1.63], [0.07, 0.0, 1.61], [-0.07, 0.0, 1.61],
        [0.18, 0.0, 1.40], [-0.18, 0.0, 1.40], [0.25, 0.02, 1.12], [-0.30, -0.05, 1.13], [0.27, -0.12, 0.92],
        [-0.28, -0.25, 1.05], [0.10, 0.0, 0.90], [-0.10, 0.0, 0.90], [0.12, -0.05, 0.50], [-0.12, 0.03, 0.50],
        [0.12, 0.0, 0.09], [-0.12, 0.05, 0.09], [0.12, 0.05, 0.03], [-0.12, 0.10, 0.03], [0.13, -0.13, 0.02],
        [-0.13, -0.08, 0.02],
    ]
)  # fmt: skip
"""A standing person of 1.75 m, Z up, facing -Y."""


def look_at(centre, target=(0.0, 0.0, 0.9)):
    """T_cam_world of an upright camera in a Z-up world."""
    z = np.asarray(target, float) - centre
    z /= np.linalg.norm(z)
    x = np.cross(z, [0, 0, 1.0])
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3] = np.stack([x, np.cross(z, x), z])
    T[:3, 3] = -T[:3, :3] @ centre
    return T


def ring(sizes=((1280, 720), (720, 1280), (1280, 720), (1280, 720)), focal=900.0, k1=-0.05, radius=3.5, spread_deg=160.0):
    """Cameras on an arc around the origin that look at it; portrait and landscape mixed."""
    size = np.array(sizes)
    angles = np.radians(np.linspace(-spread_deg / 2, spread_deg / 2, len(size)))
    centres = [np.array([radius * np.sin(a), -radius * np.cos(a), 1.3 + 0.15 * i]) for i, a in enumerate(angles)]
    return Cameras(
        size_px=size, focal_px=np.full(len(size), focal), principal_px=(size - 1) / 2, k1=np.full(len(size), k1),
        T_cam_world=np.stack([look_at(c) for c in centres]), is_registered=np.ones(len(size), bool),
    )  # fmt: skip


def people(count=1):
    """World skeletons of people who stand apart, turned differently."""
    places = [(0.0, 0.0), (0.8, 0.5), (-0.7, 0.6)]
    return np.stack([STANDING @ rotation_about_z(0.7 * i).T + [*places[i], 0.0] for i in range(count)])


def sight(cameras, skeletons, *, missing=(), noise_px=0.0, pose_noise_m=0.0, scale=0.85, seed=0):
    """What a detector would see: noisy keypoints, and noisy skeletons of another scale along the ray to the person."""
    rng = np.random.default_rng(seed)
    pairs = [(v, p) for v in range(len(cameras.size_px)) for p in range(len(skeletons)) if (v, p) not in missing]
    uv, local = [], []
    for v, p in pairs:
        clean = project(cameras, v, skeletons[p])
        cam = transform_points(cameras.T_cam_world[v], skeletons[p])
        root = hips_centre(cam)
        back = shortest_rotation(root, np.array([0, 0, 1.0]))
        uv.append(clean + noise_px * rng.normal(size=clean.shape))
        local.append(scale * ((cam - root) @ back.T + pose_noise_m * rng.normal(size=cam.shape)))
    return Sightings(
        view=np.array([v for v, _ in pairs]), person=np.array([p for _, p in pairs]), uv_px=np.array(uv),
        confidence=np.full((len(pairs), 21), 0.9), skeleton=np.array(local),
    )  # fmt: skip


def scatter(cameras, count=150, *, noise_px=0.0, outliers=0.0, seed=0):
    """Points of a floor and two walls, seen where they fall into the pictures."""
    rng = np.random.default_rng(seed)
    floor = rng.uniform([-2, -1.5, 0], [2, 2, 0], (count // 2, 3))
    back, side = (rng.uniform(low, [2, 2, 2], (count // 4, 3)) for low in ([-2, 2, 0], [2, -1, 0]))
    points = np.concatenate([floor, back, side])
    uv = np.stack([project(cameras, v, points) for v in range(len(cameras.size_px))], axis=1)
    is_inside = ((uv >= 0) & (uv <= cameras.size_px - 1)).all(-1)
    is_inside &= (is_inside.sum(1) >= 2)[:, None]
    point, view = np.nonzero(is_inside)
    seen = uv[point, view] + noise_px * rng.normal(size=(len(point), 2))
    is_wrong = rng.random(len(point)) < outliers
    seen[is_wrong] += rng.uniform(-60, 60, (is_wrong.sum(), 2))
    number = np.cumsum(is_inside.any(1)) - 1
    points = points[is_inside.any(1)]
    return PointTracks(points=points, colors=np.zeros((len(points), 3), np.uint8), view=view, point=number[point], uv_px=seen)
