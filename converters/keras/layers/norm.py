"""Lengths of vectors in a model, and vectors of length 1, as ``keras.ops.normalize`` makes of an embedding."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer
from converters.keras.layers.normalization import length, unit
from converters.keras.layers.operations import tensor, without

CASES: Cases = (
    ("ops.normalize", {}, (7,)),
    ("ops.normalize", {"axis": (1, 2), "epsilon": 0.5}, (7, 9, 3)),
    ("ops.normalize", {"axis": -1, "order": 1}, (7, 9, 3)),
    ("ops.norm", {"axis": -1}, (9, 7)),
    ("ops.norm", {"axis": (1, 2), "keepdims": True}, (7, 9, 3)),
    ("ops.norm", {"axis": 1, "ord": 1}, (7, 9, 3)),
)
EPSILON = 1e-7
"""``keras.config.epsilon()``."""


def behind_batch(op: Layer, x: Tensor, default: int | None = None) -> tuple[int, ...]:
    """Return the setting ``axis``: one or several, all of them where it is None."""
    given = op.setting("axis", default=default)
    axes = tuple(range(x.rank)) if given is None else op.axes("axis", rank=x.rank, default=default)
    if 0 in axes:
        raise op.unsupported(f"axis {given!r:.60} of an input of shape {x.shape}", "axes behind the batch are")
    return axes


@layer("ops.Normalize")
def normalize(op: Layer, emit: Emit) -> Tensor:
    """Add ``x / max(length, epsilon)``."""
    x = tensor(op, emit)
    order, epsilon = op.integer("order", default=2), op.setting("epsilon")
    if order > 2:
        raise op.unsupported(f"order {order}", "1 and 2 are")
    least = EPSILON if epsilon is None else op.number("epsilon")
    return unit(emit, x, length(emit, x, behind_batch(op, x, -1), order), least)


@layer("ops.L2Normalize")
def l2_normalize(op: Layer, emit: Emit) -> Tensor:
    """Add ``x / sqrt(max(x * x, epsilon))``, as TensorFlow has it."""
    x = tensor(op, emit)
    least = op.number("epsilon", default=1e-12)
    if least < 0:
        raise op.bad(f"epsilon is {least}; it has to be 0 or more")
    return unit(emit, x, length(emit, x, behind_batch(op, x)), sqrt(least))


@layer("ops.Norm")
def norm(op: Layer, emit: Emit) -> Tensor:
    """Add the square root of a sum of squares, or a sum of Abs."""
    x, given = tensor(op, emit), op.setting("ord")
    axes = behind_batch(op, x)
    orders = {None: 2, "fro": 2, "euclidean": 2} | ({1: 1, 2: 2} if len(axes) == 1 else {})
    if isinstance(given, bool | list | dict) or given not in orders:
        raise op.unsupported(f"ord {given!r:.60} over {len(axes)} axes", "None, and along one axis 1 and 2, are")
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    kept = replace(x, name=length(emit, x, axes, orders[given]), shape=shape)
    return kept if op.flag("keepdims", default=False) else without(emit, kept, axes)
