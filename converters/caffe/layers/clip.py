"""Clip between two numbers. Caffe has no default for either; one that is not written is an error."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter("clip_param", 148, None, "1 float min; 2 float max")

JUDGE = "numpy"
CASES = (
    ("clip_param { min: -0.75 max: 1.25 }", (2, 7, 5, 3)),
    ("clip_param { min: 0.25 max: 0.5 }", (2, 7, 5, 3)),
    ("clip_param { min: 0 max: 6 }", (3, 11)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape. Raises when a limit is missing, or the lower one is above the upper one."""
    p = op.param
    if not (p.HasField("min") and p.HasField("max")):
        raise op.bad("give both min and max")
    if p.min > p.max:
        raise op.unsupported(f"min {p.min:g} above max {p.max:g}", "min is at most max")
    return (bottom,)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return max(min, min(x, max))."""
    return (np.clip(bottom, op.param.min, op.param.max),)


@layer("Clip", shape=shape, reference=reference, parameter=PARAMETER)
def clip(op: Layer, emit: Emit) -> None:
    """Clip."""
    limits = [emit.constant(name, np.array(getattr(op.param, name), dtype=np.float32)) for name in ("min", "max")]
    emit.node("Clip", (*op.bottoms, *limits), op.tops)
