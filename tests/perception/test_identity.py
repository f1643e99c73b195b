from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.geometry.alignment import align_points
from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.perception.identity import (
    IdentityCosts,
    SeenPerson,
    clothes_colour,
    link_people,
    measure_links,
    price,
)
from hsimul3r.perception.keypoints import rows

COSTS = IdentityCosts()


def crowd(people, views, seed, *, noise=0.05, colour_noise=5.0, hidden=()):
    """(seen people, their true identities): random skeletons around random places, seen by random cameras in random order."""
    rng = np.random.default_rng(seed)
    world = rng.normal(0, 0.35, (people, 21, 3)) + rng.uniform(-1.5, 1.5, (people, 1, 3)) * [1, 1, 0.1]
    colours = rng.uniform(90, 160, (people, 6))
    seen, truth = [], []
    for view in range(views):
        R, t = matrix_from_axis_angle(rng.normal(0, 1, 3)), rng.normal(0, 2, 3)
        for person in rng.permutation(people):
            if (view, person) in hidden:
                continue
            points = world[person] @ R.T + t + rng.normal(0, noise, (21, 3))
            colour = colours[person] + rng.normal(0, colour_noise, 6)
            seen.append(SeenPerson(view=view, points=points, weight=rng.uniform(0.3, 1, 21), colour=colour))
            truth.append(int(person))
    return tuple(seen), truth


def is_same_partition(found, truth):
    return all((found[i] == found[j]) == (truth[i] == truth[j]) for i in range(len(truth)) for j in range(i))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("people", [1, 2, 3])
def test_identities_are_found_for_whatever_order_and_cameras(people, seed):
    seen, truth = crowd(people, 4, seed)
    found = link_people(seen, COSTS)
    assert min(found) == 0
    assert is_same_partition(found, truth)


@pytest.mark.parametrize("seed", range(4))
def test_identities_hold_where_everybody_is_hidden_somewhere(seed):
    seen, truth = crowd(3, 4, seed, hidden={(0, 0), (1, 1), (2, 2)})
    assert is_same_partition(link_people(seen, COSTS), truth)


def test_a_wrong_link_between_two_views_is_repaired_by_the_others():
    seen, truth = crowd(2, 3, 0, hidden={(1, 1), (2, 0)}, colour_noise=0)
    alone = [i for i, person in enumerate(seen) if person.view in (1, 2)]
    assert truth[alone[0]] != truth[alone[1]]
    alike = tuple(replace(person, colour=np.full(6, 120.0)) for person in seen)
    lenient = replace(COSTS, link=6.0)
    assert link_people(tuple(alike[i] for i in alone), lenient) == (0, 0), "alone, the two views take two people for one"
    assert is_same_partition(link_people(alike, lenient), truth)


def test_people_of_different_shape_and_colour_stay_unlinked():
    seen, truth = crowd(3, 2, 1, hidden={(0, 2), (1, 0)}, noise=0.02)
    found = link_people(seen, COSTS)
    assert sorted(found) == [-1, -1, 0, 0]
    assert [truth[i] for i in range(4) if found[i] == 0] == [1, 1]


def test_one_person_in_each_view_is_one_person_whatever_the_colours():
    seen, _ = crowd(1, 3, 2, colour_noise=60)
    assert link_people(seen, COSTS) == (0, 0, 0)
    assert link_people(seen[:1], COSTS) == (-1,)


def test_people_beyond_the_most_are_left_unlinked():
    seen, truth = crowd(4, 2, 3)
    found = link_people(seen, replace(COSTS, most_people=3))
    beyond = [i for i, person in enumerate(seen) if sum(p.view == person.view for p in seen[:i]) >= 3]
    assert [found[i] for i in beyond] == [-1, -1]
    linked = [i for i in range(len(seen)) if found[i] >= 0]
    assert is_same_partition([found[i] for i in linked], [truth[i] for i in linked])


def test_price_of_one_link_is_its_rigid_residual_and_colour_over_the_usual():
    seen, _ = crowd(1, 2, 3, noise=0.1)
    a, b = (replace(person, weight=np.ones(21)) for person in seen)
    motion = align_points(a.points, b.points)
    residual = np.sqrt(((motion.apply(a.points) - b.points) ** 2).sum(axis=1).mean())
    expected = residual / 0.15 + np.linalg.norm(a.colour - b.colour) / 20 - 3.2
    assert price(np.array([0, 0]), measure_links([a, b]), COSTS) == pytest.approx(expected, abs=1e-6)
    assert price(np.array([0, 1]), measure_links([a, b]), COSTS) == 0


def test_a_mirror_image_is_not_a_rigid_fit():
    ((a,), _) = crowd(1, 1, 5)
    mirrored = replace(a, view=1, points=a.points * [-1, 1, 1])
    assert (
        price(np.array([0, 0]), measure_links([a, mirrored]), COSTS)
        > price(np.array([0, 0]), measure_links([a, replace(a, view=1)]), COSTS) + 0.5
    )


def test_clothes_colour_is_that_of_torso_and_thighs():
    image = np.zeros((200, 200, 3), np.uint8)
    image[:100], image[100:] = (255, 0, 0), (0, 0, 255)
    keypoints = np.zeros((21, 2))
    keypoints[rows("left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_knee", "right_knee")] = [
        [60, 20], [140, 20], [60, 100], [140, 100], [60, 180], [140, 180],
    ]  # fmt: skip
    torso, thighs = clothes_colour(image, keypoints).reshape(2, 3)
    np.testing.assert_allclose(torso, [136 * 0.1, 208, 195], atol=1)
    np.testing.assert_allclose(thighs, [82 * 0.1, 207, 20], atol=1)
