"""Sigmoid. Its one parameter says who computes it, not what."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape
from converters.caffe.messages import Parameter

PARAMETER = Parameter("sigmoid_param", 124, 38, "1 Engine engine")

CASES = (("", (2, 7, 5, 3)), ("sigmoid_param { engine: CAFFE }", (3, 11)))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return 1 / (1 + exp(-x)), by way of tanh, which no x overflows."""
    return (0.5 * np.tanh(0.5 * bottom) + 0.5,)


@layer("Sigmoid", shape=same_shape, reference=reference, parameter=PARAMETER)
def sigmoid(op: Layer, emit: Emit) -> None:
    """Sigmoid."""
    emit.node("Sigmoid", op.bottoms, op.tops)
