"""``x * factors + shifts`` (batch normalization at inference) put into the convolution before it, else as Mul and Add.

It is folded where nothing else reads what the convolution or dense layer makes: then it is exact but for rounding, and
done in double precision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from converters.keras.emit import AFFINE, Emit, Node
from converters.keras.kind import Array

CHANNELS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0}
"""The axis of the outputs in the weights of each; with ``group`` ConvTranspose has them in two."""


def fold(emit: Emit, outputs: Iterable[str]) -> None:
    """Replace each `Emit.affine` in the graph."""
    makers = {name: node for node in emit.nodes for name in node.outputs}
    readers = Counter([name for node in emit.nodes for name in node.inputs] + list(outputs))
    exact: dict[int, list[Array]] = {}
    kept: list[Node] = []
    for node in emit.nodes:
        if node.op_type != AFFINE:
            kept.append(node)
            continue
        before = makers.get(node.inputs[0])
        if before is not None and readers[node.inputs[0]] == 1 and _fits(before, node, emit):
            weights = exact.setdefault(id(before), [emit.constants[n].astype(np.float64) for n in before.inputs[1:]])
            exact[id(before)] = _folded(before, weights, emit.constants[node.inputs[1]])
            before.outputs = node.outputs
            makers[node.outputs[0]] = before
        else:
            kept += _apart(emit, node)
            makers[node.outputs[0]] = kept[-1]
    emit.nodes = kept
    for node in kept:
        if id(node) in exact:
            emit.again(node)
            kernel, bias = (array.astype(np.float32) for array in exact[id(node)])
            node.inputs = [node.inputs[0], emit.constant("kernel", kernel), emit.constant("bias", bias)]


def _fits(before: Node, node: Node, emit: Emit) -> bool:
    """Whether a node makes channels that are the axis of the factors, by constants alone."""
    constant = before.op_type in CHANNELS and all(name in emit.constants for name in before.inputs[1:])
    return constant and node.attributes["axis"] == 1 and before.attributes.get("alpha", 1.0) == 1.0


def _folded(before: Node, weights: list[Array], values: Array) -> list[Array]:
    """Return kernel and bias, float64, of a node that also does this to what it makes."""
    factors, shifts = values
    kernel, bias = weights[0], weights[1] if len(weights) > 1 else np.zeros(len(factors))
    if before.op_type == "ConvTranspose" and before.attributes.get("group", 1) > 1:
        group = before.attributes["group"]
        split = kernel.reshape(group, kernel.shape[0] // group, *kernel.shape[1:])
        scaled = split * factors.reshape(group, 1, -1, *[1] * (kernel.ndim - 2))
        return [scaled.reshape(kernel.shape), bias * factors + shifts]
    size = [1] * kernel.ndim
    size[CHANNELS[before.op_type]] = -1
    return [kernel * factors.reshape(size), bias * factors + shifts]


def _apart(emit: Emit, node: Node) -> list[Node]:
    """Return Mul and Add, or the one of them that does something."""
    size = [1] * node.attributes["rank"]
    size[node.attributes["axis"]] = -1
    emit.again(node)
    factors, shifts = (array.astype(np.float32).reshape(size) for array in emit.constants[node.inputs[1]])
    parts = [("Mul", factors)] * bool((factors != 1).any()) + [("Add", shifts)] * bool((shifts != 0).any())
    made, name = [], node.inputs[0]
    for op_type, values in parts or [("Mul", factors)]:
        last = op_type == "Add" or not (shifts != 0).any()
        output = node.outputs[0] if last else emit.name("mul")
        made.append(Node(op_type, [name, emit.constant(op_type.lower(), values)], [output], node.name, {}))
        name = output
        if not last:
            made[-1].name = output
    return made
