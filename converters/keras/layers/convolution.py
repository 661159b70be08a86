"""Convolutions over one, two or three axes: plain, in groups, depthwise and separable.

Keras keeps kernels as (*window, inputs, outputs), whatever the layout of the data; depthwise ones as (*window, inputs,
multiplier), whose outputs are those of input 0 first.
"""

from __future__ import annotations

from math import prod

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Array, Cases, Layer, Tensor, channels_first, layer
from converters.keras.layers._windows import Windows, pad, windows
from converters.keras.layers.activation import activate

CASES: Cases = (
    ("Conv2D", {"filters": 4, "kernel_size": 3}, (7, 9, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": (3, 2), "padding": "same", "use_bias": False}, (7, 9, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2, "activation": "relu"}, (8, 9, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": (2, 5), "padding": "same", "strides": (3, 2)}, (8, 10, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 1, "padding": "same", "strides": 2}, (7, 10, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": (2, 1)}, (7, 9, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": (2, 3), "dilation_rate": 2, "padding": "same"}, (7, 9, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 2, "padding": "same"}, (7, 9, 6)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "softmax"}, (7, 9, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 3}, (9, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 4, "padding": "same", "strides": 2}, (9, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, (9, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 2, "groups": 2, "activation": "tanh"}, (9, 6)),
    ("Conv3D", {"filters": 4, "kernel_size": (2, 3, 1), "padding": "same", "strides": (1, 2, 3)}, (5, 8, 9, 3)),
    ("Conv3D", {"filters": 4, "kernel_size": 2, "dilation_rate": (1, 2, 1)}, (5, 8, 9, 3)),
    ("DepthwiseConv2D", {"kernel_size": 3}, (7, 9, 3)),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), "depth_multiplier": 2, "padding": "same", "strides": 2}, (7, 8, 3)),
    ("DepthwiseConv2D", {"kernel_size": 3, "dilation_rate": 2, "padding": "same", "activation": "relu6"}, (7, 9, 3)),
    ("DepthwiseConv2D", {"kernel_size": 3, "use_bias": False, "padding": "same"}, (7, 9, 3)),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same", "strides": 2}, (8, 3)),
    ("SeparableConv2D", {"filters": 4, "kernel_size": 3}, (7, 9, 3)),
    (
        "SeparableConv2D",
        {
            "filters": 4,
            "kernel_size": (2, 3),
            "strides": 2,
            "padding": "same",
            "depth_multiplier": 2,
            "use_bias": False,
        },
        (7, 10, 3),
    ),
    (
        "SeparableConv2D",
        {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same", "activation": "relu"},
        (7, 9, 3),
    ),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "padding": "same", "depth_multiplier": 2}, (9, 3)),
)


def plane_of(op: Layer, emit: Emit, dimensions: int, *, places: bool = False) -> tuple[Tensor, int, bool]:
    """Return the input with its channels as axis 1, how many they are, and whether they are Keras's last axis.

    With ``places`` they may still be in the order of memory.
    """
    last = op.channels_last()
    if dimensions < 1 or op.input.rank != dimensions + 2:
        raise op.bad(f"its input has the shape {op.input.shape}; it needs {max(dimensions, 1) + 2} axes")
    kept = last and places and op.input.places is not None and op.input.order == channels_first(op.input.rank)
    x = op.input if kept else emit.channels(op.input, last=last)
    channels = x.sizes[1]
    if channels is None:
        raise op.bad(f"the number of channels is not known; its input has the shape {x.shape}")
    return x, channels, last


def with_plane(name: str, x: Tensor, channels: int, counts: tuple[int | None, ...]) -> Tensor:
    """Return the tensor that a layer makes of ``x``: other channels and another plane, laid out the same."""
    sizes = (None, channels, *counts)
    shape = tuple(sizes[x.order.index(axis)] for axis in range(x.rank))
    return Tensor(name, shape, x.order)


def kernel_size(op: Layer, dimensions: int) -> tuple[int, ...]:
    """Return the window; Keras 1 has a word for each side."""
    old = {1: ("filter_length",), 2: ("nb_row", "nb_col"), 3: ("kernel_dim1", "kernel_dim2", "kernel_dim3")}[dimensions]
    if op.setting("kernel_size") is None and old[0] in op.config:
        return tuple(op.integer(name) for name in old)
    return op.integers("kernel_size", count=dimensions)


def windows_of(op: Layer, x: Tensor, kernel: tuple[int, ...]) -> Windows:
    """Return how the windows of a convolution lie on its input."""
    count = len(kernel)
    stride = op.integers("strides", "subsample", "subsample_length", count=count, default=1)
    dilation = op.integers("dilation_rate", "atrous_rate", count=count, default=1)
    paddings = ("valid", "same", "causal") if count == 1 else ("valid", "same")
    padding = op.choice("padding", "border_mode", known=paddings, default="valid")
    if max(stride) > 1 and max(dilation) > 1:
        raise op.unsupported(f"strides {stride} with dilation_rate {dilation}", "one of them has to be 1")
    return windows(op, x.sizes[2:], kernel, stride, dilation, padding)


