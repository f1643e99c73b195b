import numpy as np
import pytest

from hsimul3r.conventions import OBJECT_CATEGORIES
from hsimul3r.generator.families import families, family
from hsimul3r.geometry.frusta import frustum_parts
from hsimul3r.geometry.mesh import require_watertight, union

FAMILIES = families()


def corner_values(kind, count=6):
    rng = np.random.default_rng(0)
    low, high = (np.array([getattr(p, end) for p in kind.parameters]) for end in ("low", "high"))
    return low + (high - low) * np.concatenate([np.full((1, len(low)), 0.5), rng.integers(0, 2, (count, len(low)))])


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: kind.name)
def test_members_are_solids_that_stand_on_the_floor_at_their_height(kind):
    for values in corner_values(kind):
        parts = frustum_parts(np.unique(kind.rows(values[None])[0], axis=0))
        vertices, faces = union(parts)
        require_watertight(kind.name, vertices, faces)
        assert vertices[:, 2].min() == pytest.approx(0.0, abs=1e-9)
        support = values[[p.name for p in kind.parameters].index(kind.support)]
        assert np.isclose(vertices[:, 2], support, atol=1e-6).any()


def test_names_are_unique_and_every_category_has_a_family():
    assert len({kind.name for kind in FAMILIES}) == len(FAMILIES)
    assert {category for kind in FAMILIES for category in kind.categories} == set(OBJECT_CATEGORIES)
    assert all(3 <= len(kind.parameters) <= 12 for kind in FAMILIES)


def test_a_population_is_built_member_by_member():
    kind = family("chair_star_arms")
    values = corner_values(kind)
    together = kind.rows(values)
    for i, one in enumerate(values):
        np.testing.assert_array_equal(kind.rows(one[None])[0], together[i])


def test_the_back_of_a_chair_is_behind_its_sitter():
    kind = family("chair")
    rows = kind.rows(corner_values(kind)[:1])[0]
    vertices = np.concatenate([part.vertices for part in frustum_parts(rows)])
    assert vertices[vertices[:, 2].argmax(), 1] > 0.15
