"""BatchNorm at TEST. Mean and variance are stored as running sums; the third weight is what to divide them by.

It has no factor and no bias of its own: a Scale layer behind it brings them. A third weight of 0 makes both sums 0.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.layers.scale import channels
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "batch_norm_param",
    139,
    None,
    "1 bool use_global_stats; 2 float moving_average_fraction = .999; 3 float eps = 1e-5",
)

CASES = (
    ("", (2, 7, 5, 3)),
    ("", (3, 11)),
    ("", (2, 7, 5)),
    ("batch_norm_param { use_global_stats: true eps: 0.5 moving_average_fraction: 0.9 }", (2, 7, 5, 3)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape. Raises when the file asks for the statistics of the batch instead of the stored.

    With those Caffe's own answer changes from one run to the next.
    """
    if op.param.HasField("use_global_stats") and not op.param.use_global_stats:
        raise op.unsupported("use_global_stats: false", "at TEST the stored mean and variance are used")
    if len(bottom) < 2:
        raise op.unsupported(f"a bottom of shape {bottom}", "axis 1 must be the channels")
    return (bottom,)


def weights(op: Layer, bottom: Shape) -> tuple[Shape, ...]:
    """Return the shapes of mean, variance and divisor."""
    return (bottom[1],), (bottom[1],), (1,)


def statistics(op: Layer) -> tuple[Array, Array]:
    """Return mean and variance of each channel, float64."""
    mean, variance, divisor = (blob.astype(np.float64) for blob in op.blobs)
    factor = 0.0 if divisor[0] == 0 else 1 / divisor[0]
    if (variance * factor + op.param.eps).min() <= 0:
        raise op.bad("a variance below 0 in its weights; get the .caffemodel again")
    return mean * factor, variance * factor


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return (x - mean) / sqrt(variance + eps)."""
    mean, variance = (value.reshape(-1, *(1,) * (bottom.ndim - 2)) for value in statistics(op))
    return ((bottom - mean) / np.sqrt(variance + op.param.eps),)


def affine(op: Layer, bottom: Shape) -> tuple[Array, Array]:
    """Return the factors and shifts of the channels."""
    mean, variance = statistics(op)
    factors = 1 / np.sqrt(variance + op.param.eps)
    return factors, -mean * factors


def absorb(op: Layer, bottom: Shape, factors: Array, shifts: Array) -> Layer:
    """Return the Scale layer that does both."""
    own_factors, own_shifts = affine(op, bottom)
    return channels(op, own_factors * factors, own_shifts * factors + shifts)


@layer(
    "BatchNorm",
    shape=shape,
    reference=reference,
    weights=weights,
    parameter=PARAMETER,
    positive=(1, 2),
    affine=affine,
    absorb=absorb,
)
def batch_norm(op: Layer, emit: Emit) -> None:
    """BatchNormalization with factor 1 and bias 0, where no layer before it could take it."""
    mean, variance = (value.astype(np.float32) for value in statistics(op))
    names = ("factors", "bias", "mean", "variance")
    values = (np.ones_like(mean), np.zeros_like(mean), mean, variance)
    constants = [emit.constant(name, value) for name, value in zip(names, values, strict=True)]
    emit.node("BatchNormalization", (*op.bottoms, *constants), op.tops, epsilon=op.param.eps)
