"""Reduction: the sum or the mean of all axes from ``axis`` on, which is 0 unless the file says otherwise.

The top has the axes before it alone: over the whole blob, the default, it is a single number without axes.
"""

from __future__ import annotations

from math import prod

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, canonical_axis, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "reduction_param",
    136,
    None,
    "1 ReductionOp operation = SUM; 2 int32 axis = 0; 3 float coeff = 1",
    {"ReductionOp": "SUM=1 ASUM SUMSQ MEAN"},
)
SUM, ASUM, SUMSQ, MEAN = 1, 2, 3, 4
OPERATORS = {SUM: "ReduceSum", ASUM: "ReduceL1", SUMSQ: "ReduceSumSquare", MEAN: "ReduceMean"}

CASES = (
    ("reduction_param { axis: 1 }", (2, 7, 5, 3)),
    ("reduction_param { axis: 1 }", (3, 11)),
    ("reduction_param { axis: 2 operation: ASUM }", (2, 7, 5, 3)),
    ("reduction_param { axis: -1 operation: SUMSQ }", (2, 7, 5, 3)),
    ("reduction_param { axis: 2 operation: MEAN coeff: 2.5 }", (2, 7, 5, 3)),
    ("reduction_param { axis: -2 operation: SUM coeff: -0.5 }", (2, 7, 5, 3)),
    ("reduction_param { axis: 3 operation: MEAN }", (2, 7, 5, 3)),
    ("reduction_param { axis: 1 operation: SUMSQ coeff: 0 }", (2, 7, 5, 3)),
    ("reduction_param { axis: 2 operation: SUMSQ }", (2, 7, 1, 1)),
    ("", (2, 7, 5, 3)),
    ("reduction_param { operation: MEAN coeff: 3 }", (2, 7, 5)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the axes before ``axis``."""
    return (bottom[: canonical_axis(op, op.param.axis, len(bottom))],)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the sums times the coefficient."""
    axis = canonical_axis(op, op.param.axis, bottom.ndim)
    rows = bottom.reshape(*bottom.shape[:axis], -1)
    terms = {SUM: rows, ASUM: np.abs(rows), SUMSQ: rows * rows, MEAN: rows / rows.shape[-1]}[op.param.operation]
    return (np.asarray(terms.sum(axis=-1) * op.param.coeff),)


@layer("Reduction", shape=shape, reference=reference, parameter=PARAMETER, in_place=False)
def reduction(op: Layer, emit: Emit) -> None:
    """Reshape to rows, and their sum; over several axes at once OpenCV 4 gives wrong numbers. Mul for ``coeff``.

    A number without axes comes from a last Reshape, since OpenCV 5 makes one of (1,) all the same.
    """
    rank = len(emit.shapes[op.bottoms[0]])
    axis = canonical_axis(op, op.param.axis, rank)
    rows = op.bottoms[0]
    if axis < rank - 1:
        rows = emit.node("Reshape", (rows, emit.rows(rows, axis)))
    tops = op.tops if axis > 0 else ()
    total = summed(op, emit, rows, axis, () if op.param.coeff != 1 else tops)
    if op.param.coeff != 1:
        total = emit.node("Mul", (total, emit.constant("coeff", np.array(op.param.coeff, dtype=np.float32))), tops)
    if not tops:
        emit.node("Reshape", (total, emit.sizes(op.tops[0])), op.tops)


def summed(op: Layer, emit: Emit, rows: str, axis: int, tops: tuple[str, ...]) -> str:
    """Add the operator; only the axes of ReduceSum are an input before opset 18. OpenCV 4 squares no single number."""
    keep, operation = int(axis == 0), op.param.operation
    if operation == SUMSQ and prod(emit.shapes[op.bottoms[0]][axis:]) == 1:
        rows, operation = emit.node("Mul", (rows, rows)), SUM
    if operation == SUM:
        axes = emit.constant("axes", np.array([axis], dtype=np.int64))
        return emit.node("ReduceSum", (rows, axes), tops, keepdims=keep)
    return emit.node(OPERATORS[operation], (rows,), tops, axes=[axis], keepdims=keep)
