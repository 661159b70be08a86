"""Layers that normalise by what they see: each sample by its own mean and variance, at inference too."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer

CASES: Cases = (
    ("LayerNormalization", {}, (7, 9, 6)),
    ("LayerNormalization", {"epsilon": 0.02, "center": False}, (7, 9, 6)),
    ("LayerNormalization", {"scale": False}, (7, 6)),
    ("LayerNormalization", {}, (5,)),
    ("LayerNormalization", {"axis": [1, 2]}, (7, 9, 3)),
    ("LayerNormalization", {"axis": 1}, (7, 9, 3)),
    ("RMSNormalization", {}, (7, 9, 6)),
    ("GroupNormalization", {"groups": 3}, (7, 9, 6)),
    ("GroupNormalization", {"groups": 2, "center": False}, (7, 6)),
    ("GroupNormalization", {"groups": -1, "scale": False}, (7, 9, 6)),
    ("UnitNormalization", {}, (7, 9, 6)),
    ("UnitNormalization", {"axis": [1, 2]}, (7, 9, 6)),
    ("UnitNormalization", {"axis": 1}, (5,)),
)


def mean(emit: Emit, x: str, axes: Sequence[int]) -> str:
    """Add the mean over ONNX axes, which stay with size 1; one axis at a time: OpenCV 4 is wrong for several."""
    for axis in sorted(axes):
        x = emit.node("ReduceMean", (x,), axes=[axis], keepdims=1)
    return x


def normalised(emit: Emit, x: str, axes: Sequence[int], epsilon: float, *, centred: bool = True) -> str:
    """Add ``(x - mean) / sqrt(variance + epsilon)`` over ONNX axes; else the mean is taken for 0."""
    if centred:
        x = emit.node("Sub", (x, mean(emit, x, axes)))
    variance = mean(emit, emit.node("Mul", (x, x)), axes)
    return emit.node("Div", (x, emit.node("Sqrt", (emit.node("Add", (variance, emit.scalar(epsilon))),))))


def _weighted(op: Layer, emit: Emit, x: Tensor, axes: Sequence[int], gamma: str = "gamma") -> Tensor:
    """Add the factors and shifts, which lie along some Keras axes."""
    sizes = [x.shape[axis] or 0 for axis in axes]
    spread = [(size or 0) if axis in axes else 1 for axis, size in enumerate(x.shape)]
    for name, wanted, op_type in ((gamma, "scale", "Mul"), ("beta", "center", "Add")):
        if (wanted == "scale" and gamma == "scale") or (gamma != "scale" and op.flag(wanted, default=True)):
            values = op.weight(name, sizes).reshape(spread).transpose(x.order)
            x = emit.like(op_type, x, emit.constant(name, values))
    return x


def _axes(op: Layer, x: Tensor) -> tuple[int, ...]:
    axes = tuple(sorted(op.axes("axis", rank=x.rank, default=-1)))
    if 0 in axes or any(x.shape[axis] is None for axis in axes):
        raise op.bad(f"axis {axes} of an input of shape {x.shape}; it needs axes of known size, not the batch")
    return axes


@layer("LayerNormalization")
def layer_normalization(op: Layer, emit: Emit) -> Tensor:
    """Add the parts of it: ONNX has it for last axes only, and the channels are axis 1."""
    x = emit.unfolded(op.input)
    axes = _axes(op, x)
    if op.flag("rms_scaling", default=False):
        raise op.unsupported("rms_scaling", "RMSNormalization is")
    name = normalised(emit, x.name, [x.axis(axis) for axis in axes], op.number("epsilon", default=1e-3))
    return _weighted(op, emit, x.named(name), axes)


@layer("RMSNormalization")
def rms_normalization(op: Layer, emit: Emit) -> Tensor:
    """Add ``x / sqrt(mean(x * x) + epsilon) * scale``."""
    x = emit.unfolded(op.input)
    axes = _axes(op, x)
    epsilon = op.number("epsilon", default=1e-6)
    name = normalised(emit, x.name, [x.axis(axis) for axis in axes], epsilon, centred=False)
    return _weighted(op, emit, x.named(name), axes, gamma="scale")


@layer("GroupNormalization")
def group_normalization(op: Layer, emit: Emit) -> Tensor:
    """Add a Reshape to (N, groups, rest), the parts of a normalization over the rest, and a Reshape back."""
    x = emit.unfolded(op.input)
    (axis, *others) = _axes(op, x)
    if others or None in x.shape[1:]:
        raise op.unsupported(f"an input of shape {x.shape}", "one of known size is, in groups along one axis")
    x = emit.ordered(x, (0, axis, *(i for i in range(1, x.rank) if i != axis)))
    channels, given = x.sizes[1] or 0, op.setting("groups", default=32)
    groups = channels if given == -1 else op.integer("groups", default=32)
    if channels % groups:
        raise op.bad(f"groups {groups} must divide {channels} channels")
    count = prod(size or 0 for size in x.sizes[1:]) // groups
    rows = emit.reshaped(x.name, (None, groups, count))
    rows = normalised(emit, rows, [2], op.number("epsilon", default=1e-3))
    return _weighted(op, emit, x.named(emit.reshaped(rows, x.sizes)), [axis])


@layer("UnitNormalization")
def unit_normalization(op: Layer, emit: Emit) -> Tensor:
    """Add ``x / max(length, 1e-12)``; the square of so small a length is 0 in float32 only below 1e-22."""
    x = emit.unfolded(op.input)
    return unit(emit, x, length(emit, x, _axes(op, x)), 1e-12)


def length(emit: Emit, x: Tensor, axes: Sequence[int], order: int = 2) -> str:
    """Add the length over Keras axes, which stay with size 1; of order 1 it is the sum of what is there."""
    parts = emit.node("Mul", (x.name, x.name)) if order == 2 else emit.node("Abs", (x.name,))
    for axis in sorted(x.axis(axis) for axis in axes):
        parts = emit.node("ReduceSum", (parts, emit.constant("axes", np.array([axis]))), keepdims=1)
    return emit.node("Sqrt", (parts,)) if order == 2 else parts


def unit(emit: Emit, x: Tensor, size: str, least: float) -> Tensor:
    """Add ``x / max(size, least)``."""
    return emit.like("Div", x, emit.node("Max", (size, emit.scalar(least))))
