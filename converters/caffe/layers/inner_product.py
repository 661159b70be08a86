"""InnerProduct, a dense layer: all axes from ``axis`` on are one row. Old files store its weights as (1, 1, N, K)."""

from __future__ import annotations

from math import prod

import numpy as np

from converters.caffe.emit import Array, Emit, Layer, Shape, canonical_axis, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "inner_product_param",
    117,
    17,
    """
    1 uint32 num_output; 2 bool bias_term = true; 3 FillerParameter weight_filler; 4 FillerParameter bias_filler
    5 int32 axis = 1; 6 bool transpose
    """,
)

CASES = (
    ("inner_product_param { num_output: 4 }", (2, 7, 5, 3)),
    ("inner_product_param { num_output: 4 }", (3, 11)),
    ("inner_product_param { num_output: 4 bias_term: false }", (2, 7, 5, 3)),
    ("inner_product_param { num_output: 4 transpose: true }", (2, 7, 5, 3)),
    ("inner_product_param { num_output: 4 axis: 2 }", (2, 7, 5, 3)),
    ("inner_product_param { num_output: 4 axis: -1 transpose: true bias_term: false }", (2, 7, 5, 3)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the axes before ``axis``, then ``num_output``."""
    if op.param.num_output < 1:
        raise op.bad("num_output is missing or 0")
    return ((*bottom[: canonical_axis(op, op.param.axis, len(bottom))], op.param.num_output),)


def weights(op: Layer, bottom: Shape) -> tuple[Shape, ...]:
    """Return (outputs, inputs), or the other way round when transposed, and (outputs,)."""
    inputs, outputs = prod(bottom[canonical_axis(op, op.param.axis, len(bottom)) :]), op.param.num_output
    matrix = (inputs, outputs) if op.param.transpose else (outputs, inputs)
    return (matrix, (outputs,)) if op.param.bias_term else (matrix,)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return rows times weights, plus bias."""
    axis = canonical_axis(op, op.param.axis, bottom.ndim)
    matrix = op.blobs[0] if op.param.transpose else op.blobs[0].T
    top = bottom.reshape(*bottom.shape[:axis], -1) @ matrix.astype(bottom.dtype)
    return (top + op.blobs[1] if op.param.bias_term else top,)


@layer("InnerProduct", shape=shape, reference=reference, weights=weights, parameter=PARAMETER)
def inner_product(op: Layer, emit: Emit) -> None:
    """Reshape and Gemm for ``axis`` 1, else MatMul and Add: Gemm takes matrices only.

    No Flatten: in a network with an input of two axes OpenCV 4 loses the shape before it.
    """
    bottom = op.bottoms[0]
    rank = len(emit.shapes[bottom])
    axis = canonical_axis(op, op.param.axis, rank)
    if axis == 1:
        row = emit.constant("row", np.array([0, prod(emit.shapes[bottom][1:])], dtype=np.int64)) if rank > 2 else ""
        rows = emit.node("Reshape", (bottom, row)) if row else bottom
        constants = [emit.constant("weights", op.blobs[0])]
        if op.param.bias_term:
            constants.append(emit.constant("bias", op.blobs[1]))
        emit.node("Gemm", (rows, *constants), op.tops, transB=0 if op.param.transpose else 1)
        return
    if axis < rank - 1:
        keep = emit.constant("rows", np.array([0] * axis + [-1], dtype=np.int64))  # 0: as it was
        bottom = emit.node("Reshape", (bottom, keep))
    matrix = emit.constant("weights", op.blobs[0] if op.param.transpose else op.blobs[0].T)
    if op.param.bias_term:
        product = emit.node("MatMul", (bottom, matrix))
        emit.node("Add", (product, emit.constant("bias", op.blobs[1])), op.tops)
    else:
        emit.node("MatMul", (bottom, matrix), op.tops)
