"""Dense. On a flattened picture the rows of its kernel are put in the order that the picture has in memory.

With more than two axes it works on the last one, the channels: a convolution of one pixel.
"""

from __future__ import annotations

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Array, Cases, Layer, Tensor, layer
from converters.keras.layers.activation import activate

CASES: Cases = (
    ("Dense", {"units": 4}, (7,)),
    ("Dense", {"units": 4, "use_bias": False}, (7,)),
    ("Dense", {"units": 4, "activation": "relu"}, (7,)),
    ("Dense", {"units": 4, "activation": "softmax"}, (7,)),
    ("Dense", {"units": 1, "activation": "sigmoid"}, (7,)),
    ("Dense", {"units": 4}, (5, 7)),
    ("Dense", {"units": 4, "use_bias": False, "activation": "tanh"}, (5, 9, 3)),
    ("Dense", {"units": 4, "activation": "softmax"}, (2, 5, 9, 3)),
)
SATURATING = ("softmax", "sigmoid", "log_softmax")
"""Activations before which made-up numbers have to be small, or all they make is 0 and 1."""


@layer("Dense")
def dense(op: Layer, emit: Emit) -> Tensor:
    """Add Gemm for rows of numbers, else a Conv of single pixels, or MatMul where the channels are the last axis."""
    x = op.input
    inputs, units = x.shape[-1], op.integer("units", "output_dim")
    given = op.setting("activation", default="linear")
    if inputs is None or x.rank < 2:
        raise op.bad(f"the last axis needs a known size; the input is {x.shape}")
    kernel = op.weight("kernel", (inputs, units), scale=0.001 if given in SATURATING else 1.0)
    bias = op.weight("bias", (units,)) if op.flag("use_bias", "bias", default=True) else None
    return activate(op, emit, product(emit, x, kernel, bias), given)


def product(emit: Emit, x: Tensor, kernel: Array, bias: Array | None = None) -> Tensor:
    """Add what multiplies the last axis with a matrix: Gemm, MatMul, or a Conv of single pixels."""
    inputs, units = kernel.shape
    shape = (*x.shape[:-1], units)
    if x.rank == 2:
        rows = kernel if x.places is None else kernel[x.places]
        constants = [emit.constant("kernel", rows.T)] + ([] if bias is None else [emit.constant("bias", bias)])
        return Tensor(emit.node("Gemm", (x.name, *constants), transB=1), shape, (0, 1))
    if x.axis(-1) == x.rank - 1 or x.rank > 5:
        x = emit.plain(x)
        name = emit.node("MatMul", (x.name, emit.constant("kernel", kernel)))
        return Tensor(name if bias is None else emit.node("Add", (name, emit.constant("bias", bias))), shape, x.order)
    x = emit.channels(x, last=True)
    ones = (1,) * (x.rank - 2)
    constants = [emit.constant("kernel", np.reshape(kernel.T, (units, inputs, *ones)))]
    constants += [] if bias is None else [emit.constant("bias", bias)]
    return Tensor(emit.node("Conv", (x.name, *constants), kernel_shape=ones), shape, x.order)
