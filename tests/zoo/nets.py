"""Small ONNX networks of our own making, every axis another length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

FLOAT = onnx.TensorProto.FLOAT
IMAGE = (3, 12, 10)


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    """Return seeded numbers that keep the size of what goes through them."""
    fan = int(np.prod(shape[1:])) if len(shape) > 1 else 1
    return np.random.default_rng([seed, *shape]).normal(0, fan**-0.5, shape).astype(np.float32)


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, Any],
    inputs: dict[str, Sequence[int | str]],
    outputs: dict[str, Sequence[int | str]],
    *,
    opset: int = 17,
    listed: bool = False,
) -> onnx.ModelProto:
    """Make a model; ``listed``: its constants are among its inputs, as before IR version 4."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    given = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()]
    if listed:
        given += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors]
    made = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()]
    graph = helper.make_graph(list(nodes), "tiny", given, made, tensors)
    ir_version = 3 if listed else 8
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def backbone(kernel: np.ndarray, relu: str = "relu") -> onnx.ModelProto:
    """Make a network of fixed batch with a convolution whose maps, five of 11x11, are not its output."""
    nodes = [
        helper.make_node("Conv", ["data", "kernel"], ["maps"], "conv"),
        helper.make_node("Relu", ["maps"], [relu], relu),
        helper.make_node("GlobalAveragePool", [relu], ["embedding"], "average"),
    ]
    return model(nodes, {"kernel": kernel}, {"data": (1, 3, 13, 13)}, {"embedding": (1, 5, 1, 1)})


def old_network() -> onnx.ModelProto:
    """Make a network as exporters of 2019 did: opset 9, batch 1 in a Reshape, weights as inputs, no names of nodes."""
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["conv"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["conv", "scale", "shift", "mean", "variance"], ["norm"], epsilon=1e-3),
        helper.make_node("PRelu", ["norm", "slope"], ["map"]),
        helper.make_node("Dropout", ["map"], ["kept"], ratio=0.4),
        helper.make_node("Transpose", ["kept"], ["turned"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["turned", "sizes"], ["row"]),
        helper.make_node("Gemm", ["row", "matrix", "bias"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["prob"], axis=1),
    ]
    constants = {
        "kernel": weights(5, 3, 3, 3),
        "scale": 1 + weights(5, seed=1) / 9,
        "shift": weights(5, seed=2),
        "mean": weights(5, seed=3),
        "variance": 1 + weights(5, seed=4) ** 2,
        "slope": np.full((5, 1, 1), 0.25, np.float32),
        "sizes": np.array([1, -1]),
        "matrix": weights(7, 5 * 12 * 10),
        "bias": weights(7),
    }
    return model(nodes, constants, {"image": (1, *IMAGE)}, {"prob": (1, 7)}, opset=9, listed=True)


def branches() -> onnx.ModelProto:
    """Make a network with a depthwise, a grouped and a transposed convolution, a node of two outputs, batch ``N``."""
    nodes = [
        helper.make_node("Conv", ["image", "thin"], ["deep_made"], name="deep", group=3, kernel_shape=[3, 3]),
        helper.make_node("Conv", ["deep_made", "some"], ["groups"], name="groups", group=3, strides=[2, 2]),
        helper.make_node("ConvTranspose", ["groups", "up"], ["large"], name="large", strides=[2, 2], group=2),
        helper.make_node("Split", ["large"], ["left", "right"], name="split", axis=1, num_outputs=2),
        helper.make_node("Add", ["left", "right"], ["sum"], name="sum"),
    ]
    constants = {"thin": weights(3, 1, 3, 3), "some": weights(6, 1, 3, 2), "up": weights(6, 2, 2, 2)}
    return model(nodes, constants, {"image": ("N", *IMAGE)}, {"sum": ("N", 2, 8, 8)}, opset=18)


def images(batch: int, shape: Sequence[int] = IMAGE, seed: int = 0) -> np.ndarray:
    """Return seeded pixels between 0 and 1."""
    return np.random.default_rng([seed, batch]).uniform(0, 1, (batch, *shape)).astype(np.float32)
