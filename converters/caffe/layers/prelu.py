"""PReLU: a slope for negative numbers, learnt for each channel. A shared one is stored as a blob without axes."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter("prelu_param", 131, None, "1 FillerParameter filler; 2 bool channel_shared = false")

CASES = (
    ("", (2, 7, 5, 3)),
    ("prelu_param { channel_shared: true }", (2, 7, 5, 3)),
    ("", (3, 11)),
    ("prelu_param { channel_shared: true }", (3, 11)),
    ("", (2, 7, 5)),
    ("prelu_param { channel_shared: true }", (2, 7, 5)),
    ("", (2, 1, 5, 3)),
    ("", (2, 7, 1, 1)),
    ("", (3, 1)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape. Raises for what Caffe has no channels in."""
    if not 2 <= len(bottom) <= 4:
        raise op.bad(f"the bottom has the shape {bottom}; it needs 2 to 4 axes")
    return (bottom,)


def weights(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return (channels,), or () when all channels share one slope."""
    return (() if op.param.channel_shared else bottom[1:2],)


def slopes(op: Layer, rank: int) -> Array:
    """Return the slopes so that they broadcast over the bottom: (channels, 1, ..) or one number."""
    return op.blobs[0].reshape(-1, *[1] * (rank - 2))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return max(x, 0) + slope * min(x, 0)."""
    return (np.maximum(bottom, 0) + slopes(op, bottom.ndim) * np.minimum(bottom, 0),)


@layer("PReLU", shape=shape, reference=reference, weights=weights, parameter=PARAMETER)
def prelu(op: Layer, emit: Emit) -> None:
    """PRelu."""
    emit.node("PRelu", (*op.bottoms, emit.constant("slopes", slopes(op, len(emit.shapes[op.bottoms[0]])))), op.tops)
