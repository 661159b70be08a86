"""ArgMax: the places of the largest numbers, as float32. Among equal numbers Caffe takes the last first.

Along an ``axis``, ``out_max_val`` gives the numbers in place of their places. Without one each sample is a row: the top
is (N, 1, top_k), or (N, 2, top_k) with the places and then the numbers.
"""

from __future__ import annotations

from math import prod

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, canonical_axis, layer
from converters.caffe.messages import Parameter

FLOAT = 1
"""ONNX's number for float32."""

PARAMETER = Parameter("argmax_param", 103, 23, "1 bool out_max_val; 2 uint32 top_k = 1; 3 int32 axis")

CASES = (
    ("", (3, 11)),
    ("", (2, 7, 5, 3)),
    ("argmax_param { out_max_val: true }", (2, 7, 5, 3)),
    ("argmax_param { top_k: 4 }", (2, 7, 5, 3)),
    ("argmax_param { top_k: 3 out_max_val: true }", (3, 11)),
    ("argmax_param { top_k: 2 out_max_val: true }", (2, 3, 4, 5, 7)),
    ("argmax_param { axis: 1 }", (2, 7, 5, 3)),
    ("argmax_param { axis: -1 out_max_val: true }", (2, 7, 5, 3)),
    ("argmax_param { axis: 2 top_k: 4 }", (2, 7, 5, 3)),
    ("argmax_param { axis: 1 top_k: 3 out_max_val: true }", (2, 7, 5)),
    ("argmax_param { axis: 1 top_k: 11 }", (3, 11)),
    ("argmax_param { out_max_val: true }", (3,)),
    ("argmax_param { axis: 0 }", (3, 11)),
    ("argmax_param { axis: 0 top_k: 2 }", (7, 5, 3)),
)


def rows(op: Layer, bottom: Shape) -> tuple[int, Shape]:
    """Return the axis along which the largest are looked for, and the shape with that axis."""
    if op.param.HasField("axis"):
        return canonical_axis(op, op.param.axis, len(bottom)), bottom
    if not bottom:
        raise op.bad("the bottom has no axes; give axis, or a bottom with a batch")
    return 1, (bottom[0], prod(bottom[1:]))


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape with ``top_k`` on the axis, or (N, 1 or 2, top_k, 1 ..)."""
    axis, row = rows(op, bottom)
    count = op.param.top_k
    if count not in range(1, row[axis] + 1):
        raise op.bad(f"top_k {count} of {row[axis]} numbers; give 1 to {row[axis]}")
    if op.param.HasField("axis"):
        return ((*bottom[:axis], count, *bottom[axis + 1 :]),)
    return ((bottom[0], 2 if op.param.out_max_val else 1, count, *(1,) * (len(bottom) - 3)),)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return places, numbers, or both, the largest first."""
    axis, row = rows(op, bottom.shape)
    numbers = bottom.reshape(row)
    last = row[axis] - 1
    order = last - np.argsort(np.flip(-numbers, axis), axis=axis, kind="stable")  # of equal ones the last first
    places = np.take(order, range(op.param.top_k), axis=axis)
    values = np.take_along_axis(numbers, places, axis=axis)
    if op.param.HasField("axis"):
        return ((values if op.param.out_max_val else places).astype(bottom.dtype),)
    both = [places, values] if op.param.out_max_val else [places]
    return (np.stack(both, axis=1).reshape(shape(op, bottom.shape)[0]).astype(bottom.dtype),)


@layer("ArgMax", shape=shape, reference=reference, parameter=PARAMETER, in_place=False)
def argmax(op: Layer, emit: Emit) -> None:
    """ArgMax and ReduceMax, or TopK for several; a row by Reshape where there is no axis.

    OpenCV 4 cannot join places and numbers before they are reshaped.
    """
    bottom = op.bottoms[0]
    axis, row = rows(op, emit.shapes[bottom])
    largest = one if op.param.top_k == 1 else several
    if op.param.HasField("axis"):
        largest(op, emit, bottom, axis, row[axis], op.tops)
        return
    if len(emit.shapes[bottom]) != 2:
        bottom = emit.node("Reshape", (bottom, emit.arrange(bottom, row[1])))
    found = largest(op, emit, bottom, axis, row[axis], ())
    if len(found) == 1:
        emit.node("Reshape", (found[0], emit.sizes(op.tops[0])), op.tops)
        return
    slot = emit.arrange(op.tops[0], 1, *emit.shapes[op.tops[0]][2:])
    emit.node("Concat", [emit.node("Reshape", (part, slot)) for part in found], op.tops, axis=1)


def one(op: Layer, emit: Emit, bottom: str, axis: int, length: int, tops: tuple[str, ...]) -> list[str]:
    """Add the nodes for the largest number alone. Returns its place, its value, or both, as the layer wants them."""
    found = []
    if not (op.param.out_max_val and op.param.HasField("axis")):
        place = emit.node("ArgMax", (bottom,), axis=axis, keepdims=1, select_last_index=1)
        found.append(emit.node("Cast", (place,), tops, to=FLOAT))
    if op.param.out_max_val:
        found.append(emit.node("ReduceMax", (bottom,), tops, axes=[axis], keepdims=1))
    return found


def several(op: Layer, emit: Emit, bottom: str, axis: int, length: int, tops: tuple[str, ...]) -> list[str]:
    """Add TopK. It takes the first of equal numbers, so where places are wanted it sees the bottom backwards."""
    k = emit.constant("top_k", np.array([op.param.top_k], dtype=np.int64))
    values, places = emit.name("values"), emit.name("places")
    if op.param.out_max_val and op.param.HasField("axis"):
        return [emit.node("TopK", (bottom, k), (*tops, places), axis=axis)]
    backwards = emit.constant("backwards", np.arange(length - 1, -1, -1, dtype=np.int64))
    emit.node("TopK", (emit.node("Gather", (bottom, backwards), axis=axis), k), (values, places), axis=axis)
    last = emit.constant("last", np.array(length - 1, dtype=np.int64))
    found = [emit.node("Cast", (emit.node("Sub", (last, places)),), tops, to=FLOAT)]
    return [*found, values] if op.param.out_max_val else found
