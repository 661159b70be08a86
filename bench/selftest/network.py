"""The network that the self-test times: a real one where it is built, else one made on the fly with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from zoo import golden, store
from zoo.card import find_card
from zoo.golden import Golden

NAME = "c3ae-plain"
CHANNELS = (3, 32, 48, 64, 72)
SIZE = 89


@dataclass(frozen=True)
class Timed:
    """A network as an ONNX file, and what it has to answer."""

    name: str
    model: Path
    golden: Golden


def timed_network(folder: Path) -> Timed:
    """Return the zoo's smallest network if it is built; else make one, in ``folder``. Nothing is fetched."""
    model = store.built(find_card(NAME))
    if model is not None:
        return Timed(NAME, model, golden.load(NAME))
    return made(folder)


def made(folder: Path) -> Timed:
    """Write a small network of convolutions into ``folder``: seeded weights, judged by ONNX's reference in numpy."""
    from onnx.reference import ReferenceEvaluator

    path = folder / "seeded.onnx"
    path.write_bytes(_onnx())
    inputs = {"x": np.random.default_rng(1).normal(size=(1, 3, SIZE, SIZE)).astype(np.float32)}
    (answer,) = ReferenceEvaluator(str(path)).run(None, inputs)
    return Timed(
        "a seeded network", path, Golden("seeded", inputs, {"y": np.asarray(answer)}, {}, {"framework": "onnx"})
    )


def _onnx() -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    nodes, weights, name = [], [], "x"
    for number, (from_, to) in enumerate(pairwise(CHANNELS)):
        kernel = generator.normal(scale=np.sqrt(2 / (9 * from_)), size=(to, from_, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{number}"))
        strides = [1, 1] if number == 1 else [2, 2]
        nodes.append(helper.make_node("Conv", [name, f"w{number}"], [f"c{number}"], strides=strides))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
        name = f"r{number}"
    nodes.append(helper.make_node("GlobalAveragePool", [name], ["mean"]))
    nodes.append(helper.make_node("Flatten", ["mean"], ["flat"]))
    nodes.append(helper.make_node("Softmax", ["flat"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "seeded",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", CHANNELS[-1]])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
