"""Operations that move, join and cut tensors, as ``x[:, 1:3]`` and ``keras.ops.reshape``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer
from converters.keras.layers.merge import join
from converters.keras.layers.operations import Values, tensor, values, without
from converters.keras.layers.rescaling import numbers

PICTURE, TWO = (7, 9, 3), [(7, 9, 3), (7, 9, 3)]
CASES: Cases = (
    ("ops.reshape", {"newshape": (-1, 9, 21)}, PICTURE),
    ("ops.transpose", {"axes": (0, 3, 1, 2)}, PICTURE),
    ("ops.concatenate", {"axis": -1, "as_list": True}, TWO),
    ("ops.stack", {"axis": 1, "as_list": True}, TWO),
    ("ops.expand_dims", {"axis": 1}, (7, 3)),
    ("ops.squeeze", {"axis": 1}, (1, 7, 3)),
    ("ops.get_item", {"behind": ((slice(None), slice(1, 5), slice(None, None, 2), slice(-2, None)),)}, PICTURE),
    ("ops.get_item", {"behind": ((Ellipsis, 1),)}, PICTURE),
    ("ops.get_item", {"behind": ((slice(None), -2),)}, PICTURE),
    ("ops.pad", {"pad_width": ((0, 0), (1, 2), (0, 1), (0, 0))}, PICTURE),
    ("ops.get_item", {"behind": ((Ellipsis, slice(None, None, -1)),)}, PICTURE),
    ("ops.get_item", {"behind": ((slice(None), slice(5, 1, -2), 3, slice(1, None)),)}, PICTURE),
    ("ops.flip", {"axis": -1}, PICTURE),
)


@layer("ops.Reshape")
def reshape(op: Layer, emit: Emit) -> Tensor:
    """Add a Reshape whose first size is the batch."""
    x, given = tensor(op, emit), op.setting("newshape")
    sizes = list(given) if isinstance(given, list | tuple) else [given]
    whole = all(isinstance(size, int) and not isinstance(size, bool) for size in sizes)
    count, known = np.prod([size or 0 for size in x.shape[1:]]), np.prod([size for size in sizes[1:] if size != -1])
    if not whole or None in x.shape[1:] or sizes[0] != -1 or -1 in sizes[1:] or known != count:
        raise op.unsupported(f"newshape {given!r:.60} of {x.shape}", "-1 for the batch, and known sizes, are")
    return emit.reshape(x, (None, *sizes[1:]))


@layer("ops.Transpose")
def transpose(op: Layer, emit: Emit) -> Tensor:
    """Only note that the axes have other places."""
    x = tensor(op, emit)
    axes = op.axes("axes", rank=x.rank, default=list(range(x.rank))[::-1])
    if sorted(axes) != list(range(x.rank)) or axes[0] != 0:
        raise op.unsupported(f"axes {axes}", "all axes with the batch in front are")
    return Tensor(x.name, tuple(x.shape[axis] for axis in axes), tuple(axes.index(axis) for axis in x.order))


@layer("ops.Concatenate", "ops.Concat")
def concatenate(op: Layer, emit: Emit) -> Tensor:
    """Add a Concat."""
    return join(op, emit, op.axes("axis", rank=op.inputs[0].rank, default=0)[0])


@layer("ops.Stack")
def stack(op: Layer, emit: Emit) -> Tensor:
    """Add a Concat along an axis that each input gets."""
    rank = op.inputs[0].rank + 1
    (axis,) = op.axes("axis", rank=rank, default=0)
    if axis == 0:
        raise op.unsupported("axis 0", "an axis behind the batch is")
    spread = tuple(emit.reshape(emit.unfolded(one), (*one.shape[:axis], 1, *one.shape[axis:])) for one in op.inputs)
    return join(replace(op, inputs=spread), emit, axis)


@layer("ops.ExpandDims")
def expand_dims(op: Layer, emit: Emit) -> Tensor:
    """Add a Reshape with an axis of size 1."""
    x = tensor(op, emit)
    axes = op.axes("axis", rank=x.rank + 1)
    shape = list(x.shape)
    for axis in sorted(axes):
        shape.insert(axis, 1)
    if 0 in axes:
        raise op.unsupported("axis 0", "an axis behind the batch is")
    return emit.reshape(x, tuple(shape))


@layer("ops.Squeeze")
def squeeze(op: Layer, emit: Emit) -> Tensor:
    """Add a Reshape without axes of size 1."""
    x = tensor(op, emit)
    ones = tuple(axis for axis, size in enumerate(x.shape) if size == 1)
    axes = ones if op.setting("axis") is None else op.axes("axis", rank=x.rank)
    if not set(axes) <= set(ones):
        raise op.bad(f"axis {axes} of an input of shape {x.shape}; only axes of size 1 can go")
    return without(emit, x, axes)


@layer("ops.GetItem", call=("x", "key"))
def get_item(op: Layer, emit: Emit) -> Tensor:
    """Add a Slice (backwards a Gather), and a Reshape without the axes of which one place is taken."""
    x, given = values(op, 2, "x", "key")
    if not isinstance(x, Tensor):
        raise op.bad(f"takes something of {x!r:.60}; it needs a tensor")
    x = emit.unfolded(x)
    key = list(given) if isinstance(given, list | tuple) else [given]
    return sliced(op, emit, x, key)


def sliced(op: Layer, emit: Emit, x: Tensor, key: Values) -> Tensor:
    """Take places and slices of a tensor, one an axis, ``...`` for those between."""
    rest = [index for index, one in enumerate(key) if _is_rest(one)]
    if rest:
        key = [*key[: rest[0]], *[slice(None)] * (x.rank - len(key) + 1), *key[rest[0] + 1 :]]
    shape, cut, dropped = list(x.shape), [], []
    turned: list[tuple[int, range]] = []
    for axis, one in enumerate(key):
        if _is_whole(one):
            continue
        size = shape[axis] if axis < x.rank else None
        if axis == 0 or size is None:
            raise op.unsupported(
                f"[{one!r:.60}] of axis {axis} of {x.shape}", "axes of known size behind the batch are"
            )
        places = _range(op, one, size)
        shape[axis] = len(places)
        if places.step < 0:
            turned.append((axis, places))
        else:
            cut.append((x.axis(axis), places.start, places.stop, places.step))
        dropped += [axis] if isinstance(one, int) else []
    if cut:
        parts = zip(("axes", "starts", "ends", "steps"), zip(*cut, strict=True), strict=True)
        names = {what: emit.constant(what, np.array(numbers, dtype=np.int64)) for what, numbers in parts}
        name = emit.node("Slice", (x.name, *(names[what] for what in ("starts", "ends", "axes", "steps"))))
        x = x.named(name)
    for axis, places in turned:
        x = taken(emit, x, axis, places)
    x = replace(x, shape=tuple(shape))
    return without(emit, x, tuple(dropped)) if dropped else x


def taken(emit: Emit, x: Tensor, axis: int, places: range) -> Tensor:
    """Take places along a Keras axis, as for ``x[..., ::-1]``, which turns RGB into BGR."""
    indices = emit.constant("places", np.array(places, dtype=np.int64))
    shape = (*x.shape[:axis], len(places), *x.shape[axis + 1 :])
    return replace(x, name=emit.node("Gather", (x.name, indices), axis=x.axis(axis)), shape=shape)


@layer("ops.Flip")
def flip(op: Layer, emit: Emit) -> Tensor:
    """Add a Gather for each axis that is turned round."""
    x = tensor(op, emit)
    axes = op.axes("axis", rank=x.rank) if op.setting("axis") is not None else tuple(range(x.rank))
    for axis in axes:
        size = x.shape[axis]
        if axis == 0 or size is None:
            raise op.unsupported(f"axis {axis} of {x.shape}", "axes of known size behind the batch are")
        x = taken(emit, x, axis, range(size - 1, -1, -1))
    return x


def _is_rest(one: Any) -> bool:
    return one is Ellipsis or (isinstance(one, dict) and one.get("class_name") == "__ellipsis__")


def _is_whole(one: Any) -> bool:
    given = _settings(one)
    return one == slice(None) or (given is not None and all(value is None for value in given.values()))


def _settings(one: Any) -> dict[str, Any] | None:
    """Return start, stop and step as the file has them; None: it is no slice."""
    if isinstance(one, dict):
        inner = one.get("config", one)
        if isinstance(inner, dict) and {"start", "stop"} <= inner.keys():
            return {name: inner.get(name) for name in ("start", "stop", "step")}
    return None


def _range(op: Layer, one: Any, size: int) -> range:
    """Return the places that a number or a slice takes along an axis."""
    if isinstance(one, int) and not isinstance(one, bool) and -size <= one < size:
        return range(one % size, one % size + 1)
    given = _settings(one)
    if given is None or not all(value is None or type(value) is int for value in given.values()):
        raise op.unsupported(f"[{one!r:.60}] of {size} places", "a place or a slice of whole numbers is")
    if given["step"] == 0:
        raise op.bad(f"[{one!r:.60}] of {size} places has the step 0")
    places = range(*slice(given["start"], given["stop"], given["step"]).indices(size))
    if not places:
        raise op.unsupported(f"[{one!r:.60}] of {size} places", "a slice that takes something is")
    return places


@layer("ops.Pad", call=("constant_values",))
def pad(op: Layer, emit: Emit) -> Tensor:
    """Add a Pad."""
    x = tensor(op, emit)
    op.choice("mode", known=("constant",), default="constant")
    given = numbers(op, "pad_width", op.setting("pad_width"))
    widths = np.broadcast_to(given, (x.rank, 2)).astype(int) if given.ndim <= 2 else given
    if widths.shape != (x.rank, 2) or (widths < 0).any() or widths[0].any():
        raise op.bad(f"pad_width {op.setting('pad_width')!r:.60} of an input of shape {x.shape}")
    value = op.call.get("constant_values")
    fill = float(numbers(op, "constant_values", 0.0 if value is None else value))
    turned = widths[list(x.order)]
    pads = emit.constant("pads", np.concatenate([turned[:, 0], turned[:, 1]]).astype(np.int64))
    shape = tuple(None if n is None else n + int(sum(w)) for n, w in zip(x.shape, widths, strict=True))
    return replace(x, name=emit.node("Pad", (x.name, pads, emit.scalar(fill)), mode="constant"), shape=shape)
