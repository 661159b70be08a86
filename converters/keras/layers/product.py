"""Products of matrices in a model, as ``softmax @ ages``, which is the age that a network of Rothe et al. expects."""

from __future__ import annotations

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer
from converters.keras.layers.dense import product
from converters.keras.layers.operations import values, without
from converters.keras.layers.rescaling import numbers

AGES = np.arange(6, dtype=np.float32)
CASES: Cases = (
    ("ops.matmul", {}, [(5, 7), (7, 3)]),
    ("ops.matmul", {"behind": (AGES,)}, (6,)),
    ("ops.matmul", {"behind": (AGES[:, None],)}, (6,)),
    ("ops.matmul", {"behind": (AGES[:, None],)}, (7, 9, 6)),
    ("ops.dot", {"behind": (AGES,)}, (7, 6)),
    ("ops.tensordot", {"behind": (AGES,), "axes": 1}, (7, 6)),
)
GAPS = (("opencv", "4", "5.], dtype=float32),)} (6,)", "gives an output (N,) the shape (N, 1)"),)


@layer("ops.Matmul", call=("x1", "x2"))
def matmul(op: Layer, emit: Emit) -> Tensor:
    """Add a MatMul of two tensors of as many axes, three or more; with numbers what a Dense makes."""
    pair = values(op, 2, "x1", "x2")
    if not all(isinstance(value, Tensor) for value in pair):
        return dot(op, emit)
    first, second = (emit.plain(value) for value in pair)
    if first.rank != second.rank or first.rank < 3 or first.shape[1:-2] != second.shape[1:-2]:
        raise op.unsupported(f"inputs {first.shape}, {second.shape}", "two alike, of 3 axes or more, are")
    name = emit.node("MatMul", (first.name, second.name))
    return Tensor(name, (*first.shape[:-1], second.shape[-1]), first.order)


@layer("ops.Dot", "ops.Tensordot", call=("x1", "x2"))
def dot(op: Layer, emit: Emit) -> Tensor:
    """Add what a Dense makes: the last axis of a tensor with numbers, as an age is expected from ``softmax``."""
    x, given = values(op, 2, "x1", "x2")
    if not isinstance(x, Tensor) or isinstance(given, Tensor):
        raise op.unsupported("a product of these", "a tensor with numbers behind it is")
    kernel = numbers(op, "the second factor", given).astype(np.float32)
    if op.type == "ops.Tensordot" and op.setting("axes") not in (1, [[x.rank - 1], [0]], [[-1], [0]]):
        raise op.unsupported(f"axes {op.setting('axes')!r:.60}", "the last with the first is")
    if x.rank < 2 or kernel.ndim not in (1, 2) or kernel.shape[0] != x.shape[-1]:
        raise op.unsupported(f"a product of {x.shape} and {kernel.shape}", "numbers (K,) or (K, M) for (.., K) are")
    made = product(emit, x, kernel.reshape(len(kernel), -1))
    return made if kernel.ndim == 2 else without(emit, made, (made.rank - 1,))