def convolve(emit: Emit, x: Tensor, kernel: Array, bias: Array | None, group: int, taken: Windows) -> str:
    """Add the Conv, kernel (outputs, inputs of a group, *window); its padding as a node where OpenCV gets it wrong.

    OpenCV 4 reads beyond the edge for padded kernels of single channels that are dilated or lie on one row, and
    refuses rows that are padded at one end only.
    """
    name = x.name
    rows = len(taken.kernel) != 2 and taken.before != taken.behind
    single = kernel.shape[1] == 1 and (max(taken.dilation) > 1 or 1 in x.sizes[2:] or x.rank != 4)
    if taken.padded and (rows or single or max(taken.kernel) == 1):
        name, taken = pad(emit, x, taken)
    constants = [emit.constant("kernel", kernel)] + ([] if bias is None else [emit.constant("bias", bias)])
    return emit.node("Conv", (name, *constants), **taken.attributes(), dilations=taken.dilation, group=group)


def _turned(kernel: Array) -> Array:
    """Return a kernel of Keras as ONNX has it: outputs and inputs first."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def _convolution(op: Layer, emit: Emit, dimensions: int) -> Tensor:
    x, channels, last = plane_of(op, emit, dimensions, places=op.setting("groups", default=1) == 1)
    outputs, group = op.integer("filters", "nb_filter"), op.integer("groups", default=1)
    if channels % group or outputs % group:
        raise op.bad(f"groups {group} must divide {channels} channels and {outputs} filters")
    if not last and "nb_filter" in op.config:
        raise op.unsupported("dim_ordering 'th' of Keras 1", "kernels of dim_ordering 'tf' are")
    size = kernel_size(op, dimensions)
    old = dimensions == 1 and "nb_filter" in op.config  # Keras 1 keeps rows as pictures of one column
    kernel = op.weight("kernel", (*size, *(1,) * old, channels // group, outputs))
    kernel = kernel[:, 0] if old else kernel
    kernel = kernel if x.places is None else kernel[..., x.places, :]
    bias = op.weight("bias", (outputs,)) if op.flag("use_bias", "bias", default=True) else None
    taken = windows_of(op, x, size)
    name = convolve(emit, x, _turned(kernel), bias, group, taken)
    return activate(op, emit, with_plane(name, x, outputs, taken.counts), op.setting("activation"))


@layer("Conv1D", "Convolution1D")
def conv1d(op: Layer, emit: Emit) -> Tensor:
    """Add a Conv over rows."""
    return _convolution(op, emit, 1)


@layer("Conv2D", "Convolution2D", "AtrousConvolution2D")
def conv2d(op: Layer, emit: Emit) -> Tensor:
    """Add a Conv over pictures."""
    return _convolution(op, emit, 2)


@layer("Conv3D", "Convolution3D")
def conv3d(op: Layer, emit: Emit) -> Tensor:
    """Add a Conv over volumes."""
    return _convolution(op, emit, 3)


def _depthwise(op: Layer, emit: Emit, dimensions: int, name: str) -> tuple[Tensor, int, Windows, Array]:
    """Return input, outputs, windows and kernel (outputs, 1, *window) of the depthwise part."""
    x, channels, _ = plane_of(op, emit, dimensions)
    multiplier, size = op.integer("depth_multiplier", default=1), kernel_size(op, dimensions)
    shape = (*size, channels, multiplier)
    fan = prod(size) * (2 if "Separable" in op.type else 1)  # no activation follows, which would halve what goes on
    kernel = op.weight(name, shape, fan=fan)
    outputs = channels * multiplier
    turned = np.moveaxis(kernel.reshape(*size, outputs), -1, 0)[:, None]
    return x, outputs, windows_of(op, x, size), turned


@layer("DepthwiseConv1D", "DepthwiseConv2D")
def depthwise(op: Layer, emit: Emit) -> Tensor:
    """Add a Conv with a group for each channel."""
    op.setting("groups", "filters")
    x, outputs, taken, kernel = _depthwise(op, emit, op.input.rank - 2, "kernel")
    bias = op.weight("bias", (outputs,)) if op.flag("use_bias", default=True) else None
    name = convolve(emit, x, kernel, bias, x.sizes[1] or 0, taken)
    return activate(op, emit, with_plane(name, x, outputs, taken.counts), op.setting("activation"))


@layer("SeparableConv1D", "SeparableConv2D", "SeparableConvolution2D")
def separable(op: Layer, emit: Emit) -> Tensor:
    """Add a Conv with a group for each channel, and one of single pixels."""
    op.setting("groups")
    dimensions = op.input.rank - 2
    x, middle, taken, kernel = _depthwise(op, emit, dimensions, "depthwise_kernel")
    outputs, ones = op.integer("filters", "nb_filter"), (1,) * dimensions
    pointwise = op.weight("pointwise_kernel", (*ones, middle, outputs))
    bias = op.weight("bias", (outputs,)) if op.flag("use_bias", "bias", default=True) else None
    each = with_plane(convolve(emit, x, kernel, None, x.sizes[1] or 0, taken), x, middle, taken.counts)
    single = Windows(ones, ones, ones, (0,) * dimensions, (0,) * dimensions, taken.counts)
    name = convolve(emit, each, _turned(pointwise), bias, 1, single)
    return activate(op, emit, with_plane(name, x, outputs, taken.counts), op.setting("activation"))
