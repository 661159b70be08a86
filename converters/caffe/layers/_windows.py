"""The windows that Convolution, Deconvolution and Im2col lay over an image of any number of axes.

Caffe says kernel, stride, pad and dilation as one number, one an axis, or (for two axes) as _h and _w. Its division
cuts off towards zero: a kernel larger than the padded image, but by less than the stride, still has one window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, canonical_axis
from converters.caffe.messages import Parameter
from converters.onnx_file import LARGEST

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


@dataclass(frozen=True)
class Windows:
    """The axes of an image, and for each of them kernel, stride, pad and dilation."""

    plane: Shape
    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape

    @property
    def reach(self) -> Shape:
        """How many pixels a window spans along each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def counts(self) -> Shape:
        """How many windows there are along each axis."""
        spans = (size + 2 * pad - reach for size, pad, reach in zip(self.plane, self.pad, self.reach, strict=True))
        return tuple((abs(span) // s) * (-1 if span < 0 else 1) + 1 for span, s in zip(spans, self.stride, strict=True))

    @property
    def behind(self) -> Shape:
        """The padding behind the image: more than ``pad`` where the only window reaches beyond that."""
        sizes = zip(self.plane, self.pad, self.reach, strict=True)
        return tuple(max(pad, reach - size - pad) for size, pad, reach in sizes)

    @property
    def taps(self) -> list[Array]:
        """For each axis, where in the padded image each number of each window lies: int64 (kernel, count)."""
        sizes = zip(self.kernel, self.dilation, self.counts, self.stride, strict=True)
        return [np.add.outer(np.arange(k) * d, np.arange(count) * s) for k, d, count, s in sizes]

    def on(self, axes: int) -> Windows:
        """Return the same for an image with at least so many axes, those behind its own 1 long."""
        more = (1,) * (axes - len(self.plane))
        pad = self.pad + (0,) * len(more)
        return Windows(self.plane + more, self.kernel + more, self.stride + more, pad, self.dilation + more)


def image(op: Layer, bottom: Shape) -> tuple[Shape, int, Shape]:
    """Return the axes before the channels (all are batch), how many channels there are, and the axes of the image."""
    axis = canonical_axis(op, op.param.axis, len(bottom))
    return bottom[:axis], bottom[axis], bottom[axis + 1 :]


def windows(op: Layer, bottom: Shape) -> Windows:
    """Return what the layer says of its windows. Raises for what Caffe refuses."""
    *_, plane = image(op, bottom)
    found = Windows(
        plane,
        _numbers(op, "kernel_size", len(plane), ()),
        _numbers(op, "stride", len(plane), (1,)),
        _numbers(op, "pad", len(plane), (0,)),
        _numbers(op, "dilation", len(plane), (1,)),
    )
    for name, values in (("kernel", found.kernel), ("stride", found.stride)):
        if 0 in values:
            raise op.bad(f"{name} {values} must not be 0; give every side")
    if 0 in found.dilation:
        raise op.unsupported(f"dilation {found.dilation}", "1 is every pixel, 2 every other one")
    return found


def check_padded(op: Layer, bottom: Shape, taken: Windows) -> None:
    """Raise when the bottom with its padding is too large for a runtime."""
    sides = zip(taken.plane, taken.pad, taken.behind, strict=True)
    numbers = prod(bottom[: len(bottom) - len(taken.plane)]) * prod(map(sum, sides))
    if min(taken.counts, default=1) > 0 and numbers > LARGEST:
        raise op.unsupported(f"pad {taken.pad} around {bottom}", f"a padded bottom has at most {LARGEST} numbers")


def _numbers(op: Layer, name: str, axes: int, default: Sequence[int]) -> Shape:
    """Return one number an axis, by Caffe's rules: ``pad_h`` with ``pad`` is an error."""
    values = list(getattr(op.param, name))
    short = name.removesuffix("_size")
    high, wide = f"{short}_h", f"{short}_w"
    if short != "dilation" and (op.param.HasField(high) or op.param.HasField(wide)):
        if values:
            raise op.bad(f"has {name} and {high} or {wide}; Caffe takes one of the two ways")
        if axes != 2:
            raise op.bad(f"has {high} or {wide} for an image of {axes} axes; they are for 2, give {name}")
        return getattr(op.param, high), getattr(op.param, wide)
    values = values or list(default)
    if len(values) not in (1, axes):
        raise op.bad(f"{len(values)} values of {name}; an image of {axes} axes needs 1 or {axes}")
    return tuple(values * axes if len(values) == 1 else values)


def columns(pixels: Array, taken: Windows) -> Array:
    """Return the windows of an image (C, ..) as (C, *kernel, *counts), a view on the padded image."""
    axes = len(taken.plane)
    padded = np.pad(pixels, [(0, 0), *zip(taken.pad, taken.behind, strict=True)])
    found = np.lib.stride_tricks.sliding_window_view(padded, taken.reach, axis=tuple(range(1, 1 + axes)))
    found = found[(slice(None), *(slice(None, None, step) for step in taken.stride + taken.dilation))]
    return found.transpose(0, *range(1 + axes, 1 + 2 * axes), *range(1, 1 + axes))


def check_tops(op: Layer, bottom: Shape, *others: Shape) -> None:
    """Raise unless all bottoms have one shape, and there is a top for each."""
    if len(op.tops) != len(op.bottoms):
        raise op.bad(f"{len(op.bottoms)} bottoms and {len(op.tops)} tops; each bottom needs a top of its own")
    for name, other in zip(op.bottoms[1:], others, strict=True):
        if other != bottom:
            raise op.bad(f"bottom {name!r} has the shape {other}; all bottoms need that of the first, {bottom}")


def as_images(op: Layer, emit: Emit, bottom: str, axes: int) -> str:
    """Add what gives a bottom one batch axis and at least so many axes of image; returns the tensor's name."""
    before, channels, plane = image(op, emit.shapes[bottom])
    if len(before) == 1 and len(plane) >= axes:
        return bottom
    sizes = np.array([-1, channels, *plane, *(1,) * (axes - len(plane))], dtype=np.int64)
    return emit.node("Reshape", (bottom, emit.constant("images", sizes)))


def as_top(emit: Emit, images: str, top: str) -> None:
    """Add what gives the axes of a top to images that `as_images` has made."""
    sizes = np.array([-1, *emit.shapes[top][1:]], dtype=np.int64)
    emit.node("Reshape", (images, emit.constant("sizes", sizes)), (top,))


def with_channels(op: Layer, kernel: Array, factors: Array, shifts: Array) -> Layer:
    """Return a layer with ``kernel`` times ``factors``, and a bias: its own times factors, plus shifts."""
    bias = op.blobs[1] * factors + shifts if op.blobs[1:] else shifts
    whole = kernel.astype(np.float64) * factors.reshape(-1, *[1] * (kernel.ndim - 1))
    return replace(op, blobs=(whole.astype(np.float32), bias.astype(np.float32)))
