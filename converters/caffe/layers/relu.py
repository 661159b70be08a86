"""ReLU, with an optional slope for negative numbers."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape
from converters.caffe.messages import Parameter

PARAMETER = Parameter("relu_param", 123, 30, "1 float negative_slope = 0; 2 Engine engine")

CASES = (("", (2, 7, 5, 3)), ("relu_param { negative_slope: 0.3 }", (2, 7, 5, 3)), ("", (3, 11)))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return max(x, 0) + slope * min(x, 0)."""
    return (np.maximum(bottom, 0) + op.param.negative_slope * np.minimum(bottom, 0),)


@layer("ReLU", shape=same_shape, reference=reference, parameter=PARAMETER)
def relu(op: Layer, emit: Emit) -> None:
    """Relu, or LeakyRelu when there is a slope."""
    if op.param.negative_slope == 0:
        emit.node("Relu", op.bottoms, op.tops)
    else:
        emit.node("LeakyRelu", op.bottoms, op.tops, alpha=op.param.negative_slope)
