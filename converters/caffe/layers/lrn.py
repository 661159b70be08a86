"""LRN. Caffe and ONNX both divide alpha by the window size, so the numbers pass through.

Lowered, the sum over neighbouring channels is a 1x1 convolution with a banded matrix, which every runtime has fast code
for (docs/adr/0002-lrn-lowering.md). WITHIN_CHANNEL, a square in the plane, is refused.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Array, Emit, Layer, Shape, layer
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

CASES = (
    ("lrn_param { local_size: 5 alpha: 0.1 beta: 0.75 }", (2, 11, 5, 3)),
    ("lrn_param { local_size: 3 alpha: 0.2 k: 2 }", (2, 7, 5, 3)),
    ("lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 k: 1.5 }", (3, 7, 5, 2)),
    ("lrn_param { local_size: 7 alpha: 2 }", (2, 3, 5, 4)),
    ("", (2, 7, 5, 3)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape. Raises for the other region, for even windows and for bottoms that are no images."""
    if op.param.norm_region != 0:
        raise op.unsupported("norm_region WITHIN_CHANNEL", "ACROSS_CHANNELS is")
    if op.param.local_size % 2 == 0:
        raise op.bad(f"local_size {op.param.local_size} is not odd")
    if len(bottom) != 4:
        raise op.bad(f"the bottom has the shape {bottom}; it needs 4 axes")
    return (bottom,)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return x / (k + alpha / n * sum of the squares of the n channels around)^beta."""
    p = op.param
    half = p.local_size // 2
    squares = np.pad(bottom * bottom, ((0, 0), (half, half), (0, 0), (0, 0)))
    sums = np.lib.stride_tricks.sliding_window_view(squares, p.local_size, axis=1).sum(axis=-1)
    return (bottom * (p.k + p.alpha / p.local_size * sums) ** -p.beta,)


@layer("LRN", shape=shape, reference=reference, parameter=PARAMETER)
def lrn(op: Layer, emit: Emit) -> None:
    """LRN, or its parts: for beta 0.75 two square roots instead of a power."""
    p, bottom = op.param, op.bottoms[0]
    if emit.lrn == "native":
        emit.node("LRN", op.bottoms, op.tops, size=p.local_size, alpha=p.alpha, beta=p.beta, bias=p.k)
        return
    channels = emit.shapes[bottom][1]
    distance = np.abs(np.subtract.outer(np.arange(channels), np.arange(channels)))
    band = np.where(distance <= p.local_size // 2, p.alpha / p.local_size, 0).astype(np.float32)
    neighbours = emit.constant("neighbours", band.reshape(channels, channels, 1, 1))
    k = emit.constant("k", np.full(channels, p.k, dtype=np.float32))
    squares = emit.node("Mul", (bottom, bottom))
    scale = emit.node("Conv", (squares, neighbours, k), kernel_shape=[1, 1])
    if p.beta == 0.75:
        root = emit.node("Sqrt", (scale,))
        divisor = emit.node("Mul", (root, emit.node("Sqrt", (root,))))
    else:
        divisor = emit.node("Pow", (scale, emit.constant("beta", np.array(p.beta, dtype=np.float32))))
    emit.node("Div", (bottom, divisor), op.tops)
