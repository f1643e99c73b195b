import numpy as np
import pytest
import trimesh

from hsimul3r.geometry.sdf import WatertightMesh
from hsimul3r.losses.contact import contact_loss, gated_contact_loss, non_contact_loss

BOX = trimesh.creation.box(extents=(0.45, 0.45, 0.45))
SOLID = WatertightMesh(np.array(BOX.vertices), np.array(BOX.faces))


def box_top(rng, count=400):
    return np.column_stack([rng.uniform(-0.2, 0.2, (count, 2)), np.full(count, 0.225)])


def blob(rng, centre, radius=0.1, count=120):
    points = rng.standard_normal((count, 3))
    return centre + radius * points / np.linalg.norm(points, axis=1, keepdims=True)


def numeric_gradient(value, step=1e-8):
    return np.array([(value(step * e) - value(-step * e)) / (2 * step) for e in np.eye(3)])


def eq4(human):
    query = SOLID.query(human)
    return contact_loss(query.distance, query.gradient)


def gated(human, surface):
    query = SOLID.query(human)
    return gated_contact_loss(human, surface, signed_distance=query.distance, gradient=query.gradient)


def test_eq3_of_two_single_points_is_twice_their_distance():
    loss = non_contact_loss(np.array([[0.0, 0, 0.3]]), np.array([[0.0, 0, 0]]))
    assert loss.value == pytest.approx(0.6)
    np.testing.assert_allclose(loss.by_human_translation, [0, 0, 2])
    np.testing.assert_allclose(loss.by_object_translation, [0, 0, -2])


def test_eq3_divides_each_side_by_its_own_count():
    """One body point at the height .3 above the middle of three surface points in a row, .4 apart."""
    surface = np.array([[-0.4, 0, 0], [0, 0, 0], [0.4, 0, 0]])
    assert non_contact_loss(np.array([[0, 0, 0.3]]), surface).value == pytest.approx(0.3 + (0.5 + 0.3 + 0.5) / 3)


def test_eq3_vanishes_on_equal_sets():
    points = np.random.default_rng(0).uniform(size=(50, 3))
    assert non_contact_loss(points, points[::-1]).value == 0


def test_eq4_is_zero_outside():
    assert eq4(blob(np.random.default_rng(0), [0, 0, 0.5])).value == 0


def test_eq4_is_the_mean_depth_inside():
    loss = eq4(np.array([[0, 0, 0.215], [0, 0, 0.205], [0, 0, 0.3], [0, 0, 1.0]]))
    assert loss.value == pytest.approx((0.01 + 0.02) / 4)
    np.testing.assert_allclose(loss.by_human, [[0, 0, -0.25], [0, 0, -0.25], [0, 0, 0], [0, 0, 0]], atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_by_translation_match_finite_differences(seed):
    rng = np.random.default_rng(seed)
    surface, far, sunk = box_top(rng), blob(rng, [0.05, 0, 0.6]), blob(rng, [0.1, 0.03, 0.28])
    cases = {
        "Eq. 3": (lambda shift: non_contact_loss(far + shift, surface)),
        "Eq. 4": (lambda shift: eq4(sunk + shift)),
        "gated, apart": (lambda shift: gated(far + shift, surface)),
        "gated, touching": (lambda shift: gated(sunk + shift, surface)),
    }
    for name, loss in cases.items():
        numeric = numeric_gradient(lambda shift, loss=loss: loss(shift).value)
        np.testing.assert_allclose(loss(np.zeros(3)).by_human_translation, numeric, atol=1e-5, err_msg=name)
        assert np.linalg.norm(numeric) > 0.05


def test_gate_changes_equations_at_its_width():
    surface = np.array([[0.0, 0, 0.225]])
    apart, touching = np.array([[0, 0, 0.2301]]), np.array([[0, 0, 0.2299]])
    assert gated(apart, surface).value == pytest.approx(2 * 0.0051)
    assert gated(touching, surface).value == 0


def test_eq3_alone_sinks_the_part_and_the_gate_does_not():
    """Descent on the object's whole surface from a gap of 25 cm (notes/recon.md, E: 16 cm against 2 cm)."""
    rng = np.random.default_rng(0)
    surface = np.array(trimesh.sample.sample_surface(BOX, 2000, seed=0)[0])
    start = blob(rng, np.array([0.05, 0, 0.225 + 0.12 + 0.25]), radius=0.12)

    def deepest(loss):
        shift = np.zeros(3)
        for step in np.geomspace(0.02, 0.0005, 150):
            gradient = loss(start + shift).by_human_translation
            shift -= step * gradient / max(np.linalg.norm(gradient), 1e-9) * (np.abs(gradient).max() > 0)
        return -SOLID.query(start + shift).distance.min()

    assert deepest(lambda human: non_contact_loss(human, surface)) > 0.1
    assert deepest(lambda human: gated(human, surface)) < 0.01
