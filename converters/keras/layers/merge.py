"""Layers that join tensors. Inputs of fewer axes get axes of size 1 behind the batch, as in Keras.

All inputs are brought to one layout; two pictures that are flattened the same way are joined as they lie in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Shape, Tensor, channels_first, layer

TWO, BROADCAST = [(7, 9, 3), (7, 9, 3)], [(3,), (7, 9, 3)]
CASES: Cases = (
    *(
        (name, {}, shapes)
        for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")
        for shapes in (TWO, [(7, 9, 3)] * 3, BROADCAST, [(1, 1, 3), (7, 9, 3)], [(5,), (5,)], [(7, 1), (7, 3)])
    ),
    ("Subtract", {}, TWO),
    ("Subtract", {}, BROADCAST),
    ("Concatenate", {}, [(7, 9, 3), (7, 9, 2), (7, 9, 1)]),
    ("Concatenate", {"axis": 1}, [(7, 9, 3), (5, 9, 3)]),
    ("Concatenate", {"axis": -2}, [(7, 9, 3), (7, 5, 3)]),
    ("Concatenate", {}, [(5,), (3,)]),
    ("Concatenate", {"axis": 1}, [(5, 3), (4, 3)]),
)


def together(op: Layer, emit: Emit, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors with as many axes each, all laid out the same: as most numbers are already."""
    rank = max(tensor.rank for tensor in inputs)
    first = inputs[0]
    if first.places is not None and all(_same_places(tensor, first) for tensor in inputs):
        return list(inputs)
    spread = [_spread(emit, emit.unfolded(tensor), rank) for tensor in inputs]
    return [emit.ordered(tensor, _common(spread)) for tensor in spread]


def _same_places(tensor: Tensor, other: Tensor) -> bool:
    """Whether two flattened tensors lie in the same order in memory."""
    alike = tensor.places is not None and other.places is not None and np.array_equal(tensor.places, other.places)
    return alike and tensor.shape == other.shape and tensor.order == other.order


def _spread(emit: Emit, tensor: Tensor, rank: int) -> Tensor:
    """Return a tensor with axes of size 1 behind its batch."""
    missing = rank - tensor.rank
    if not missing:
        return tensor
    shape: Shape = (tensor.shape[0], *(1,) * missing, *tensor.shape[1:])
    return emit.reshape(tensor, shape)


def _common(tensors: Sequence[Tensor]) -> tuple[int, ...]:
    """Return the layout that the largest tensor has; among equals one with the channels as axis 1."""

    def size(tensor: Tensor) -> tuple[int, bool]:
        return sum(1 for s in tensor.shape if s != 1), tensor.order == channels_first(tensor.rank)

    return max(tensors, key=size).order


def joined_shape(op: Layer, tensors: Sequence[Tensor]) -> Shape:
    """Return the shape that all broadcast to. Raises BadInput where they do not."""
    shape: list[int | None] = []
    for sizes in zip(*(tensor.shape for tensor in tensors), strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide - {None}) > 1:
            raise op.bad(f"its inputs have the shapes {', '.join(str(t.shape) for t in tensors)}, which do not fit")
        shape.append(next(iter(wide - {None}), None) if wide else 1)
    return tuple(shape)


def _pairwise(op: Layer, emit: Emit, op_type: str, count: int | None = None) -> Tensor:
    if len(op.inputs) < 2 or (count is not None and len(op.inputs) != count):
        raise op.bad(f"has {len(op.inputs)} inputs; a layer of this class has {count or '2 or more'}")
    tensors = together(op, emit, op.inputs)
    made = tensors[0]
    for tensor in tensors[1:]:
        shape = joined_shape(op, (made, tensor))
        made = replace(made, name=emit.node(op_type, (made.name, tensor.name)), shape=shape)
    return made


@layer("Add")
def add(op: Layer, emit: Emit) -> Tensor:
    """Add an Add for each input but the first."""
    return _pairwise(op, emit, "Add")


@layer("Subtract")
def subtract(op: Layer, emit: Emit) -> Tensor:
    """Add a Sub."""
    return _pairwise(op, emit, "Sub", 2)


@layer("Multiply")
def multiply(op: Layer, emit: Emit) -> Tensor:
    """Add a Mul for each input but the first."""
    return _pairwise(op, emit, "Mul")


