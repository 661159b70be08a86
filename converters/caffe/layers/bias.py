"""Bias: a sum with weights or with a second bottom, by the same rules as Scale."""

from __future__ import annotations

from converters.caffe.emit import Array, Emit, Layer, Shape, layer
from converters.caffe.layers.scale import check_second, covered, spread, spread_second
from converters.caffe.messages import Parameter

PARAMETER = Parameter("bias_param", 141, None, "1 int32 axis = 1; 2 int32 num_axes = 1; 3 FillerParameter filler")

CASES = (
    ("", (2, 7, 5, 3)),
    ("", (3, 11)),
    ("bias_param { axis: 2 num_axes: -1 }", (2, 7, 5, 3)),
    ("bias_param { axis: -2 }", (2, 7, 5, 3)),
    ("bias_param { num_axes: 0 }", (2, 7, 5, 3)),
    ("bias_param { axis: 0 }", ((2, 7, 5, 3), (2, 7))),
    ("bias_param { axis: 0 }", ((2, 7, 5, 3), (2, 7, 5, 3))),
)


def shape(op: Layer, bottom: Shape, *terms: Shape) -> tuple[Shape]:
    """Return the first bottom's shape."""
    if terms:
        check_second(op, bottom, terms[0])
    else:
        covered(op, bottom)
    return (bottom,)


def weights(op: Layer, bottom: Shape, *terms: Shape) -> tuple[Shape, ...]:
    """Return the shape of the terms; no weights with a second bottom."""
    return () if terms else (covered(op, bottom)[1],)


def reference(op: Layer, bottom: Array, *terms: Array) -> tuple[Array]:
    """Return bottom plus terms."""
    if terms:
        return (bottom + terms[0].reshape(terms[0].shape + (1,) * (bottom.ndim - terms[0].ndim)),)
    return (bottom + spread(op, op.blobs[0], bottom.shape),)


@layer("Bias", shape=shape, reference=reference, weights=weights, parameter=PARAMETER, bottoms=(1, 2))
def bias(op: Layer, emit: Emit) -> None:
    """Add."""
    if len(op.bottoms) == 2:
        term = spread_second(op, emit)
    else:
        term = emit.constant("bias", spread(op, op.blobs[0], emit.shapes[op.bottoms[0]]))
    emit.node("Add", (op.bottoms[0], term), op.tops)
