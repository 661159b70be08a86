"""What one node of an ONNX graph is to a person: a name such as ``Conv 3x3``, its weights, its multiplications.

Multiplications are counted as MACC (multiply and accumulate) of convolution and dense layers alone, as published tables
do; a factor a channel (batch normalization) has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from zoo.graph import Sizes

if TYPE_CHECKING:
    import onnx

Kind = Literal["normalisation", "activation", "average pooling", "pooling", "other"]
NAMES = {
    "BatchNormalization": "BN",
    "Relu": "ReLU",
    "PRelu": "PReLU",
    "LeakyRelu": "Leaky ReLU",
    "Elu": "ELU",
    "AveragePool": "Average pooling",
    "MaxPool": "Max pooling",
    "GlobalAveragePool": "Global average pooling",
    "GlobalMaxPool": "Global max pooling",
    "Gemm": "Dense",
    "ConvTranspose": "Transposed conv",
}
NORMALISATIONS = frozenset({"BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization"})
ACTIVATIONS = frozenset(
    (
        *("Relu", "PRelu", "LeakyRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "Gelu", "Clip"),
        *("Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "Mish"),
    )
)
AVERAGES = frozenset({"AveragePool", "GlobalAveragePool"})
POOLINGS = AVERAGES | {"MaxPool", "GlobalMaxPool", "LpPool", "GlobalLpPool"}
REARRANGING = frozenset(
    (
        *("Identity", "Dropout", "Cast", "Constant", "Shape", "QuantizeLinear", "DequantizeLinear"),
        *("Flatten", "Reshape", "Squeeze", "Unsqueeze"),
    )
)
"""Operators that change no number, or only how it is written."""
WEIGHTS = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (0, 1, 2),
    "MatMul": (0, 1),
    "BatchNormalization": (1, 2, 3, 4),
    "InstanceNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "PRelu": (1,),
    "LSTM": (1, 2, 3),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
}
"""Which inputs of an operator are its weights, where they are constants."""
BY_CHANNEL = frozenset({"Mul", "Add", "Sub", "Div"})


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    import onnx

    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def visible(nodes: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Return the nodes that do more than write the same numbers another way."""
    return [node for node in nodes if node.op_type not in REARRANGING]


def kind(nodes: Sequence[onnx.NodeProto]) -> Kind:
    """Say what the nodes of a layer are to the layers around it."""
    types = {node.op_type for node in visible(nodes)}
    if len(types) != 1:
        return "other"
    if types <= NORMALISATIONS:
        return "normalisation"
    if types <= ACTIVATIONS:
        return "activation"
    return "average pooling" if types <= AVERAGES else "pooling" if types <= POOLINGS else "other"


def is_lowered_lrn(nodes: Sequence[onnx.NodeProto]) -> bool:
    """Whether nodes are a local response normalization written as parts: squares, their sums by a convolution."""
    squares = {node.output[0] for node in nodes if node.op_type == "Mul" and node.input[0] == node.input[1]}
    return any(node.op_type == "Conv" and node.input[0] in squares for node in nodes)


def title(node: onnx.NodeProto, sizes: Mapping[str, Sizes]) -> str:
    """Name the operator as a person does, with its window, and with stride and groups where it has them."""
    given = attributes(node)
    name = NAMES.get(node.op_type, node.op_type)
    weights = sizes.get(node.input[1]) if node.op_type in {"Conv", "ConvTranspose"} else None
    window = given.get("kernel_shape") or (weights[2:] if weights else ())
    groups = given.get("group", 1)
    if groups > 1 and _channels(node, sizes) == groups:
        name, groups = {"Conv": "Depthwise conv"}.get(node.op_type, f"Depthwise {name.lower()}"), 1
    if node.op_type == "MatMul" and len(sizes.get(node.input[1]) or ()) == 2:
        name = "Dense"
    if window:
        name += f" {'x'.join(str(length) for length in window)}"
    strides = given.get("strides") or (1,)
    if any(stride != 1 for stride in strides) and node.op_type not in POOLINGS:
        one = strides[0] if len(set(strides)) == 1 else "x".join(map(str, strides))
        name += f", stride {one}"
    dilations = given.get("dilations") or (1,)
    if any(step != 1 for step in dilations):
        name += f", dilation {'x'.join(map(str, dilations))}"
    return name + (f", {groups} groups" if groups > 1 else "")


def _channels(node: onnx.NodeProto, sizes: Mapping[str, Sizes]) -> int | None:
    given = sizes.get(node.input[0])
    return given[1] if given and len(given) > 1 else None


def macc(node: onnx.NodeProto, sizes: Mapping[str, Sizes]) -> int | None:
    """Count the multiplications of a convolution or a dense layer; None for others, and where a size is not known.

    Of a convolution: numbers of the output x numbers of the window x input channels of a group; a transposed one does
    the same from each number of its input.
    """
    if node.op_type not in {"Conv", "ConvTranspose", "Gemm", "MatMul"}:
        return None
    given, weights, made = (sizes.get(name) for name in (node.input[0], node.input[1], node.output[0]))
    if not given or not weights or not made:
        return None
    if node.op_type == "Conv":
        return _product(made, weights[1:])
    if node.op_type == "ConvTranspose":
        return _product(given, weights[1:])
    turned = node.op_type == "Gemm" and attributes(node).get("transA", 0)
    return _product(made, [given[0 if turned else -1]])


def _product(*sizes: Any) -> int | None:
    axes = [axis for size in sizes for axis in size]
    return None if None in axes else prod(axes)


def weight_inputs(node: onnx.NodeProto, sizes: Mapping[str, Sizes]) -> tuple[int, ...]:
    """Return the places of the inputs that are weights of the layer if they are constants.

    Beside those of known layers these are one number a channel to multiply by or to add.
    """
    if node.op_type in BY_CHANNEL:
        return tuple(i for i, name in enumerate(node.input) if _one_axis(sizes.get(name)))
    return tuple(i for i in WEIGHTS.get(node.op_type, ()) if i < len(node.input) and node.input[i])


def _one_axis(size: Sizes | None) -> bool:
    return size is not None and sum(axis != 1 for axis in size) == 1
