from dataclasses import replace

import pytest
import torch

from hsimul3r.errors import NoGeneratorWeights
from hsimul3r.generator.dsro.command import COLUMNS, DsroConfig, DsroReport, run_dsro
from hsimul3r.generator.dsro.finetune import ROLLOUTS, FinetuneConfig, finetune
from hsimul3r.generator.dsro.trainer import TuneConfig
from hsimul3r.generator.dsro.tuned import load_tuned
from hsimul3r.generator.feedback.collect import CollectConfig
from hsimul3r.generator.feedback.images import FurnitureImages
from hsimul3r.generator.feedback.record import RolloutStore
from hsimul3r.generator.flow.build_dataset import BuildDatasetConfig, build_dataset
from hsimul3r.generator.flow.generator import SHIPPED
from hsimul3r.generator.flow.weights import WEIGHTS
from hsimul3r.progress import Progress
from stages.adapters.torchvision_mend import mend_torchvision

mend_torchvision()
pytest.importorskip("peft", reason="needs the extra 'dsro'")

CFG = FinetuneConfig(
    rounds=2, lesson="as_made", check_seeds=1, look=None, collect=CollectConfig(seeds=5, workers=1),
    tune=TuneConfig(steps=2, batch=4, check_every=2, has_tensorboard=False),
)  # fmt: skip


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.slow
@pytest.mark.skipif(not (SHIPPED / WEIGHTS).exists(), reason="the package has no weights of the embedded generator")
def test_a_round_collects_tunes_and_leaves_a_network_that_comes_back_to_the_bit(tmp_path):
    build_dataset(BuildDatasetConfig(out=tmp_path / "data", count=6, held_out=1, views=1))
    images = FurnitureImages(folder=tmp_path / "data", count=6)
    held_out = FurnitureImages(folder=tmp_path / "data", split="held_out", count=1)
    out = tmp_path / "out"
    tuned = finetune(load_tuned(SHIPPED), images, held_out, CFG, out, Progress())
    assert same(load_tuned(out), tuned.network)
    assert same(tuned.network, load_tuned(SHIPPED)) == (tuned.kept_round == 0)
    assert [report.rollouts for report in tuned.rounds] == [15, 15]
    assert len(RolloutStore(out / ROLLOUTS)) == 30
    (out / "round_2" / "report.json").unlink()
    again = finetune(load_tuned(SHIPPED), images, held_out, CFG, out, Progress())
    assert same(again.network, tuned.network)
    assert again.rounds == tuned.rounds
    assert len(RolloutStore(out / ROLLOUTS)) == 30


def test_without_weights_the_command_says_so(tmp_path):
    cfg = replace(DsroConfig(), weights=str(tmp_path))
    with pytest.raises(NoGeneratorWeights):
        run_dsro(cfg, tmp_path / "out", Progress())


def test_the_table_has_a_row_for_each_network_and_says_what_it_lacks(tmp_path):
    report = DsroReport(
        folder=tmp_path,
        rounds=(),
        kept_round=0,
        figures={"base, attached": {"stable": 81.25}, "tuned, attached": {"stable": 90.0}},
    )
    lines = report.table.splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| base, attached | 81.25 | nan |")
    assert all(line.count("|") == len(COLUMNS) + 2 for line in lines)
