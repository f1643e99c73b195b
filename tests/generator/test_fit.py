import dataclasses

import numpy as np
import pytest
from scipy.spatial import KDTree

from hsimul3r.errors import NoObject
from hsimul3r.generator.families import family
from hsimul3r.generator.fit import FitConfig, ParametricGenerator
from hsimul3r.generator.objective import FLESH_L, Objective, Weights, box_centre, crop
from hsimul3r.generator.protocol import FLESH_STEP_M, Support
from hsimul3r.generator.synthetic import CLEAN, Conditions, mesh_observation, synthetic_observation
from hsimul3r.geometry.mesh import sample_surface, union

CHAIR = {
    "width": 0.46, "depth": 0.44, "seat_height": 0.46, "seat_thickness": 0.05, "back_height": 0.45, "back_tilt": 0.12,
    "back_gap": 0.3, "leg_thickness": 0.04, "leg_splay": 0.01,
}  # fmt: skip
TABLE = {
    "width": 1.3, "depth": 0.75, "height": 0.74, "thickness": 0.035, "roundness": 0.05, "leg_thickness": 0.06,
    "leg_inset": 0.02, "apron": 0.07,
}  # fmt: skip
SOFA = {
    "width": 1.7, "depth": 0.85, "seat_height": 0.40, "back_height": 0.82, "back_tilt": 0.1, "arm_width": 0.16,
    "arm_height": 0.62, "back_thickness": 0.2, "leg_height": 0.08,
}  # fmt: skip
QUICK = FitConfig(first_generations=10, coarse_generations=35, survivors=8, adjusted=3, fine_generations=80)


def fit(observation, kinds, seed=0, cfg=QUICK):
    generator = ParametricGenerator(cfg, [family(kind) for kind in kinds])
    return generator.generate(observation, count=2, seed=seed)


def f_score(candidate, truth, tau=0.05):
    rng = np.random.default_rng(0)
    made_v, made_f = union(candidate.parts)
    made_v = made_v @ candidate.T_world_object[:3, :3].T + candidate.T_world_object[:3, 3]
    a, b = sample_surface(truth.vertices, truth.shape.faces, 4000, rng), sample_surface(made_v, made_f, 4000, rng)
    recall, precision = (KDTree(b).query(a)[0] < tau).mean(), (KDTree(a).query(b)[0] < tau).mean()
    return 2 * recall * precision / (recall + precision)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "values", "others"),
    [
        ("chair", CHAIR, ("chair", "chair_pedestal", "top_legs")),
        ("top_legs", TABLE, ("top_legs", "desk", "chair")),
        ("sofa", SOFA, ("sofa", "chair_arms", "box")),
    ],
)
def test_known_furniture_is_recovered_behind_noise_a_person_and_wrong_cameras(kind, values, others):
    observation, truth = synthetic_observation(3, Conditions(has_supports=True), kinds=(family(kind),), values=values)
    best = fit(observation, others)[0]
    assert best.family == kind
    assert f_score(best, truth) > 0.88
    support = family(kind).support
    assert best.parameters[support] == pytest.approx(values[support], abs=0.03)


def test_what_a_person_hides_is_not_background():
    observation, truth = synthetic_observation(5, Conditions(hidden=(0.25, 0.5)), kinds=(family("top_legs"),), values=TABLE)
    hidden_is_background = dataclasses.replace(
        observation, labels=tuple(np.where(labels == 2, 0, labels) for labels in observation.labels if labels is not None)
    )
    as_unknown, as_background = (fit(one, ("top_legs",))[0] for one in (observation, hidden_is_background))
    assert f_score(as_unknown, truth, 0.03) > f_score(as_background, truth, 0.03)


