import argparse
import json
import os
import pickle
import sys
import types
from collections import defaultdict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hsimul3r.errors import BadWeights, UnsafeWeights, WrongWeights
from stages.adapters.networks.checkpoints import Checkpoint, load_weights, parse_model_call, read_checkpoint

CALL = "Net(Config(pos_embed='RoPE100', img_size=(512, 288), depth_mode=('exp', -inf, inf), enc_depth=24, rgb_head=True))"
ARGUMENTS = {
    "pos_embed": "RoPE100",
    "img_size": (512, 288),
    "depth_mode": ("exp", float("-inf"), float("inf")),
    "enc_depth": 24,
    "rgb_head": True,
}


class Twice(nn.Module):
    """One tensor under two names, as in DUSt3R's DPT head."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.again = self.layer


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm-was-done",)


def weights() -> dict[str, torch.Tensor]:
    return {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.tensor([1.0, 2.0])}


def test_a_torch_checkpoint_gives_weights_and_arguments(tmp_path):
    path = tmp_path / "net.pth"
    torch.save({"args": argparse.Namespace(model=CALL, lr=1e-4), "model": weights(), "epoch": 3}, path)
    read = read_checkpoint(path)
    assert read.arguments == ARGUMENTS
    network = Twice()
    load_weights(network, read, model="Twice")
    assert torch.equal(network.again.weight, weights()["layer.weight"])


def test_arguments_in_omegaconf_are_read_without_the_package(tmp_path, monkeypatch):
    """The layout of its pickles: a `DictConfig` keeps its nodes in `_content`, a node its value in `_val`."""
    package, dictconfig, nodes = (types.ModuleType(f"omegaconf{name}") for name in ("", ".dictconfig", ".nodes"))
    for module, name in ((dictconfig, "DictConfig"), (nodes, "AnyNode")):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    for module in (package, dictconfig, nodes):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    config, node = dictconfig.DictConfig(), nodes.AnyNode()
    node._val, node._parent, config._content = CALL, config, {"model": node}
    config._metadata = {"key_type": int, "resolver_cache": defaultdict(dict)}
    torch.save({"args": config, "model": weights()}, tmp_path / "net.pth")
    monkeypatch.undo()
    assert read_checkpoint(tmp_path / "net.pth").arguments == ARGUMENTS


def test_safetensors_take_arguments_from_the_file_beside_them(tmp_path):
    save_file(weights(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"head_type": "dpt"}))
    read = read_checkpoint(tmp_path / "model.safetensors")
    assert read.arguments == {"head_type": "dpt"}
    assert torch.equal(read.weights["layer.bias"], weights()["layer.bias"])


def test_a_hostile_checkpoint_is_named_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": weights(), "args": Harmful()}, "net.pth")
    with pytest.raises(UnsafeWeights, match=r"net\.pth' would run code when read \(posix\.mkdir\); nothing of it was"):
        read_checkpoint(tmp_path / "net.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Harmful(), protocol=2))
    with pytest.raises(UnsafeWeights):
        read_checkpoint(tmp_path / "old.pth")
    assert not (tmp_path / "harm-was-done").exists()


@pytest.mark.parametrize("text", ["__import__('os').mkdir('x')", "Net(x=open('y'))", "Net(**{})", "Net(x=1)[0]", "Net(", "7"])
def test_arguments_are_parsed_and_never_run(text, tmp_path):
    with pytest.raises(BadWeights, match="no plain values"):
        parse_model_call(text, tmp_path / "net.pth")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", ["net.safetensors", "net.pth"])
def test_a_file_cut_short_is_one_clear_error(name, share, tmp_path):
    path, many = tmp_path / name, {f"layer{i}.weight": torch.zeros(50, 50) for i in range(4)}
    if path.suffix == ".pth":
        torch.save({"model": many}, path)
    else:
        save_file(many, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BadWeights, match=f"{name}'.*(damaged or cut short|no torch checkpoint).*Fetch the file again"):
        read_checkpoint(path)


def test_a_file_that_is_not_there_or_holds_no_weights(tmp_path):
    with pytest.raises(BadWeights, match="there is no such file"):
        read_checkpoint(tmp_path / "nowhere.pth")
    torch.save({"epoch": 3}, tmp_path / "net.pth")
    with pytest.raises(BadWeights, match="holds no weights by name"):
        read_checkpoint(tmp_path / "net.pth")


def test_weights_of_another_model_are_told_apart(tmp_path):
    def refusal(weights: dict[str, torch.Tensor]) -> str:
        with pytest.raises(WrongWeights) as refused:
            load_weights(Twice(), Checkpoint(path=tmp_path / "net.pth", weights=weights), model="Twice", unused=("smpl.",))
        return str(refused.value)

    assert "2 missing ('again.bias', ...)" in refusal({"layer.weight": torch.zeros(2, 3)})
    assert "1 unknown ('head.bias')" in refusal(weights() | {"head.bias": torch.zeros(1), "smpl.faces": torch.zeros(1)})
    assert "2 of another size ('again.bias', ...)" in refusal(weights() | {"layer.bias": torch.zeros(5)})
