"""Bias: a sum with weights or with a second bottom, by the same rules as Scale."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.layers.scale import begin, channels, covered, samples, spread, spread_second, spread_weights
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
    ("", ((2, 7, 5, 3), (7, 5))),
    ("bias_param { axis: -2 }", ((2, 7, 5, 3), (5, 3))),
    ("bias_param { axis: 0 num_axes: 2 }", (2, 7, 5, 3)),
    ("bias_param { axis: 0 }", (3,)),
)


def shape(op: Layer, bottom: Shape, *terms: Shape) -> tuple[Shape]:
    """Return the first bottom's shape."""
    if terms:
        begin(op, bottom, terms[0])
    else:
        covered(op, bottom)
    return (bottom,)


def weights(op: Layer, bottom: Shape, *terms: Shape) -> tuple[Shape, ...]:
    """Return the shape of the terms; no weights with a second bottom."""
    return () if terms else (covered(op, bottom)[1],)


def reference(op: Layer, bottom: Array, *second: Array) -> tuple[Array]:
    """Return bottom plus terms."""
    if second:
        terms = spread(second[0], begin(op, bottom.shape, second[0].shape), bottom.shape)
    else:
        (terms,) = spread_weights(op, bottom.shape)
    return (bottom + terms,)


def affine(op: Layer, bottom: Shape) -> tuple[Array, Array] | None:
    """Return the factors and shifts of the channels; None where others than the channels have them."""
    axis, sizes = covered(op, bottom)
    if len(bottom) < 2 or ((axis, sizes) != (1, bottom[1:2]) and sizes != ()):
        return None
    return np.ones(bottom[1:2]), np.broadcast_to(op.blobs[0].astype(np.float64), bottom[1:2])


def absorb(op: Layer, bottom: Shape, factors: Array, shifts: Array) -> Layer | None:
    """Return the Scale layer that does both."""
    own = affine(op, bottom) if len(op.bottoms) == 1 else None
    return None if own is None else channels(op, factors, own[1] * factors + shifts)


@layer(
    "Bias",
    shape=shape,
    reference=reference,
    weights=weights,
    parameter=PARAMETER,
    bottoms=(1, 2),
    samples=samples,
    affine=affine,
    absorb=absorb,
)
def bias(op: Layer, emit: Emit) -> None:
    """Add."""
    if len(op.bottoms) == 2:
        term = spread_second(op, emit)
    else:
        term = emit.constant("bias", spread_weights(op, emit.shapes[op.bottoms[0]])[0])
    emit.node("Add", (op.bottoms[0], term), op.tops)
