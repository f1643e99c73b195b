import ast
from pathlib import Path

import numpy as np
import pytest

import hsimul3r.generator.flow as package
from hsimul3r.conventions import OBJECT_CATEGORIES
from hsimul3r.errors import DamagedArtifact, NoDataset
from hsimul3r.generator.flow import build_dataset, dataset
from hsimul3r.generator.flow.attach import AttachConfig, attach
from hsimul3r.generator.flow.build_dataset import BuildDatasetConfig
from hsimul3r.generator.flow.dataset import Chances, condition_of, disturbed, draw, make_objects, read_shard, read_split
from hsimul3r.generator.flow.furniture import FAMILIES, HELD_OUT_FROM, sample_furniture
from hsimul3r.generator.flow.pictures import Look, look_at, model_of, take_picture
from hsimul3r.generator.flow.primitives import bounds, extents, without_mirrors
from hsimul3r.generator.flow.tokens import Outline, decode, encode, read_outline


@pytest.fixture(scope="module")
def objects():
    return make_objects(range(6), 2)


def test_random_furniture_is_whole_stands_and_fits_the_tokens():
    seen = set()
    for seed in range(60):
        furniture = sample_furniture(seed)
        seen.add(furniture.family)
        assert furniture.category in OBJECT_CATEGORIES
        assert attach(without_mirrors(furniture.primitives), AttachConfig(reach_m=0.0)).pieces == 1
        assert bounds(furniture.primitives)[0][2] == pytest.approx(0.0, abs=1e-9)
        box = extents(furniture.primitives)
        back, _ = decode(encode(furniture.primitives, Outline(extents_m=box, yaw=0.0, elevation=0.2)))
        assert np.allclose(extents(back), box, atol=1e-4)
    assert len(seen) >= 9
    assert sum(family.share for family in FAMILIES.values()) == pytest.approx(1.0)


def test_training_reads_nothing_of_the_benchmark():
    for path in Path(package.__file__).parent.glob("*.py"):
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        assert not [node.module for node in nodes if node.module and "benchmark" in node.module], path.name


def test_splits_share_no_seed():
    train = {seed for index in range(3) for seed in dataset.split_seeds("train", index, 700)}
    held_out = {seed for index in range(3) for seed in dataset.split_seeds("held_out", index, 700)}
    assert len(train) == len(held_out) == 700
    assert max(train) < HELD_OUT_FROM <= min(held_out)


def test_a_camera_sees_the_side_that_its_yaw_says():
    middle = np.array([0.1, 0.2, 0.5])
    front = look_at(Look(yaw=0.0, elevation=0.0, distance_m=2.0), middle)
    offsets = np.array([[0, 0, 0], [0, -0.5, 0], [0.5, 0, 0], [0, 0, 0.5]])
    seen = (middle + offsets) @ front[:3, :3].T + front[:3, 3]
    assert np.allclose(seen, [[0, 0, 2], [0, 0, 1.5], [0.5, 0, 2], [0, -0.5, 2]])


def test_a_picture_shows_the_object_as_large_as_it_is():
    model = model_of(sample_furniture(3))
    rng = np.random.default_rng(5)
    picture = take_picture(model, Look(yaw=0.0, elevation=0.05, distance_m=4.0), rng)
    rows = np.nonzero((picture.labels == 1).any(axis=1))[0]
    columns = np.nonzero((picture.labels == 1).any(axis=0))[0]
    wide = max(np.ptp(rows), np.ptp(columns)) + 1
    seen = np.ptp(model.vertices, axis=0)[[0, 2]].max()
    assert wide / picture.labels.shape[0] * picture.side_m == pytest.approx(seen, rel=0.2)
    assert (picture.luminance[picture.labels != 1] == 0).all()


def test_the_same_seed_gives_the_same_bits(objects):
    again = make_objects(range(2, 4), 2)
    for name, value in vars(again).items():
        assert np.array_equal(value, getattr(objects, name)[2:4]), name


def test_the_last_token_tells_of_the_first_view(objects):
    drawn = draw(objects, 20, np.random.default_rng(0))
    for tokens, outline in zip(drawn.tokens, drawn.outline):
        read = read_outline(tokens[-1])
        assert np.sqrt(2) * np.sin(read.yaw) == pytest.approx(outline[0, 3], abs=1e-5)
    assert len({outline[0, 3] for outline in drawn.outline}) > 6


def test_what_is_not_known_is_not_said(objects):
    nothing = condition_of(objects, views=2, known=np.zeros((6, 4)))
    assert float(nothing.views.abs().max()) == float(nothing.size.abs().max()) == 0.0
    all_known = condition_of(objects, views=1, known=np.ones((6, 4)))
    assert all_known.crops.shape == (6, 1, 2, 80, 80)
    assert np.allclose(all_known.size[:, :3], objects.outline[:, 0, :3], atol=1e-6)
    assert set(np.unique(nothing.crops[:, :, 1])) <= {-1.0, 0.0, 1.0}


def test_changes_are_photo_like(objects):
    changed = disturbed(objects, np.random.default_rng(0), Chances(cut_out=1.0))
    assert (changed.labels == 2).sum() > (objects.labels == 2).sum()
    assert np.array_equal(changed.tokens, objects.tokens)
    assert 0 < np.abs(np.log(changed.side_m / objects.side_m)).max() < 0.2


def test_a_build_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD", 3)
    monkeypatch.setattr(build_dataset, "SHARD", 3)
    cfg = BuildDatasetConfig(out=tmp_path, count=5, held_out=2, views=1)
    assert build_dataset.build_dataset(cfg) == 3
    assert build_dataset.build_dataset(cfg) == 0
    assert build_dataset.build_dataset(BuildDatasetConfig(out=tmp_path, count=7, held_out=2, views=1)) == 2
    data = read_split(tmp_path, "train")
    assert data.seeds.tolist() == list(range(7))
    assert read_split(tmp_path, "train", 4).seeds.tolist() == [0, 1, 2, 3]


def test_what_is_no_shard_is_said(tmp_path):
    with pytest.raises(NoDataset):
        read_split(tmp_path, "train")
    (tmp_path / "0.npz").write_bytes(b"nothing")
    with pytest.raises(DamagedArtifact):
        read_shard(tmp_path / "0.npz")
