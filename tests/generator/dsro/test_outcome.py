"""Rollouts are the true objects of a few pictures, changed by hand and judged by the real judge."""

import numpy as np
import pytest
import torch

from hsimul3r.errors import UnknownImage
from hsimul3r.generator.dsro.images import JoinedImages, SomeImages
from hsimul3r.generator.dsro.outcome import likely_score, made_of, outcome, outcomes
from hsimul3r.generator.feedback.images import FurnitureImages
from hsimul3r.generator.feedback.judge import JudgeConfig, judge
from hsimul3r.generator.feedback.record import Rollout
from hsimul3r.generator.flow.build_dataset import BuildDatasetConfig, build_dataset
from hsimul3r.generator.flow.primitives import Primitive, extents
from hsimul3r.generator.flow.tokens import Outline, decode, encode

CFG = JudgeConfig()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("furniture")
    build_dataset(BuildDatasetConfig(out=folder, count=4, held_out=2, views=1))
    return FurnitureImages(folder=folder, count=4)


def rollout(images, key, tokens, seed=0):
    judged = judge(decode(tokens)[0], CFG, truth=images.truth(key))
    return Rollout(
        image=key, seed=seed, model="m", judge="j", sample=tokens, as_made=judged.as_made, attached=judged.attached,
        figures=judged.figures,
    )  # fmt: skip


def block(role, centre, half):
    return Primitive(role=role, kind="box", centre=np.array(centre, float), half=np.array(half, float), R=np.eye(3))


def tokens_of(primitives):
    return encode(primitives, Outline(extents_m=extents(primitives), yaw=0.0, elevation=0.3)).astype(float)


def plinth(images, key):
    """A block as large as the true object."""
    box = extents(images.primitives(key))
    return tokens_of([block("base", (0, 0, box[2] / 2), box / 2)])


def nothing(images, key):
    tokens = images.tokens(key).copy()
    tokens[:-1, 0] = -1.0
    return tokens


def test_plinths_are_stable_and_score_less_than_the_truth(images):
    keys = images.keys()[:2]
    true = [rollout(images, key, images.tokens(key)) for key in keys]
    blocks = [rollout(images, key, plinth(images, key)) for key in keys]
    of_true, of_blocks = (likely_score(some, is_attached=True) for some in (true, blocks))
    assert of_true["stable_attached"] == of_blocks["stable_attached"] == 100
    assert of_true["score"] == pytest.approx(1.0, abs=0.02)
    assert of_blocks["score"] < 0.75
    table = {
        name: outcome([made_of(one, images, CFG, is_attached=True) for one in some])
        for name, some in (("true", true), ("blocks", blocks))
    }
    assert table["true"]["f_midi"] > 98 and table["true"]["f_dso"] > 98
    assert table["blocks"]["f_dso"] < 75
    assert table["blocks"]["volume_m3"] > 1.5 * table["true"]["volume_m3"]
    assert table["blocks"]["parts"] == 1


def test_objects_that_are_none_count_as_unstable_and_unlike(images):
    keys = images.keys()
    some = [rollout(images, keys[0], images.tokens(keys[0])), rollout(images, keys[1], nothing(images, keys[1]))]
    found = outcome([made_of(one, images, CFG, is_attached=True) for one in some])
    assert found["stable"] == found["connected"] == 50
    assert found["f_midi"] == pytest.approx(50, abs=1)
    assert found["chamfer_midi"] < 2
    assert likely_score(some, is_attached=True)["f_score"] == pytest.approx(50, abs=1)


def test_loose_parts_count_as_made_and_are_mended_by_attachment(images):
    key = images.keys()[0]
    legs = [block("leg", (x, y, 0.2), (0.03, 0.03, 0.2)) for x in (-0.3, 0.3) for y in (-0.2, 0.2)]
    table = [block("top", (0, 0, 0.45), (0.4, 0.3, 0.02)), *legs]
    one = rollout(images, key, tokens_of(table))
    made, attached = outcomes([one], images, CFG).values()
    assert (made["connected"], made["stable"]) == (0, 0)
    assert (attached["connected"], attached["stable"]) == (100, 100)
    assert attached["volume_m3"] > made["volume_m3"]


def test_diversity_is_that_of_samples_of_one_image(images):
    key = images.keys()[0]
    same = [rollout(images, key, images.tokens(key), seed) for seed in (0, 1)]
    other = [same[0], rollout(images, key, plinth(images, key), 1)]
    alike, apart = (outcome([made_of(one, images, CFG, is_attached=True) for one in some]) for some in (same, other))
    assert alike["diversity"] == pytest.approx(0.0, abs=1e-9)
    assert apart["diversity"] > 2


def test_sets_are_joined_evenly_and_keep_their_conditions(images):
    held_out = FurnitureImages(folder=images.folder, split="held_out", count=2)
    some = SomeImages(images=images, chosen=images.keys()[:2])
    joined = JoinedImages(sets=(some, held_out))
    assert [key.split("/")[0] for key in joined.keys()] == ["train", "held_out"] * 2  # noqa: SIM118
    condition = joined.conditions(joined.keys()[1:3])
    assert torch.equal(condition.crops[1], images.conditions(joined.keys()[2:3]).crops[0])
    assert joined.truth(joined.keys()[1]).surface[0].shape == held_out.truth(held_out.keys()[0]).surface[0].shape
    with pytest.raises(UnknownImage):
        joined.truth(images.keys()[3])
