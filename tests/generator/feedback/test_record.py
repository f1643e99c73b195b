import numpy as np
import pytest
import torch

from hsimul3r.errors import DamagedArtifact, UnknownImage
from hsimul3r.generator.feedback.images import FurnitureImages
from hsimul3r.generator.feedback.record import Check, Judgement, Rollout, RolloutStore, model_id, settings_id
from hsimul3r.generator.flow.dataset import make_objects, shard_path, write_shard


def check(test, margin):
    return Check(test=test, name=test, value=1.0 - margin, limit=1.0, margin=margin)


def judged(*margins, has_person=False):
    tests = ("connected", "gravity", "payload", "settled", "contact")
    return Judgement(checks=tuple(check(*one) for one in zip(tests, margins)), has_person=has_person)


def rollout(image="a", seed=0, model="m", judge="j"):
    sample = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)
    return Rollout(
        image=image, seed=seed, model=model, judge=judge, sample=sample, as_made=judged(-1.0), attached=judged(0.5, 0.1),
        figures={"parts": 3.0},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("margins", "kind"),
    [((-1,), 1), ((1, -1), 1), ((1, 1, -1), 2), ((1, 1, 1, -1), 2), ((1, 1, 1, 1, -1), 3), ((1, 1, 1), 4), ((1,) * 5, 4)],
)
def test_the_first_test_that_fails_says_the_type(margins, kind):
    found = judged(*margins)
    assert found.kind == kind
    assert found.is_stable == (kind == 4)


def test_what_was_not_asked_is_neither_passed_nor_failed():
    found = judged(1, -1)
    assert (found.holds("connected"), found.holds("gravity"), found.holds("payload")) == (True, False, None)


def test_rollouts_come_back_as_they_were(tmp_path):
    store = RolloutStore(tmp_path)
    made = [rollout(seed=seed) for seed in range(3)]
    assert store.add(made) == 3
    again = RolloutStore(tmp_path).read()
    for before, after in zip(made, again, strict=True):
        assert np.array_equal(before.sample, after.sample)
        assert after.sample.dtype == np.float32
        assert (after.id, after.as_made, after.attached, after.figures) == (
            before.id, before.as_made, before.attached, before.figures,
        )  # fmt: skip


def test_the_same_rollout_is_kept_once_and_another_models_is_another(tmp_path):
    store = RolloutStore(tmp_path)
    assert store.add([rollout(), rollout()]) == 1
    assert store.add([rollout(), rollout(model="n"), rollout(judge="k"), rollout(seed=1), rollout(image="b")]) == 4
    assert len(RolloutStore(tmp_path)) == 5
    assert [one.image for one in store.read(models=["n"])] == ["a"]
    assert rollout(seed=1).id in store
    assert rollout(seed=2).id not in store


def test_half_written_shards_are_passed_over_and_damaged_ones_are_said(tmp_path):
    RolloutStore(tmp_path).add([rollout()])
    (shard,) = (tmp_path / "shards").iterdir()
    (tmp_path / "shards" / f".partial-1-{shard.name}").write_bytes(shard.read_bytes()[:100])
    assert len(RolloutStore(tmp_path)) == 1
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(DamagedArtifact):
        RolloutStore(tmp_path)


def test_ids_follow_from_weights_and_settings():
    torch.manual_seed(0)
    layer, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    assert model_id(layer) != model_id(other)
    other.load_state_dict(layer.state_dict())
    assert model_id(layer) == model_id(other)
    assert settings_id({"a": 1, "b": 2.5}) == settings_id({"b": 2.5, "a": 1}) != settings_id({"a": 1, "b": 2.6})


def test_pictures_of_furniture_by_key(tmp_path):
    write_shard(shard_path(tmp_path, "train", 0), make_objects(range(4), 2))
    images = FurnitureImages(folder=tmp_path, first=1, count=2, views=2, known=(True, False, True, False))
    assert images.keys() == ("train/1/2/1010", "train/2/2/1010")
    both, second = images.conditions(images.keys()), images.conditions(images.keys()[1:])
    assert both.crops.shape == (2, 2, 2, 80, 80)
    assert torch.equal(both.views[1:], second.views)
    assert torch.equal(both.crops[1:], second.crops)
    truth = images.truth(images.keys()[0])
    assert truth.surface[0][:, 2].min() == pytest.approx(0.0, abs=1e-6)
    assert images.person(images.keys()[0]) is None
    with pytest.raises(UnknownImage):
        images.conditions(["train/3/2/1010"])
