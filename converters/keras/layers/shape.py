"""Layers that only change the shape. Nothing is moved where the layout allows it (`converters.keras.arrange`)."""

from __future__ import annotations

from math import prod

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, channels_first, layer

CASES: Cases = (
    ("Flatten", {}, (7, 9, 3)),
    ("Flatten", {}, (7, 3)),
    ("Flatten", {}, (1, 1, 5)),
    ("Flatten", {}, (5,)),
    ("Reshape", {"target_shape": (63, 3)}, (7, 9, 3)),
    ("Reshape", {"target_shape": (9, 7, 3)}, (7, 9, 3)),
    ("Reshape", {"target_shape": (-1,)}, (7, 9, 3)),
    ("Reshape", {"target_shape": (1, 1, 6)}, (6,)),
    ("Reshape", {"target_shape": (6,)}, (1, 1, 6)),
    ("Reshape", {"target_shape": (4, -1, 3)}, (60,)),
    ("Reshape", {"target_shape": (7, 3, 9)}, (7, 9, 3)),
    ("Permute", {"dims": (3, 1, 2)}, (7, 9, 3)),
    ("Permute", {"dims": (2, 1, 3)}, (7, 9, 3)),
    ("Permute", {"dims": (2, 1)}, (7, 9)),
    ("RepeatVector", {"n": 4}, (5,)),
)


@layer("Flatten")
def flatten(op: Layer, emit: Emit) -> Tensor:
    """Add a Reshape to (N, F); what lies in another order than Keras has it is noted for the layer behind."""
    x = op.input
    if not op.channels_last():  # it flattens as if the channels were last
        x = _permuted(emit.unfolded(x), (0, *range(2, x.rank), 1)) if x.rank > 2 else x
    if None in x.shape[1:]:
        raise op.unsupported(f"an input of shape {op.input.shape}", "one of known size is")
    return emit.reshape(x, (None, prod(size or 0 for size in x.shape[1:])))


@layer("Reshape")
def reshape(op: Layer, emit: Emit) -> Tensor:
    """Add a Reshape; one size may be -1."""
    x = op.input
    given = op.setting("target_shape", "dims")
    sizes = list(given) if isinstance(given, list | tuple) else []
    if not isinstance(given, list | tuple) or not all(isinstance(size, int) for size in sizes):
        raise op.bad(f"target_shape is {given!r:.100}; it has to be a list of whole numbers")
    if sizes.count(-1) > 1 or any(size < 1 and size != -1 for size in sizes):
        raise op.bad(f"target_shape {given!r:.100} is no shape; one size may be -1")
    if None in x.shape[1:]:
        raise op.unsupported(f"an input of shape {x.shape}", "one of known size is")
    count, known = prod(size or 0 for size in x.shape[1:]), prod(size for size in sizes if size != -1)
    if count % known or (-1 not in sizes and known != count):
        raise op.bad(f"target_shape {given!r:.100} does not hold the {count} numbers of {x.shape}")
    return emit.reshape(x, (None, *(count // known if size == -1 else size for size in sizes)))


def _permuted(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the tensor whose Keras axis ``i`` is axis ``axes[i]`` of ``x``; in memory nothing changes."""
    return Tensor(x.name, tuple(x.shape[axis] for axis in axes), tuple(axes.index(axis) for axis in x.order))


@layer("Permute")
def permute(op: Layer, emit: Emit) -> Tensor:
    """Only note that the axes have other places; a layer that needs them there moves them."""
    x = emit.unfolded(op.input)
    dims = op.integers("dims", count=x.rank - 1)
    if sorted(dims) != list(range(1, x.rank)):
        raise op.bad(f"dims {dims} are not the axes 1 to {x.rank - 1} in some order")
    return _permuted(x, (0, *dims))


@layer("RepeatVector")
def repeat_vector(op: Layer, emit: Emit) -> Tensor:
    """Add a Reshape to (N, F, 1), which is repeated along its last axis."""
    x, count = emit.unfolded(op.input), op.integer("n")
    if x.rank != 2:
        raise op.bad(f"its input has the shape {x.shape}; it needs 2 axes")
    column = emit.ordered(emit.reshape(x, (None, 1, x.shape[1])), channels_first(3))
    repeats = emit.constant("repeats", np.array([1, 1, count], dtype=np.int64))
    return Tensor(emit.node("Tile", (column.name, repeats)), (None, count, x.shape[1]), channels_first(3))
