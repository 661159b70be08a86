"""Layers that shift and scale the input by constants: the preprocessing that some models bring with them.

Normalization holds the mean and variance either as weights, from ``adapt``, or as settings.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Array, Cases, Layer, Tensor, layer

CASES: Cases = (
    ("Rescaling", {"scale": 1 / 127.5, "offset": -1.0}, (7, 9, 3)),
    ("Rescaling", {"scale": 0.25}, (7, 9, 3)),
    ("Rescaling", {"scale": [0.5, 0.25, 2.0], "offset": [1.0, -1.0, 0.5]}, (7, 9, 3)),
    ("Normalization", {"mean": 0.5, "variance": 2.25}, (7, 9, 3)),
    ("Normalization", {"mean": [0.5, -1.0, 2.0], "variance": [2.25, 0.5, 4.0]}, (7, 9, 3)),
    ("Normalization", {"mean": [0.5, -1.0, 2.0], "variance": [2.25, 0.0, 4.0], "invert": True}, (7, 9, 3)),
    ("Normalization", {}, (7, 9, 3)),
    ("Normalization", {"axis": (1, 3)}, (7, 9, 3)),
    ("Normalization", {"axis": None}, (7, 3)),
    ("Normalization", {}, (5,)),
)
SMALLEST = 1e-7
"""What a standard deviation is at least (``keras.config.epsilon()``)."""


def numbers(op: Layer, name: str, given: Any) -> Array:
    """Return a setting that is a number or lists of them, float64; Keras 3 may write one as an array."""
    if isinstance(given, dict) and isinstance(given.get("config"), dict):  # {"class_name": "__numpy__", ..}
        given = given["config"].get("value")
    try:
        found = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise op.bad(f"{name} is {given!r:.100}; it has to be numbers") from error
    if not (np.abs(found) <= np.finfo(np.float32).max).all():
        raise op.bad(f"{name} is {given!r:.100}; it has to be finite numbers, float32")
    return found


def broadcast(op: Layer, emit: Emit, x: Tensor, name: str, values: Array) -> str:
    """Add a constant that broadcasts with a tensor: its last axes are the tensor's, in Keras's layout."""
    if not values.ndim:
        return emit.scalar(float(values))
    spread = values.reshape((1,) * (x.rank - values.ndim) + values.shape) if values.ndim <= x.rank else values
    fits = spread.ndim == x.rank and all(n in (1, size) for n, size in zip(spread.shape, x.shape, strict=True))
    if not fits or spread.shape[0] != 1:
        raise op.bad(f"{name} has the shape {values.shape}, which does not fit an input of shape {x.shape}")
    return emit.constant(name, spread.transpose(x.order).astype(np.float32))


@layer("Rescaling")
def rescaling(op: Layer, emit: Emit) -> Tensor:
    """Add a Mul and an Add, each where it changes something."""
    x = emit.unfolded(op.input)
    scale, offset = (numbers(op, name, op.setting(name, default=n)) for name, n in (("scale", 1.0), ("offset", 0.0)))
    if (scale != 1).any():
        x = emit.like("Mul", x, broadcast(op, emit, x, "scale", scale))
    return emit.like("Add", x, broadcast(op, emit, x, "offset", offset)) if offset.any() else x


@layer("Normalization")
def normalization(op: Layer, emit: Emit) -> Tensor:
    """Add Sub and Div, or with ``invert`` Mul and Add; folded together, large means would cost digits."""
    x = emit.unfolded(op.input)
    given = op.setting("axis", default=-1)
    axes = sorted(op.axes("axis", rank=x.rank)) if given is not None else []
    shape = [x.shape[axis] or 0 for axis in axes]
    spread = [(size or 0) if axis in axes else 1 for axis, size in enumerate(x.shape)]
    if 0 in shape or 0 in axes:
        raise op.bad(f"axis {given!r:.60} of an input of shape {x.shape}; it needs axes of known size, not the batch")
    if op.setting("mean", default=None) is not None:
        mean, variance = (numbers(op, name, op.setting(name)) for name in ("mean", "variance"))
        try:
            mean, variance = (np.broadcast_to(value, shape).reshape(spread) for value in (mean, variance))
        except ValueError as error:
            raise op.bad(f"mean and variance do not fit axis {given!r:.60} of an input of shape {x.shape}") from error
    else:
        mean, variance = (op.weight(name, shape).reshape(spread) for name in ("mean", "variance"))
        op.weight("count", ())
    if (variance < 0).any():
        raise op.bad("its variance has negative numbers")
    deviation = np.maximum(np.sqrt(variance.astype(np.float64)), SMALLEST)
    names = [broadcast(op, emit, x, name, v) for name, v in (("mean", mean), ("deviation", deviation))]
    if op.flag("invert", default=False):
        return emit.like("Add", emit.like("Mul", x, names[1]), names[0])
    return emit.like("Div", emit.like("Sub", x, names[0]), names[1])
