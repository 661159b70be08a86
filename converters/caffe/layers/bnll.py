"""BNLL, "binomial normal log likelihood": what everyone else calls softplus. OpenCV's overflows from 89 on."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape

CASES = (("", (2, 7, 5, 3)), ("", (3, 11)))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return log(1 + exp(x)), which no x overflows."""
    return (np.logaddexp(0, bottom),)


@layer("BNLL", shape=same_shape, reference=reference)
def bnll(op: Layer, emit: Emit) -> None:
    """Relu(x) + Softplus(-|x|), in which nothing overflows."""
    negative = emit.node("Neg", (emit.node("Abs", op.bottoms),))
    emit.node("Add", (emit.node("Relu", op.bottoms), emit.node("Softplus", (negative,))), op.tops)
