"""A small network with every layer that converters get wrong, and conversions of it with one mistake each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from caffe_nets import caffemodel
from onnx import helper, numpy_helper

from converters.caffe import convert_net
from converters.caffe.kind import Layer
from converters.caffe.net import Net, read_net
from converters.caffe.preprocessing import Preprocessing, embed

NETWORK = """
name: "mutated"
input: "data"
input_shape { dim: 1 dim: 3 dim: 24 dim: 24 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 3 } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1" lrn_param { local_size: 5 alpha: 0.5 k: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "norm1" top: "conv2"
  convolution_param { num_output: 12 kernel_size: 3 pad: 1 group: 2 bias_term: false } }
layer { name: "bn2" type: "BatchNorm" bottom: "conv2" top: "conv2" }
layer { name: "scale2" type: "Scale" bottom: "conv2" top: "conv2" scale_param { bias_term: true } }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "relu2" type: "ReLU" bottom: "pool2" top: "pool2" relu_param { negative_slope: 0.125 } }
layer { name: "map" type: "Convolution" bottom: "pool2" top: "map" convolution_param { num_output: 5 kernel_size: 1 } }
layer { name: "map_prob" type: "Softmax" bottom: "map" top: "map_prob" }
layer { name: "flat" type: "Flatten" bottom: "pool2" top: "flat" }
layer { name: "fc3" type: "InnerProduct" bottom: "flat" top: "fc3" inner_product_param { num_output: 16 } }
layer { name: "relu3" type: "ReLU" bottom: "fc3" top: "fc3" }
layer { name: "drop3" type: "Dropout" bottom: "fc3" top: "fc3" }
layer { name: "fc4" type: "InnerProduct" bottom: "fc3" top: "fc4" inner_product_param { num_output: 16 } }
layer { name: "prob" type: "Softmax" bottom: "fc4" top: "prob" }
"""

WEIGHTS = {
    "conv1": ((8, 3, 3, 3), (8,)),
    "conv2": ((12, 4, 3, 3),),
    "bn2": ((12,), (12,), (1,)),
    "scale2": ((12,), (12,)),
    "map": ((5, 12, 1, 1), (5,)),
    "fc3": ((16, 12 * 6 * 6), (16,)),
    "fc4": ((16, 16), (16,)),
}


def network(folder: Path) -> tuple[Path, Path]:
    """Write the network; returns prototxt and caffemodel. Its weights keep all numbers near 1 for small inputs."""
    generator = np.random.default_rng(5)
    weights = {}
    for name, shapes in WEIGHTS.items():
        arrays = [generator.normal(size=shape) / np.sqrt(max(1, np.prod(shape[1:]))) for shape in shapes]
        weights[name] = [array.astype(np.float32) for array in arrays]
    mean, variance, _ = weights["bn2"]
    weights["bn2"] = [mean, np.abs(variance) * np.float32(0.1) + np.float32(0.01), np.float32([2])]
    (folder / "net.prototxt").write_text(NETWORK)
    (folder / "net.caffemodel").write_bytes(caffemodel(weights))
    return folder / "net.prototxt", folder / "net.caffemodel"


def preprocessing() -> Preprocessing:
    """Return a mean image, a scale and a swap of the channels."""
    mean = np.random.default_rng(6).uniform(0, 255, (3, 24, 24)).astype(np.float32)
    return Preprocessing(mean, "mean.binaryproto sha256 0", 0.0078125, swap_rb=True)


def embedded(folder: Path) -> Net:
    """Return the network with its preprocessing in front."""
    return embed(read_net(*network(folder)), preprocessing())


@dataclass(frozen=True)
class Mutant:
    """A mistake: the layer that must be named, what must be said of it, and what makes the wrong model."""

    name: str
    layer: str
    hint: str
    convert: Callable[[Net, Net], onnx.ModelProto]

    def __str__(self) -> str:
        return self.name


def _changed(name: str, change: Callable[[Layer], Layer]) -> Callable[[Net, Net], onnx.ModelProto]:
    """Return what converts the network with one layer changed."""

    def convert(_: Net, net: Net) -> onnx.ModelProto:
        return convert_net(replace(net, layers=tuple(change(op) if op.name == name else op for op in net.layers)))

    return convert


def with_fields(**fields: Any) -> Callable[[Layer], Layer]:
    """Return what gives a layer other parameters."""

    def change(op: Layer) -> Layer:
        param = type(op.param)()
        param.CopyFrom(op.param)
        for name, value in fields.items():
            setattr(param, name, value)
        return replace(op, param=param)

    return change


def _weights(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Layer], Layer]:
    return lambda op: replace(op, blobs=(np.ascontiguousarray(change(op.blobs[0])), *op.blobs[1:]))


def _one_group(op: Layer) -> Layer:
    """Read the first channels in both groups."""
    wide = np.pad(op.blobs[0], ((0, 0), (0, 4), (0, 0), (0, 0)))
    return with_fields(group=1)(replace(op, blobs=(wide,)))


def _patched(patch: Callable[[onnx.GraphProto], None]) -> Callable[[Net, Net], onnx.ModelProto]:
    """Return what converts the network and then changes the graph."""

    def convert(_: Net, net: Net) -> onnx.ModelProto:
        model = convert_net(net)
        patch(model.graph)
        return model

    return convert


def node(graph: onnx.GraphProto, output: str) -> onnx.NodeProto:
    """Return the node that makes a tensor."""
    return next(node for node in graph.node if output in node.output)


def set_attribute(node: onnx.NodeProto, **values: Any) -> None:
    """Give a node other attributes."""
    for name, value in values.items():
        kept = [attribute for attribute in node.attribute if attribute.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, value)])


def _before(graph: onnx.GraphProto, output: str, *inserted: onnx.NodeProto) -> None:
    """Put nodes before the one that makes a tensor, which then reads the last of them."""
    index = next(i for i, n in enumerate(graph.node) if output in n.output)
    graph.node[index].input[0] = inserted[-1].output[0]
    for new in reversed(inserted):
        graph.node.insert(index, new)


def _floor(graph: onnx.GraphProto) -> None:
    set_attribute(node(graph, "pool1"), pads=[0, 0, 0, 0])


def _zero_pad(graph: onnx.GraphProto) -> None:
    pool = next(n for n in graph.node if n.op_type == "MaxPool" and "conv2" in n.input)
    above, left, below, right = next(list(a.ints) for a in pool.attribute if a.name == "pads")
    sizes = np.array([0, 0, above, left, 0, 0, below, right], dtype=np.int64)
    graph.initializer.append(numpy_helper.from_array(sizes, "zeros"))
    _before(graph, pool.output[0], helper.make_node("Pad", ["conv2", "zeros"], ["padded"], mode="constant"))
    set_attribute(pool, pads=[0, 0, 0, 0])


def _channels_last(graph: onnx.GraphProto) -> None:
    _before(graph, "flat", helper.make_node("Transpose", ["pool2"], ["turned"], perm=[0, 2, 3, 1]))


def _softmax_axis(graph: onnx.GraphProto) -> None:
    set_attribute(node(graph, "map_prob"), axis=-1)


def _gemm(graph: onnx.GraphProto) -> None:
    set_attribute(node(graph, "fc4"), transB=0)


def _embedded(change: Callable[[Preprocessing], Preprocessing]) -> Callable[[Net, Net], onnx.ModelProto]:
    """Return what converts the bare network with another preprocessing in front."""
    return lambda bare, _: convert_net(embed(bare, change(preprocessing())))


def _transposed(right: Preprocessing) -> Preprocessing:
    assert right.mean is not None
    return replace(right, mean=np.ascontiguousarray(right.mean.swapaxes(1, 2)))


MUTANTS = (
    Mutant("ceil to floor", "pool1", "its size is rounded down", _patched(_floor)),
    Mutant("alpha not divided", "norm1", "alpha is not divided by the size", _changed("norm1", with_fields(alpha=2.5))),
    Mutant("k dropped", "norm1", "k is left out", _changed("norm1", with_fields(k=1))),
    Mutant("BGR swap", "conv1", "reads the channels in reverse", _changed("conv1", _weights(lambda w: w[:, ::-1]))),
    Mutant("mean dropped", "preprocessing/mean", "the layer is missing", _embedded(lambda p: replace(p, mean=None))),
    Mutant("mean transposed", "preprocessing/mean", "(blob 0) are transposed", _embedded(_transposed)),
    Mutant("flatten order", "flat", "it reads the channels last", _patched(_channels_last)),
    Mutant("max-pool zero pad", "pool2", "its padding counts as zeros", _patched(_zero_pad)),
    Mutant("BN epsilon", "bn2", "its eps is 0.001, not 1e-05", _changed("bn2", with_fields(eps=1e-3))),
    Mutant("softmax axis", "map_prob", "it works along axis 3", _patched(_softmax_axis)),
    Mutant("Gemm transpose", "fc4", "(blob 0) are transposed", _patched(_gemm)),
    Mutant("group count", "conv2", "group 2 is ignored: all read the first channels", _changed("conv2", _one_group)),
    Mutant(
        "swap dropped",
        "preprocessing/swap",
        "its bottoms are in reverse order",
        _embedded(lambda p: replace(p, swap_rb=False)),
    ),
    Mutant("scale dropped", "preprocessing/scale", "scale is left out", _embedded(lambda p: replace(p, scale=1.0))),
    Mutant("slope dropped", "relu2", "negative_slope is left out", _changed("relu2", with_fields(negative_slope=0))),
    Mutant("ReLU dropped", "relu3", "the layer is missing", _changed("relu3", with_fields(negative_slope=1))),
)
