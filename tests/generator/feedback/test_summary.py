from dataclasses import replace

import numpy as np
import pytest
from stubborn_network import stubborn

from hsimul3r.errors import NoGeneratorWeights, NoRollouts
from hsimul3r.generator.feedback.collect import CollectConfig, Task, job_of, roll_out
from hsimul3r.generator.feedback.command import SUMMARY, FeedbackConfig, run_feedback
from hsimul3r.generator.feedback.images import FurnitureImages
from hsimul3r.generator.feedback.judge import JudgeConfig
from hsimul3r.generator.feedback.sampler import FlowSampler
from hsimul3r.generator.feedback.summary import share, summarise
from hsimul3r.generator.flow.dataset import make_objects, shard_path, write_shard
from hsimul3r.generator.flow.furniture import HELD_OUT_FROM
from hsimul3r.generator.flow.sampling import SamplingConfig
from hsimul3r.generator.flow.weights import save_network
from hsimul3r.progress import Progress


@pytest.fixture(scope="module")
def rollouts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    write_shard(shard_path(folder, "train", 0), make_objects(range(2), 1))
    job = job_of(stubborn(HELD_OUT_FROM + 3, wander=2.0), FurnitureImages(folder=folder, count=2), CollectConfig())
    return [
        one
        for image in job.images.keys()  # noqa: SIM118
        for one in roll_out(job, Task(image=image, seeds=(0, 1, 2, 3)))
    ]


def test_samples_of_an_image_count_as_one_cluster():
    """Images that are all or nothing: the error is that of so many coins, not of all samples."""
    found = share([[True] * 10] * 8 + [[False] * 10] * 8)
    assert found.value == 0.5
    assert found.error == pytest.approx(0.5 / np.sqrt(15))
    assert share([[True, False]] * 20).error == 0.0


def test_a_summary_counts_what_the_rollouts_say(rollouts):
    cfg, sampler = JudgeConfig(), FlowSampler.of(stubborn(HELD_OUT_FROM + 3, wander=2.0), SamplingConfig())
    found = summarise(rollouts, lambda one: sampler.shape(one.sample, cfg), candidates=2)
    stable = [one.attached.is_stable for one in rollouts]
    assert (found.samples, found.images, found.with_person) == (8, 2, 0)
    assert found.stable.value == np.mean(stable)
    assert found.best_of_candidates.value == np.mean([stable[i] or stable[i + 1] for i in range(0, 8, 2)])
    assert sum(found.kinds.values()) == sum(found.kinds_as_made.values()) == 8
    assert found.kinds[4] == sum(stable)
    assert found.figures["parts"] == pytest.approx(np.mean([one.figures["parts"] for one in rollouts]))
    assert 0 < found.figures["diversity"] < 1
    assert any(line.startswith("| stable, best of 2, attached |") for line in found.lines())


def test_nothing_cannot_be_summed_up():
    with pytest.raises(NoRollouts):
        summarise([])


def test_a_command_without_weights_says_so(tmp_path):
    with pytest.raises(NoGeneratorWeights):
        run_feedback(replace(FeedbackConfig(), weights=str(tmp_path)), tmp_path / "out", Progress())


@pytest.mark.slow
def test_the_command_collects_sums_up_and_goes_on(tmp_path):
    write_shard(shard_path(tmp_path / "data", "train", 0), make_objects(range(2), 1))
    save_network(stubborn(HELD_OUT_FROM + 3, wander=2.0), tmp_path / "weights")
    cfg = FeedbackConfig(
        data=str(tmp_path / "data"), weights=str(tmp_path / "weights"), count=2, collect=CollectConfig(seeds=2, workers=1)
    )  # fmt: skip
    first = run_feedback(cfg, tmp_path / "out", Progress())
    shards = sorted((tmp_path / "out" / "shards").iterdir())
    assert (first.samples, len(shards)) == (4, 2)
    assert "| samples, images | 4, 2 |" in (tmp_path / "out" / SUMMARY).read_text()
    assert run_feedback(cfg, tmp_path / "out", Progress()) == first
    assert sorted((tmp_path / "out" / "shards").iterdir()) == shards
