from dataclasses import replace

import numpy as np
import pytest
import torch

from hsimul3r.errors import NoGeneratorWeights, NoObject
from hsimul3r.generator.flow.crops import CropConfig, condition_from, make_crops
from hsimul3r.generator.flow.furniture import sample_furniture
from hsimul3r.generator.flow.generator import FlowConfig, FlowGenerator
from hsimul3r.generator.flow.network import NetworkConfig, PartFlow
from hsimul3r.generator.flow.primitives import convex_parts, extents
from hsimul3r.generator.flow.sampling import SamplingConfig
from hsimul3r.generator.flow.tokens import Outline, encode
from hsimul3r.generator.registration import RegistrationConfig
from hsimul3r.generator.synthetic import CLEAN, HEIGHT, WIDTH, Shape, mesh_observation
from hsimul3r.geometry.cameras import camera_centers
from hsimul3r.geometry.mesh import sample_surface, union
from hsimul3r.metrics.shape import surface_likeness

SEED = 3
QUICK = RegistrationConfig(fine_generations=25, fine_px=80, fine_size=120)


class KnowsOne(PartFlow):
    """A network that always says one object."""

    def __init__(self, tokens):
        super().__init__(NetworkConfig(width=32, blocks=1, heads=2))
        self.tokens = torch.from_numpy(tokens)

    def clean(self, x, t, memory):
        return self.tokens.expand(len(x), -1, -1)


def seen():
    furniture = sample_furniture(SEED)
    vertices, faces = union(convex_parts(furniture.primitives))
    shape = Shape(
        name="it", categories=(furniture.category,), vertices=vertices, faces=faces, support=np.zeros(3), width_m=0.5,
        is_seat=False,
    )  # fmt: skip
    observation, truth = mesh_observation(1, CLEAN, shape)
    images = tuple(np.full((HEIGHT, WIDTH, 3), 120, np.uint8) for _ in observation.labels)
    return furniture, observation, truth, images


def test_without_weights_it_says_what_to_do(tmp_path):
    with pytest.raises(NoGeneratorWeights, match=r"hsimul3r\.generator\.flow\.train"):
        FlowGenerator.load((), cfg=FlowConfig(weights=str(tmp_path)))


def test_crops_tell_where_cameras_stand_and_how_wide_they_are():
    _, observation, truth, images = seen()
    crops = make_crops(observation, images, CropConfig(views=2))
    areas = [int(mask.sum()) for mask in truth.masks]
    centre = camera_centers(observation.cameras)[int(np.argmax(areas))] - np.array([*truth.pose[:2], 0.4])
    turned = np.array([np.sin(crops[0].world_yaw), -np.cos(crops[0].world_yaw)])
    assert turned @ centre[:2] / np.linalg.norm(centre[:2]) > 0.99
    assert crops[0].elevation == pytest.approx(np.arctan2(centre[2], np.hypot(*centre[:2])), abs=0.05)
    share = (crops[0].labels == 1).any(axis=1).mean()
    assert 0.3 < share <= 1.0
    widest = np.linalg.norm(np.ptp(truth.shape.vertices, axis=0))
    assert 0.4 * widest < crops[0].side_m < 1.4 * widest
    assert set(np.unique(crops[0].luminance)) == {0, 120}


def test_the_first_camera_is_the_reference_of_turns():
    _, observation, _, images = seen()
    crops = make_crops(observation, images, CropConfig(views=3))
    condition = condition_from(crops, None)
    assert condition.views[0, 0, :2].tolist() == [0.0, 1.0]
    assert condition.views[0, 1, 0] == pytest.approx(np.sin(crops[1].world_yaw - crops[0].world_yaw), abs=1e-6)
    assert float(condition.views[0, :, 4:7].abs().max()) == 0.0
    faced = condition_from(crops, 0.3)
    assert faced.views[0, 0, 4] == pytest.approx(np.sin(crops[0].world_yaw - 0.3), abs=1e-6)


def test_no_mask_is_said():
    _, observation, _, images = seen()
    with pytest.raises(NoObject):
        make_crops(replace(observation, labels=(None,) * len(images)), images, CropConfig())


def test_a_network_that_knows_the_shape_makes_it_where_it_stands():
    furniture, observation, truth, images = seen()
    box = extents(furniture.primitives)
    tokens = encode(furniture.primitives, Outline(extents_m=1.2 * box, yaw=0.6, elevation=0.3))
    cfg = FlowConfig(sampling=SamplingConfig(steps=2), registration=QUICK, samples=1, kept=1)
    (made,) = FlowGenerator(KnowsOne(tokens), images, cfg).generate(observation, count=1, seed=0)
    vertices, faces = union(made.parts)
    world = vertices @ made.T_world_object[:3, :3].T + made.T_world_object[:3, 3]
    points = sample_surface(world, faces, 6000, np.random.default_rng(0))
    true = sample_surface(truth.vertices, truth.shape.faces, 6000, np.random.default_rng(0))
    like = surface_likeness(points, true, threshold=0.05)
    assert like.f_score > 90.0
    assert made.parameters["pieces"] == 1.0
    assert world[:, 2].min() == pytest.approx(0.0, abs=1e-6)
