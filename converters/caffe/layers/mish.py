"""Mish, a layer of Caffe's forks (YOLO 4): x tanh(log(1 + e^x)). Its parameter says who computes it, not what.

OpenCV has a Mish of its own for the three nodes together, and puts it there even when the Mul has another bottom than
the Softplus: no Clip may stand before that one.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape
from converters.caffe.messages import Parameter

PARAMETER = Parameter("mish_param", None, None, "2 Engine engine")

JUDGE = "OpenCV 4"
CASES = (("", (2, 7, 5, 3)), ("mish_param { engine: CAFFE }", (3, 11)))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return x tanh(log(1 + e^x))."""
    return (bottom * np.tanh(np.logaddexp(0, bottom)),)


@layer("Mish", shape=same_shape, reference=reference, parameter=PARAMETER)
def mish(op: Layer, emit: Emit) -> None:
    """Softplus, Tanh and Mul."""
    emit.node("Mul", (*op.bottoms, emit.node("Tanh", (emit.node("Softplus", op.bottoms),))), op.tops)
