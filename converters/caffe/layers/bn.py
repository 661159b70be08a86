"""BN, two layers of Caffe's forks that share a name. Their fields say which fork it is; without any it is refused.

SegNet's ``bn_mode: INFERENCE`` stores factors and shifts, into which mean and variance have gone already. That of
PSPNet, ICNet and temporal segment networks stores slope, bias, mean and variance: (x - mean) / sqrt(variance + eps)
slope + bias.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.layers.scale import channels, scale
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "bn_param",
    None,
    None,
    """
    1 FillerParameter slope_filler; 2 FillerParameter bias_filler; 3 float momentum = 0.9; 4 float eps = 1e-5
    5 bool frozen = false; 6 Engine engine; 11 FillerParameter scale_filler; 12 FillerParameter shift_filler
    13 BNMode bn_mode
    """,
    {"BNMode": "LEARN INFERENCE"},
)
LEARN = 0
SEGNET = {"scale_filler", "shift_filler", "bn_mode"}

JUDGE = "numpy"
CASES = (
    ("bn_param { frozen: true }", (2, 7, 5, 3)),
    ("bn_param { slope_filler { value: 1 } bias_filler { value: 0 } momentum: 0.95 eps: 0.5 }", (2, 7, 5, 3)),
    ("bn_param { scale_filler { value: 1 } shift_filler { value: 0.001 } bn_mode: INFERENCE }", (2, 7, 5, 3)),
)


def stored(op: Layer) -> int:
    """Return how many blobs the layer has: 2 in SegNet's form, 4 in the other. Raises when the fields do not say."""
    fields = {field.name for field, _ in op.param.ListFields()}
    segnet, other = fields & SEGNET, fields - SEGNET
    if bool(segnet) == bool(other):
        known = "bn_mode: INFERENCE (SegNet) or frozen or eps (PSPNet) are"
        raise op.unsupported("a BN layer of an unknown fork", known)
    if segnet and op.param.bn_mode == LEARN:
        raise op.unsupported("bn_mode: LEARN", "bn_mode: INFERENCE is, whose weights hold mean and variance")
    return 2 if segnet else 4


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape."""
    stored(op)
    if len(bottom) != 4:
        raise op.unsupported(f"a bottom of shape {bottom}", "one of 4 axes is")
    return (bottom,)


def weights(op: Layer, bottom: Shape) -> tuple[Shape, ...]:
    """Return the shape of factors and shifts; or of slope, bias, mean and variance: (1, C, 1, 1) each."""
    return ((1, bottom[1], 1, 1),) * stored(op)


def affine(op: Layer, bottom: Shape) -> tuple[Array, Array]:
    """Return the factors and shifts of the channels."""
    factors, shifts, *statistics = (blob.astype(np.float64).ravel() for blob in op.blobs)
    if statistics:
        mean, variance = statistics
        if (variance + op.param.eps).min() <= 0:
            raise op.bad("a variance below 0 in its weights; get the .caffemodel again")
        factors = factors / np.sqrt(variance + op.param.eps)
        shifts = shifts - mean * factors
    return factors, shifts


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the bottom, normalised."""
    if stored(op) == 2:
        return (bottom * op.blobs[0] + op.blobs[1],)
    affine(op, bottom.shape)  # which looks at the variance
    slope, bias, mean, variance = (blob.astype(np.float64) for blob in op.blobs)
    return ((bottom - mean) / np.sqrt(variance + op.param.eps) * slope + bias,)


def absorb(op: Layer, bottom: Shape, factors: Array, shifts: Array) -> Layer:
    """Return the Scale layer that does both."""
    own_factors, own_shifts = affine(op, bottom)
    return channels(op, own_factors * factors, own_shifts * factors + shifts)


@layer(
    "BN",
    shape=shape,
    reference=reference,
    weights=weights,
    parameter=PARAMETER,
    positive=(3,),
    affine=affine,
    absorb=absorb,
)
def bn(op: Layer, emit: Emit) -> None:
    """BatchNormalization with mean 0 and variance 1, as a Scale layer with these factors and shifts."""
    scale(channels(op, *affine(op, emit.shapes[op.bottoms[0]])), emit)
