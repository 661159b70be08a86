"""Deconvolution: every number of the bottom is spread over a window of the top, where the windows add up.

It is the gradient of a Convolution, and ``pad`` is cut off the top. Its weights say inputs first: (C, outputs of a
group, *kernel).
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.layers._windows import (
    PARAMETER,
    Windows,
    as_images,
    as_top,
    check_tops,
    image,
    windows,
    with_channels,
)
from converters.onnx_file import LARGEST

CASES = (
    ("convolution_param { num_output: 4 kernel_size: 3 }", (2, 7, 5, 6)),
    ("convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1 bias_term: false }", (2, 3, 5, 7)),
    # twice as large, each channel alone, as in fully convolutional networks
    ("convolution_param { num_output: 5 kernel_size: 4 stride: 2 pad: 1 group: 5 bias_term: false }", (2, 5, 6, 7)),
    ("convolution_param { num_output: 6 kernel_size: 3 stride: 3 group: 2 }", (2, 4, 5, 7)),
    ("convolution_param { num_output: 6 kernel_size: 3 stride: 2 group: 3 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 4 kernel_size: [3, 2] stride: [2, 3] pad: [0, 1] }", (2, 3, 5, 7)),
    (
        "convolution_param { num_output: 4 kernel_h: 2 kernel_w: 5 stride_h: 3 stride_w: 2 pad_h: 1 pad_w: 2 }",
        (2, 3, 5, 7),
    ),
    ("convolution_param { num_output: 4 kernel_size: 5 pad_w: 2 }", (2, 3, 4, 7)),
    # stride larger than the kernel, padding larger than the kernel
    ("convolution_param { num_output: 4 kernel_size: 2 stride: 4 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 4 kernel_size: 2 pad: 3 }", (2, 3, 8, 9)),
    ("convolution_param { num_output: 4 kernel_size: 1 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 4 kernel_size: 1 pad: 1 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 4 kernel_size: 1 pad: [0, 2] group: 2 }", (2, 6, 5, 7)),
    ("convolution_param { num_output: 4 kernel_size: 1 stride: 2 pad: 1 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 4 kernel_size: 3 }", (2, 3, 1, 1)),
    # dilated
    ("convolution_param { num_output: 4 kernel_size: 3 dilation: 2 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 4 kernel_size: [3, 2] dilation: [2, 3] stride: [1, 2] pad: 1 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 6 kernel_size: 3 dilation: 2 stride: 2 pad: 2 group: 3 }", (2, 6, 5, 7)),
    # several bottoms, each with its top
    ("convolution_param { num_output: 4 kernel_size: 3 stride: 2 }", ((2, 3, 4, 5),) * 2, 2),
    # one and three axes of image, and none
    ("convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1 }", (2, 3, 7)),
    ("convolution_param { num_output: 6 kernel_size: 2 dilation: 3 group: 3 bias_term: false }", (2, 3, 7)),
    ("convolution_param { num_output: 4 kernel_size: 2 stride: 3 pad: 1 }", (2, 3, 5, 4, 3)),
    (
        "convolution_param { num_output: 4 group: 2 kernel_size: [2, 1, 3] stride: [1, 2, 3] pad: [0, 0, 1] "
        "dilation: [2, 1, 1] }",
        (2, 6, 5, 3, 4),
    ),
    ("convolution_param { num_output: 4 force_nd_im2col: true kernel_size: 3 stride: 2 }", (2, 3, 5, 4)),
    ("convolution_param { num_output: 4 }", (3, 11)),
    ("convolution_param { num_output: 4 group: 2 bias_term: false }", (3, 6)),
    # channels on another axis
    ("convolution_param { num_output: 2 kernel_size: 3 stride: 2 axis: 2 }", (2, 3, 4, 7, 5)),
    ("convolution_param { num_output: 4 kernel_size: 2 stride: 2 axis: -2 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 4 kernel_size: 2 stride: 2 axis: 0 }", (3, 7, 5)),
)
GAPS = tuple(("opencv", "4", bottom, "deconvolves two axes only") for bottom in ("(2, 3, 5, 4, 3)", "(2, 6, 5, 3, 4)"))


def shape(op: Layer, bottom: Shape, *others: Shape) -> tuple[Shape, ...]:
    """Return for each bottom the axes before the channels, ``num_output``, and the axes of the larger image."""
    check_tops(op, bottom, *others)
    before, channels, _ = image(op, bottom)
    p, spread = op.param, windows(op, bottom)
    if p.num_output < 1 or p.group < 1 or p.num_output % p.group or channels % p.group:
        raise op.bad(f"group {p.group} must divide {channels} channels and num_output {p.num_output}; none may be 0")
    if prod((*before, p.num_output, *whole(spread))) > LARGEST:
        raise op.unsupported(f"pad {spread.pad} of {whole(spread)}", f"a top has at most {LARGEST} numbers before that")
    if max(spread.dilation, default=1) > 1 and channels * p.num_output // p.group * prod(spread.reach) > LARGEST:
        raise op.unsupported(f"dilation {spread.dilation}", f"a dilated kernel has at most {LARGEST} numbers")
    plane = (size - 2 * pad for size, pad in zip(whole(spread), spread.pad, strict=True))
    return ((*before, p.num_output, *plane),) * len(op.tops)


def whole(spread: Windows) -> Shape:
    """Return the axes of the larger image before ``pad`` is cut off."""
    sizes = zip(spread.plane, spread.stride, spread.reach, strict=True)
    return tuple(stride * (size - 1) + reach for size, stride, reach in sizes)


def weights(op: Layer, bottom: Shape, *others: Shape) -> tuple[Shape, ...]:
    """Return (inputs, outputs of a group, *kernel), and (outputs,)."""
    p = op.param
    kernel = (image(op, bottom)[1], p.num_output // p.group, *windows(op, bottom).kernel)
    return (kernel, (p.num_output,)) if p.bias_term else (kernel,)


def reference(op: Layer, *bottoms: Array) -> tuple[Array, ...]:
    """Multiply the weights with the numbers at each pixel, and add up the windows that this gives."""
    before, channels, plane = image(op, bottoms[0].shape)
    spread, (kernel, *bias) = windows(op, bottoms[0].shape), op.blobs
    group, outputs = op.param.group, op.param.num_output
    matrices = kernel.reshape(group, channels // group, -1).transpose(0, 2, 1).astype(bottoms[0].dtype)
    tops = []
    for bottom in bottoms:
        pixels = bottom.reshape(-1, group, channels // group, prod(plane))
        images = [add_up((matrices @ each).reshape(outputs, *spread.kernel, *plane), spread) for each in pixels]
        top = np.stack(images) + (bias[0].reshape(-1, *[1] * len(plane)) if bias else 0)
        tops.append(top.reshape(*before, *top.shape[1:]))
    return tuple(tops)


def add_up(products: Array, spread: Windows) -> Array:
    """Return the image (C, ..) that windows (C, *kernel, *plane) add up to where they belong."""
    found = np.zeros((len(products), *whole(spread)), dtype=products.dtype)
    for tap in np.ndindex(*spread.kernel):
        sizes = zip(tap, spread.dilation, spread.plane, spread.stride, strict=True)
        here = (slice(at * d, at * d + stride * (size - 1) + 1, stride) for at, d, size, stride in sizes)
        found[(slice(None), *here)] += products[(slice(None), *tap)]
    kept = (slice(pad, size - pad) for pad, size in zip(spread.pad, whole(spread), strict=True))
    return found[(slice(None), *kept)]


def absorb(op: Layer, bottom: Shape, factors: Array, shifts: Array) -> Layer | None:
    """Return the layer whose top is also scaled and shifted, where the channels are axis 1.

    The outputs of a group are axis 1 of its kernel (channels, outputs of a group, ..).
    """
    if len(op.bottoms) > 1 or len(image(op, bottom)[0]) != 1:
        return None
    kernel, group = op.blobs[0], op.param.group
    turned = kernel.reshape(group, -1, *kernel.shape[1:]).swapaxes(1, 2)  # (group, outputs, channels, ..)
    whole = with_channels(op, turned.reshape(len(factors), -1, *kernel.shape[2:]), factors, shifts)
    back = whole.blobs[0].reshape(turned.shape).swapaxes(1, 2).reshape(kernel.shape)
    return replace(whole, blobs=(np.ascontiguousarray(back), whole.blobs[1]))


@layer(
    "Deconvolution",
    shape=shape,
    reference=reference,
    weights=weights,
    parameter=PARAMETER,
    bottoms=(1, None),
    tops=(1, None),
    in_place=False,
    absorb=absorb,
)
def deconvolution(op: Layer, emit: Emit) -> None:
    """ConvTranspose for each bottom, between two Reshape where the image has not two axes, or others lie before it.

    OpenCV 4 runs no ConvTranspose of rows.
    """
    for bottom, top in zip(op.bottoms, op.tops, strict=True):
        images = as_images(op, emit, bottom, 2)
        if images == bottom:
            deconvolve(op, emit, emit.shapes[bottom], images, (top,))
        else:
            as_top(emit, deconvolve(op, emit, emit.shapes[bottom], images, ()), top)


def deconvolve(op: Layer, emit: Emit, bottom: Shape, images: str, tops: tuple[str, ...]) -> str:
    """Add the ConvTranspose; returns the name of what it makes.

    OpenCV 4 takes no notice of dilations, so the kernel is dilated here. Where pads are cut off what a kernel of one
    pixel makes, it writes beyond the top; there a Slice cuts them off.
    """
    spread, (kernel, *bias) = windows(op, bottom).on(2), op.blobs
    constants = [emit.constant("weights", dilated(kernel.reshape(*kernel.shape[:2], *spread.kernel), spread))]
    constants += [emit.constant("bias", blob) for blob in bias]
    words = {"kernel_shape": spread.reach, "strides": spread.stride, "group": op.param.group}
    if max(spread.pad) == 0 or max(spread.reach + spread.stride) > 1:
        return emit.node("ConvTranspose", (images, *constants), tops, pads=spread.pad * 2, **words)
    uncut = emit.node("ConvTranspose", (images, *constants), **words)
    ends = [size - pad for size, pad in zip(spread.plane, spread.pad, strict=True)]
    axes = range(2, 2 + len(ends))
    where = {"starts": spread.pad, "ends": ends, "axes": axes}
    sides = [emit.constant(what, np.array(values, dtype=np.int64)) for what, values in where.items()]
    return emit.node("Slice", (uncut, *sides), tops)


def dilated(kernel: Array, spread: Windows) -> Array:
    """Return a kernel (.., *kernel) as large as its windows, with zeros between its numbers."""
    if max(spread.dilation) == 1:
        return kernel
    large = np.zeros((*kernel.shape[:2], *spread.reach), dtype=kernel.dtype)
    steps = tuple(slice(None, None, step) for step in (1, 1, *spread.dilation))
    large[steps] = kernel
    return large
