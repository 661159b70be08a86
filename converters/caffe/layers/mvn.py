"""MVN: mean 0 and variance 1 within each sample. eps is added to the standard deviation, and the top has 4 axes.

A bottom with fewer axes gets axes of 1 behind them, so without ``across_channels`` each number of (N, C) becomes 0.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "mvn_param", 120, 34, "1 bool normalize_variance = true; 2 bool across_channels = false; 3 float eps = 1e-9"
)

CASES = (
    ("", (2, 7, 5, 3)),
    ("mvn_param { across_channels: true }", (2, 7, 5, 3)),
    ("mvn_param { normalize_variance: false }", (2, 7, 5, 3)),
    ("mvn_param { across_channels: true normalize_variance: false }", (2, 7, 5, 3)),
    ("mvn_param { eps: 0.5 }", (2, 7, 5, 3)),
    ("mvn_param { across_channels: true eps: 0.25 }", (3, 11)),
    ("", (3, 11)),
    ("", (2, 7, 5)),
    ("mvn_param { across_channels: true }", (2, 7, 5)),
    ("mvn_param { across_channels: true eps: 0.5 }", (3,)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape with 4 axes. Raises for more."""
    if len(bottom) > 4:
        raise op.bad(f"the bottom has the shape {bottom}; it needs at most 4 axes")
    return ((*bottom, 1, 1, 1, 1)[:4],)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return (x - mean) / (standard deviation + eps), or x - mean alone."""
    x = bottom.reshape(*shape(op, bottom.shape)[0])
    along = (1, 2, 3) if op.param.across_channels else (2, 3)
    centred = x - x.mean(axis=along, keepdims=True)
    if not op.param.normalize_variance:
        return (centred,)
    return (centred / (np.sqrt((centred**2).mean(axis=along, keepdims=True)) + op.param.eps),)


def mean(op: Layer, emit: Emit, tensor: str) -> str:
    """Average over the plane, then over the channels: over all three axes at once OpenCV 4 gives wrong numbers."""
    plane = emit.node("ReduceMean", (tensor,), axes=[2, 3], keepdims=1)
    return emit.node("ReduceMean", (plane,), axes=[1], keepdims=1) if op.param.across_channels else plane


@layer("MVN", shape=shape, reference=reference, parameter=PARAMETER)
def mvn(op: Layer, emit: Emit) -> None:
    """Mean and deviation spelt out: ONNX's MeanVarianceNormalization has an eps of its own."""
    bottom = op.bottoms[0]
    if len(emit.shapes[bottom]) < 4:
        bottom = emit.node("Reshape", (bottom, emit.sizes(op.tops[0])))
    if not op.param.normalize_variance:
        emit.node("Sub", (bottom, mean(op, emit, bottom)), op.tops)
        return
    centred = emit.node("Sub", (bottom, mean(op, emit, bottom)))
    deviation = emit.node("Sqrt", (mean(op, emit, emit.node("Mul", (centred, centred))),))
    eps = emit.constant("eps", np.array(op.param.eps, dtype=np.float32))
    emit.node("Div", (centred, emit.node("Add", (deviation, eps))), op.tops)
