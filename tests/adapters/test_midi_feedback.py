from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hsimul3r.generator.dsro.feedback_set import FeedbackSet
from hsimul3r.generator.dsro.losses import LossConfig
from hsimul3r.generator.dsro.trainer import TuneConfig, tune
from hsimul3r.generator.feedback.alone import alone, up_to_failure
from hsimul3r.generator.feedback.cases import CaseImages
from hsimul3r.generator.feedback.collect import CollectConfig, Task, job_of, roll_out
from hsimul3r.generator.feedback.command import FeedbackConfig, run_feedback
from hsimul3r.generator.feedback.forward import ForwardConfig
from hsimul3r.generator.feedback.images import FurnitureImages
from hsimul3r.generator.feedback.judge import SUPPORT, JudgeConfig
from hsimul3r.generator.feedback.record import RolloutStore
from hsimul3r.generator.flow.dataset import make_objects, shard_path, write_shard
from hsimul3r.geometry.mesh import convex_part, union
from hsimul3r.progress import Progress
from hsimul3r.tracking.static_cem import StaticCemConfig
from sim_envs.object_tests import ObjectTests
from stages.adapters.torchvision_mend import mend_torchvision

mend_torchvision()
pytest.importorskip("transformers", reason="needs transformers")
pytest.importorskip("peft", reason="needs the extra 'dsro'")

from tiny_midi import tiny_settings, write_tiny_midi  # noqa: E402

from stages.adapters.lora import LoraSettings, save_adapter  # noqa: E402
from stages.adapters.midi3d import MidiModel  # noqa: E402
from stages.adapters.midi_feedback import MidiSampler, _pieces, bearing  # noqa: E402
from stages.adapters.midi_lora import TunableMidi  # noqa: E402

SAMPLES = Path(__file__).parents[2] / "data" / "hsibench" / "samples"
UNEVEN = 10.0
"""So much is taken off some samples that they come apart."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_tiny_midi(tmp_path_factory.mktemp("midi"), bump=UNEVEN)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    write_shard(shard_path(folder, "train", 0), make_objects(range(1), 1))
    return FurnitureImages(folder=folder, count=1)


def box(low, high):
    return convex_part(np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]))


def test_a_tiny_midi_is_collected_judged_tuned_and_collected_again(weights, images, tmp_path):
    sampler, keys = MidiSampler.of(weights, tiny_settings(weights)), images.keys()
    rollouts = roll_out(job_of(sampler, images, CollectConfig()), Task(image=keys[0], seeds=(0, 1, 2, 3)))
    RolloutStore(tmp_path / "store").add(rollouts)
    found = RolloutStore(tmp_path / "store").read(models=[sampler.model])
    assert [one.attached.kind for one in found] == [4, 4, 1, 4]
    assert found[2].attached.checks[-1].test == "connected"
    assert found[2].attached.checks[-1].value == found[2].figures["pieces"] == 2
    assert found[0].figures[SUPPORT] > 0.1
    feedback = FeedbackSet.of(found, keys, "as_made")
    model = MidiModel.load(weights, "cpu")
    midi = TunableMidi(
        network=model.transformer.requires_grad_(False), conditions=sampler.conditions(images, keys),
        tokens=sampler.cfg.tokens, flow=sampler.cfg.flow,
    )  # fmt: skip
    cfg = TuneConfig(
        loss=LossConfig(kind="reflected"), lora=LoraSettings(rank=2, alpha=4), steps=1, batch=2, learning_rate=1e-3, warm_up=1,
        has_tensorboard=False,
    )  # fmt: skip
    save_adapter(tune(midi, feedback, cfg, folder=tmp_path / "tuning").model, tmp_path / "adapter")
    tuned = MidiSampler.of(weights, sampler.cfg, [tmp_path / "adapter"])
    assert tuned.model != sampler.model
    again = tuned.samples(images, keys[0], (0, 1))
    assert not np.array_equal(again[0], found[0].sample)
    assert np.allclose(again[0], found[0].sample, atol=0.3)


def test_a_sample_does_not_depend_on_what_else_is_asked_for(weights, images):
    sampler, key = MidiSampler.of(weights, tiny_settings(weights)), images.keys()[0]
    together = sampler.samples(images, key, (0, 1, 3))
    assert np.array_equal(sampler.samples(images, key, (3,))[0], together[2])
    assert not np.array_equal(together[0], together[1])


def test_what_has_no_inside_is_no_solid_and_says_why(images, tmp_path):
    folder = write_tiny_midi(tmp_path, inside=-0.1)
    sampler = MidiSampler.of(folder, tiny_settings(folder))
    sample = sampler.samples(images, images.keys()[0], (0,))[0]
    judged = sampler.judged(sample, JudgeConfig(), person=None, truth=None)
    assert judged.attached.kind == 1
    (check,) = judged.attached.checks
    assert check.test == "solid"
    assert "has no inside" in check.name
    assert sampler.shape(sample, JudgeConfig()) is None


def test_pieces_of_a_mesh_are_counted_and_hollows_are_not():
    apart = [box((0, 0, 0), (1, 1, 1)), box((1.5, 0, 0), (2, 1, 1))]
    whole, both = union(apart[:1]), union(apart)
    (outer, faces), (inner, _) = whole, union([box((0.2, 0.2, 0.2), (0.8, 0.8, 0.8))])
    hollow = (
        np.concatenate([outer, inner]),
        np.concatenate([faces, union([box((0, 0, 0), (1, 1, 1))])[1][:, ::-1] + len(outer)]),
    )
    assert (_pieces(whole), _pieces(both), _pieces(hollow)) == (1, 2, 1)
    assert up_to_failure(alone(None, ObjectTests(), why="it is open"))[0].name.endswith("it is open")


def test_a_seat_bears_and_not_the_back_above_it():
    seat, back = box((-0.25, -0.25, 0.0), (0.25, 0.25, 0.45)), box((-0.25, 0.2, 0.45), (0.25, 0.25, 0.9))
    low, high = bearing(union([seat, back]))
    assert np.allclose(high, [0.25, 0.2, 0.45], atol=1e-6)
    assert np.allclose(low[:2], [-0.25, -0.25], atol=1e-6)


@pytest.mark.slow
def test_a_person_is_asked_about_a_mesh(tmp_path):
    """A box of the stool's size under a foot: placed by the masks, in convex pieces, judged with the person."""
    folder = write_tiny_midi(tmp_path)
    images = CaseImages(folder=SAMPLES, names=("foot_stool",))
    cfg = JudgeConfig(forward=ForwardConfig(search=StaticCemConfig(samples=16, max_iterations=2)))
    sampler = MidiSampler.of(folder, tiny_settings(folder))
    (rollout,) = roll_out(job_of(sampler, images, CollectConfig(judge=cfg)), Task(image=images.keys()[0], seeds=(0,)))
    assert rollout.attached.has_person
    assert {check.test for check in rollout.attached.checks} >= {"gravity", "payload", "settled", "contact"}
    assert 0.01 < rollout.figures["volume_m3"] < 0.3


@pytest.mark.slow
def test_the_command_samples_midi(weights, images, tmp_path):
    cfg = FeedbackConfig(
        generator="midi3d", data=str(images.folder), count=1, midi=tiny_settings(weights), candidates=2,
        collect=CollectConfig(seeds=2, workers=1),
    )  # fmt: skip
    first = run_feedback(cfg, tmp_path, Progress())
    assert (first.samples, first.stable.value) == (2, 1.0)
    assert "(midi3d)" in (tmp_path / "summary.md").read_text()
    assert run_feedback(replace(cfg), tmp_path, Progress()) == first
