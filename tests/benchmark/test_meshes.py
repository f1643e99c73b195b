"""The mesh gate on soups whose solid is known."""

from functools import partial

import numpy as np
import pytest
import trimesh

from hsimul3r.artifacts import ObjectAsset
from hsimul3r.benchmark.objects import meshes
from hsimul3r.benchmark.objects.meshes import Soup, shipped_furniture, shipped_meshes
from hsimul3r.benchmark.objects.usable import largest_rectangle
from hsimul3r.errors import GateRefused
from hsimul3r.geometry.decompose import convex_pieces
from hsimul3r.geometry.mesh import is_watertight, manifold_of, solid, union
from hsimul3r.tracking.criteria import tilt_deg

SIZE = (0.5, 0.6, 0.7)
gated_mesh = partial(meshes.gated_mesh, nodes=3e5)
gated_furniture = partial(meshes.gated_furniture, nodes=3e5)
"""Cells of about 9 mm."""


def box(size, at=(0.0, 0.0, 0.0)):
    mesh = trimesh.creation.box(size)
    return np.array(mesh.vertices) + at, np.array(mesh.faces)


def soup(*boxes, **options) -> Soup:
    counts = np.cumsum([0, *(len(v) for v, _ in boxes)])
    return Soup(
        vertices=np.concatenate([v for v, _ in boxes]),
        faces=np.concatenate([f + n for (_, f), n in zip(boxes, counts)]),
        **options,
    )


def without_side(mesh, axis, sign):
    vertices, faces = mesh
    on_side = np.isclose(vertices[faces][:, :, axis], sign * np.abs(vertices[:, axis]).max()).all(axis=1)
    assert on_side.sum() == 2
    return vertices, faces[~on_side]


CHAIR = (
    box((0.44, 0.44, 0.05), (0, 0, 0.435)),
    box((0.44, 0.04, 0.5), (0, 0.2, 0.65)),
    *(box((0.04, 0.04, 0.43), (0.2 * x, 0.2 * y, 0.215)) for x in (-1, 1) for y in (-1, 1)),
)
"""Overlapping boxes: seat top at 0.46 m, back's front at y = 0.18 m."""


@pytest.mark.parametrize("axis, sign", [(0, 1), (1, -1), (2, 1), (2, -1)])
def test_a_box_with_a_missing_side_is_closed_and_whole(axis, sign):
    vertices, faces = gated_mesh("box", soup(without_side(box(SIZE), axis, sign)))
    assert is_watertight(faces)
    np.testing.assert_allclose(solid(vertices, faces).volume_m3, np.prod(SIZE), rtol=0.03)
    np.testing.assert_allclose(np.ptp(vertices, axis=0), SIZE, atol=0.006)


def test_overlapping_and_touching_parts_become_their_union():
    vertices, faces = gated_mesh("two", soup(box(SIZE), box(SIZE, (0.3, 0, 0)), box((0.1, 0.1, 0.1), (0, 0, 0.4))))
    assert is_watertight(faces)
    np.testing.assert_allclose(solid(vertices, faces).volume_m3, 0.8 * 0.6 * 0.7 + 0.001, rtol=0.02)


def test_orientation_and_order_of_triangles_do_not_matter():
    rng = np.random.default_rng(0)
    vertices, faces = box(SIZE)
    faces = np.array([rng.permutation(face) for face in faces[rng.permutation(len(faces))]])
    vertices, faces = gated_mesh("mixed", soup((vertices, faces)))
    np.testing.assert_allclose(solid(vertices, faces).volume_m3, np.prod(SIZE), rtol=0.02)


