"""Eltwise: sum, product or largest, number by number. Only a sum has coefficients; a difference is a sum with -1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "eltwise_param",
    110,
    24,
    "1 EltwiseOp operation = SUM; 2 float* coeff; 3 bool stable_prod_grad = true",
    {"EltwiseOp": "PROD SUM MAX"},
)
PROD, SUM, MAX = 0, 1, 2
OPERATORS = {PROD: "Mul", SUM: "Add", MAX: "Max"}

PAIR, TRIPLE = ((2, 7, 5, 3),) * 2, ((3, 5, 2, 4),) * 3
CASES = (
    ("", PAIR),
    ("", ((3, 11),) * 4),
    ("eltwise_param { operation: SUM coeff: 1 coeff: -1 }", PAIR),
    ("eltwise_param { coeff: [0.5, 1, -2] }", TRIPLE),
    ("eltwise_param { operation: PROD }", PAIR),
    ("eltwise_param { operation: PROD stable_prod_grad: false }", TRIPLE),
    ("eltwise_param { operation: MAX }", PAIR),
    ("eltwise_param { operation: MAX }", TRIPLE),
)


def shape(op: Layer, *bottoms: Shape) -> tuple[Shape]:
    """Return the shape that all bottoms must have."""
    p = op.param
    for name, bottom in zip(op.bottoms, bottoms, strict=True):
        if bottom != bottoms[0]:
            raise op.bad(f"bottom {name!r} has the shape {bottom}, the first {bottoms[0]}; all must have the same")
    if p.coeff and p.operation == PROD:
        raise op.bad("coeff goes with operation SUM only")
    if len(p.coeff) not in (0, len(bottoms)):
        raise op.bad(f"{len(p.coeff)} coeff for {len(bottoms)} bottoms; give none, or one each")
    return (bottoms[0],)


def coefficients(op: Layer) -> list[float]:
    """Return a factor a bottom: 1 where the file has none, and for MAX, where Caffe reads none."""
    return list(op.param.coeff) if op.param.coeff and op.param.operation == SUM else [1.0] * len(op.bottoms)


def reference(op: Layer, *bottoms: Array) -> tuple[Array]:
    """Return the bottoms, times their coefficients, taken together one by one."""
    combine = {PROD: np.multiply, SUM: np.add, MAX: np.maximum}[op.param.operation]
    return (reduce(combine, [c * bottom for c, bottom in zip(coefficients(op), bottoms, strict=True)]),)


def apart(op: Layer, name: Callable[[], str]) -> tuple[Layer, ...]:
    """Return a Power layer for each coefficient that is not 1, and the sum of what they make."""
    from converters.caffe.schema import messages

    powers, terms, power = [], [], messages()["power_param"]
    for factor, bottom in zip(coefficients(op), op.bottoms, strict=True):
        terms.append(bottom if factor == 1 else name())
        if factor != 1:
            scaled = replace(op, name=terms[-1], type="Power", bottoms=(bottom,), tops=(terms[-1],))
            powers.append(replace(scaled, param=power(scale=factor)))
    return (*powers, replace(op, bottoms=tuple(terms), param=type(op.param)(operation=op.param.operation)))


@layer("Eltwise", shape=shape, reference=reference, parameter=PARAMETER, bottoms=(2, None), in_place=False, apart=apart)
def eltwise(op: Layer, emit: Emit) -> None:
    """Add, Mul or Max of two at a time, in Caffe's order; Mul for a coefficient that nothing before it can take."""
    operator = OPERATORS[op.param.operation]
    so_far = reduce(lambda one, other: emit.node(operator, (one, other)), op.bottoms[:-1])
    emit.node(operator, (so_far, op.bottoms[-1]), op.tops)
