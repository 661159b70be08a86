"""LRN. Caffe and ONNX both divide alpha by the window size, so the numbers pass through.

Lowered, the sum over neighbouring channels is a 1x1 convolution with a banded matrix, which every runtime has fast code
for (docs/adr/0002-lrn-lowering.md). WITHIN_CHANNEL, whose neighbours are a square in the plane, ONNX has not: it is
always lowered, its sum a convolution of each channel by itself. There Caffe ignores k and takes 1. In place Caffe gives
other numbers, because it overwrites what it still needs: that is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "lrn_param",
    118,
    18,
    """
    1 uint32 local_size = 5; 2 float alpha = 1; 3 float beta = 0.75; 4 NormRegion norm_region; 5 float k = 1
    6 Engine engine
    """,
    {"NormRegion": "ACROSS_CHANNELS WITHIN_CHANNEL"},
)

WIDEST = 2048
"""channels: beyond that the banded matrix, channels x channels, costs more than it saves"""

BLOCK = 16
"""A multiple of the channels that any runtime puts into one block."""

CASES = (
    ("lrn_param { local_size: 5 alpha: 0.1 beta: 0.75 }", (2, 11, 5, 3)),
    ("lrn_param { local_size: 3 alpha: 0.2 k: 2 }", (2, 7, 5, 3)),
    ("lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 k: 1.5 }", (3, 7, 5, 2)),
    ("lrn_param { local_size: 7 alpha: 2 }", (2, 3, 5, 4)),
    ("", (2, 7, 5, 3)),
    ("lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0.5 }", (2, 7, 5, 3)),
    ("lrn_param { norm_region: WITHIN_CHANNEL alpha: 3 beta: 0.6 k: 2 }", (2, 3, 11, 4)),
    ("lrn_param { norm_region: WITHIN_CHANNEL local_size: 7 }", (2, 5, 4, 3)),
)
ACROSS_CHANNELS = 0


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape. Raises for even windows and for bottoms that are no images."""
    if op.param.local_size % 2 == 0:
        raise op.bad(f"local_size {op.param.local_size} is not odd")
    if op.param.local_size > 2 * WIDEST:
        raise op.unsupported(f"local_size {op.param.local_size}", f"at most {2 * WIDEST} is")
    if len(bottom) != 4:
        raise op.bad(f"the bottom has the shape {bottom}; it needs 4 axes")
    return (bottom,)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return x / (k + alpha / n * sum of the squares of the n numbers around)^beta; n is local_size, or its square."""
    p = op.param
    half, across = (p.local_size // 2,) * 2, p.norm_region == ACROSS_CHANNELS
    axes = (1,) if across else (2, 3)
    squares = np.pad(bottom * bottom, [half if axis in axes else (0, 0) for axis in range(4)])
    windows = np.lib.stride_tricks.sliding_window_view(squares, (p.local_size,) * len(axes), axis=axes)
    means = windows.mean(axis=tuple(range(4, windows.ndim)))
    return (bottom * ((p.k if across else 1) + p.alpha * means) ** -p.beta,)


def across_channels(op: Layer, emit: Emit, squares: str, channels: int) -> str:
    """Add k + alpha / n * the sum over n channels, as a 1x1 convolution with a banded matrix."""
    p = op.param
    distance = np.abs(np.subtract.outer(np.arange(channels), np.arange(channels)))
    band = np.where(distance <= p.local_size // 2, p.alpha / p.local_size, 0).astype(np.float32)
    return summed(emit, squares, band.reshape(channels, channels, 1, 1), p.k, kernel_shape=[1, 1])


def within_channel(op: Layer, emit: Emit, squares: str, channels: int) -> str:
    """Add 1 + alpha / n^2 * the sum over n by n pixels, as a convolution of each channel by itself.

    On one row OpenCV 4 reads beyond it, so there the padding is a node of its own.
    """
    size, pads = op.param.local_size, [op.param.local_size // 2] * 4
    if min(emit.shapes[op.bottoms[0]][2:]) == 1 and size > 1:
        sides = emit.constant("pads", np.array((0, 0, *pads[:2], 0, 0, *pads[2:]), dtype=np.int64))
        squares, pads = emit.node("Pad", (squares, sides), mode="constant"), [0] * 4
    square = np.full((channels, 1, size, size), op.param.alpha / size**2, dtype=np.float32)
    return summed(emit, squares, square, 1, kernel_shape=[size] * 2, pads=pads, group=channels)


def summed(emit: Emit, squares: str, weights: Array, k: float, **attributes: Any) -> str:
    """Add a convolution plus ``k``, as its bias or as a node of its own.

    OpenCV 5 works on blocks of channels and fills the last one up with zeros. There a bias is missing, so that the
    division would be 0 / 0, and the next convolution would spread that NaN; an Add reaches the filling too.
    """
    neighbours = emit.constant("neighbours", weights)
    channels = len(weights)
    if channels % BLOCK == 0:
        bias = emit.constant("k", np.full(channels, k, dtype=np.float32))
        return emit.node("Conv", (squares, neighbours, bias), **attributes)
    sums = emit.node("Conv", (squares, neighbours), **attributes)
    return emit.node("Add", (sums, emit.constant("k", np.array(k, dtype=np.float32))))


@layer("LRN", shape=shape, reference=reference, parameter=PARAMETER, in_place=False)
def lrn(op: Layer, emit: Emit) -> None:
    """LRN, or its parts: for beta 0.75 two square roots instead of a power."""
    p, bottom = op.param, op.bottoms[0]
    across = p.norm_region == ACROSS_CHANNELS
    if across and (emit.lrn == "native" or emit.shapes[bottom][1] > WIDEST):
        emit.node("LRN", op.bottoms, op.tops, size=p.local_size, alpha=p.alpha, beta=p.beta, bias=p.k)
        return
    squares = emit.node("Mul", (bottom, bottom))
    sums = across_channels if across else within_channel
    scale = sums(op, emit, squares, emit.shapes[bottom][1])
    if p.beta == 0.75:
        root = emit.node("Sqrt", (scale,))
        divisor = emit.node("Mul", (root, emit.node("Sqrt", (root,))))
    else:
        divisor = emit.node("Pow", (scale, emit.constant("beta", np.array(p.beta, dtype=np.float32))))
    emit.node("Div", (bottom, divisor), op.tops)
