"""Convolution over images of any number of axes. ``axis`` is that of the channels: all axes before it are batch.

Each bottom has its top, and all share the weights. Forks call it ConvolutionDepthwise or DepthwiseConvolution where
each channel is a group of its own, which the file need not say then.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.layers._windows import (
    PARAMETER,
    as_images,
    as_top,
    check_padded,
    check_tops,
    columns,
    image,
    windows,
    with_channels,
)

CASES = (
    ("convolution_param { num_output: 4 kernel_size: 3 }", (2, 7, 11, 13)),
    ("convolution_param { num_output: 4 kernel_size: 3 pad: 2 stride: 2 }", (2, 3, 11, 13)),
    ("convolution_param { num_output: 6 kernel_size: 3 group: 2 bias_term: false }", (2, 4, 7, 5)),
    ("convolution_param { num_output: 4 kernel_size: 3 dilation: 2 pad: 1 }", (2, 3, 11, 13)),
    (
        "convolution_param { num_output: 4 kernel_size: [3, 2] stride: [2, 3] pad: [0, 1] dilation: [1, 2] }",
        (2, 3, 11, 13),
    ),
    (
        "convolution_param { num_output: 4 kernel_h: 2 kernel_w: 5 stride_h: 3 stride_w: 2 pad_h: 1 pad_w: 2 }",
        (2, 3, 11, 13),
    ),
    ("convolution_param { num_output: 4 kernel_size: 5 pad_w: 2 }", (2, 3, 11, 7)),
    ("convolution_param { num_output: 4 kernel_size: 1 pad: 1 }", (2, 3, 8, 7)),
    ("convolution_param { num_output: 5 kernel_size: 1 pad: [0, 2] }", (2, 3, 8, 7)),
    ("convolution_param { num_output: 3 kernel_size: 3 pad: 1 dilation: 2 group: 3 }", (2, 3, 8, 7)),
    # padding larger than the kernel, stride larger than the kernel
    ("convolution_param { num_output: 4 kernel_size: 2 pad: 5 stride: 3 }", (2, 3, 7, 8)),
    # windows that reach beyond the padded image: one is left
    ("convolution_param { num_output: 4 kernel_size: 3 stride: 2 }", (2, 3, 2, 7)),
    ("convolution_param { num_output: 4 kernel_size: 4 stride: 3 pad: 1 }", (2, 3, 1, 5)),
    ("convolution_param { num_output: 6 kernel_size: 3 stride: 2 dilation: 2 pad: 1 group: 3 }", (2, 3, 2, 8)),
    # groups of one channel with several outputs, grouped and dilated
    ("convolution_param { num_output: 6 kernel_size: 3 pad: 1 group: 3 }", (2, 3, 8, 7)),
    ("convolution_param { num_output: 6 kernel_size: [3, 2] dilation: [2, 3] pad: [2, 1] group: 2 }", (2, 4, 9, 11)),
    ("convolution_param { num_output: 5 kernel_size: 3 pad: [0, 1] dilation: 2 group: 5 }", (2, 5, 13, 11)),
    # several bottoms, each with its top
    ("convolution_param { num_output: 4 kernel_size: 3 pad: 1 }", ((2, 3, 7, 5),) * 2, 2),
    ("convolution_param { num_output: 2 kernel_size: 2 axis: 2 }", ((2, 3, 4, 7, 5),) * 3, 3),
    # one and three axes of image, none, and four
    ("convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 }", (2, 3, 11)),
    ("convolution_param { num_output: 6 kernel_size: 2 dilation: 3 group: 3 bias_term: false }", (2, 3, 11)),
    ("convolution_param { num_output: 4 kernel_size: 3 stride: 4 }", (2, 3, 2)),
    ("convolution_param { num_output: 4 kernel_size: 1 pad: 1 }", (2, 3, 5)),
    ("convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 force_nd_im2col: true }", (2, 3, 7, 5)),
    ("convolution_param { num_output: 4 kernel_size: 2 pad: 1 }", (2, 3, 5, 7, 4)),
    (
        "convolution_param { num_output: 4 group: 2 kernel_size: [2, 1, 3] stride: [1, 2, 3] pad: [0, 1, 2] "
        "dilation: [2, 1, 1] }",
        (2, 6, 5, 7, 4),
    ),
    ("convolution_param { num_output: 4 kernel_size: 1 pad: 1 }", (2, 3, 5, 4, 7)),
    ("convolution_param { num_output: 3 kernel_size: 3 pad: 2 dilation: 2 group: 3 }", (2, 3, 5, 4, 7)),
    ("convolution_param { num_output: 4 }", (3, 11)),
    ("convolution_param { num_output: 4 kernel_size: 3 group: 2 bias_term: false }", (3, 6)),
    ("convolution_param { num_output: 2 kernel_size: 2 }", (2, 3, 4, 5, 3, 2)),
    # channels on another axis
    ("convolution_param { num_output: 2 kernel_size: 3 pad: 1 axis: 2 }", (2, 3, 4, 7, 5)),
    ("convolution_param { num_output: 4 kernel_size: 2 axis: -2 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 4 kernel_h: 2 kernel_w: 3 axis: -3 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 4 axis: 3 }", (2, 3, 5, 7)),
    ("convolution_param { num_output: 6 kernel_size: 3 pad: 2 dilation: 2 group: 3 axis: 2 }", (2, 4, 3, 8, 7)),
    ("convolution_param { num_output: 4 kernel_size: 2 axis: 0 }", (3, 7, 5)),
)
GAPS = tuple(("opencv", version, "(2, 3, 4, 5, 3, 2)", "convolves at most three axes") for version in ("4", "5"))


def shape(op: Layer, bottom: Shape, *others: Shape) -> tuple[Shape, ...]:
    """Return for each bottom the axes before the channels, ``num_output``, and how many windows each axis has."""
    check_tops(op, bottom, *others)
    before, channels, _ = image(op, bottom)
    outputs, _ = channels_of(op, channels)
    taken = windows(op, bottom)
    check_padded(op, bottom, taken)
    return ((*before, outputs, *taken.counts),) * len(op.tops)


def channels_of(op: Layer, channels: int) -> tuple[int, int]:
    """Return the number of outputs and of groups. Raises unless the groups divide both outputs and inputs."""
    p = op.param
    if op.type == "Convolution":
        if p.num_output < 1 or p.group < 1 or p.num_output % p.group or channels % p.group:
            raise op.bad(
                f"group {p.group} must divide {channels} channels and num_output {p.num_output}; none may be 0"
            )
        return p.num_output, p.group
    for name in ("group", "num_output"):
        if p.HasField(name) and getattr(p, name) != channels:
            known = f"a layer of this type has as many as channels, {channels}"
            raise op.unsupported(f"{name} {getattr(p, name)}", known)
    return channels, channels


def weights(op: Layer, bottom: Shape, *others: Shape) -> tuple[Shape, ...]:
    """Return (outputs, inputs of a group, *kernel), and (outputs,)."""
    _, channels, _ = image(op, bottom)
    outputs, group = channels_of(op, channels)
    kernel = (outputs, channels // group, *windows(op, bottom).kernel)
    return (kernel, (outputs,)) if op.param.bias_term else (kernel,)


def reference(op: Layer, *bottoms: Array) -> tuple[Array, ...]:
    """Lay the windows of each image out as columns and multiply the weights with them, group by group."""
    before, channels, plane = image(op, bottoms[0].shape)
    taken, (kernel, *bias) = windows(op, bottoms[0].shape), op.blobs
    group, outputs = channels // kernel.shape[1], len(kernel)
    matrices = kernel.reshape(group, outputs // group, -1).astype(bottoms[0].dtype)
    tops = []
    for bottom in bottoms:
        images = bottom.reshape(-1, channels, *plane)
        products = [matrices @ columns(pixels, taken).reshape(group, matrices.shape[2], -1) for pixels in images]
        top = np.stack(products).reshape(len(images), outputs, -1)
        top = top + bias[0][:, None] if bias else top
        tops.append(top.reshape(*before, outputs, *taken.counts))
    return tuple(tops)


def absorb(op: Layer, bottom: Shape, factors: Array, shifts: Array) -> Layer | None:
    """Return the layer whose top is also scaled and shifted, where the channels are axis 1."""
    if len(op.bottoms) > 1 or len(image(op, bottom)[0]) != 1:
        return None
    return with_channels(op, op.blobs[0], factors, shifts)


@layer(
    "Convolution",
    "ConvolutionDepthwise",
    "DepthwiseConvolution",
    shape=shape,
    reference=reference,
    weights=weights,
    parameter=PARAMETER,
    bottoms=(1, None),
    tops=(1, None),
    in_place=False,
    absorb=absorb,
)
def convolution(op: Layer, emit: Emit) -> None:
    """Conv for each bottom, between two Reshape where the channels are not axis 1, or are the last one."""
    for bottom, top in zip(op.bottoms, op.tops, strict=True):
        images = as_images(op, emit, bottom, 1)
        if images == bottom:
            convolve(op, emit, emit.shapes[bottom], images, (top,))
        else:
            as_top(emit, convolve(op, emit, emit.shapes[bottom], images, ()), top)


def convolve(op: Layer, emit: Emit, bottom: Shape, images: str, tops: tuple[str, ...]) -> str:
    """Add the Conv, its padding as a node of its own where OpenCV gets it wrong; returns the name of what it makes.

    OpenCV 5 reads beyond the image for a padded kernel of one pixel. OpenCV 4 does for a padded kernel of single
    channels that is dilated or lies on one row, and refuses rows that are padded at one end only.
    """
    taken, (kernel, *bias) = windows(op, bottom).on(1), op.blobs
    group = image(op, bottom)[1] // kernel.shape[1]
    pads = (*taken.pad, *taken.behind)
    single = kernel.shape[1] == 1 and (max(taken.dilation) > 1 or min(taken.plane) == 1)
    if max(pads) > 0 and (max(taken.kernel) == 1 or single or taken.pad != taken.behind):
        sides = emit.constant("pads", np.array((0, 0, *taken.pad, 0, 0, *taken.behind), dtype=np.int64))
        images, pads = emit.node("Pad", (images, sides), mode="constant"), (0,) * len(pads)
    constants = [emit.constant("weights", kernel.reshape(*kernel.shape[:2], *taken.kernel))]
    constants += [emit.constant("bias", blob) for blob in bias]
    return emit.node(
        "Conv",
        (images, *constants),
        tops,
        kernel_shape=taken.kernel,
        strides=taken.stride,
        pads=pads,
        dilations=taken.dilation,
        group=group,
    )
