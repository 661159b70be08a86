"""ELU: numbers from 0 on stay, negative ones bend towards -alpha. It came after the old format, which has no ELU."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape
from converters.caffe.messages import Parameter

PARAMETER = Parameter("elu_param", 140, None, "1 float alpha = 1")

CASES = (("", (2, 7, 5, 3)), ("elu_param { alpha: 0.3 }", (2, 7, 5, 3)), ("elu_param { alpha: -1.7 }", (3, 11)))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return max(x, 0) + alpha * (exp(min(x, 0)) - 1)."""
    return (np.maximum(bottom, 0) + op.param.alpha * np.expm1(np.minimum(bottom, 0)),)


@layer("ELU", shape=same_shape, reference=reference, parameter=PARAMETER)
def elu(op: Layer, emit: Emit) -> None:
    """Elu."""
    emit.node("Elu", op.bottoms, op.tops, alpha=op.param.alpha)