def test_furniture_leaves_people_their_room():
    observation, truth = synthetic_observation(7, CLEAN, kinds=(family("sofa"),), values=SOFA)
    cube = np.stack(np.meshgrid(*[np.arange(0.0, 0.2, FLESH_STEP_M)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    within, above = (cube + np.array([*truth.pose[:2], height]) for height in (0.1, 0.9))
    energies = []
    for flesh in (np.zeros((0, 3)), above, within):
        seen = dataclasses.replace(observation, flesh=flesh)
        views = crop(seen, object_px=60, size=112)
        objective = Objective(family("sofa"), views, seen, start=truth.pose, weights=Weights(), has_shifts=False)
        energies.append(float(objective(np.zeros((1, objective.size)))[0]))
    assert energies[1] == energies[0]
    assert energies[2] - energies[0] == pytest.approx(Weights().room_per_l * FLESH_L * len(cube))


def test_a_sofa_seat_follows_the_pelvis():
    observation, truth = synthetic_observation(7, CLEAN, kinds=(family("sofa"),), values=SOFA)
    seats = []
    for height in (0.37, 0.47):
        pelvis = Support(kind="seat", point=np.array([*truth.pose[:2], height]))
        seen = dataclasses.replace(observation, supports=(pelvis,), facing=float(truth.pose[2]))
        seats.append(fit(seen, ("sofa",))[0].parameters["seat_height"])
    assert seats == pytest.approx([0.37, 0.47], abs=0.015)


def test_the_same_seed_gives_the_same_bits():
    observation, _ = synthetic_observation(11, Conditions(), kinds=(family("box"),))
    a, b = (fit(observation, ("box", "desk"), seed=4)[0] for _ in range(2))
    assert a.parameters == b.parameters
    np.testing.assert_array_equal(a.T_world_object, b.T_world_object)


def test_the_object_stands_on_the_floor_under_the_middle_of_its_box():
    observation, _ = synthetic_observation(13, CLEAN, kinds=(family("chair"),), values=CHAIR)
    best = fit(observation, ("chair",))[0]
    points = np.concatenate([part.vertices for part in best.parts])
    np.testing.assert_allclose((points.min(0) + points.max(0))[:2], 0.0, atol=1e-9)
    assert points[:, 2].min() == pytest.approx(0.0, abs=1e-9)
    assert best.T_world_object[2, 3] == 0.0


def test_a_mesh_is_seen_as_the_family_that_it_is_made_of():
    _, truth = synthetic_observation(31, Conditions(), kinds=(family("chair"),), values=CHAIR)
    same, seen = mesh_observation(32, Conditions(), truth.shape)
    np.testing.assert_allclose(np.ptp(seen.vertices[:, 2]), np.ptp(truth.vertices[:, 2]))
    assert [labels.shape for labels in same.labels if labels is not None] == [(480, 640)] * 4
    moved = dataclasses.replace(same, labels=tuple(mask.astype(np.uint8) for mask in seen.masks))
    best = fit(moved, ("chair", "box"))[0]
    assert best.family == "chair"
    assert f_score(best, seen) > 0.95


def test_without_any_mask_there_is_no_object():
    observation, _ = synthetic_observation(17, CLEAN)
    empty = dataclasses.replace(observation, labels=tuple(np.zeros((480, 640), np.uint8) for _ in range(4)))
    with pytest.raises(NoObject, match="mask"):
        fit(empty, ("box",))


def test_one_view_less_still_gives_a_fit():
    observation, truth = synthetic_observation(19, CLEAN, kinds=(family("box"),))
    partial = dataclasses.replace(observation, labels=(None, *observation.labels[1:]))
    assert f_score(fit(partial, ("box",))[0], truth) > 0.95


def test_shifts_leave_out_what_moving_the_object_would_do():
    observation, _ = synthetic_observation(23, CLEAN, kinds=(family("box"),))
    crops = crop(observation, object_px=60, size=112)
    start = np.array([*box_centre(observation), 0.0])
    objective = Objective(family("box"), crops, observation, start=start, weights=Weights(), has_shifts=True)
    changes = objective.shift_derivatives().reshape(8, 8) / np.repeat(crops.shift_unit_px, 2)
    np.testing.assert_allclose(changes @ changes, changes, atol=1e-9)
    assert np.linalg.matrix_rank(changes, tol=1e-6) == 6


def test_a_foreign_category_costs():
    observation, _ = synthetic_observation(29, CLEAN, kinds=(family("box"),))
    plain, named = (fit(dataclasses.replace(observation, category=c), ("box",))[0].energy for c in ("box", "sofa"))
    assert named - plain == pytest.approx(FitConfig().foreign_category, abs=0.01)
