"""Looks drawn from seeds, and composed cases, on a posed body beside a chair."""

from dataclasses import replace

import numpy as np
import pytest
from staged_scene import scene

from hsimul3r.benchmark.compose import Composed, compose_case
from hsimul3r.benchmark.look import swatches
from hsimul3r.benchmark.look.appearance import CONTRAST, ROUGHNESS, appearance, family_of
from hsimul3r.benchmark.look.wardrobe import dress
from hsimul3r.benchmark.objects.catalogue import CATALOGUE, build_furniture
from hsimul3r.benchmark.scene import CaseSpec, Staged, StagedObject, Subject
from hsimul3r.body.model import embedded_body

SEEDS = range(24)


def spec(seed: int, difficulty: str = "easy", sex: str = "female") -> CaseSpec:
    subject = Subject(betas=np.zeros(10), sex=sex)
    return CaseSpec(
        name=f"case_{seed}", interaction="stand", kind="pose", objects=("dining_chair",), subject=subject,
        difficulty=difficulty, seed=seed,
    )  # fmt: skip


@pytest.fixture(scope="module")
def looks():
    staged = scene()
    return [appearance(spec(seed), staged) for seed in SEEDS]


@pytest.fixture(scope="module")
def composed() -> Composed:
    return compose_case(spec(3), scene())


def distance(a, b) -> float:
    return float(np.linalg.norm(np.subtract(a, b)))


def test_no_two_cases_look_alike(looks):
    for i, a in enumerate(looks):
        for b in looks[:i]:
            assert distance(a.person.top, b.person.top) + distance(a.person.skin, b.person.skin) > 0.01
            assert distance(a.room.floor_color, b.room.floor_color) + distance(a.room.palette[0], b.room.palette[0]) > 0.01
    assert len({look.person.outfit for look in looks}) >= 4
    assert len({look.person.haircut for look in looks}) >= 3
    assert len({look.room.floor for look in looks}) >= 3
    lightness = [sum(look.person.skin) / 3 for look in looks]
    assert max(lightness) - min(lightness) > 0.3


def test_the_same_seed_looks_the_same(looks):
    again = appearance(spec(5), scene())
    assert again.person == looks[5].person
    assert again.room == looks[5].room
    assert again.objects == looks[5].objects


def test_objects_stand_out_in_easy_cases_and_some_blend_in_in_hard_ones():
    staged = scene()

    def contrasts(difficulty: str) -> np.ndarray:
        found = [appearance(spec(seed, difficulty), staged) for seed in SEEDS]
        return np.array([distance(next(iter(a.objects["chair"].values())).color, a.room.floor_color) for a in found])

    assert (contrasts("easy") > 0.6 * CONTRAST).all()
    assert 0.2 < (contrasts("hard") < 0.2).mean() < 0.8


def test_nothing_tall_stands_where_cameras_stand(looks):
    for look in looks:
        room, middle = look.room, np.array(look.room.centre_m)
        assert min(room.half_m) >= 3.5
        assert all(np.linalg.norm(np.subtract(plant, middle)) > 3.9 for plant in room.plants)
        assert room.obstacles == ()


def test_obstacles_of_hard_cases_stand_clear_of_person_and_object():
    staged, body = scene(), embedded_body()
    ground = np.concatenate([body.vertices(staged.betas, staged.pose[0], staged.transl[0])[:, :2]])
    found = [place for seed in SEEDS for place in appearance(spec(seed, "hard"), staged).room.obstacles]
    assert len(found) >= len(SEEDS) / 2
    for place in found:
        assert np.linalg.norm(ground - place, axis=1).min() > 0.34


def test_every_material_of_the_catalogue_has_a_look():
    for name in CATALOGUE:
        for piece in build_furniture(name).pieces:
            assert family_of(piece.material) in ROUGHNESS
    with pytest.raises(KeyError, match="No look for the material 'jelly'"):
        family_of("jelly")


