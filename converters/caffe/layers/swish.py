"""Swish, x * sigmoid(beta * x); with beta 1 also known as SiLU."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape
from converters.caffe.messages import Parameter

PARAMETER = Parameter("swish_param", 147, None, "1 float beta = 1")

CASES = (("", (2, 7, 5, 3)), ("swish_param { beta: -1.5 }", (2, 7, 5, 3)), ("", (3, 11)))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return x * sigmoid(beta * x), by way of tanh, which no x overflows."""
    return (bottom * (0.5 * np.tanh(0.5 * op.param.beta * bottom) + 0.5),)


@layer("Swish", shape=same_shape, reference=reference, parameter=PARAMETER)
def swish(op: Layer, emit: Emit) -> None:
    """Sigmoid, with a Mul before it for beta, and a Mul."""
    inner = bottom = op.bottoms[0]
    if op.param.beta != 1:
        inner = emit.node("Mul", (bottom, emit.constant("beta", np.array(op.param.beta, dtype=np.float32))))
    emit.node("Mul", (bottom, emit.node("Sigmoid", (inner,))), op.tops)
