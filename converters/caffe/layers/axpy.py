"""Axpy, a layer of Caffe's forks (SENet): a x + y, where ``a`` has one number a channel. It has no parameter."""

from __future__ import annotations

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer

PLANES = (2, 7, 5, 3)
JUDGE = "numpy"
CASES = (
    ("", ((2, 7, 1, 1), PLANES, PLANES)),
    ("", ((2, 7), PLANES, PLANES)),
    ("", ((2, 7), (2, 7), (2, 7))),
)


def shape(op: Layer, factors: Shape, x: Shape, y: Shape) -> tuple[Shape]:
    """Return the shape of x and y."""
    if len(x) < 2 or factors not in (x[:2], (*x[:2], 1, 1)):
        raise op.bad(f"bottom {op.bottoms[0]!r} has the shape {factors}; it needs samples and channels of {x}")
    if x != y:
        raise op.bad(f"bottoms {op.bottoms[1]!r} and {op.bottoms[2]!r} have the shapes {x} and {y}, not the same")
    return (x,)


def reference(op: Layer, factors: Array, x: Array, y: Array) -> tuple[Array]:
    """Return a x + y."""
    return (factors.reshape(factors.shape[:2] + (1,) * (x.ndim - 2)) * x + y,)


@layer("Axpy", shape=shape, reference=reference, bottoms=3, in_place=False)
def axpy(op: Layer, emit: Emit) -> None:
    """Mul and Add, and a Reshape where ``a`` has not as many axes as x."""
    factors, x, y = op.bottoms
    rank = len(emit.shapes[x])
    if len(emit.shapes[factors]) != rank:
        sizes = emit.arrange(factors, emit.shapes[x][1], *(1,) * (rank - 2))
        factors = emit.node("Reshape", (factors, sizes))
    emit.node("Add", (emit.node("Mul", (factors, x)), y), op.tops)
