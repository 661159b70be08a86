"""Scale: a product with weights or with a second bottom, whose axes are those of the first from ``axis`` on.

A second bottom has the batch as its axis 0 like every blob, so ``axis`` is 0 with it.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Array, Emit, Layer, Shape, canonical_axis, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "scale_param",
    142,
    None,
    """
    1 int32 axis = 1; 2 int32 num_axes = 1; 3 FillerParameter filler; 4 bool bias_term = false
    5 FillerParameter bias_filler
    """,
)

CASES = (
    ("", (2, 7, 5, 3)),
    ("scale_param { bias_term: true }", (2, 7, 5, 3)),
    ("scale_param { bias_term: true }", (3, 11)),
    ("scale_param { axis: 2 num_axes: 2 bias_term: true }", (2, 7, 5, 3)),
    ("scale_param { axis: 1 num_axes: -1 }", (2, 7, 5, 3)),
    ("scale_param { axis: -1 bias_term: true }", (2, 7, 5, 3)),
    ("scale_param { num_axes: 0 bias_term: true }", (2, 7, 5, 3)),
    ("scale_param { axis: 0 }", ((2, 7, 5, 3), (2, 7))),
    ("scale_param { axis: 0 }", ((2, 7, 5, 3), (2, 7, 5, 3))),
    ("scale_param { axis: -4 }", ((2, 7, 5, 3), (2, 7, 5))),
    ("scale_param { axis: 0 }", ((3, 11), (3, 11))),
)


def shape(op: Layer, bottom: Shape, *factors: Shape) -> tuple[Shape]:
    """Return the first bottom's shape. Raises for a second one with weights beside it: they would know the batch."""
    if factors:
        check_second(op, bottom, factors[0])
        if op.param.bias_term:
            raise op.unsupported("bias_term with two bottoms", "its weights would hold the batch; use a Bias layer")
    else:
        covered(op, bottom)
    return (bottom,)


def check_second(op: Layer, bottom: Shape, second: Shape) -> None:
    """Raise unless the axes of the second bottom are the first ones of the bottom."""
    axis = op.param.axis
    if axis % len(bottom) != 0 or not -len(bottom) <= axis < len(bottom):
        raise op.unsupported(f"axis {axis} with two bottoms", "axis 0 is, since axis 0 of both is the batch")
    if bottom[: len(second)] != second:
        raise op.bad(f"bottom {op.bottoms[1]!r} has the shape {second}; it needs the first axes of {bottom}")


def covered(op: Layer, bottom: Shape) -> tuple[int, Shape]:
    """Return the first axis that the weights cover, and their shape: () for a single number."""
    count = op.param.num_axes
    if count == 0:
        return len(bottom), ()
    axis = canonical_axis(op, op.param.axis, len(bottom))
    if count < -1 or axis + count > len(bottom):
        raise op.bad(f"num_axes {count} from axis {axis} of a bottom with {len(bottom)} axes")
    return axis, bottom[axis:] if count == -1 else bottom[axis : axis + count]


def weights(op: Layer, bottom: Shape, *factors: Shape) -> tuple[Shape, ...]:
    """Return the shape of the factors, and of the bias; no weights with a second bottom."""
    return () if factors else (covered(op, bottom)[1],) * (2 if op.param.bias_term else 1)


def spread(op: Layer, blob: Array, bottom: Shape) -> Array:
    """Return weights with the axes of the bottom, 1 long where they do not cover it."""
    axis, sizes = covered(op, bottom)
    return blob.reshape((1,) * axis + sizes + (1,) * (len(bottom) - axis - len(sizes)))


def spread_second(op: Layer, emit: Emit) -> str:
    """Add what gives the second bottom as many axes as the first; returns the tensor's name."""
    first, second = (emit.shapes[bottom] for bottom in op.bottoms)
    if len(first) == len(second):
        return op.bottoms[1]
    sizes = np.array([0, *second[1:], *(1,) * (len(first) - len(second))], dtype=np.int64)  # 0: the batch as it was
    return emit.node("Reshape", (op.bottoms[1], emit.constant("sizes", sizes)))


def reference(op: Layer, bottom: Array, *factors: Array) -> tuple[Array]:
    """Return bottom times factors, plus the bias."""
    if factors:
        return (bottom * factors[0].reshape(factors[0].shape + (1,) * (bottom.ndim - factors[0].ndim)),)
    top = bottom * spread(op, op.blobs[0], bottom.shape)
    return (top + spread(op, op.blobs[1], bottom.shape) if op.param.bias_term else top,)


@layer("Scale", shape=shape, reference=reference, weights=weights, parameter=PARAMETER, bottoms=(1, 2))
def scale(op: Layer, emit: Emit) -> None:
    """Mul, and Add for the bias."""
    if len(op.bottoms) == 2:
        emit.node("Mul", (op.bottoms[0], spread_second(op, emit)), op.tops)
        return
    factors, *bias = (spread(op, blob, emit.shapes[op.bottoms[0]]) for blob in op.blobs)
    product = emit.node("Mul", (*op.bottoms, emit.constant("factors", factors)), () if bias else op.tops)
    if bias:
        emit.node("Add", (product, emit.constant("bias", bias[0])), op.tops)
