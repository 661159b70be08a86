"""Log, the logarithm of (shift + scale * x) to a base. A base of -1, the default, means e."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.layers.exp import natural
from converters.caffe.layers.power import chain
from converters.caffe.messages import Parameter

PARAMETER = Parameter("log_param", 134, None, "1 float base = -1; 2 float scale = 1; 3 float shift = 0")

CASES = (
    ("log_param { shift: 7 }", (2, 7, 5, 3)),
    ("log_param { base: 2 scale: -0.5 shift: 4 }", (2, 7, 5, 3)),
    ("log_param { base: 0.4 scale: 0.75 shift: 5 }", (3, 11)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape. Raises for a base that has no logarithm."""
    if natural(op) == 0:
        raise op.bad("base 1 has no logarithm")
    return (bottom,)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return log(shift + scale * x) / log(base)."""
    return (np.log(op.param.shift + op.param.scale * bottom) / natural(op),)


@layer("Log", shape=shape, reference=reference, parameter=PARAMETER)
def log(op: Layer, emit: Emit) -> None:
    """Mul, Sub, Log, Mul: behind an Exp, OpenCV takes Add and Log for Softplus, whatever is added."""
    p = op.param
    chain(op, emit, ("Mul", p.scale), ("Sub", -p.shift), ("Log", None), ("Mul", 1 / natural(op)))
