"""Flatten: the axes from ``axis`` to ``end_axis`` become one."""

from __future__ import annotations

from math import prod

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, canonical_axis, layer, same_sizes
from converters.caffe.layers.reshape import past
from converters.caffe.messages import Parameter

PARAMETER = Parameter("flatten_param", 135, None, "1 int32 axis = 1; 2 int32 end_axis = -1")

CASES = (
    ("", (2, 7, 5, 3)),
    ("", (3, 11)),
    ("flatten_param { axis: 2 }", (2, 7, 5, 3)),
    ("flatten_param { end_axis: 2 }", (2, 7, 5, 3)),
    ("flatten_param { axis: -3 end_axis: -2 }", (2, 7, 5, 3)),
    ("flatten_param { axis: 2 end_axis: 2 }", (2, 7, 5, 3)),
    ("flatten_param { axis: 0 }", (2, 7, 5, 3)),
    ("flatten_param { axis: -4 end_axis: 1 }", (2, 7, 5, 3)),
    ("flatten_param { axis: 0 end_axis: 0 }", (5, 3)),
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


@layer(
    "Flatten",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    in_place=False,
    shares_memory=True,
    identity=same_sizes,
    past=past,
)
def flatten(op: Layer, emit: Emit) -> None:
    """Reshape: behind ONNX's Flatten OpenCV 4 loses the shape in a network with an input of two axes."""
    emit.node("Reshape", (*op.bottoms, emit.sizes(op.tops[0])), op.tops)
