"""Convolution over images. Caffe says kernel, stride, pad and dilation as one number, one a side, or as _h and _w."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converters.caffe.emit import Array, Emit, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "convolution_param",
    106,
    10,
    """
    1 uint32 num_output; 2 bool bias_term = true; 3 uint32* pad; 4 uint32* kernel_size; 5 uint32 group = 1
    6 uint32* stride; 7 FillerParameter weight_filler; 8 FillerParameter bias_filler; 9 uint32 pad_h; 10 uint32 pad_w
    11 uint32 kernel_h; 12 uint32 kernel_w; 13 uint32 stride_h; 14 uint32 stride_w; 15 Engine engine
    16 int32 axis = 1; 17 bool force_nd_im2col; 18 uint32* dilation
    """,
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
)


def sides(op: Layer, name: str, default: int | None) -> tuple[int, int]:
    """Return what the layer says of both sides, height first, by Caffe's rules: ``pad_h`` with ``pad`` is an error."""
    short = name.removesuffix("_size")
    values: Sequence[int] = getattr(op.param, name)
    high, wide = f"{short}_h", f"{short}_w"
    if short != "dilation" and (op.param.HasField(high) or op.param.HasField(wide)):
        if values:
            raise op.bad(f"has {name} and {high} or {wide}; Caffe takes one of the two ways")
        return getattr(op.param, high), getattr(op.param, wide)
    if len(values) > 2 or (not values and default is None):
        raise op.bad(f"{len(values)} values of {name}; an image needs 1 or 2")
    return (values[0], values[-1]) if values else (default or 0, default or 0)


def geometry(op: Layer) -> dict[str, tuple[int, int]]:
    """Return kernel, stride, pad and dilation, each (height, width)."""
    found = {
        "kernel": sides(op, "kernel_size", None),
        "stride": sides(op, "stride", 1),
        "pad": sides(op, "pad", 0),
        "dilation": sides(op, "dilation", 1),
    }
    for name, values in found.items():
        if name != "pad" and min(values) < 1:
            raise op.bad(f"{name} {values} (height, width) must not be 0; give both sides")
    return found


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return (N, outputs, height, width), rounded down. Raises for what is no plain convolution of images."""
    p = op.param
    if len(bottom) != 4:
        raise op.unsupported(f"a bottom of shape {bottom}", "a convolution works on 4 axes (N, C, H, W)")
    if p.axis % 4 != 1:
        raise op.unsupported(f"axis {p.axis}", "the channels must be axis 1")
    if p.num_output < 1 or p.group < 1 or p.num_output % p.group or bottom[1] % p.group:
        raise op.bad(f"group {p.group} must divide {bottom[1]} channels and num_output {p.num_output}")
    g = geometry(op)
    planes = (
        (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        for size, kernel, stride, pad, dilation in zip(bottom[2:], *g.values(), strict=True)
    )
    return ((bottom[0], p.num_output, *planes),)


def weights(op: Layer, bottom: Shape) -> tuple[Shape, ...]:
    """Return (outputs, inputs of a group, kernel height, kernel width), and (outputs,)."""
    p = op.param
    kernel = (p.num_output, bottom[1] // p.group, *geometry(op)["kernel"])
    return (kernel, (p.num_output,)) if p.bias_term else (kernel,)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Lay the windows out as rows and multiply them with the weights, group by group."""
    (kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w) = geometry(op).values()
    padded = np.pad(bottom, ((0, 0), (0, 0), (pad_h, pad_h), (pad_w, pad_w)))
    reach = (dilation_h * (kernel_h - 1) + 1, dilation_w * (kernel_w - 1) + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(2, 3))
    windows = windows[:, :, ::stride_h, ::stride_w, ::dilation_h, ::dilation_w]
    batch, channels, height, width = windows.shape[:4]
    group, outputs = op.param.group, op.param.num_output
    grouped = windows.reshape(batch, group, channels // group, height, width, kernel_h, kernel_w)
    rows = grouped.transpose(0, 1, 3, 4, 2, 5, 6).reshape(batch, group, height * width, -1)
    columns = op.blobs[0].reshape(group, outputs // group, -1).transpose(0, 2, 1).astype(bottom.dtype)
    top = (rows @ columns).transpose(0, 1, 3, 2).reshape(batch, outputs, height, width)
    return (top + op.blobs[1].reshape(-1, 1, 1) if op.param.bias_term else top,)


@layer("Convolution", shape=shape, reference=reference, weights=weights, parameter=PARAMETER)
def convolution(op: Layer, emit: Emit) -> None:
    """Conv, its padding as a node of its own where OpenCV gets it wrong.

    OpenCV 5 reads beyond the image for a padded 1x1 kernel, OpenCV 4 for a padded, dilated kernel of single channels.
    """
    g = geometry(op)
    bottom, pads = op.bottoms[0], g["pad"] * 2
    single = op.param.group == emit.shapes[bottom][1] and max(g["dilation"]) > 1
    if max(pads) > 0 and (g["kernel"] == (1, 1) or single):
        above_left = (0, 0, *g["pad"])
        sides = emit.constant("pads", np.array(above_left * 2, dtype=np.int64))
        bottom, pads = emit.node("Pad", (bottom, sides), mode="constant"), (0, 0, 0, 0)
    constants = [emit.constant("weights", op.blobs[0])]
    if op.param.bias_term:
        constants.append(emit.constant("bias", op.blobs[1]))
    emit.node(
        "Conv",
        (bottom, *constants),
        op.tops,
        kernel_shape=g["kernel"],
        strides=g["stride"],
        pads=pads,
        dilations=g["dilation"],
        group=op.param.group,
    )
