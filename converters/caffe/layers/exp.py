"""Exp, base^(shift + scale * x). A base of -1, the default, means e."""

from __future__ import annotations

from math import exp as to_the
from math import log

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.layers.power import chain
from converters.caffe.messages import Parameter

PARAMETER = Parameter("exp_param", 111, 41, "1 float base = -1; 2 float scale = 1; 3 float shift = 0")

LARGEST = 88
"""Powers of e beyond are no float32 numbers."""

CASES = (
    ("", (2, 7, 5, 3)),
    ("exp_param { base: 2 }", (3, 11)),
    ("exp_param { scale: -0.5 shift: 0.75 }", (2, 7, 5, 3)),
    ("exp_param { base: 0.4 scale: 1.5 shift: 2 }", (2, 7, 5, 3)),
)


def natural(op: Layer) -> float:
    """Return the natural logarithm of the base. Raises BadInput for a base that has none."""
    base: float = op.param.base
    if base != -1 and base <= 0:
        raise op.bad(f"base {base:g} is not above 0; -1 stands for e")
    return 1.0 if base == -1 else log(base)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape. Raises for a shift that makes every number infinite."""
    if natural(op) * op.param.shift > LARGEST:
        raise op.unsupported(f"base^{op.param.shift:g}", "float32 has numbers below e^88")
    return (bottom,)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return base^(shift + scale * x)."""
    return (np.exp(natural(op) * (op.param.shift + op.param.scale * bottom)),)


@layer("Exp", shape=shape, reference=reference, parameter=PARAMETER)
def exp(op: Layer, emit: Emit) -> None:
    """Mul, Exp, Mul: like Caffe, which takes the shift as a factor of the result."""
    rate = natural(op)
    chain(op, emit, ("Mul", rate * op.param.scale), ("Exp", None), ("Mul", to_the(rate * op.param.shift)))
