"""The tiny network that every backend has to run before it is believed: a convolution of 3 channels and a ReLU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.backends import ANY
from bench.process import Model


@dataclass(frozen=True)
class Tiny:
    """What a backend is to load, and the name of its input, (1, 3, 7, 5)."""

    model: Model
    input: str


def write(folder: Path, form: str) -> Tiny:
    """Write the network into ``folder`` in the format ``form``, ``*`` for ONNX."""
    if form != ANY:
        raise ValueError(f"no tiny network of the format {form}")
    path = folder / "probe.onnx"
    path.write_bytes(_onnx())
    return Tiny(str(path), "x")


def _onnx() -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((2, 3, 3, 3), dtype=np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 7, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2, 5, 3])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
