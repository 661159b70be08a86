"""Softmax along one axis, the channels unless the file says otherwise."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, canonical_axis, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter("softmax_param", 125, 39, "1 Engine engine; 2 int32 axis = 1")

CASES = (
    ("", (3, 11)),
    ("", (2, 7, 5, 3)),
    ("softmax_param { axis: 2 }", (2, 7, 5, 3)),
    ("softmax_param { axis: -1 }", (2, 7, 5, 3)),
    ("softmax_param { axis: 0 }", (4, 7, 5, 3)),
    ("softmax_param { axis: 0 }", (5, 3)),
    ("softmax_param { axis: -1 }", (5,)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape."""
    canonical_axis(op, op.param.axis, len(bottom))
    return (bottom,)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return exp(x) over its sum, after taking the largest x off."""
    powers = np.exp(bottom - bottom.max(axis=op.param.axis, keepdims=True))
    return (powers / powers.sum(axis=op.param.axis, keepdims=True),)


@layer("Softmax", shape=shape, reference=reference, parameter=PARAMETER)
def softmax(op: Layer, emit: Emit) -> None:
    """Softmax; since opset 13 it means the same along the one axis."""
    axis = canonical_axis(op, op.param.axis, len(emit.shapes[op.bottoms[0]]))
    emit.node("Softmax", op.bottoms, op.tops, axis=axis)
