"""Flatten: the axes from ``axis`` to ``end_axis`` become one."""

from __future__ import annotations

from math import prod

import numpy as np

from converters.caffe.emit import Array, Emit, Layer, Shape, canonical_axis, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter("flatten_param", 135, None, "1 int32 axis = 1; 2 int32 end_axis = -1")

CASES = (
    ("", (2, 7, 5, 3)),
    ("", (3, 11)),
    ("flatten_param { axis: 2 }", (2, 7, 5, 3)),
    ("flatten_param { end_axis: 2 }", (2, 7, 5, 3)),
    ("flatten_param { axis: -3 end_axis: -2 }", (2, 7, 5, 3)),
    ("flatten_param { axis: 2 end_axis: 2 }", (2, 7, 5, 3)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the axes before, the product of those between, and the axes behind."""
    first = canonical_axis(op, op.param.axis, len(bottom))
    last = canonical_axis(op, op.param.end_axis, len(bottom))
    if last < first:
        raise op.bad(f"end_axis {op.param.end_axis} lies before axis {op.param.axis}")
    return ((*bottom[:first], prod(bottom[first : last + 1]), *bottom[last + 1 :]),)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the same numbers in the other shape."""
    return (bottom.reshape(shape(op, bottom.shape)[0]),)


@layer("Flatten", shape=shape, reference=reference, parameter=PARAMETER, in_place=False, shares_memory=True)
def flatten(op: Layer, emit: Emit) -> None:
    """Reshape: behind ONNX's Flatten OpenCV 4 loses the shape in a network with an input of two axes."""
    sizes = np.array([0, *emit.shapes[op.tops[0]][1:]], dtype=np.int64)  # 0: the batch as it was
    emit.node("Reshape", (*op.bottoms, emit.constant("sizes", sizes)), op.tops)
