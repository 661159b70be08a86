"""How Keras moves windows over axes: kernel, stride, dilation and padding of convolutions and pooling.

``same`` pads what is needed for ``ceil(size / stride)`` windows, the odd one behind, as TensorFlow does. The pads are
always written out: OpenCV 5 takes no notice of ONNX's ``auto_pad``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Layer, Shape, Tensor


@dataclass(frozen=True)
class Windows:
    """Windows over the axes behind the channels; ``before`` and ``behind`` are how far they reach over the edges."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    behind: tuple[int, ...]
    counts: Shape

    @property
    def padded(self) -> bool:
        """Whether any window reaches over the edge."""
        return any((*self.before, *self.behind))

    def on_rows(self) -> Windows:
        """Return the windows of one axis as those over pictures of one row."""
        sides = (0, *self.before), (0, *self.behind)
        return Windows((1, *self.kernel), (1, *self.stride), (1, *self.dilation), *sides, (1, *self.counts))

    def attributes(self) -> dict[str, Any]:
        """Return the words of ONNX for them."""
        return {"kernel_shape": self.kernel, "strides": self.stride, "pads": (*self.before, *self.behind)}


def windows(
    op: Layer, plane: Shape, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], padding: str
) -> Windows:
    """Return the windows over a plane. ``padding`` is valid, same or causal (all before)."""
    before, behind, counts = [], [], []
    for size, k, s, d in zip(plane, kernel, stride, dilation, strict=True):
        reach = (k - 1) * d + 1
        if padding == "valid":
            total = 0
        elif padding == "causal" or s == 1:
            total = reach - 1
        elif size is None:
            raise op.unsupported(
                "padding 'same' with strides on an input of unknown size", "give the model a fixed size"
            )
        else:
            total = max((-(-size // s) - 1) * s + reach - size, 0)
        before.append(total if padding == "causal" else total // 2)
        behind.append(total - before[-1])
        counts.append(None if size is None else (size + total - reach) // s + 1)
        if size is not None and size + total < reach:
            raise op.bad(f"a window of {reach} does not fit on {size} numbers")
    return Windows(kernel, stride, dilation, tuple(before), tuple(behind), tuple(counts))


def pad(emit: Emit, x: Tensor, taken: Windows) -> tuple[str, Windows]:
    """Add zeros around a tensor as a node of its own; returns its name, and the windows that are left."""
    sides = emit.constant("pads", np.array((0, 0, *taken.before, 0, 0, *taken.behind), dtype=np.int64))
    none = (0,) * len(taken.before)
    left = Windows(taken.kernel, taken.stride, taken.dilation, none, none, taken.counts)
    return emit.node("Pad", (x.name, sides), mode="constant"), left
