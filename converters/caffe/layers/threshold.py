"""Threshold: 1 above it, else 0; a number on the threshold itself gives 0."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape
from converters.caffe.messages import Parameter

PARAMETER = Parameter("threshold_param", 128, 25, "1 float threshold = 0")

CASES = (("", (2, 7, 5, 3)), ("threshold_param { threshold: -0.5 }", (2, 7, 5, 3)), ("", (3, 11)))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return 1 where x > threshold, else 0."""
    return ((bottom > op.param.threshold).astype(bottom.dtype),)


@layer("Threshold", shape=same_shape, reference=reference, parameter=PARAMETER)
def threshold(op: Layer, emit: Emit) -> None:
    """Greater and Cast."""
    limit = emit.constant("threshold", np.array(op.param.threshold, dtype=np.float32))
    above = emit.node("Greater", (op.bottoms[0], limit))
    emit.node("Cast", (above,), op.tops, to=1)  # FLOAT
