"""Dropout does nothing at TEST: Caffe scales while it trains. In place it vanishes, else it is a second name."""

from __future__ import annotations

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape
from converters.caffe.messages import Parameter

PARAMETER = Parameter("dropout_param", 108, 12, "1 float dropout_ratio = 0.5")

CASES = (("dropout_param { dropout_ratio: 0.7 }", (2, 7, 5, 3)),)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the bottom."""
    return (bottom,)


@layer("Dropout", shape=same_shape, reference=reference, parameter=PARAMETER, identity=True)
def dropout(op: Layer, emit: Emit) -> None:
    """Identity, where the second name is an output."""
    emit.node("Identity", op.bottoms, op.tops)
