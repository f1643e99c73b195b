from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from hsimul3r.benchmark.camera.shot import AreaLight, Material, Picture, Shot, TexturedMesh, View, box_mapped, look_at, quad
from hsimul3r.errors import RenderingUnavailable
from hsimul3r.geometry.mesh import convex_part
from sim_envs.photograph import Studio, corner_normals, film, normal_index, photograph

VIEWS = (
    View(size_px=(320, 240), focal_px=250.0, T_cam_world=look_at((0.9, -2.6, 1.3), (0.1, 0.0, 0.4), roll_deg=4.0)),
    View(size_px=(241, 321), focal_px=260.0, T_cam_world=look_at((-2.2, -1.5, 1.7), (0.0, 0.1, 0.3)), k1=-0.08),
)
GREY = Material(image=np.full((8, 8, 3), 0.5), roughness=0.9)
CROSS = np.array([[[1.0, 0, 0], [0, 1.0, 0]], [[0, 0, 1.0], [1.0, 1.0, 0]]]).repeat(8, 0).repeat(8, 1)


def box(group: str, low: tuple[float, ...], high: tuple[float, ...]) -> TexturedMesh:
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    return box_mapped(group, "grey", convex_part(corners, group), rng=np.random.default_rng(0), group=group, is_smooth=True)


BOXES = {
    "person": ((-0.1, -0.1, 0.0), (0.15, 0.1, 0.9)),
    "crate": ((0.3, 0.1, 0.0), (0.7, 0.5, 0.4)),
    "stool": ((-0.7, 0.0, 0.0), (-0.4, 0.3, 0.3)),
}


@pytest.fixture(scope="module")
def shot() -> Shot:
    floor = quad("floor", "grey", np.array([[-3, -3, 0], [3, -3, 0], [3, 3, 0], [-3, 3, 0.0]]))
    sign = quad("sign", "cross", np.array([[-0.3, 0.9, 0.9], [0.3, 0.9, 0.9], [0.3, 0.9, 1.5], [-0.3, 0.9, 1.5]]))
    lamp = AreaLight(position=(0.2, -0.4, 2.2), target=(0.2, 0.0, 0.0), size_m=0.3, power_w=60.0)
    return Shot(
        meshes=(floor, sign, *(box(name, *corners) for name, corners in BOXES.items())),
        materials={"grey": GREY, "cross": Material(image=CROSS, roughness=0.9)},
        lights=(lamp,), views=VIEWS,
    )  # fmt: skip


@pytest.fixture(scope="module")
def pictures(shot: Shot) -> Iterator[list[Picture]]:
    try:
        yield list(photograph(shot))
    except RenderingUnavailable as error:
        pytest.skip(f"no OpenGL on this machine: {error}")


def pixels(view: View, points: np.ndarray) -> np.ndarray:
    local = points @ view.T_cam_world[:3, :3].T + view.T_cam_world[:3, 3]
    return local[:, :2] / local[:, 2:] * view.focal_px + view.K[:2, 2]


