"""Transposed convolutions: every number of the input is spread over a window of the output, where the windows add up.

It is the gradient of a convolution, so ``same`` makes ``size * stride`` and cuts what that one would pad. Kernels are
(*window, outputs, inputs), the other way round than those of convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Array, Cases, Layer, Tensor, layer
from converters.keras.layers.activation import activate
from converters.keras.layers.convolution import kernel_size, plane_of, with_plane

CASES: Cases = (
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3}, (5, 7, 3)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}, (5, 7, 3)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same"}, (5, 7, 3)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 2, "strides": 3, "use_bias": False}, (5, 7, 3)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": (2, 5), "strides": (3, 2), "padding": "same"}, (5, 7, 3)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 1, "strides": 2, "padding": "same"}, (5, 7, 3)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "activation": "relu"}, (5, 7, 3)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "dilation_rate": (2, 1), "padding": "same"}, (5, 7, 3)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 1}, (5, 7, 3)),
    (
        "Conv2DTranspose",
        {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": (1, 0)},
        (5, 7, 3),
    ),
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}, (7, 3)),
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 4, "strides": 3}, (7, 3)),
    ("Conv3DTranspose", {"filters": 4, "kernel_size": 2, "strides": (1, 2, 3), "padding": "same"}, (2, 5, 7, 3)),
)
GAPS = (("opencv", "4", "Conv3DTranspose", "has no transposed convolution of volumes"),)
Cut = tuple[int, int, int]


def _cut(reach: int, stride: int, padding: str, extra: int | None) -> Cut:
    """Return how much is cut off before and behind one axis, and added behind, whatever its size.

    The whole is ``(size - 1) * stride + reach`` long; ``same`` cuts it to ``size * stride``.
    """
    half = reach // 2 if padding == "same" else 0
    usual = reach - stride if padding == "same" else min(reach - stride, 0)
    cut = usual if extra is None else 2 * half - extra
    before = max(cut, 0) // 2 if padding == "same" else 0
    return before, max(cut - before, 0), max(before - cut, 0)


def _dilated(kernel: Array, dilation: tuple[int, ...], reach: tuple[int, ...]) -> Array:
    """Return a kernel (.., *window) as large as its windows, with zeros between its numbers: OpenCV 4 dilates none."""
    if max(dilation) == 1:
        return kernel
    large = np.zeros((*kernel.shape[:2], *reach), dtype=kernel.dtype)
    large[tuple(slice(None, None, step) for step in (1, 1, *dilation))] = kernel
    return large


@layer("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def transposed(op: Layer, emit: Emit) -> Tensor:
    """Add a ConvTranspose; rows are taken for pictures of one row, as OpenCV 4 has none for rows."""
    count = op.input.rank - 2
    x, channels, _ = plane_of(op, emit, count)
    outputs, size = op.integer("filters", "nb_filter"), kernel_size(op, count)
    stride = op.integers("strides", "subsample", count=count, default=1)
    dilation = op.integers("dilation_rate", count=count, default=1)
    padding = op.choice("padding", "border_mode", known=("valid", "same"), default="valid")
    given = op.setting("output_padding")
    extra = (None,) * count if given is None else op.integers("output_padding", count=count, least=0)
    reach = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    cuts = [_cut(r, s, padding, e) for r, s, e in zip(reach, stride, extra, strict=True)]
    meet = max(prod(size) // prod(stride), 1)
    kernel = op.weight("kernel", (*size, outputs, channels), fan=meet * channels)
    bias = op.weight("bias", (outputs,)) if op.flag("use_bias", "bias", default=True) else None
    counts = tuple(
        None if n is None else (n - 1) * s + r - before - behind + added
        for n, s, r, (before, behind, added) in zip(x.sizes[2:], stride, reach, cuts, strict=True)
    )
    whole = _dilated(np.moveaxis(kernel, (-1, -2), (0, 1)), dilation, reach)
    if count == 1:
        row = x.named(emit.reshaped(x.name, (None, channels, 1, x.sizes[2])))
        name = _spread(emit, row, whole[:, :, None], bias, (1, *stride), [(0, 0, 0), *cuts])
        name = emit.reshaped(name, (None, outputs, *counts))
    else:
        name = _spread(emit, x, whole, bias, stride, cuts)
    made = with_plane(name, x, outputs, counts)
    return activate(op, emit, made, op.setting("activation"))


def _spread(
    emit: Emit, x: Tensor, kernel: Array, bias: Array | None, stride: tuple[int, ...], cuts: Sequence[Cut]
) -> str:
    """Add the node. OpenCV 4 cuts as much before as behind only, so a Slice cuts the rest."""
    constants = [emit.constant("kernel", kernel)] + ([] if bias is None else [emit.constant("bias", bias)])
    even = [before for before, _, _ in cuts]
    name = emit.node(
        "ConvTranspose",
        (x.name, *constants),
        kernel_shape=kernel.shape[2:],
        strides=stride,
        pads=(*even, *even),
        output_padding=tuple(added for _, _, added in cuts),
    )
    rest = {axis: before - behind for axis, (before, behind, _) in enumerate(cuts, 2) if behind > before}
    if not rest:
        return name
    given = {"starts": [0] * len(rest), "ends": list(rest.values()), "axes": list(rest)}
    sides = [emit.constant(what, np.array(numbers, dtype=np.int64)) for what, numbers in given.items()]
    return emit.node("Slice", (name, *sides))
