"""Reorg, a layer of Caffe's forks (YOLO 2): pixels become channels, or with ``reverse`` channels become pixels.

It keeps a mistake of darknet's: without ``reverse`` the bottom is taken for an image ``stride`` times as high and wide
with ``stride`` squared times fewer channels, whose pixels become channels; the result is then taken for the top.
"""

from __future__ import annotations

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer, same_sizes
from converters.caffe.messages import Parameter

PARAMETER = Parameter("reorg_param", None, None, "1 uint32 stride; 2 bool reverse = false")

JUDGE = "OpenCV 4"
CASES = (
    ("reorg_param { stride: 2 }", (2, 8, 6, 10)),
    ("reorg_param { stride: 3 }", (2, 9, 6, 12)),
    ("reorg_param { stride: 2 reverse: true }", (2, 12, 5, 3)),
    ("reorg_param { stride: 3 reverse: true }", (2, 18, 5, 3)),
    ("reorg_param { stride: 1 }", (2, 7, 5, 3)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return (N, C stride^2, H / stride, W / stride), or the other way round. Raises for what cannot be divided."""
    stride = op.param.stride
    if len(bottom) != 4 or not op.param.HasField("stride") or stride < 1:
        raise op.bad(f"stride {stride} with a bottom of shape {bottom}; it needs a stride of 1 or more, and 4 axes")
    samples, channels, height, width = bottom
    if channels % stride**2 or (not op.param.reverse and (height % stride or width % stride)):
        raise op.unsupported(
            f"stride {stride} with a bottom of shape {bottom}",
            "the channels must divide by its square, and without reverse height and width by itself",
        )
    if op.param.reverse:
        return ((samples, channels // stride**2, height * stride, width * stride),)
    return ((samples, channels * stride**2, height // stride, width // stride),)


def blocks(op: Layer, bottom: Shape) -> tuple[Shape, tuple[int, ...]]:
    """Return the shape of a sample cut into blocks, and the order in which its axes make the top."""
    stride = op.param.stride
    _, channels, height, width = bottom
    if op.param.reverse:
        return (stride, stride, channels // stride**2, height, width), (2, 3, 0, 4, 1)
    return (channels // stride**2, height, stride, width, stride), (2, 4, 0, 1, 3)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the pixels as channels, or the channels as pixels."""
    sizes, order = blocks(op, bottom.shape)
    (top,) = shape(op, bottom.shape)
    return (bottom.reshape(-1, *sizes).transpose(0, *(axis + 1 for axis in order)).reshape(top),)


@layer("Reorg", shape=shape, reference=reference, parameter=PARAMETER, in_place=False, identity=same_sizes)
def reorg(op: Layer, emit: Emit) -> None:
    """Reshape, Transpose and Reshape."""
    sizes, order = blocks(op, emit.shapes[op.bottoms[0]])
    cut = emit.node("Reshape", (*op.bottoms, emit.arrange(op.bottoms[0], *sizes)))
    moved = emit.node("Transpose", (cut,), perm=(0, *(axis + 1 for axis in order)))
    emit.node("Reshape", (moved, emit.sizes(op.tops[0])), op.tops)
