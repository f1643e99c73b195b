from dataclasses import replace

import numpy as np
import pytest
import torch

from hsimul3r.artifacts import ConvexPart
from hsimul3r.errors import NoGeneratorWeights, NoObject
from hsimul3r.generator.flow.crops import CropConfig, condition_from, make_crops
from hsimul3r.generator.flow.furniture import sample_furniture
from hsimul3r.generator.flow.generator import SHIPPED, FlowConfig, FlowGenerator, carried, heights_at
from hsimul3r.generator.flow.network import NetworkConfig, PartFlow
from hsimul3r.generator.flow.primitives import convex_parts, extents
from hsimul3r.generator.flow.sampling import SamplingConfig
from hsimul3r.generator.flow.tokens import Outline, encode
from hsimul3r.generator.flow.weights import WEIGHTS
from hsimul3r.generator.objective import Weights
from hsimul3r.generator.protocol import Support
from hsimul3r.generator.registration import RegistrationConfig
from hsimul3r.generator.synthetic import CLEAN, HEIGHT, WIDTH, Shape, mesh_observation
from hsimul3r.geometry.cameras import camera_centers
from hsimul3r.geometry.mesh import convex_part, union
from hsimul3r.metrics.shape import surface_likeness

SEED = 3
QUICK = RegistrationConfig(turns=8, first_generations=8, generations=30, size=72, object_px=40)


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


def test_without_weights_it_says_what_to_do():
    assert not (SHIPPED / WEIGHTS).exists()
    with pytest.raises(NoGeneratorWeights, match=r"hsimul3r\.generator\.flow\.train"):
        FlowGenerator.load(())


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


def test_a_plumb_line_meets_every_storey():
    part = convex_part(np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (0.3, 0.5)], float))
    above = ConvexPart(vertices=part.vertices + np.array([0, 0, 1]), faces=part.faces)
    surface = union([part, above])
    assert sorted(heights_at(surface, np.array([0.2, 0.3]))) == pytest.approx([0.5, 1.5])
    assert len(heights_at(surface, np.array([1.2, 0.3]))) == 0
    weights = Weights()
    for gap, share in ((0.0, 1.0), (0.03, 1 - 0.25), (0.2, 0.0)):
        on_it = (Support(kind="seat", point=np.array([0.1, 0.2, 0.5 + gap])),)
        assert carried(on_it, surface, np.eye(4), weights) == pytest.approx(weights.support * share)


@pytest.mark.slow
def test_a_network_that_knows_the_shape_makes_it_where_it_stands():
    furniture, observation, truth, images = seen()
    box = extents(furniture.primitives)
    tokens = encode(furniture.primitives, Outline(extents_m=1.7 * box, yaw=0.0, elevation=0.3))
    cfg = FlowConfig(sampling=SamplingConfig(steps=2), registration=QUICK)
    (made,) = FlowGenerator(KnowsOne(tokens), images, cfg).generate(observation, count=1, seed=0)
    vertices, _ = union(made.parts)
    world = vertices @ made.T_world_object[:3, :3].T + made.T_world_object[:3, 3]
    like = surface_likeness(world, truth.vertices, threshold=0.05)
    assert like.f_score > 90.0
    assert made.parameters["pieces"] == 1.0
    assert world[:, 2].min() == pytest.approx(0.0, abs=1e-6)
