"""Scale: a product with weights or with a second bottom, whose axes are those of the first from ``axis`` on.

A second bottom that has a batch has it on axis 0, so ``axis`` is 0 with it, or the batch is the file's. A constant one
may lie anywhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, Symbols, canonical_axis, layer, same_samples
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
    ("", ((2, 7, 5, 3), (7,))),
    ("scale_param { axis: 1 bias_term: true }", ((2, 7, 5, 3), (7, 5))),
    ("scale_param { axis: -2 }", ((2, 7, 5, 3), (5, 3))),
    ("scale_param { axis: 0 bias_term: true }", ((2, 7, 5, 3), (2, 7))),
    ("scale_param { axis: 0 num_axes: 2 bias_term: true }", (2, 7, 5, 3)),
    ("scale_param { axis: 0 num_axes: -1 }", (3, 5)),
    ("scale_param { axis: 0 num_axes: 0 bias_term: true }", (3, 5)),
    ("scale_param { axis: 0 bias_term: true }", (3,)),
)


def shape(op: Layer, bottom: Shape, *factors: Shape) -> tuple[Shape]:
    """Return the first bottom's shape."""
    if not factors:
        covered(op, bottom)
    elif begin(op, bottom, factors[0]) == 0 and op.param.bias_term and factors[0]:
        op.mix("has a bias with numbers for each sample")
    return (bottom,)


def begin(op: Layer, bottom: Shape, second: Shape) -> int:
    """Return the axis of the first bottom that is axis 0 of the second. Raises BadInput where they differ."""
    if not second:  # a single number, for which Caffe asks no axis
        return 0
    axis: int = op.param.axis
    if not -len(bottom) <= axis < len(bottom) or bottom[axis:][: len(second)] != second:
        raise op.bad(f"bottom {op.bottoms[1]!r} has the shape {second}; it needs that of {bottom} from axis {axis} on")
    if axis < 0 and axis % len(bottom):
        op.mix(f"axis {axis} with two bottoms")  # `samples` cannot tell that it is no batch
    return axis % len(bottom)


def samples(op: Layer, bottom: Symbols, *second: Symbols) -> Symbols:
    """Return the batch of the first bottom; behind its axis 0 the second may have none."""
    if second and op.param.axis > 0:
        if second[0]:
            op.mix(f"has the batch of bottom {op.bottoms[1]!r} on axis {op.param.axis}")
        return bottom
    return same_samples(op, bottom, *second)


def covered(op: Layer, bottom: Shape) -> tuple[int, Shape]:
    """Return the first axis that the weights cover, and their shape: () for a single number."""
    count = op.param.num_axes
    if count == 0 and -len(bottom) <= op.param.axis < len(bottom):
        return len(bottom), ()
    axis = canonical_axis(op, op.param.axis, len(bottom))
    if count < -1 or axis + count > len(bottom):
        raise op.bad(f"num_axes {count} from axis {axis} of a bottom with {len(bottom)} axes")
    return axis, bottom[axis:] if count == -1 else bottom[axis : axis + count]


def weights(op: Layer, bottom: Shape, *factors: Shape) -> tuple[Shape, ...]:
    """Return the shapes of the factors, which a second bottom holds, and of the bias."""
    sizes = factors[0] if factors else covered(op, bottom)[1]
    return (sizes,) * (int(not factors) + int(op.param.bias_term))


def spread(blob: Array, axis: int, bottom: Shape) -> Array:
    """Return numbers with the axes of the bottom, 1 long before ``axis`` and behind their own."""
    return blob.reshape((1,) * axis + blob.shape + (1,) * (len(bottom) - axis - blob.ndim))


def spread_weights(op: Layer, bottom: Shape) -> list[Array]:
    """Return each blob with the axes of the bottom."""
    return [spread(blob, covered(op, bottom)[0] if blob.ndim else 0, bottom) for blob in op.blobs]


def spread_second(op: Layer, emit: Emit) -> str:
    """Add what gives the second bottom the axes of the first; returns the tensor's name."""
    (first, second), name = (emit.shapes[bottom] for bottom in op.bottoms), op.bottoms[1]
    axis = begin(op, first, second)
    behind = len(first) - axis - len(second)
    if not second or not behind:  # the last axes go together by themselves
        return name
    if name in emit.constants:
        return emit.constant("factors", spread(emit.constants[name], axis, first))
    sizes = [1] * axis + [0 if 0 in emit.symbols[name] else second[0], *second[1:]] + [1] * behind  # 0: as it was
    return emit.node("Reshape", (name, emit.constant("sizes", np.array(sizes, dtype=np.int64))))


def reference(op: Layer, bottom: Array, *second: Array) -> tuple[Array]:
    """Return bottom times factors, plus the bias."""
    if second:
        axis = begin(op, bottom.shape, second[0].shape)
        factors, *bias = (spread(blob, axis if blob.ndim else 0, bottom.shape) for blob in (second[0], *op.blobs))
    else:
        factors, *bias = spread_weights(op, bottom.shape)
    return (bottom * factors + bias[0] if bias else bottom * factors,)


def channels(op: Layer, factors: Array, shifts: Array) -> Layer:
    """Return the Scale layer with these numbers for the channels, in the place of a layer."""
    from converters.caffe.schema import messages

    param = messages()["scale_param"](bias_term=True)
    return replace(op, type="Scale", param=param, blobs=(factors.astype(np.float32), shifts.astype(np.float32)))


def affine(op: Layer, bottom: Shape) -> tuple[Array, Array] | None:
    """Return the factors and shifts of the channels; None where others than the channels have them."""
    axis, sizes = covered(op, bottom)
    if len(bottom) < 2 or ((axis, sizes) != (1, bottom[1:2]) and sizes != ()):
        return None
    factors, *shifts = (np.broadcast_to(blob.astype(np.float64), bottom[1:2]) for blob in op.blobs)
    return factors, shifts[0] if shifts else np.zeros(bottom[1:2])


def absorb(op: Layer, bottom: Shape, factors: Array, shifts: Array) -> Layer | None:
    """Return the Scale layer that does both."""
    own = affine(op, bottom) if len(op.bottoms) == 1 else None
    return None if own is None else channels(op, own[0] * factors, own[1] * factors + shifts)


@layer(
    "Scale",
    shape=shape,
    reference=reference,
    weights=weights,
    parameter=PARAMETER,
    bottoms=(1, 2),
    samples=samples,
    affine=affine,
    absorb=absorb,
)
def scale(op: Layer, emit: Emit) -> None:
    """BatchNormalization with mean 0 and variance 1 for channels with a bias; else Mul, and Add for the bias."""
    bottom = emit.shapes[op.bottoms[0]]
    whole = affine(op, bottom) if len(op.bottoms) == 1 and op.blobs[1:] else None
    if whole is not None:
        values = (*whole, np.zeros(bottom[1]), np.ones(bottom[1]))
        names = ("factors", "bias", "mean", "variance")
        constants = [emit.constant(name, value.astype(np.float32)) for name, value in zip(names, values, strict=True)]
        emit.node("BatchNormalization", (*op.bottoms, *constants), op.tops, epsilon=0.0)
        return
    if len(op.bottoms) == 2:
        axis = begin(op, bottom, emit.shapes[op.bottoms[1]])
        factors, bias = spread_second(op, emit), [spread(blob, axis, bottom) for blob in op.blobs]
    else:
        weights, *bias = spread_weights(op, bottom)
        factors = emit.constant("factors", weights)
    product = emit.node("Mul", (op.bottoms[0], factors), () if bias else op.tops)
    if bias:
        emit.node("Add", (product, emit.constant("bias", bias[0])), op.tops)
