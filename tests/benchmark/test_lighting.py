from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.camera import lighting
from hsimul3r.benchmark.camera.lighting import Lighting, Surfaces
from hsimul3r.benchmark.camera.shot import AreaLight, Material, View, look_at

DOWN = View(size_px=(64, 48), focal_px=80.0, T_cam_world=look_at((0.0, -0.02, 2.0), (0.0, 0.0, 0.0)))
GREY = np.full((1, 1, 3), 0.5)


def floor_below(view: View) -> Surfaces:
    """A grey floor at z = 0 as the view sees it."""
    width, height = view.size_px
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    rays = np.stack([(u - view.K[0, 2]) / view.focal_px, (v - view.K[1, 2]) / view.focal_px, np.ones_like(u)], axis=-1)
    R, t = view.T_cam_world[:3, :3], view.T_cam_world[:3, 3]
    centre, world = -R.T @ t, rays @ R
    return Surfaces(
        albedo=np.full((height, width, 3), 188, np.uint8),
        normal=np.tile(np.array([0, 0, 1], np.float32), (height, width, 1)),
        material=np.zeros((height, width), np.int32),
        depth=(-centre[2] / world[..., 2]).astype(np.float32),
    )


def under(lamps: list[AreaLight], shadows: np.ndarray | None = None) -> Lighting:
    dark = replace(lamps[0], power_w=0.0)
    maps = np.full((len(lamps) + 1, lighting.SHADOW_PX, lighting.SHADOW_PX), np.inf, np.float32)
    if shadows is not None:
        maps[: len(shadows)] = shadows
    rows = np.array([lighting.lamp_row(lamp) for lamp in (*lamps, dark)])
    return Lighting(lamps=rows, shadows=maps, ambient=np.zeros((6, 3), np.float32))


def test_floor_under_a_small_lamp_has_lamberts_radiance():
    """a / pi * P cos^2 / (pi d^2) of a lamp that faces the floor."""
    lamp = AreaLight(position=(0.4, 0.3, 1.5), target=(0.4, 0.3, 0.0), size_m=0.02, power_w=30.0, color=(1.0, 0.5, 0.25))
    rows = lighting.material_rows((Material(image=GREY, roughness=1.0),))
    light = lighting.radiance(floor_below(DOWN), DOWN, under([lamp]), rows)
    albedo = lighting.linear_from_srgb(np.array(188 / 255)) * 0.96
    place = np.array([0.0, 0.0, 0.0])
    pixel = DOWN.K @ (DOWN.T_cam_world[:3, :3] @ place + DOWN.T_cam_world[:3, 3])
    column, row = np.round(pixel[:2] / pixel[2]).astype(int)
    square = 0.4**2 + 0.3**2 + 1.5**2
    expected = albedo / np.pi * 30.0 * (1.5**2 / square) / (np.pi * square)
    np.testing.assert_allclose(light[row, column], expected * np.array([1.0, 0.5, 0.25]), rtol=0.02)


def test_penumbra_is_as_wide_as_similar_triangles_say():
    """An edge half way between lamp and floor leaves a penumbra as wide as the lamp, half lit right below."""
    lamp = AreaLight(position=(0.0, 0.0, 2.0), target=(0.0, 0.0, 0.0), size_m=0.4, power_w=30.0)
    R = lighting.shadow_view(lamp).T_cam_world[:3, :3]
    side = lighting.SHADOW_PX
    u, v = np.meshgrid(np.arange(side) - (side - 1) / 2, np.arange(side) - (side - 1) / 2)
    world_x = (u * R[0, 0] + v * R[1, 0]) / lighting.SHADOW_FOCAL_PX
    edge = np.where(world_x < 0, np.float32(1.0), np.float32(2.0))[None]
    seen = floor_below(DOWN)
    rows = lighting.material_rows((Material(image=GREY, roughness=1.0),))
    lit = lighting.radiance(seen, DOWN, under([lamp], edge), rows)[24, :, 0]
    share = lit / lighting.radiance(seen, DOWN, under([lamp]), rows)[24, :, 0]
    x = (np.arange(64) - 31.5) / 80.0 * 2.0
    assert (share[x < -0.3] < 0.02).all() and (share[x > 0.3] > 0.98).all()
    assert np.interp(0.0, x, share) == pytest.approx(0.5, abs=0.12)
    assert (np.diff(share) > -0.1).all()


def test_light_from_everywhere_gives_pi_times_itself():
    side, faces = 48, []
    for axis in range(3):
        for sign in (1.0, -1.0):
            forward = sign * np.eye(3)[axis]
            right = np.eye(3)[(axis + 1) % 3]
            T = np.eye(4)
            T[:3, :3] = np.stack([right, np.cross(forward, right), forward])
            faces.append(
                (View(size_px=(side, side), focal_px=side / 2, T_cam_world=T), np.full((side, side, 3), 0.7, np.float32))
            )
    np.testing.assert_allclose(lighting.ambient_of(faces), lighting.BOUNCES * np.pi * 0.7, rtol=0.01)


def test_meter_makes_up_for_most_of_what_is_missing():
    def room(stops: float) -> list[np.ndarray]:
        return [np.full((4, 4, 3), 2.0**stops, np.float32)] * 6

    assert lighting.metered(room(lighting.METERED)) == pytest.approx(0.0, abs=1e-5)
    assert lighting.metered(room(lighting.METERED - 1.0)) == pytest.approx(0.75, abs=1e-5)
    assert lighting.metered(room(-9.0)) == 2.0 and lighting.metered(room(3.0)) == -1.0


def test_grey_light_follows_the_measured_curve():
    seen = floor_below(DOWN)
    for stops, shown in lighting.CURVE[3:]:
        light = np.full((48, 64, 3), 2.0 ** (stops - 0.9), np.float32)
        assert np.abs(lighting.exposed(light, seen, 0.9).astype(float) - 255 * shown).max() <= 2.0


def test_slanted_edge_loses_its_stairs():
    height, width, slope = 60, 80, 0.13
    y, x = np.indices((height, width))
    is_upper = y < 20 + slope * x
    seen = Surfaces(
        albedo=np.zeros((height, width, 3), np.uint8), normal=np.tile(np.array([0, 0, 1], np.float32), (height, width, 1)),
        material=is_upper.astype(np.int32), depth=np.full((height, width), 2.0, np.float32),
    )  # fmt: skip
    light = np.where(is_upper, np.float32(0.6), np.float32(0.05))[..., None] * np.ones(3, np.float32)
    picture = lighting.exposed(light, seen, 0.0)[..., 1].astype(float)
    low, high = picture.min(), picture.max()
    coverage = np.clip(20 + slope * x - y + 0.5, 0, 1)
    rim = np.abs(coverage - is_upper)[4:-4, 4:-4]
    left = np.abs(coverage - (picture - low) / (high - low))[4:-4, 4:-4]
    assert left.sum() < 0.55 * rim.sum()
    assert left[rim == 0].max() < 0.3
