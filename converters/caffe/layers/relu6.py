"""ReLU6, a layer of Caffe's forks (MobileNet): ReLU that stops at 6. It has no parameter."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape

JUDGE = "numpy"
CASES = (("", (2, 7, 5, 3)), ("", (3, 11)))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return min(max(x, 0), 6)."""
    return (np.clip(bottom, 0, 6),)


@layer("ReLU6", shape=same_shape, reference=reference)
def relu6(op: Layer, emit: Emit) -> None:
    """Clip."""
    limits = [emit.constant(name, np.array(limit, dtype=np.float32)) for name, limit in (("min", 0), ("max", 6))]
    emit.node("Clip", (*op.bottoms, *limits), op.tops)