def test_sheets_follow_from_their_number_alone():
    for kind in ("wood", "picture", "rug"):
        first = swatches.sheet(kind, 1)
        swatches.sheet.cache_clear()
        np.testing.assert_array_equal(first, swatches.sheet(kind, 1))
        assert not np.array_equal(first, swatches.sheet(kind, 0))


def test_tint_gives_the_colour_from_afar():
    color = swatches.mean_color(swatches.tinted(swatches.sheet("plastic", 0), (0.6, 0.3, 0.1)))
    np.testing.assert_allclose(color / color[0], (1, 0.5, 1 / 6), rtol=0.05)


def test_a_pose_is_composed_for_sixteen_cameras(composed):
    assert len(composed.views) == 16 == len(composed.cameras.focal_px)
    assert (composed.frames == 0).all()
    (shot,) = composed.shots
    assert {mesh.group for mesh in shot.meshes} == {"room", "person", "chair"}
    assert all(mesh.material in shot.materials for mesh in shot.meshes)
    for mesh in shot.meshes:
        assert mesh.uv.shape == (len(mesh.faces), 3, 2)
        assert np.isfinite(mesh.vertices).all()
        assert mesh.faces.max() < len(mesh.vertices)


def test_composing_twice_gives_the_same_bits(composed):
    a, b = composed.shot(0), compose_case(spec(3), scene()).shot(0)
    for first, second in zip(a.meshes, b.meshes, strict=True):
        np.testing.assert_array_equal(first.vertices, second.vertices)
        np.testing.assert_array_equal(first.uv, second.uv)
    for name, material in a.materials.items():
        np.testing.assert_array_equal(material.image, b.materials[name].image)
    np.testing.assert_array_equal(composed.cameras.T_cam_world, compose_case(spec(3), scene()).cameras.T_cam_world)


def test_a_motion_is_one_shot_a_frame_and_moves_person_and_object():
    still = scene(frames=5, way_m=0.5)
    path = np.tile(still.objects[0].T_world_object, (5, 1, 1))
    path[:, 0, 3] += np.linspace(0, 0.4, 5)
    moving = StagedObject(name="chair", furniture=still.objects[0].furniture, T_world_object=path)
    staged: Staged = replace(still, objects=(moving,))
    shots = list(compose_case(replace(spec(1), kind="motion"), staged).shots)
    assert [len(shot.views) for shot in shots] == [1] * 5

    def middle(shot, group: str) -> np.ndarray:
        return np.concatenate([mesh.vertices for mesh in shot.meshes if mesh.group == group]).mean(0)

    np.testing.assert_allclose(middle(shots[4], "person") - middle(shots[0], "person"), (0.5, 0, 0), atol=1e-9)
    np.testing.assert_allclose(middle(shots[4], "chair") - middle(shots[0], "chair"), (0.4, 0, 0), atol=1e-9)
    for first, last in zip(shots[0].meshes, shots[4].meshes, strict=True):
        assert first.faces is last.faces
        assert first.group != "room" or first.vertices is last.vertices


@pytest.mark.parametrize("legwear", ["trousers", "shorts"])
def test_posing_again_is_dressing_anew(looks, legwear):
    """What is worn does not depend on what the figure did before."""
    staged, body, look = scene(), embedded_body(), replace(looks[0].person, legwear=legwear)
    figure = dress(body, staged.betas, look, np.random.default_rng(0))
    bent = staged.pose[0].copy()
    bent[[1, 2, 4, 5], 0] = -1.6, -1.6, 1.8, 1.8
    figure.posed(staged.pose[0], staged.transl[0])
    anew = dress(body, staged.betas, look, np.random.default_rng(0)).posed(bent, staged.transl[0])
    for again, mesh in zip(figure.posed(bent, staged.transl[0]), anew, strict=True):
        np.testing.assert_array_equal(again.vertices, mesh.vertices)
