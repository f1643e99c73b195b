import numpy as np

from hsimul3r.artifacts import Cameras, DenseView
from hsimul3r.geometry.cameras import camera_centers, undistort
from hsimul3r.geometry.tsdf import FusionConfig, fuse_views

CFG = FusionConfig(cell_m=0.05, truncation_m=0.15)
WIDE, HIGH, SCALE = 96, 72, 5.0
BOX = np.array([[-0.3, -0.3, 0.0], [0.3, 0.3, 0.5]])


def cameras() -> Cameras:
    """Three cameras around the box, 1.8 m above the floor, looking at its middle."""
    T = np.tile(np.eye(4), (3, 1, 1))
    for k, azimuth in enumerate(np.radians([-50.0, 0.0, 50.0])):
        centre = np.array([2.0 * np.sin(azimuth), -2.0 * np.cos(azimuth), 1.8])
        ahead = np.array([0.0, 0.0, 0.2]) - centre
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        T[k, :3, :3] = np.stack([right, np.cross(ahead, right), ahead])
        T[k, :3, 3] = -T[k, :3, :3] @ centre
    return Cameras(
        size_px=np.tile([480, 360], (3, 1)), focal_px=np.full(3, 400.0), principal_px=np.tile([239.5, 179.5], (3, 1)),
        k1=np.full(3, -0.05), T_cam_world=T, is_registered=np.ones(3, bool),
    )  # fmt: skip


def view_of_a_box_on_the_floor(view: int, *, noise_m: float = 0.0) -> DenseView:
    """A box 0.6 m wide and 0.5 m high in the middle of the floor."""
    y, x = np.mgrid[:HIGH, :WIDE]
    offset = np.full(2, (SCALE - 1) / 2)
    rig = cameras()
    ray = undistort(rig, view, np.stack([x, y], axis=-1).reshape(-1, 2) * SCALE + offset).reshape(HIGH, WIDE, 2)
    direction = np.concatenate([ray, np.ones((HIGH, WIDE, 1))], axis=-1) @ rig.T_cam_world[view, :3, :3]
    centre = camera_centers(rig)[view]
    slabs = np.stack([(BOX[side] - centre) / direction for side in (0, 1)])
    enters, leaves = slabs.min(axis=0).max(axis=-1), slabs.max(axis=0).min(axis=-1)
    depth = np.where(enters < leaves, enters, -centre[2] / direction[..., 2])
    depth = depth + noise_m * np.random.default_rng(view).standard_normal((HIGH, WIDE))
    return DenseView(
        view=view, points=(centre + depth[..., None] * direction).astype(np.float32), confidence=np.full((HIGH, WIDE), 5.0),
        is_static=np.ones((HIGH, WIDE), bool), scale=np.full(2, SCALE), offset_px=offset,
    )  # fmt: skip


def test_the_surface_lies_where_the_views_say():
    vertices, faces = fuse_views([view_of_a_box_on_the_floor(v) for v in range(3)], cameras(), cfg=CFG)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    area = np.linalg.norm(normals, axis=1) / 2
    height = (a + b + c)[:, 2] / 3
    is_level = (normals[:, 2] > 0.9 * 2 * area) & (np.linalg.norm((a + b + c)[:, :2], axis=1) < 3 * 1.2)
    is_off = np.abs(height - np.where(height > 0.25, 0.5, 0.0)) > 0.01
    assert area[is_level & is_off].sum() < 0.03 * area[is_level].sum()
    on_box = is_level & (height > 0.25)
    assert 0.6**2 * 0.7 < area[on_box].sum() < 0.6**2 * 1.3
    assert area[is_level].sum() > 0.7 * np.pi * 1.2**2


def test_noise_is_averaged():
    vertices, _ = fuse_views([view_of_a_box_on_the_floor(v, noise_m=0.02) for v in range(3)], cameras(), cfg=CFG)
    floor = vertices[(vertices[:, 2] < 0.15) & (np.abs(vertices[:, 0]) > 0.6)]
    assert len(floor) > 100 and np.sqrt((floor[:, 2] ** 2).mean()) < 0.02


def test_what_no_view_shows_is_left_open():
    view = view_of_a_box_on_the_floor(1)
    left = view.is_static.copy()
    left[:, WIDE // 2 :] = False
    half = DenseView(**vars(view) | {"is_static": left})
    vertices, faces = fuse_views([half], cameras(), cfg=CFG)
    assert len(faces) and vertices[:, 0].max() < 0.1
    nothing = DenseView(**vars(view) | {"is_static": np.zeros_like(left)})
    assert len(fuse_views([nothing], cameras(), cfg=CFG)[1]) == 0


def test_a_large_scene_has_larger_cells():
    views = [view_of_a_box_on_the_floor(v) for v in range(3)]
    coarse, _ = fuse_views(views, cameras(), cfg=FusionConfig(cell_m=0.001, truncation_m=0.15, max_nodes=2e4))
    assert 50 < len(coarse) < 20_000