@layer("Maximum")
def maximum(op: Layer, emit: Emit) -> Tensor:
    """Add a Max for each input but the first."""
    return _pairwise(op, emit, "Max")


@layer("Minimum")
def minimum(op: Layer, emit: Emit) -> Tensor:
    """Add a Min for each input but the first."""
    return _pairwise(op, emit, "Min")


@layer("Average")
def average(op: Layer, emit: Emit) -> Tensor:
    """Add the sum, and a Mul."""
    return emit.like("Mul", _pairwise(op, emit, "Add"), emit.scalar(1 / len(op.inputs)))


@layer("Concatenate")
def concatenate(op: Layer, emit: Emit) -> Tensor:
    """Add a Concat. Flattened pictures are joined as they lie in memory."""
    return join(op, emit, op.axes("axis", "concat_axis", rank=op.inputs[0].rank, default=-1)[0])


def join(op: Layer, emit: Emit, axis: int) -> Tensor:
    """Concatenate the inputs along a Keras axis."""
    inputs = op.inputs
    if len({tensor.rank for tensor in inputs}) != 1 or axis == 0:
        shapes = ", ".join(str(tensor.shape) for tensor in inputs)
        raise op.bad(f"joins the shapes {shapes} along axis {axis}; they need as many axes, and not the batch")
    if len(inputs) == 1:
        return inputs[0]
    sizes = [tensor.shape[axis] for tensor in inputs]
    for tensor in inputs:
        rest = [(a, b) for i, (a, b) in enumerate(zip(tensor.shape, inputs[0].shape, strict=True)) if i != axis]
        if any(a != b and a is not None and b is not None for a, b in rest):
            raise op.bad(f"joins the shapes {tensor.shape} and {inputs[0].shape} along axis {axis}")
    whole = None if None in sizes else sum(size or 0 for size in sizes)
    shape = tuple(whole if i == axis else size for i, size in enumerate(inputs[0].shape))
    orders = {tensor.order for tensor in inputs}
    if any(t.places is not None for t in inputs) and axis == inputs[0].rank - 1 and len(orders) == 1:
        starts = np.cumsum([0, *(size or 0 for size in sizes)])
        parts = [np.arange(size or 0) if t.places is None else t.places for t, size in zip(inputs, sizes, strict=True)]
        places = np.concatenate([part + start for part, start in zip(parts, starts, strict=False)])
        names, order = [t.name for t in inputs], inputs[0].order
        return Tensor(emit.node("Concat", names, axis=order.index(axis)), shape, order, places)
    inputs = tuple(emit.unfolded(tensor) for tensor in inputs)
    order = _common(inputs)
    names = [emit.ordered(tensor, order).name for tensor in inputs]
    return Tensor(emit.node("Concat", names, axis=order.index(axis)), shape, order)


@layer("Merge")
def merge(op: Layer, emit: Emit) -> Tensor:
    """Add the layer of Keras 1 that has a mode; one that holds layers of its own is not known."""
    for name in ("arguments", "mode_type", "output_shape_type", "output_mask_type", "dot_axes", "node_indices"):
        op.setting(name)
    if op.setting("layers") or op.setting("tensor_indices") not in (None, [0] * len(op.inputs)):
        raise op.unsupported("a Merge that holds layers", "one that joins layers of a Model is")
    modes = {"sum": "Add", "mul": "Mul", "max": "Max"}
    mode = op.choice("mode", known=(*modes, "ave", "concat"))
    axis = op.setting("concat_axis", default=-1)
    if mode == "concat":
        return join(op, emit, op.axes("concat_axis", rank=op.inputs[0].rank, default=axis)[0])
    return average(op, emit) if mode == "ave" else _pairwise(op, emit, modes[mode])


@layer("CustomScaleLayer")
def custom_scale(op: Layer, emit: Emit) -> Tensor:
    """Add the sum of InceptionResNetV2, whose second part is scaled; Keras has it as a class of its own."""
    if len(op.inputs) != 2:
        raise op.bad(f"has {len(op.inputs)} inputs; a layer of this class has 2")
    first, second = together(op, emit, op.inputs)
    scaled = emit.node("Mul", (second.name, emit.scalar(op.number("scale"))))
    return replace(first, name=emit.node("Add", (first.name, scaled)), shape=joined_shape(op, (first, second)))
