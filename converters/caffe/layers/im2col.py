"""Im2col: the windows of an image as channels, the first number of each channel's windows, then the second, and so on.

It reads the parameters of a Convolution, but for the number of outputs, groups and the bias.
"""

from __future__ import annotations

from math import prod

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.layers._windows import PARAMETER, check_padded, columns, image, windows

CASES = (
    ("convolution_param { kernel_size: 3 }", (2, 3, 5, 7)),
    ("convolution_param { kernel_size: 2 stride: 2 pad: 1 bias_term: false }", (2, 3, 5, 7)),
    ("convolution_param { kernel_size: [3, 2] stride: [1, 3] pad: [2, 0] dilation: [2, 1] }", (2, 3, 5, 7)),
    ("convolution_param { kernel_h: 2 kernel_w: 3 stride_h: 3 stride_w: 1 pad_h: 0 pad_w: 1 }", (2, 3, 5, 7)),
    ("convolution_param { kernel_size: 1 }", (2, 3, 5, 7)),
    ("convolution_param { kernel_size: 1 stride: 2 pad: 1 }", (2, 3, 5, 7)),
    ("convolution_param { kernel_size: 3 stride: 2 }", (2, 3, 2, 7)),
    ("convolution_param { kernel_size: 2 num_output: 4 group: 9 force_nd_im2col: true }", (2, 3, 4, 5)),
    ("convolution_param { kernel_size: 3 pad: 1 stride: 2 }", (2, 3, 11)),
    ("convolution_param { kernel_size: 2 }", (2, 3, 4, 5, 6)),
    ("convolution_param { kernel_size: [2, 1, 3] pad: [1, 0, 1] dilation: [2, 1, 1] }", (2, 3, 4, 5, 6)),
    ("convolution_param { kernel_size: 3 axis: 2 }", (2, 3, 4, 5, 6)),
    ("convolution_param { kernel_size: 2 pad: 1 axis: -2 }", (2, 3, 4, 5)),
    ("convolution_param { kernel_size: 2 axis: 0 }", (3, 4, 5)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the axes before the channels, channels times kernel, and how many windows each axis has."""
    before, channels, plane = image(op, bottom)
    if not plane:
        raise op.bad(f"axis {op.param.axis} is the last of {bottom}; there must be an image behind the channels")
    taken = windows(op, bottom)
    check_padded(op, bottom, taken)
    return ((*before, channels * prod(taken.kernel), *taken.counts),)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the windows of each image."""
    before, channels, plane = image(op, bottom.shape)
    taken = windows(op, bottom.shape)
    tops = np.stack([columns(pixels, taken) for pixels in bottom.reshape(-1, channels, *plane)])
    return (tops.reshape(*before, -1, *taken.counts),)


@layer("Im2col", shape=shape, reference=reference, parameter=PARAMETER, in_place=False)
def im2col(op: Layer, emit: Emit) -> None:
    """Pad, a Gather for each axis of the image, Transpose and Reshape: each number is copied as it is."""
    numbers, taken = op.bottoms[0], windows(op, emit.shapes[op.bottoms[0]])
    lead = len(emit.shapes[numbers]) - len(taken.plane)
    if max(taken.pad + taken.behind) > 0:
        none = (0,) * lead
        sides = np.array((*none, *taken.pad, *none, *taken.behind), dtype=np.int64)
        numbers = emit.node("Pad", (numbers, emit.constant("pads", sides)), mode="constant")
    for axis, where in enumerate(taken.taps):
        numbers = emit.node("Gather", (numbers, emit.constant("taps", where)), axis=lead + 2 * axis)
    last = lead + 2 * len(taken.plane)
    order = (*range(lead), *range(lead, last, 2), *range(lead + 1, last, 2))
    ordered = emit.node("Transpose", (numbers,), perm=order) if len(taken.plane) > 1 else numbers
    emit.node("Reshape", (ordered, emit.sizes(op.tops[0])), op.tops)
