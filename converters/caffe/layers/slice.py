"""Slice: an axis cut at the points that the file says, or into equal parts. Old files call the axis ``slice_dim``."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, canonical_axis, layer, same_sizes
from converters.caffe.messages import Parameter

PARAMETER = Parameter("slice_param", 126, 31, "1 uint32 slice_dim = 1; 2 uint32* slice_point; 3 int32 axis = 1")

CASES = (
    ("", (2, 6, 5, 3), 3),
    ("", (3, 10), 2),
    ("", (2, 7, 5), 1),
    ("slice_param { slice_point: 2 slice_point: 3 }", (2, 7, 5, 3), 3),
    ("slice_param { axis: 2 slice_point: 1 }", (2, 7, 5, 3), 2),
    ("slice_param { axis: -1 slice_point: [4, 5, 7] }", (2, 3, 5, 9), 4),
    ("slice_param { slice_dim: 3 }", (2, 7, 5, 4), 2),
    ("slice_param { axis: 0 }", (4, 7, 5, 3), 2),
    ("slice_param { slice_dim: 0 slice_point: [1, 3] }", (4, 5), 3),
    ("slice_param { axis: -1 slice_point: 2 }", (5,), 2),
)


def axis_of(op: Layer, rank: int) -> int:
    """Return the axis that is cut."""
    if op.param.HasField("axis") and op.param.HasField("slice_dim"):
        raise op.bad("has axis and slice_dim; Caffe takes one of the two")
    return canonical_axis(op, op.param.slice_dim if op.param.HasField("slice_dim") else op.param.axis, rank)


def ends(op: Layer, size: int) -> list[int]:
    """Return where along the axis each part ends. Raises BadInput for points that leave a part empty."""
    parts, points = len(op.tops), list(op.param.slice_point)
    if not points:
        if size % parts:
            raise op.bad(f"{size} numbers along the axis cannot be cut into {parts} equal tops; give slice_point")
        return [size // parts * (i + 1) for i in range(parts)]
    if len(points) != parts - 1:
        raise op.bad(f"{len(points)} slice_point for {parts} tops; {parts} tops need {parts - 1}")
    if any(later <= earlier for earlier, later in zip([0, *points], [*points, size], strict=True)):
        raise op.bad(f"slice_point {points} must rise, from above 0 to below {size}")
    return [*points, size]


def shape(op: Layer, bottom: Shape) -> tuple[Shape, ...]:
    """Return the bottom's shape for each top, the axis as long as the part."""
    axis = axis_of(op, len(bottom))
    sizes = np.diff([0, *ends(op, bottom[axis])]).tolist()
    return tuple((*bottom[:axis], size, *bottom[axis + 1 :]) for size in sizes)


def reference(op: Layer, bottom: Array) -> tuple[Array, ...]:
    """Return the parts."""
    axis = axis_of(op, bottom.ndim)
    return tuple(np.split(bottom, ends(op, bottom.shape[axis])[:-1], axis=axis))


@layer(
    "Slice",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    tops=(1, None),
    in_place=False,
    shares_memory=lambda op: len(op.tops) == 1,
    identity=same_sizes,
)
def slice_axis(op: Layer, emit: Emit) -> None:
    """Split."""
    axis = axis_of(op, len(emit.shapes[op.bottoms[0]]))
    sizes = emit.constant("sizes", np.array([emit.shapes[top][axis] for top in op.tops], dtype=np.int64))
    emit.node("Split", (*op.bottoms, sizes), op.tops, axis=axis)
