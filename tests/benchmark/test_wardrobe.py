"""Clothes on the coarse embedded body; the samples use its fine version."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hsimul3r.benchmark.look.wardrobe import dress
from hsimul3r.benchmark.posing.keyposes import KeyPose
from hsimul3r.benchmark.samples import SAMPLES
from hsimul3r.body.model import embedded_body


@pytest.fixture(scope="module")
def dressed():
    body = embedded_body()
    posed = np.zeros(10), KeyPose().axis_angles(), np.zeros(3)
    figure = dress(body, posed[0], SAMPLES["sit_sofa"]().look, np.random.default_rng(0))
    return body.vertices(*posed), figure.posed(*posed[1:]), figure.materials


def test_every_mesh_has_its_material_and_texture_coordinates(dressed):
    _, meshes, materials = dressed
    assert {"head", "skin", "eyes", "hair", "top", "trousers", "shoes"} <= {mesh.material for mesh in meshes}
    for mesh in meshes:
        assert mesh.material in materials
        assert mesh.uv.shape == (len(mesh.faces), 3, 2)
        assert np.isfinite(mesh.vertices).all()
        assert np.isfinite(mesh.uv).all()


def test_clothes_stay_near_the_skin(dressed):
    skin, meshes, _ = dressed
    worn = np.concatenate([mesh.vertices for mesh in meshes])
    assert cKDTree(skin).query(worn)[0].max() < 0.15
    assert cKDTree(worn).query(skin)[0].max() < 0.12


def test_shoes_stand_where_the_bare_feet_stand(dressed):
    skin, meshes, _ = dressed
    shoes = next(mesh for mesh in meshes if mesh.name == "shoes").vertices
    assert shoes[:, 2].min() == pytest.approx(skin[:, 2].min(), abs=0.003)
