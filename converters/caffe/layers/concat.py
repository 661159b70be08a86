"""Concat along one axis, the channels unless the file says otherwise. Files of 2014 call the axis ``concat_dim``."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, canonical_axis, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter("concat_param", 104, 9, "1 uint32 concat_dim = 1; 2 int32 axis = 1")

CASES = (
    ("", ((2, 7, 5, 3), (2, 4, 5, 3))),
    ("", ((3, 11), (3, 2), (3, 7))),
    ("", ((2, 3, 5, 7),)),
    ("concat_param { axis: 2 }", ((2, 7, 5, 3), (2, 7, 1, 3), (2, 7, 4, 3))),
    ("concat_param { axis: -1 }", ((2, 7, 5, 3), (2, 7, 5, 4))),
    ("concat_param { axis: -2 }", ((2, 5, 3), (2, 4, 3))),
    ("concat_param { concat_dim: 3 }", ((2, 7, 5, 3), (2, 7, 5, 4))),
    ("concat_param { axis: 0 }", ((2, 7, 5, 3), (4, 7, 5, 3))),
    ("concat_param { concat_dim: 0 }", ((3, 5), (2, 5), (1, 5))),
    ("concat_param { axis: -1 }", ((3,), (2,))),
)


def axis_of(op: Layer, rank: int) -> int:
    """Return the axis along which the bottoms are joined."""
    if op.param.HasField("axis") and op.param.HasField("concat_dim"):
        raise op.bad("has axis and concat_dim; Caffe takes one of the two")
    return canonical_axis(op, op.param.concat_dim if op.param.HasField("concat_dim") else op.param.axis, rank)


def shape(op: Layer, *bottoms: Shape) -> tuple[Shape]:
    """Return the shape of the bottoms, the axis as long as theirs together."""
    first = bottoms[0]
    axis = axis_of(op, len(first))
    for name, bottom in zip(op.bottoms, bottoms, strict=True):
        if len(bottom) != len(first) or (*bottom[:axis], *bottom[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]):
            raise op.bad(f"bottom {name!r} has the shape {bottom}, the first {first}; only axis {axis} may differ")
    return ((*first[:axis], sum(bottom[axis] for bottom in bottoms), *first[axis + 1 :]),)


def reference(op: Layer, *bottoms: Array) -> tuple[Array]:
    """Return the bottoms one behind the other."""
    return (np.concatenate(bottoms, axis=axis_of(op, bottoms[0].ndim)),)


@layer(
    "Concat",
    shape=shape,
    reference=reference,
    parameter=PARAMETER,
    bottoms=(1, None),
    in_place=False,
    shares_memory=lambda op: len(op.bottoms) == 1,
    identity=lambda op, bottom, top: len(op.bottoms) == 1,
)
def concat(op: Layer, emit: Emit) -> None:
    """Concat."""
    emit.node("Concat", op.bottoms, op.tops, axis=axis_of(op, len(emit.shapes[op.bottoms[0]])))
