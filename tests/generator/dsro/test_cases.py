from pathlib import Path

import pytest
import torch

from hsimul3r.config import load_config
from hsimul3r.errors import NoCases, UnknownImage
from hsimul3r.generator.dsro.command import DsroConfig, training_images
from hsimul3r.generator.feedback.cases import CaseImages

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "data" / "hsibench" / "samples"


def test_every_photo_of_a_case_is_an_image_of_its_own():
    together = CaseImages(folder=SAMPLES, names=("foot_stool",))
    apart = CaseImages(folder=SAMPLES, names=("foot_stool",), is_each_photo=True)
    (key,) = together.keys()
    photos = 4
    assert apart.keys() == tuple(f"{key}/{photo}" for photo in range(photos))
    shown = together.conditions([key])
    single = apart.conditions(apart.keys())
    assert shown.is_seen.tolist() == [[True] * 3]
    assert single.is_seen.tolist() == [[True]] * photos
    first = [torch.equal(crop[0], shown.crops[0, 0]) for crop in single.crops]
    assert sum(first) == 1
    yaws = {round(apart.truth(one).yaw, 3) for one in apart.keys()}  # noqa: SIM118
    assert len(yaws) == photos
    with pytest.raises(UnknownImage):
        apart.person("other/stool/4/0")


def test_the_papers_setting_is_read():
    dsro = load_config(ROOT / "configs" / "paper.yaml").dsro
    tune = dsro.finetune.tune
    assert (dsro.case_views, dsro.is_each_photo, dsro.finetune.collect.seeds) == (16, True, 15)
    assert (tune.loss.kind, tune.steps, tune.batch, tune.learning_rate, tune.lora.rank) == ("literal", 1800, 1, 1e-5, 64)
    assert (dsro.finetune.rounds, dsro.finetune.look, dsro.finetune.lesson) == (1, None, "attached")
    assert isinstance(training_images(DsroConfig(furniture=0, cases=str(SAMPLES)), SAMPLES), CaseImages)
    with pytest.raises(NoCases):
        training_images(DsroConfig(furniture=0, cases=str(ROOT / "configs")), SAMPLES).keys()
