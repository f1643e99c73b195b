import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from stubborn_network import stubborn

from hsimul3r.artifacts import ConvexPart
from hsimul3r.errors import NoCases, UnknownImage
from hsimul3r.generator.feedback.cases import CaseImages, RunImages, _case
from hsimul3r.generator.feedback.forward import ForwardConfig, ask_person, placed_asset
from hsimul3r.generator.feedback.images import PersonScene
from hsimul3r.generator.feedback.judge import JudgeConfig, solid_of
from hsimul3r.generator.feedback.record import Judgement
from hsimul3r.generator.feedback.shape import Shape, silhouette_iou
from hsimul3r.generator.flow.attach import attach
from hsimul3r.generator.flow.crops import CropConfig
from hsimul3r.generator.flow.furniture import HELD_OUT_FROM
from hsimul3r.generator.flow.generator import FAMILY, FlowConfig, FlowGenerator
from hsimul3r.generator.flow.primitives import without_mirrors
from hsimul3r.generator.flow.sampling import SamplingConfig, noise_of, sample
from hsimul3r.generator.flow.tokens import decode
from hsimul3r.generator.registration import Guess, MadeObject, RegistrationConfig
from hsimul3r.geometry.mesh import convex_part, union
from hsimul3r.tracking.static_cem import StaticCemConfig
from stages import generate_objects

SAMPLES = Path(__file__).parents[3] / "data" / "hsibench" / "samples"
SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


@pytest.fixture(scope="module")
def images():
    return CaseImages(folder=SAMPLES, names=("foot_stool", "sit_chair"), crops=2)


def test_every_object_of_a_case_is_an_image(images):
    keys = images.keys()
    assert len(keys) == 2
    assert keys[0].startswith("foot_stool/")
    condition = images.conditions(keys)
    assert condition.crops.shape == (2, 2, 2, 80, 80)
    assert condition.is_seen.all()
    assert (condition.views[:, :, 3] == 1).all(), "cameras are known"
    assert condition.views[1, 0, 6] == 1, "a sitter says where the front of a chair is"
    assert condition.views[0, 0, 6] == 0, "nobody sits on the stool"
    assert copy.copy(images).keys() == keys


def test_a_sitter_faces_where_the_chair_does(images):
    key = images.keys()[1]
    told, truth = images.conditions([key]).views[0, 0], images.truth(key)
    apart = np.arctan2(told[4], told[5]) - truth.yaw
    assert abs(np.arctan2(np.sin(apart), np.cos(apart))) < 0.3


def test_the_true_shape_is_seen_in_the_crop(images):
    """The truth's silhouette from the first camera fills about the share of its box that the mask does."""
    key = images.keys()[0]
    truth, mask = images.truth(key), images.conditions([key]).crops[0, 0, 1].numpy()
    assert truth.surface[0][:, 2].min() == pytest.approx(0.0, abs=1e-6)
    shape = Shape.of(truth.surface, 0)
    assert silhouette_iou(shape.surface, shape.surface, truth) == 1.0
    assert 0.05 < (mask > 0).mean() < 0.8


def test_what_is_not_there_is_said(images, tmp_path):
    with pytest.raises(UnknownImage):
        images.person("sit_chair/table/4")
    with pytest.raises(NoCases):
        CaseImages(folder=SAMPLES, names=("nowhere",)).keys()
    with pytest.raises(NoCases):
        RunImages(folder=tmp_path).keys()


@pytest.mark.slow
def test_a_sample_is_judged_where_the_chain_puts_it(images):
    """The same network, noise and photos: the solid that the person is given is that of the scene, to the bit."""
    key, registration = images.keys()[1], RegistrationConfig(fine_generations=10)
    person, network = images.person(key), stubborn(HELD_OUT_FROM + 3, wander=0.3)
    cfg = FlowConfig(registration=registration, crops=CropConfig(views=2), samples=1, kept=1)
    chain = FlowGenerator(network, _case(SAMPLES / "sit_chair", 4).photos, cfg)
    candidates = chain.generate(person.observation, count=1, seed=0)
    expected = generate_objects.asset_of(person.view, candidates, person.motion)
    with torch.no_grad():
        memory = network.remember(images.conditions([key]))
    primitives, outline = decode(sample(network, memory, noise_of([0]), SamplingConfig()).double().numpy()[0])
    solid = solid_of(attach(without_mirrors(primitives)).primitives, JudgeConfig(), turn=outline.yaw)
    judged = placed_asset(solid, person, ForwardConfig(registration=registration))
    assert np.array_equal(judged.vertices, expected.vertices)
    assert np.array_equal(judged.T_world_object, expected.T_world_object)
    assert judged.report == expected.report
    assert (judged.mass_kg, judged.friction, judged.category) == (expected.mass_kg, expected.friction, expected.category)


def asked(parts: tuple[ConvexPart, ...], person: PersonScene, search: StaticCemConfig) -> Judgement:
    height = max(part.vertices[:, 2].max() for part in parts)
    guess = Guess(parts=parts, outlines=parts, yaw=0.0, knee=height, is_seat=False, has_front=False)
    made = MadeObject(family=FAMILY, guess=guess, surface=union(parts), density_kg_m3=400.0, friction=0.8)
    return Judgement(checks=ask_person(made, person, ForwardConfig(search=search)), has_person=True)


@pytest.mark.slow
def test_a_person_holds_the_true_stool_and_not_a_slender_pole(images):
    """The stool of the truth is a stable interaction; what the silhouettes stretch a pole to is none."""
    person = images.person(images.keys()[0])
    true = images.truth(images.keys()[0])
    hull = (convex_part(true.surface[0]),)
    assert asked(hull, person, StaticCemConfig()).kind == 4
    spike = (convex_part(np.concatenate([SIGNS * (0.3, 0.3, 0.01), [[0.0, 0.0, 0.9]]])),)
    assert asked(spike, person, StaticCemConfig(samples=16, max_iterations=2)).kind in (2, 3)
