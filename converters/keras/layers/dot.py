"""Dot: two inputs of up to three axes multiplied and summed along one axis of each, a product of matrices."""

from __future__ import annotations

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer

CASES: Cases = (
    ("Dot", {"axes": 1}, [(5,), (5,)]),
    ("Dot", {"axes": -1, "normalize": True}, [(5,), (5,)]),
    ("Dot", {"axes": (2, 1)}, [(4, 5), (5, 3)]),
    ("Dot", {"axes": 2}, [(4, 5), (3, 5)]),
    ("Dot", {"axes": (1, 2)}, [(5,), (4, 5)]),
    ("Dot", {"axes": 1, "normalize": True}, [(5, 4), (5, 3)]),
)


@layer("Dot")
def dot(op: Layer, emit: Emit) -> Tensor:
    """Add a MatMul of (N, rows, K) and (N, K, columns); an input of two axes is one row, or one column."""
    if len(op.inputs) != 2 or max(tensor.rank for tensor in op.inputs) > 3 or min(t.rank for t in op.inputs) < 2:
        raise op.unsupported(f"inputs {', '.join(str(t.shape) for t in op.inputs)}", "two of up to three axes are")
    given = op.setting("axes")
    pair = list(given) if isinstance(given, list | tuple) else [given, given]
    if len(pair) != 2 or not all(type(axis) is int for axis in pair):
        raise op.bad(f"axes is {given!r:.60}; it has to be one axis or two")
    axes = [axis % tensor.rank for axis, tensor in zip(pair, op.inputs, strict=True)]
    shared = [tensor.shape[axis] for axis, tensor in zip(axes, op.inputs, strict=True)]
    if 0 in axes or shared[0] != shared[1] or shared[0] is None:
        raise op.bad(f"axes {pair} of {op.inputs[0].shape} and {op.inputs[1].shape} are not of one known size")
    unit = op.flag("normalize", default=False)
    first = _matrix(emit, op.inputs[0], axes[0], 2, unit=unit)
    second = _matrix(emit, op.inputs[1], axes[1], 1, unit=unit)
    rows, columns = first.shape[1], second.shape[2]
    product = Tensor(emit.node("MatMul", (first.name, second.name)), (None, rows, columns), (0, 1, 2))
    kept = [size for size, tensor in zip((rows, columns), op.inputs, strict=True) if tensor.rank == 3]
    return emit.reshape(product, (None, *(kept or [1])))


def _matrix(emit: Emit, x: Tensor, axis: int, place: int, *, unit: bool) -> Tensor:
    """Return an input as (N, rows, columns), the axis that is summed as axis ``place``."""
    if x.rank == 2:
        size = x.shape[1]
        plain = emit.plain(emit.reshape(x, (None, 1, size) if place == 2 else (None, size, 1)))
    else:
        turned = Tensor(x.name, (None, x.shape[2], x.shape[1]), tuple((0, 2, 1)[a] for a in x.order), x.places)
        plain = emit.plain(x if axis == place else turned)
    return plain.named(_normalised(emit, plain.name, place)) if unit else plain


def _normalised(emit: Emit, name: str, axis: int) -> str:
    """Divide by the length along an axis; its square is 1e-12 at least, as in Keras."""
    axes = emit.constant("axes", np.array([axis], dtype=np.int64))
    squares = emit.node("ReduceSum", (emit.node("Mul", (name, name)), axes), keepdims=1)
    return emit.node("Div", (name, emit.node("Sqrt", (emit.node("Max", (squares, emit.scalar(1e-12))),))))
