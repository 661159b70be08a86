"""InnerProduct, a dense layer: all axes from ``axis`` on are one row. Old files store its weights as (1, 1, N, K)."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, canonical_axis, layer
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
    ("inner_product_param { num_output: 4 transpose: true bias_term: false }", (3, 11)),
    ("inner_product_param { num_output: 4 axis: -1 }", (3, 11)),
    ("inner_product_param { num_output: 4 }", (2, 7, 1, 1)),
    ("inner_product_param { num_output: 1 }", (2, 7, 5, 1)),
    ("inner_product_param { num_output: 4 axis: -3 }", (2, 7, 5, 3)),
    ("inner_product_param { num_output: 4 axis: 3 }", (2, 7, 5, 3)),
    ("inner_product_param { num_output: 4 axis: -2 transpose: true }", (2, 7, 5, 3)),
    ("inner_product_param { num_output: 4 axis: 2 bias_term: false }", (2, 7, 5)),
    ("inner_product_param { num_output: 4 axis: 3 }", (2, 3, 4, 5, 6)),
    ("inner_product_param { num_output: 4 axis: 0 }", (3, 7, 5)),
    ("inner_product_param { num_output: 4 axis: -2 transpose: true bias_term: false }", (3, 11)),
    ("inner_product_param { num_output: 4 axis: 0 }", (11,)),
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
    return (top + op.blobs[1] if op.blobs[1:] else top,)


def absorb(op: Layer, bottom: Shape, factors: Array, shifts: Array) -> Layer | None:
    """Return the layer whose top (N, outputs) is also scaled and shifted."""
    if canonical_axis(op, op.param.axis, len(bottom)) != 1:
        return None
    matrix = op.blobs[0] * (factors if op.param.transpose else factors[:, None])
    bias = op.blobs[1] * factors + shifts if op.blobs[1:] else shifts
    return replace(op, blobs=(matrix.astype(np.float32), bias.astype(np.float32)))


@layer(
    "InnerProduct",
    shape=shape,
    reference=reference,
    weights=weights,
    parameter=PARAMETER,
    in_place=False,
    absorb=absorb,
)
def inner_product(op: Layer, emit: Emit) -> None:
    """Gemm for ``axis`` 1, behind a Reshape where there are more axes, and for ``axis`` 0; else MatMul and Add.

    No Flatten: in a network with an input of two axes OpenCV 4 loses the shape before it.
    """
    bottom = op.bottoms[0]
    sizes = emit.shapes[bottom]
    axis = canonical_axis(op, op.param.axis, len(sizes))
    if axis > 1:
        multiply(op, emit, axis)
        return
    if axis == 0 or len(sizes) > 2:
        one = emit.constant("row", np.array([1, prod(sizes)], dtype=np.int64)) if axis == 0 else ""
        bottom = emit.node("Reshape", (bottom, one or emit.rows(bottom, 1)))
    constants = [emit.constant("weights", op.blobs[0])]
    constants += [emit.constant("bias", blob) for blob in op.blobs[1:]]
    transposed = 0 if op.param.transpose else 1
    if axis == 1:
        emit.node("Gemm", (bottom, *constants), op.tops, transB=transposed)
    else:
        rows = emit.node("Gemm", (bottom, *constants), transB=transposed)
        emit.node("Reshape", (rows, emit.constant("sizes", np.array([-1], dtype=np.int64))), op.tops)


def multiply(op: Layer, emit: Emit, axis: int) -> None:
    """Add MatMul and Add, which keep all axes before ``axis``; Gemm would take matrices only."""
    bottom = op.bottoms[0]
    if axis < len(emit.shapes[bottom]) - 1:
        bottom = emit.node("Reshape", (bottom, emit.rows(bottom, axis)))
    matrix = emit.constant("weights", op.blobs[0] if op.param.transpose else op.blobs[0].T)
    product = emit.node("MatMul", (bottom, matrix), () if op.blobs[1:] else op.tops)
    for bias in op.blobs[1:]:
        emit.node("Add", (product, emit.constant("bias", bias)), op.tops)
