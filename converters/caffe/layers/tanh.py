"""TanH. From 9.1 on it is 1 in single precision, but OpenCV 5 answers "not a number" from 45 on.

So the bottom is clipped first. The one parameter says who computes it, not what.
"""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, layer, same_shape
from converters.caffe.messages import Parameter

PARAMETER = Parameter("tanh_param", 127, 37, "1 Engine engine")

CASES = (("", (2, 7, 5, 3)), ("tanh_param { engine: CAFFE }", (3, 11)))


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return tanh(x)."""
    return (np.tanh(bottom),)


@layer("TanH", shape=same_shape, reference=reference, parameter=PARAMETER)
def tanh(op: Layer, emit: Emit) -> None:
    """Clip and Tanh."""
    limits = [emit.constant(name, np.array(limit, dtype=np.float32)) for name, limit in (("min", -20), ("max", 20))]
    emit.node("Tanh", (emit.node("Clip", (*op.bottoms, *limits)),), op.tops)
