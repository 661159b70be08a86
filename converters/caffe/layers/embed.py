"""Embed: a row of a table for each number of the bottom, which is an index; what stands behind its point is cut off."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "embed_param",
    137,
    None,
    """
    1 uint32 num_output; 2 uint32 input_dim; 3 bool bias_term = true; 4 FillerParameter weight_filler
    5 FillerParameter bias_filler
    """,
)

CASES = (
    ("embed_param { input_dim: 11 num_output: 4 }", (2, 7)),
    ("embed_param { input_dim: 5 num_output: 3 bias_term: false }", (4,)),
    ("embed_param { input_dim: 3 num_output: 7 }", (2, 5, 4)),
    ("embed_param { input_dim: 9 num_output: 2 }", (3, 1, 1, 1)),
)
GAPS = (("opencv", "4", "(4,)", "makes (N, 1) of (N,)"),)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape and behind it the length of a row."""
    if op.param.num_output < 1 or op.param.input_dim < 1:
        raise op.bad("num_output or input_dim is missing or 0")
    return ((*bottom, op.param.num_output),)


def weights(op: Layer, bottom: Shape) -> tuple[Shape, ...]:
    """Return (rows, length of a row), and (length of a row,)."""
    table = (op.param.input_dim, op.param.num_output)
    return (table, table[1:]) if op.param.bias_term else (table,)


def holds(op: Layer, index: int, generator: np.random.Generator, shape: Shape) -> Array:
    """Return indices of rows, some with a fraction, which does not count."""
    fractions: Array = generator.choice([0, 0.25, 0.75], size=shape)
    return generator.integers(op.param.input_dim, size=shape) + fractions


def table(op: Layer) -> Array:
    """Return the rows, plus the bias."""
    return op.blobs[0] + op.blobs[1] if op.param.bias_term else op.blobs[0]


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the rows. Raises BadInput for an index that the table has not; Caffe reads beyond it."""
    indices = bottom.astype(np.int64)
    for index in (indices.min(), indices.max()):
        if not 0 <= index < op.param.input_dim:
            raise op.bad(f"index {index} is not one of 0 to {op.param.input_dim - 1}")
    return (table(op)[indices].astype(bottom.dtype),)


@layer("Embed", shape=shape, reference=reference, weights=weights, parameter=PARAMETER, in_place=False, holds=holds)
def embed(op: Layer, emit: Emit) -> None:
    """Floor, Cast and Gather; the bias is in the table. Without Floor OpenCV 4 rounds."""
    indices = emit.node("Cast", (emit.node("Floor", op.bottoms),), to=7)  # int64
    emit.node("Gather", (emit.constant("table", table(op)), indices), op.tops, axis=0)
