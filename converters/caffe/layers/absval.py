"""AbsVal, the absolute value. It has no parameter, and Caffe refuses it in place."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape

CASES = (("", (2, 7, 5, 3)), ("", (3, 11)))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return |x|."""
    return (np.abs(bottom),)


@layer("AbsVal", shape=same_shape, reference=reference, in_place=False)
def absval(op: Layer, emit: Emit) -> None:
    """Abs."""
    emit.node("Abs", op.bottoms, op.tops)
