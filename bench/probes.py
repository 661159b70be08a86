"""The tiny network that every backend has to run before it is believed: a convolution of 3 channels and a ReLU.

It is written as ONNX, and in the formats of original files that a backend may read instead.
"""

from __future__ import annotations

import json
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
    """Write the network into ``folder`` in the format ``form``: ``*`` for ONNX, ``caffe`` or ``keras``."""
    files = FORMS[form]()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    paths = {role: str(folder / name) for role, name in zip(ROLES[form], files, strict=True)}
    return Tiny(paths["onnx"] if form == ANY else paths, "x")


def _onnx() -> dict[str, bytes]:
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
    return {"probe.onnx": bytes(model.SerializeToString())}


PROTOTXT = b"""
input: "x" input_dim: 1 input_dim: 3 input_dim: 7 input_dim: 5
layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "y" type: "ReLU" bottom: "c" top: "y" }
"""


def _caffe() -> dict[str, bytes]:
    from converters.caffe.schema import messages

    net = messages()["NetParameter"]()
    layer = net.layer.add(name="c", type="Convolution")
    for shape in ((2, 3, 3, 3), (2,)):
        blob = layer.blobs.add()
        blob.shape.dim.extend(shape)
        blob.data.extend(np.ones(shape, dtype=np.float32).ravel().tolist())
    return {"probe.prototxt": PROTOTXT, "probe.caffemodel": bytes(net.SerializeToString())}


def _keras() -> dict[str, bytes]:
    """Return an architecture alone, whose weights whoever reads it makes up."""
    layers = [
        ("InputLayer", {"name": "x", "batch_shape": [None, 7, 5, 3], "dtype": "float32"}),
        ("Conv2D", {"name": "c", "filters": 2, "kernel_size": [3, 3]}),
        ("Activation", {"name": "y", "activation": "relu"}),
    ]
    stack = [{"module": "keras.layers", "class_name": kind, "config": config} for kind, config in layers]
    config = {"name": "probe", "layers": stack}
    return {"probe.json": json.dumps({"module": "keras", "class_name": "Sequential", "config": config}).encode()}


FORMS = {ANY: _onnx, "caffe": _caffe, "keras": _keras}
ROLES = {ANY: ("onnx",), "caffe": ("prototxt", "caffemodel"), "keras": ("model",)}
"""By format the roles of a network's files (`zoo.formats`), in the order in which they are written."""
