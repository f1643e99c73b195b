"""Background by parallax, on a painted room whose rays are closed form."""

import numpy as np
import pytest

from hsimul3r.artifacts import PointTracks
from hsimul3r.geometry.cameras import rays
from hsimul3r.perception.background import BACKGROUND, FOREGROUND, UNDECIDED, ParallaxConfig, Plane, compare, evidence, walls
from hsimul3r.perception.object_masks import widen
from tests.geometry import rig

CFG = ParallaxConfig(work_px=320, window_px=7)
FLOOR = Plane(normal=np.array([0.0, 0.0, 1.0]), offset=0.0)
WALL_Y = 2.5
BOX = np.array([[-0.4, -0.4, 0.0], [0.4, 0.4, 0.6]])
LEGS = [np.array([[x, y, 0.0], [x + 0.08, y + 0.08, 0.5]]) for x in (-0.5, 0.42) for y in (-0.5, 0.42)]
TABLE = [*LEGS, np.array([[-0.5, -0.5, 0.5], [0.5, 0.5, 0.56]])]


def cameras():
    return rig.ring(sizes=((320, 240),) * 4, focal=260.0, k1=-0.03, radius=3.2, spread_deg=80.0)


def paint(cameras, boxes, *, contrast=45.0):
    """Pictures of a tiled floor and a tiled wall with plain boxes before them, and the boxes' pixels."""
    tiles = np.random.default_rng(2).normal(0, 1, (2, 64, 64, 3))
    pictures, masks = [], []
    for view, (width, height) in enumerate(cameras.size_px.tolist()):
        origin, direction = rays(cameras, view, np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1))
        direction = np.where(np.abs(direction) < 1e-9, 1e-9, direction)
        to_floor = np.where(direction[..., 2] < 0, -origin[2] / direction[..., 2], np.inf)
        to_wall = np.where(direction[..., 1] > 0, (WALL_Y - origin[1]) / direction[..., 1], np.inf)
        reach = np.minimum(np.minimum(to_floor, to_wall), 50.0)
        place, is_floor = origin + reach[..., None] * direction, to_floor < to_wall
        uv = np.where(is_floor[..., None], place[..., :2], place[..., [0, 2]])
        u, v = np.moveaxis((np.floor(uv / 0.12).astype(int) + 640) % 64, -1, 0)
        picture = 128 + contrast * tiles[is_floor.astype(int), v, u]
        mask = np.zeros((height, width), bool)
        for low, high in boxes:
            enter, leave = np.sort(np.stack([(low - origin) / direction, (high - origin) / direction]), axis=0)
            mask |= (enter.max(-1) < leave.min(-1)) & (leave.min(-1) > 0)
        picture[mask] = (250, 30, 30)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
        masks.append(mask)
    return pictures, masks


def nobody(cameras):
    return [np.zeros((height, width), bool) for width, height in cameras.size_px.tolist()]


@pytest.mark.parametrize("boxes", [[BOX], TABLE], ids=["box", "table"])
def test_floor_agrees_and_what_stands_on_it_does_not(boxes):
    views = cameras()
    pictures, masks = paint(views, boxes)
    wall = Plane(normal=np.array([0.0, -1.0, 0.0]), offset=-WALL_Y)
    found = evidence(pictures, nobody(views), views, (FLOOR, wall), CFG)
    for one, mask in zip(found, masks):
        assert (one[mask] == BACKGROUND).mean() < 0.08
        assert (one[~mask] == FOREGROUND).mean() < 0.12
    near = widen(masks[1], 30) & ~widen(masks[1], 4)
    assert (found[1][masks[1]] == FOREGROUND).mean() > 0.05
    assert (found[1][near] == BACKGROUND).mean() > 0.5


def test_floor_between_the_legs_is_background():
    views = cameras()
    pictures, masks = paint(views, TABLE)
    found = evidence(pictures, nobody(views), views, (FLOOR,), CFG)
    rows, columns = np.nonzero(masks[1])
    inside = np.zeros_like(masks[1])
    inside[(rows.min() + rows.max()) // 2 : rows.max(), columns.min() : columns.max()] = True
    between = inside & ~masks[1]
    assert between.sum() > 500
    assert (found[1][between] == BACKGROUND).mean() > 0.5


def test_nothing_is_said_without_texture_or_of_a_single_view():
    views = cameras()
    plain, _ = paint(views, [], contrast=0.0)
    assert all((one == UNDECIDED).all() for one in evidence(plain, nobody(views), views, (FLOOR,), CFG))
    views.is_registered[1:] = False
    pictures, _ = paint(views, [BOX])
    assert all((one == UNDECIDED).all() for one in evidence(pictures, nobody(views), views, (FLOOR,), CFG))


def test_people_of_the_other_views_are_no_witnesses():
    views = cameras()
    pictures, _ = paint(views, [BOX])
    hidden = [np.ones_like(one) for one in nobody(views)]
    assert all((one == UNDECIDED).all() for one in evidence(pictures, hidden, views, (FLOOR,), CFG))


def test_walls_bound_the_room_and_furniture_is_none():
    rng = np.random.default_rng(0)
    wall = np.column_stack([rng.uniform(-2, 2, 200), rng.normal(WALL_Y, 0.01, 200), rng.uniform(0, 2, 200)])
    shelf = np.column_stack([rng.uniform(-1, 1, 300), rng.normal(1.2, 0.01, 300), rng.uniform(0, 1, 300)])
    points, none = np.concatenate([wall, shelf]), np.zeros(0, int)
    tracks = PointTracks(points=points, colors=np.zeros((500, 3), np.uint8), view=none, point=none, uv_px=np.zeros((0, 2)))
    found = walls(tracks, cameras(), np.zeros((1, 2)), CFG, seed=0)
    assert len(found) == 1
    np.testing.assert_allclose(found[0].normal, [0, -1, 0], atol=0.02)
    assert found[0].offset == pytest.approx(-WALL_Y, abs=0.02)


def test_compare_tells_equal_from_other_windows():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0, 255, (2, 30, 30, 3)).astype(np.float32)
    likeness, colour, contrast = compare(a, a, 7)
    assert likeness.min() > 0.99 and colour.max() < 1e-3 and contrast.min() > 20
    assert np.abs(compare(a, b, 7)[0]).mean() < 0.3
