"""Weights from the user's files: torch checkpoints without running what they name, and safetensors.

A checkpoint's pickle may name only tensors and the plain containers below; what it says of the model's arguments is parsed,
never evaluated.
"""

import argparse
import ast
import json
import math
import pickle
import zipfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hsimul3r.errors import BadWeights, UnsafeWeights, WrongWeights
from stages.adapters.networks.blocks import set_precision

Network = TypeVar("Network", bound=nn.Module)
Precision = Literal["float32", "bfloat16"]

CONTAINERS: Final = (
    "omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig", "omegaconf.nodes.AnyNode",
    "omegaconf.base.ContainerMetadata", "omegaconf.base.Metadata", "typing.Any", "builtins.dict", "builtins.list",
    "builtins.int", "builtins.float", "builtins.str", "builtins.bool",
    "numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
)  # fmt: skip
"""What training programs leave in checkpoints beside weights. Read as `Inert`: none of these packages is imported."""

WRAPPERS: Final = ("model", "state_dict")
"""Entries of a checkpoint that may hold the weights."""


class Inert:
    """Stands for an object of a checkpoint that is of no use here: it takes any arguments and state, and does nothing."""

    def __init__(self, *_: Any): ...

    def __new__(cls, *_: Any) -> "Inert":
        return super().__new__(cls)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A file's weights by name, and the model's arguments where the file records them."""

    path: Path
    weights: dict[str, Tensor]
    arguments: Mapping[str, Any] = field(default_factory=dict)


def read_checkpoint(path: Path) -> Checkpoint:
    """A `.safetensors` file (arguments in `config.json` beside it) or a torch checkpoint.

    Raises `BadWeights` where the file is not there or not whole, `UnsafeWeights` where it would run code.
    """
    if not path.is_file():
        raise BadWeights(path, "there is no such file")
    if path.suffix == ".safetensors":
        return Checkpoint(path=path, weights=_read_safetensors(path), arguments=_read_config(path.with_name("config.json")))
    content = _read_pickle(path)
    return Checkpoint(path=path, weights=_weights_in(content, path), arguments=_arguments_in(content, path))


def load_weights(network: nn.Module, checkpoint: Checkpoint, *, model: str, unused: Sequence[str] = ()) -> None:
    """Give `network` the checkpoint's weights, all of them and no others but those whose names begin with one of `unused`.

    A name that the network knows as another name of the same tensor may be missing. Raises `WrongWeights`.
    """
    weights = {name: value for name, value in checkpoint.weights.items() if not name.startswith(tuple(unused))}
    expected = network.state_dict(keep_vars=True)
    for names in _aliases(expected):
        known = next((weights[name] for name in names if name in weights), None)
        if known is not None:
            weights |= {name: known for name in names if name not in weights}
    missing, extra = sorted(expected.keys() - weights.keys()), sorted(weights.keys() - expected.keys())
    shapes = [name for name in expected.keys() & weights.keys() if expected[name].shape != weights[name].shape]
    if missing or extra or shapes:
        raise WrongWeights(checkpoint.path, model, _difference(missing, extra, sorted(shapes)))
    network.load_state_dict(weights, assign=True)


def load_network(
    path: Path, build: Callable[[Checkpoint], Network], *, model: str, precision: Precision = "float32", device: str = "cpu",
    complete: Callable[[dict[str, Tensor]], dict[str, Tensor]] = lambda weights: weights,
) -> Network:  # fmt: skip
    """The user's weights, `complete`d, in the network that `build` makes to their sizes, for inference.

    Raises `BadWeights`, `UnsafeWeights` or `WrongWeights`.
    """
    checkpoint = read_checkpoint(path)
    checkpoint = replace(checkpoint, weights=complete(checkpoint.weights))
    network = network_of(lambda: build(checkpoint), checkpoint, model=model)
    set_precision(network, getattr(torch, precision))
    return network.to(device)


def network_of(make: Callable[[], Network], checkpoint: Checkpoint, *, model: str, unused: Sequence[str] = ()) -> Network:
    """A network for inference that holds the checkpoint's own tensors; `make` costs no memory. Raises `WrongWeights`."""
    with torch.device("meta"):
        network = make()
    load_weights(network, checkpoint, model=model, unused=unused)
    return network.eval().requires_grad_(False)


def parse_model_call(text: str, path: Path) -> dict[str, Any]:
    """Keyword arguments of a model's constructor written as Python, those of a nested configuration included.

    Raises `BadWeights` for anything but plain values.
    """
    try:
        return _keywords(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise BadWeights(path, f"its arguments are no plain values ({error})") from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadWeights(path, f"the file is damaged or cut short ({error})") from error


def _read_config(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text()) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise BadWeights(path, f"it is no JSON ({error})") from error
    return found if isinstance(found, dict) else {}


def _read_pickle(path: Path) -> Any:
    allowed = [argparse.Namespace, defaultdict, *((Inert, name) for name in CONTAINERS)]
    with torch.serialization.safe_globals(allowed):
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        except pickle.UnpicklingError as error:
            names = _unsafe_names(path)
            if names or "unsupported global" in str(error).lower():
                raise UnsafeWeights(path, names) from error
            raise BadWeights(path, "it is no torch checkpoint") from error
        except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
            raise BadWeights(path, f"the file is damaged or cut short ({type(error).__name__})") from error


def _unsafe_names(path: Path) -> list[str]:
    """What a checkpoint names besides tensors and the allowed containers."""
    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (ValueError, RuntimeError, OSError, pickle.UnpicklingError):
        return []


def _weights_in(content: Any, path: Path) -> dict[str, Tensor]:
    found = next((content[name] for name in WRAPPERS if isinstance(content, dict) and name in content), content)
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise BadWeights(path, "it holds no weights by name")
    return dict(found)


def _arguments_in(content: Any, path: Path) -> dict[str, Any]:
    arguments = content.get("args") if isinstance(content, dict) else None
    text = getattr(arguments, "model", None)
    if isinstance(arguments, Inert):
        nodes = getattr(arguments, "_content", None)
        text = getattr(nodes.get("model"), "_val", None) if isinstance(nodes, dict) else None
    return parse_model_call(text, path) if isinstance(text, str) else {}


def _keywords(node: ast.expr) -> dict[str, Any]:
    if not isinstance(node, ast.Call):
        raise ValueError(f"'{ast.unparse(node)}' is no call")
    found: dict[str, Any] = {}
    for argument in node.args:
        found |= _keywords(argument)
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ValueError("it unpacks a mapping")
        found[keyword.arg] = _literal(keyword.value)
    return found


def _literal(node: ast.expr) -> Any:
    """A constant, a number with a sign, `inf`, or a sequence of these."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id="inf"):
            return math.inf
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_literal(operand)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return tuple(_literal(element) for element in elements)
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str() as value)]):
            return float(value)
    raise ValueError(f"'{ast.unparse(node)}'")


def _aliases(expected: Mapping[str, Tensor]) -> list[list[str]]:
    """Names under which the network holds one and the same tensor."""
    names = defaultdict(list)
    for name, tensor in expected.items():
        names[id(tensor)].append(name)
    return [group for group in names.values() if len(group) > 1]


def _difference(missing: list[str], extra: list[str], shapes: list[str]) -> str:
    kinds = {"missing": missing, "unknown": extra, "of another size": shapes}
    told = (f"{len(names)} {kind} ('{names[0]}'{', ...' if len(names) > 1 else ''})" for kind, names in kinds.items() if names)
    return ", ".join(told)
