"""Normalize (of the SSD fork): each pixel, or each sample, scaled to length 1, then times weights.

The parameter block is called ``norm_param``. Epsilon is added under the root.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "norm_param",
    206,
    None,
    "1 bool across_spatial = true; 2 FillerParameter scale_filler; 3 bool channel_shared = true; 4 float eps = 1e-10",
)

JUDGE = "OpenCV 4"
CASES = (
    ("", (2, 7, 5, 3)),
    ("norm_param { across_spatial: false }", (2, 7, 5, 3)),
    ("norm_param { channel_shared: false }", (2, 7, 5, 3)),
    ("norm_param { across_spatial: false channel_shared: false eps: 0.5 }", (2, 7, 5, 3)),
    ("norm_param { channel_shared: false eps: 2 }", (3, 7, 5)),
    ("norm_param { across_spatial: false channel_shared: false }", (3, 11)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape."""
    if not 2 <= len(bottom) <= 4:
        raise op.bad(f"the bottom has the shape {bottom}; it needs 2 to 4 axes")
    return (bottom,)


def weights(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the shape of the factors: one for all, or one a channel."""
    return (() if op.param.channel_shared else bottom[1:2],)


def axes_of(op: Layer, rank: int) -> list[int]:
    """Return the axes of which the numbers are scaled together."""
    return list(range(1, rank)) if op.param.across_spatial else [1]


def factors_of(op: Layer, rank: int) -> Array:
    """Return the weights with as many axes as the bottom."""
    return op.blobs[0].reshape(-1, *(1,) * (rank - 2))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return x / sqrt(sum of x * x, and eps) times the weights."""
    squares = (bottom * bottom).sum(axis=tuple(axes_of(op, bottom.ndim)), keepdims=True)
    return (bottom / np.sqrt(squares + op.param.eps) * factors_of(op, bottom.ndim),)


@layer("Normalize", shape=shape, reference=reference, weights=weights, parameter=PARAMETER)
def normalize(op: Layer, emit: Emit) -> None:
    """Squares, their sum, its root, a division and a product: LpNormalization has no epsilon."""
    rank = len(emit.shapes[op.bottoms[0]])
    total = emit.node("Mul", (op.bottoms[0], op.bottoms[0]))
    for axes in ([1], axes_of(op, rank)[1:]):  # OpenCV 4 is wrong for three at once
        if axes:
            total = emit.node("ReduceSum", (total, emit.constant("axes", np.array(axes, dtype=np.int64))), keepdims=1)
    eps = emit.constant("eps", np.array([op.param.eps], dtype=np.float32))
    length = emit.node("Sqrt", (emit.node("Add", (total, eps)),))
    unit = emit.node("Div", (op.bottoms[0], length))
    emit.node("Mul", (unit, emit.constant("factors", factors_of(op, rank))), op.tops)