def rays(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Centre, and world vectors of length 1 along the axis, of the centres of all pixels."""
    u, v = np.meshgrid(np.arange(view.size_px[0]), np.arange(view.size_px[1]))
    local = np.stack([(u - view.K[0, 2]) / view.focal_px, (v - view.K[1, 2]) / view.focal_px, np.ones(u.shape)], axis=-1)
    R, t = view.T_cam_world[:3, :3], view.T_cam_world[:3, 3]
    return -R.T @ t, local @ R


def entry(view: View, low: tuple[float, ...], high: tuple[float, ...]) -> np.ndarray:
    """Depth at which each pixel's ray enters a box; infinite where it misses (slab method)."""
    centre, direction = rays(view)
    with np.errstate(divide="ignore"):
        one, two = (np.array(low) - centre) / direction, (np.array(high) - centre) / direction
    first, last = np.minimum(one, two).max(-1), np.maximum(one, two).min(-1)
    return np.where((first < last) & (first > 0), first, np.inf)


@pytest.mark.parametrize("number", [0, 1])
def test_labels_end_where_the_boxes_corners_project(shot: Shot, pictures: list[Picture], number: int):
    """A pixel half a pixel within the outline of the nearest box has its label, one half a pixel outside of all has none."""
    view, labels = shot.views[number].pinhole, pictures[number].labels
    assert labels.shape == view.size_px[::-1] and shot.object_names == ("crate", "stool")
    grid = np.stack(np.meshgrid(*(np.arange(side) for side in view.size_px)), axis=-1)
    outside = np.full(labels.shape, True)
    nearest = np.min([entry(view, *corners) for corners in BOXES.values()], axis=0)
    for label, corners in enumerate(BOXES.values(), 1):
        points = (
            np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * (np.subtract(corners[1], corners[0]))
            + corners[0]
        )
        edges = ConvexHull(pixels(view, points)).equations
        gap = (grid @ edges[:, :2].T + edges[:, 2]).max(-1)
        outside &= gap > 0.5
        front = (gap < -0.5) & (entry(view, *corners) == nearest)
        assert front.sum() > 300
        others = [entry(view, *c) for name, c in BOXES.items() if label != shot.label(name)]
        clear = front & (np.min(others, axis=0) > entry(view, *corners))
        assert (labels[clear] == label).mean() > 0.999
    assert (labels[outside] == 0).all()


@pytest.mark.parametrize("number", [0, 1])
def test_depth_is_metric_and_at_the_pixels_centre(shot: Shot, pictures: list[Picture], number: int):
    """Floor and boxes in closed form; 0.1 mm on surfaces, and every disagreement lies on an edge."""
    view, depth = shot.views[number].pinhole, pictures[number].depth
    centre, direction = rays(view)
    with np.errstate(divide="ignore"):
        floor = np.where(direction[..., 2] < 0, -centre[2] / direction[..., 2], np.inf)
        sign = (0.9 - centre[1]) / direction[..., 1]
    at = centre + sign[..., None] * direction
    sign = np.where((np.abs(at[..., 0]) < 0.3) & (np.abs(at[..., 2] - 1.2) < 0.3) & (sign > 0), sign, np.inf)
    spot = centre + floor[..., None] * direction
    floor = np.where(np.abs(spot[..., :2]).max(-1) < 3, floor, np.inf)
    truth = np.min([floor, sign, *(entry(view, *corners) for corners in BOXES.values())], axis=0)
    seen = np.isfinite(depth) & np.isfinite(truth)
    error = np.abs(depth - np.where(seen, truth, 0))[seen]
    assert np.quantile(error, 0.99) < 1e-4 and (error > 1e-3).mean() < 0.004
    assert (np.isfinite(depth) != np.isfinite(truth)).mean() < 0.002


def test_second_rendering_has_the_same_bits(shot: Shot, pictures: list[Picture]):
    for first, again in zip(pictures, photograph(shot), strict=True):
        for layer in ("image", "labels", "depth"):
            np.testing.assert_array_equal(getattr(first, layer), getattr(again, layer))


def test_texture_stands_upright_and_the_box_throws_a_shadow(shot: Shot, pictures: list[Picture]):
    view, image = shot.views[0].pinhole, pictures[0].image.astype(int)

    def color(*place: float) -> np.ndarray:
        column, row = np.round(pixels(view, np.array([place]))[0]).astype(int)
        return image[row - 1 : row + 2, column - 1 : column + 2].mean((0, 1))

    red, green, blue, yellow = color(-0.2, 0.9, 1.4), color(0.2, 0.9, 1.4), color(-0.2, 0.9, 1.0), color(0.2, 0.9, 1.0)
    assert red.argmax() == 0 and green.argmax() == 1 and blue.argmax() == 2 and yellow[2] < min(yellow[:2])
    open_floor, shade = color(-0.25, -0.5, 0.0), color(0.05, 0.25, 0.0)
    assert shade.mean() < 0.75 * open_floor.mean()


def test_normals_blend_on_a_ball_and_stay_flat_on_a_cube():
    ball = trimesh.creation.icosphere(subdivisions=3)
    smooth = TexturedMesh(
        name="ball", group="person", material="grey", vertices=np.asarray(ball.vertices), faces=np.asarray(ball.faces),
        uv=np.zeros((len(ball.faces), 3, 2)), is_smooth=True,
    )  # fmt: skip
    index = normal_index(smooth)
    cosine = np.einsum("fck,fck->fc", corner_normals(smooth, index)[index], smooth.vertices[smooth.faces])
    assert cosine.min() > np.cos(np.radians(1.0))
    cube = box("crate", (0, 0, 0), (1, 1, 1))
    index = normal_index(cube)
    normals = corner_normals(cube, index)
    assert len(normals) == 6 * 4
    np.testing.assert_allclose(np.sort(np.abs(normals), axis=1), np.tile([0, 0, 1.0], (24, 1)), atol=1e-12)


def test_rendered_normals_are_those_of_the_mesh(shot: Shot, pictures: list[Picture]):
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.4)
    mesh = TexturedMesh(
        name="ball", group="person", material="grey", vertices=np.asarray(ball.vertices) + np.array([0, 0, 0.5]),
        faces=np.asarray(ball.faces), uv=np.zeros((len(ball.faces), 3, 2)), is_smooth=True,
    )  # fmt: skip
    view = shot.views[0]
    with Studio(replace(shot, meshes=(*shot.meshes[:2], mesh))) as studio:
        seen, labels = studio.surfaces(view), studio.picture(view).labels
    centre, direction = rays(view)
    truth = (centre + seen.depth[..., None] * direction - (0, 0, 0.5))[labels == 1]
    truth /= np.linalg.norm(truth, axis=-1, keepdims=True)
    angle = np.degrees(np.arccos(np.clip((truth * seen.normal[labels == 1]).sum(-1), -1, 1)))
    assert len(angle) > 3000 and np.quantile(angle, 0.99) < 1.5


def test_film_moves_the_person_as_a_new_model_would(shot: Shot, pictures: list[Picture]):
    person = shot.meshes[2]
    turned = replace(
        person, vertices=person.vertices @ np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]]).T + (0.1, 0, 0.05)
    )
    later = replace(shot, meshes=(*shot.meshes[:2], turned, *shot.meshes[3:]))
    first, second, third = film([shot, later, shot])
    (fresh, _) = photograph(later)
    for moved, expected in ((first, pictures[0]), (second, fresh), (third, pictures[0])):
        np.testing.assert_array_equal(moved.labels, expected.labels)
        np.testing.assert_allclose(moved.depth, expected.depth, rtol=1e-5)
        assert np.abs(moved.image.astype(int) - expected.image).mean() < 2.0
    assert (second.labels != first.labels).mean() > 0.005


def test_view_larger_than_the_studio_is_refused(shot: Shot, pictures: list[Picture]):
    with Studio(shot) as studio, pytest.raises(ValueError, match="draws up to"):
        studio.picture(replace(shot.views[0], size_px=(1280, 960)))