def test_a_single_sheet_gets_a_thickness_and_keeps_its_place():
    sheet = np.array([[-0.5, -0.3, 0.7], [0.5, -0.3, 0.7], [0.5, 0.3, 0.7], [-0.5, 0.3, 0.7]]), np.array([[0, 1, 2], [0, 2, 3]])
    legs = [box((0.05, 0.05, 0.7), (0.4 * x, 0.2 * y, 0.35)) for x in (-1, 1) for y in (-1, 1)]
    table = gated_furniture("sheet_table", "table", soup(sheet, *legs))
    assert table.support_height_m == pytest.approx(0.7, abs=0.006)
    np.testing.assert_allclose(table.surfaces[0].size_m, (1.0, 0.6), atol=0.03)


def test_far_apart_bodies_are_refused_and_near_ones_are_joined():
    with pytest.raises(GateRefused, match="falls apart"):
        gated_mesh("apart", soup(box(SIZE), box(SIZE, (0.6, 0, 0))))
    vertices, faces = gated_mesh("near", soup(box(SIZE), box(SIZE, (0.51, 0, 0))))
    assert manifold_of(vertices, faces, "near").decompose().__len__() == 1
    np.testing.assert_allclose(np.ptp(vertices, axis=0), (1.01, 0.6, 0.7), atol=0.006)


@pytest.mark.parametrize(
    "bad, reason",
    [
        (Soup(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3), int)), "empty"),
        (soup(box(SIZE), unit_m=0.01), "furniture-sized"),
        (soup(box(SIZE), unit_m=39.0), "furniture-sized"),
        (soup(box((0.5, 0.6, 0.001))), "flat"),
        (Soup(vertices=np.full((3, 3), np.nan), faces=np.array([[0, 1, 2]])), "not finite"),
        (Soup(vertices=np.zeros((3, 3)), faces=np.array([[0, 1, 7]])), "do not exist"),
    ],
)
def test_what_cannot_be_furniture_is_refused_with_its_reason(bad, reason):
    with pytest.raises(GateRefused, match=reason):
        gated_mesh("bad", bad)


def test_a_chair_without_a_seat_is_refused():
    with pytest.raises(GateRefused, match="no seat"):
        gated_furniture("post", "chair", soup(box((0.1, 0.1, 1.2))))


def test_legs_of_unequal_length_are_planed():
    longer = box((0.04, 0.04, 0.45), (0.2, 0.2, 0.205))
    vertices, _ = gated_mesh("rocking", soup(*CHAIR[:-1], longer))
    feet = vertices[vertices[:, 2] < 1e-6, :2]
    for corner in ((-0.2, -0.2), (-0.2, 0.2), (0.2, -0.2), (0.2, 0.2)):
        assert np.abs(feet - corner).max(axis=1).min() < 0.025
    assert vertices[:, 2].max() == pytest.approx(0.9, abs=0.008)


def test_what_would_fall_over_is_refused():
    with pytest.raises(GateRefused, match="does not stand"):
        gated_mesh("flag", soup(box((0.1, 0.1, 1.0)), box((0.8, 0.1, 0.4), (0.4, 0, 0.3))))


@pytest.mark.parametrize("quarters", range(4))
def test_centimetres_y_up_and_any_heading_come_out_as_the_same_chair(quarters):
    made = soup(*CHAIR)
    turn = np.linalg.matrix_power(np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), quarters)
    y_up = (made.vertices @ turn.T)[:, [0, 2, 1]] * (1, 1, -1) * 100 + (30, -7, 12)
    chair = gated_furniture("chair", "chair", Soup(vertices=y_up, faces=made.faces, unit_m=0.01, up="y"))
    low, high = chair.mesh[0].min(axis=0), chair.mesh[0].max(axis=0)
    np.testing.assert_allclose(low, (-0.22, -0.22, 0.0), atol=0.004)
    np.testing.assert_allclose(high, (0.22, 0.22, 0.9), atol=0.006)
    seat, back = chair.surfaces
    assert (seat.kind, back.kind) == ("seat", "back")
    np.testing.assert_allclose(seat.centre, (0, -0.02, 0.46), atol=0.012)
    np.testing.assert_allclose(seat.size_m, (0.44, 0.40), atol=0.02)
    np.testing.assert_allclose(back.centre[:2], (0, 0.18), atol=0.005)
    np.testing.assert_allclose(back.normal, (0, -1, 0), atol=0.03)


