"""BatchNormalization at inference: one factor and one shift a channel, folded into the layer before where exact."""

from __future__ import annotations

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer

CASES: Cases = (
    ("BatchNormalization", {}, (7, 9, 3)),
    ("BatchNormalization", {"epsilon": 0.02}, (7, 9, 3)),
    ("BatchNormalization", {"scale": False}, (7, 9, 3)),
    ("BatchNormalization", {"center": False}, (7, 9, 3)),
    ("BatchNormalization", {"scale": False, "center": False}, (7, 9, 3)),
    ("BatchNormalization", {"axis": 1}, (7, 9, 3)),
    ("BatchNormalization", {"axis": 2}, (7, 9, 3)),
    ("BatchNormalization", {}, (5,)),
    ("BatchNormalization", {}, (7, 3)),
    ("BatchNormalization", {}, (4, 7, 9, 3)),
)


@layer("BatchNormalization", call=("mask",))
def batch_normalization(op: Layer, emit: Emit) -> Tensor:
    """Add ``x * gamma / sqrt(variance + epsilon) + (beta - mean * factor)``, in double precision."""
    x = op.input
    if op.setting("mode", default=0) != 0:
        raise op.unsupported(f"mode {op.setting('mode')!r:.60}", "mode 0, one mean a channel, is")
    axes = op.axes("axis", rank=x.rank, default=-1)
    if len(axes) != 1 or axes[0] == 0 or x.shape[axes[0]] is None:
        raise op.bad(f"axis {axes} of an input of shape {x.shape}; it needs one axis of known size, not the batch")
    if op.call.get("mask") is not None:
        raise op.unsupported("a mask", "only the input may be given")
    size = (x.shape[axes[0]] or 0,)
    gamma = op.weight("gamma", size) if op.flag("scale", default=True) else np.ones(size)
    beta = op.weight("beta", size) if op.flag("center", default=True) else np.zeros(size)
    mean, variance = op.weight("moving_mean", size), op.weight("moving_variance", size)
    total = variance.astype(np.float64) + op.number("epsilon", default=1e-3)
    if not (total > 0).all():
        raise op.bad("its tensor 'moving_variance' has numbers that are not positive")
    factors = gamma.astype(np.float64) / np.sqrt(total)
    return emit.affine(x, axes[0], factors, beta - mean * factors)
