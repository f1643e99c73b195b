import copy
from pathlib import Path

import numpy as np
import pytest

from hsimul3r.artifacts import ConvexPart
from hsimul3r.errors import NoCases, UnknownImage
from hsimul3r.generator.feedback.cases import CaseImages, RunImages
from hsimul3r.generator.feedback.forward import ForwardConfig, ask_person
from hsimul3r.generator.feedback.images import PersonScene
from hsimul3r.generator.feedback.record import Judgement
from hsimul3r.generator.feedback.shape import MadeObject, Shape, silhouette_iou
from hsimul3r.geometry.mesh import convex_part, union
from hsimul3r.tracking.static_cem import StaticCemConfig

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


def asked(parts: tuple[ConvexPart, ...], person: PersonScene, search: StaticCemConfig) -> Judgement:
    made = MadeObject(parts=parts, surface=union(parts), density_kg_m3=400.0, friction=0.8)
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