def test_pieces_of_a_chair_fill_its_mesh():
    vertices, faces = union([trimesh_part(*part) for part in CHAIR])
    mesh, pieces = manifold_of(vertices, faces, "mesh"), convex_pieces(vertices, faces)
    filled = manifold_of(*union(pieces), "pieces")
    assert len(pieces) <= 8
    assert (mesh ^ filled).volume() > 0.999 * mesh.volume()
    assert filled.volume() < 1.02 * mesh.volume()


def trimesh_part(vertices, faces):
    from hsimul3r.artifacts import ConvexPart

    return ConvexPart(vertices=vertices, faces=faces.astype(np.int32))


def test_number_of_pieces_is_kept_for_round_things():
    ring = trimesh.creation.annulus(0.3, 0.35, 0.1)
    pieces = convex_pieces(np.array(ring.vertices), np.array(ring.faces), limit=12)
    assert 6 <= len(pieces) <= 12
    np.testing.assert_allclose(solid(*union(pieces)).volume_m3, ring.volume, rtol=0.25)


def test_largest_rectangle():
    mask = np.zeros((7, 9), bool)
    mask[1:5, 2:8] = True
    mask[0, 0] = mask[2, 1] = True
    assert largest_rectangle(mask) == ((1, 5), (2, 8))
    assert largest_rectangle(np.zeros((3, 3), bool)) == ((0, 0), (0, 0))


def test_shipped_meshes_are_there():
    assert len(shipped_meshes()) >= 12


@pytest.mark.parametrize("name", shipped_meshes())
def test_shipped_meshes_are_furniture(name):
    furniture = shipped_furniture(name)
    vertices, faces = furniture.mesh
    assert is_watertight(faces)
    assert len(furniture.pieces) <= 48
    mesh, filled = manifold_of(vertices, faces, name), manifold_of(*union([p.shape for p in furniture.pieces]), name)
    assert (mesh ^ filled).volume() > 0.97 * mesh.volume()
    assert filled.volume() < 1.15 * mesh.volume()
    np.testing.assert_allclose(vertices.min(axis=0)[2], 0.0, atol=1e-3)
    np.testing.assert_allclose(vertices.min(axis=0)[:2], -vertices.max(axis=0)[:2], atol=1e-3)
    assert {surface.kind for surface in furniture.surfaces} <= {"seat", "back", "top"}


@pytest.mark.parametrize("name", shipped_meshes())
def test_shipped_meshes_stand_under_gravity(name):
    assert tilt_after_a_second(shipped_furniture(name)) < 2.0


def tilt_after_a_second(furniture) -> float:
    """Largest angle from upright [deg] over a second of free standing in MuJoCo."""
    import mujoco

    from sim_envs.contract import JUDGE
    from sim_envs.scene_builder import SceneParts, build_spec

    vertices, faces = furniture.mesh
    asset = ObjectAsset(
        name="object", category=furniture.category, family="mesh", parameters={}, vertices=vertices, faces=faces,
        parts=tuple(piece.shape for piece in furniture.pieces), T_world_object=np.eye(4), friction=furniture.friction,
        mass_kg=furniture.density_kg_m3 * solid(vertices, faces).volume_m3, density_kg_m3=furniture.density_kg_m3,
    )  # fmt: skip
    model = build_spec(SceneParts(body_model="embedded", bodies=(), humans=(), assets=(asset,)), JUDGE).compile()
    data = mujoco.MjData(model)
    tilt = []
    while data.time < 1.0:
        mujoco.mj_step(model, data)
        tilt.append(tilt_deg(data.qpos[3:7], np.array([1.0, 0, 0, 0])))
    return max(tilt)
