import numpy as np
import pytest

from hsimul3r.generator.flow.primitives import KINDS, Primitive, bounds, convex_parts, extents, mirror_image, standing
from hsimul3r.generator.flow.tokens import ROLES, TOKENS, Outline, decode, encode, leaning, squared
from hsimul3r.geometry.mesh import solid, union
from hsimul3r.geometry.rotations import matrix_from_axis_angle, rotation_about_z


def part(role="seat", kind="box", centre=(0, 0, 0.5), half=(0.2, 0.25, 0.05), R=None, **rest):
    turn = np.eye(3) if R is None else R
    return Primitive(role=role, kind=kind, centre=np.array(centre, float), half=np.array(half, float), R=turn, **rest)


def stool():
    leg = part("leg", "cylinder", (0.15, 0.1, 0.23), (0.02, 0.02, 0.23), R=leaning(0.1), taper=0.6, is_mirrored=True)
    back = part("back", "bent", (0, 0.2, 0.7), (0.2, 0.02, 0.2), R=leaning(-0.2), bend=0.3)
    return standing([part(rounding=0.4), leg, back])


def outline_of(primitives, yaw=0.0):
    return Outline(extents_m=extents(primitives), yaw=yaw, elevation=0.3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_comes_back_as_it_was(kind):
    turn = matrix_from_axis_angle(np.array([0.3, -0.2, 1.0]))
    one = part("leg", kind, (0.3, -0.1, 0.4), (0.03, 0.05, 0.4), R=turn, taper=0.7, rounding=0.5, is_mirrored=True)
    outline = Outline(extents_m=np.array([0.9, 0.5, 0.8]), yaw=2.0, elevation=0.1)
    (back,), read = decode(encode([one], outline))
    assert (back.role, back.kind, back.is_mirrored) == ("leg", kind, True)
    for name in ("centre", "half", "R"):
        assert np.allclose(getattr(back, name), getattr(one, name), atol=2e-6)
    assert (back.taper, back.rounding) == pytest.approx((0.7, 0.5), abs=1e-6)
    assert np.allclose(read.extents_m, outline.extents_m, atol=1e-6)
    assert (read.yaw, read.elevation) == pytest.approx((2.0, 0.1), abs=1e-6)


def test_the_mesh_is_the_same_after_tokens():
    made = stool()
    back, _ = decode(encode(made, outline_of(made)))
    before, after = (solid(*union(convex_parts(parts))) for parts in (made, back))
    assert after.volume_m3 == pytest.approx(before.volume_m3, rel=1e-5)
    assert np.allclose(after.centroid, before.centroid, atol=1e-6)
    assert np.allclose(extents(back), extents(made), atol=1e-6)


def test_noise_everywhere_still_decodes_to_closed_solids():
    rng = np.random.default_rng(0)
    for _ in range(2):
        parts, _ = decode(rng.normal(size=(TOKENS, 20)))
        vertices, faces = union(convex_parts(parts))
        assert solid(vertices, faces).volume_m3 > 0.0


def test_volumes_in_closed_form():
    box = solid(*union(convex_parts([part(half=(0.1, 0.2, 0.3))])))
    assert box.volume_m3 == pytest.approx(8 * 0.1 * 0.2 * 0.3, rel=1e-9)
    cylinder = solid(*union(convex_parts([part(kind="cylinder", half=(0.1, 0.1, 0.3))])))
    assert cylinder.volume_m3 == pytest.approx(16 / 2 * np.sin(2 * np.pi / 16) * 0.01 * 0.6, rel=1e-9)
    tapered = solid(*union(convex_parts([part(half=(0.1, 0.1, 0.3), taper=0.5)])))
    assert tapered.volume_m3 == pytest.approx(0.6 / 3 * (0.04 + 0.01 + 0.02), rel=1e-9)
    sphere = solid(*union(convex_parts([part(half=(0.1, 0.1, 0.1), rounding=1.0)])))
    assert 0.75 < sphere.volume_m3 / (4 / 3 * np.pi * 1e-3) < 1.0


def test_a_bent_board_bows_by_what_it_says():
    low, high = bounds([part("back", "bent", (0, 0, 0.5), (0.3, 0.01, 0.2), bend=0.5)])
    assert high[1] == pytest.approx(0.5 * 0.3 * 2 / 3, abs=0.012)
    assert low[1] == pytest.approx(-0.5 * 0.3 / 3, abs=0.016)
    parts = convex_parts([part("back", "bent", (0, 0, 0.5), (0.3, 0.01, 0.2), bend=0.5)])
    assert len(parts) == 5
    length = solid(*union(parts)).volume_m3 / (0.02 * 0.4)
    u = np.linspace(-1, 1, 2001)
    assert length == pytest.approx(0.3 * np.mean(np.sqrt(1 + u**2)) * 2, rel=0.03)


def test_a_mirror_image_lies_on_the_other_side():
    one = part("leg", "bent", (0.3, 0.1, 0.4), (0.1, 0.02, 0.3), R=rotation_about_z(0.4), bend=0.4)
    points = np.concatenate([p.vertices for p in convex_parts([one])])
    mirrored = np.concatenate([p.vertices for p in convex_parts([mirror_image(one)])])
    order = [np.lexsort(np.round(cloud, 9).T) for cloud in (points * (-1, 1, 1), mirrored)]
    assert np.allclose((points * (-1, 1, 1))[order[0]], mirrored[order[1]])
    assert np.linalg.det(mirror_image(one).R) == pytest.approx(1.0)
    assert len(convex_parts([part("leg", centre=(0.3, 0, 0.4), is_mirrored=True)])) == 2


def test_roles_are_turned_only_as_they_may_be():
    noisy = matrix_from_axis_angle(np.array([-0.2, 0.03, -0.05]))
    assert np.array_equal(squared(noisy, "upright"), np.eye(3))
    assert np.allclose(squared(leaning(-0.2), "leaning"), leaning(-0.2))
    assert squared(noisy, "leaning")[0, 0] == 1.0
    assert squared(noisy, "free") is noisy


def test_too_many_parts_of_a_role_are_refused():
    tops = [part("top", centre=(0, 0, 0.1 * i)) for i in range(ROLES["top"].slots + 1)]
    with pytest.raises(ValueError, match="2 parts are a top"):
        encode(tops, Outline(extents_m=np.ones(3), yaw=0.0, elevation=0.0))


def test_an_object_stands_on_the_floor_in_the_middle():
    low, high = bounds(stool())
    assert low[2] == pytest.approx(0.0)
    assert np.allclose(low[:2] + high[:2], 0.0)
