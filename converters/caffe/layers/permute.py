"""Permute (of the SSD fork): the axes in another order. Those that ``order`` does not name follow as they were."""

from __future__ import annotations

from dataclasses import replace

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter("permute_param", 202, None, "1 uint32* order")

JUDGE = "OpenCV 4"
CASES = (
    ("permute_param { order: 0 order: 2 order: 3 order: 1 }", (2, 7, 5, 3)),
    ("permute_param { order: [0, 3] }", (2, 7, 5, 3)),
    ("permute_param { order: 0 order: 2 }", (2, 7, 5)),
    ("permute_param { order: [0, 1] }", (2, 7, 5, 3)),
    ("", (3, 11)),
    ("permute_param { order: 1 }", (3, 11)),
    ("permute_param { order: [2, 0] }", (2, 7, 5, 3)),
    ("permute_param { order: [3, 2, 1, 0] }", (2, 7, 5, 3)),
    ("permute_param { order: [0, 4, 2] }", (2, 7, 4, 3, 5)),
)


def order_of(op: Layer, rank: int) -> list[int]:
    """Return the bottom's axes in the order of the top's."""
    given = list(op.param.order)
    if len(set(given)) < len(given) or any(axis >= rank for axis in given):
        raise op.bad(f"order {given} of a bottom with {rank} axes; each of 0 to {rank - 1} may stand there once")
    return [*given, *(axis for axis in range(rank) if axis not in given)]


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the sizes in the new order."""
    order = order_of(op, len(bottom))
    if order[:1] != [0][: len(order)]:
        op.mix(f"makes axis {order[0]} the first, where the batch is")
    return (tuple(bottom[axis] for axis in order),)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the bottom with its axes in the new order."""
    return (bottom.transpose(order_of(op, bottom.ndim)),)


def shares_memory(op: Layer) -> bool:
    """Whether the order is the old one: then the fork does not copy."""
    return list(op.param.order) == list(range(len(op.param.order)))


def keeps_numbers(op: Layer, bottom: Shape) -> bool:
    """Whether the numbers stay in their order: that of all axes longer than 1 is the old one."""
    long = [axis for axis in order_of(op, len(bottom)) if bottom[axis] > 1]
    return long == sorted(long)


def identity(op: Layer, bottom: Shape, top: Shape) -> bool:
    """Say that nothing is changed where neither order nor sizes are."""
    return bottom == top and keeps_numbers(op, bottom)


def past(op: Layer, before: Layer) -> Layer | None:
    """Return the layer that orders the axes of the bottom of another Permute."""
    if before.type != "Permute":
        return None
    rank = 1 + max([0, *op.param.order, *before.param.order])
    first, then = order_of(before, rank), order_of(op, rank)
    return replace(op, bottoms=before.bottoms, param=type(op.param)(order=[first[axis] for axis in then]))


@layer(
    "Permute",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    in_place=False,
    shares_memory=shares_memory,
    identity=identity,
    past=past,
)
def permute(op: Layer, emit: Emit) -> None:
    """Transpose, or Reshape where only axes of length 1 change places."""
    bottom = emit.shapes[op.bottoms[0]]
    if keeps_numbers(op, bottom):
        emit.node("Reshape", (*op.bottoms, emit.sizes(op.tops[0])), op.tops)
    else:
        emit.node("Transpose", op.bottoms, op.tops, perm=order_of(op, len(bottom)))
