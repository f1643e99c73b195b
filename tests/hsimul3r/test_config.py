from pathlib import Path

import pytest
import yaml

from hsimul3r.config import PipelineConfig, load_config, save_config, with_seed
from hsimul3r.errors import BadConfig


def test_the_resolved_config_reads_back(tmp_path):
    config = with_seed(PipelineConfig(seed=3))
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert config.tracking.seed == 3


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"peple": {}}, "unknown entry 'peple'"), ({"people": {"treshold": 1}}, "unknown entry 'people.treshold'"),
        ({"people": 3}, "must hold named entries"), ({"seed": "many"}, "'seed' is 'many'; expected int"), ([1], "the file"),
    ],
)  # fmt: skip
def test_wrong_entries_are_named(tmp_path, entries, message):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(entries))
    with pytest.raises(BadConfig, match=message):
        load_config(path)


def test_a_missing_config_file_is_named(tmp_path):
    with pytest.raises(BadConfig, match="cannot be read"):
        load_config(tmp_path / "none.yaml")


CONFIGS = [path for path in sorted((Path(__file__).parents[2] / "configs").glob("*.yaml")) if path.stem != "hsibench"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_load_and_change_something(path):
    assert load_config(path) != PipelineConfig()
