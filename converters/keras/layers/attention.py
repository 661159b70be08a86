"""Attention: each query takes the mean of all values, weighted by how much their keys are like it.

MultiHeadAttention does so for several projections at once (Vaswani et al. 2017). Masks are not known.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer

TWO = [(5, 6), (4, 6)]
CASES: Cases = (
    ("Attention", {}, TWO),
    ("Attention", {"use_scale": True}, [(5, 6), (4, 3), (4, 6)]),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, TWO),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "value_dim": 5, "use_bias": False}, [(5, 6), (4, 7), (4, 3)]),
    ("MultiHeadAttention", {"num_heads": 1, "key_dim": 4, "output_shape": 7}, TWO),
)
NATURAL = (0, 1, 2)
NO_MASK = (
    "query_mask",
    "value_mask",
    "key_mask",
    "attention_mask",
    "use_causal_mask",
    "return_attention_scores",
    "mask",
)


def _three(op: Layer, emit: Emit) -> tuple[Tensor, Tensor, Tensor]:
    """Return query, value and key, (N, steps, size) each; without a key the values are their own."""
    given = op.args[0] if op.args and isinstance(op.args[0], list | tuple) else op.args
    named = [op.call.get(name) for name in ("query", "value", "key")]
    tensors = [a or b for a, b in zip([*given, None, None, None], named, strict=False)]
    found = [emit.plain(tensor) for tensor in tensors[:3] if isinstance(tensor, Tensor)]
    if len(found) < 2 or len(found) < sum(t is not None for t in tensors):
        raise op.bad("is called with fewer than a query and a value")
    if any(tensor.rank != 3 for tensor in found):
        raise op.unsupported(f"inputs {', '.join(str(t.shape) for t in found)}", "three axes each are")
    return found[0], found[1], found[-1]


@layer("Attention", call=("query", "value", "key"))
def attention(op: Layer, emit: Emit) -> Tensor:
    """Add MatMul, Softmax, MatMul."""
    _refuse_masks(op)
    op.choice("score_mode", known=("dot",), default="dot")
    op.setting("dropout")
    inputs = list(op.inputs) if len(op.inputs) > 1 else []
    query, value, *rest = [emit.plain(tensor) for tensor in inputs] or list(_three(op, emit))
    key = rest[0] if rest else value
    shapes = query.shape, value.shape, key.shape
    if {len(shape) for shape in shapes} != {3} or query.shape[2] != key.shape[2] or value.shape[1] != key.shape[1]:
        raise op.unsupported(f"inputs {shapes}", "(N, steps, sizes) each, which fit, are")
    scores = emit.node("MatMul", (query.name, emit.node("Transpose", (key.name,), perm=[0, 2, 1])))
    if op.flag("use_scale", default=False):
        scores = emit.node("Mul", (scores, emit.scalar(float(op.weight("scale", ())))))
    weights = emit.node("Softmax", (scores,), axis=2)
    name = emit.node("MatMul", (weights, value.name))
    return Tensor(name, (None, query.shape[1], value.shape[2]), NATURAL)


@layer("MultiHeadAttention", call=("query", "value", "key"))
def multi_head_attention(op: Layer, emit: Emit) -> Tensor:
    """Add a projection for each input, MatMul, Softmax and MatMul for all heads at once, and a last projection."""
    _refuse_masks(op)
    query, value, key = _three(op, emit)
    heads, size = op.integer("num_heads"), op.integer("key_dim")
    depth = size if op.setting("value_dim") is None else op.integer("value_dim")
    bias = op.flag("use_bias", default=True)
    op.setting("dropout", "flash_attention", "query_shape", "key_shape", "value_shape", "seed")
    axes = op.setting("attention_axes")
    if axes not in (None, 1, [1]) or op.flag("use_gate", default=False):
        raise op.unsupported(f"attention_axes {axes!r:.60} or use_gate", "attention over axis 1 is")
    given = op.setting("output_shape")
    outputs = given[0] if isinstance(given, list | tuple) and len(given) == 1 else given
    outputs = query.shape[2] if outputs is None else outputs
    if not isinstance(outputs, int) or query.shape[1] is None or key.shape[1] is None:
        raise op.unsupported(f"output_shape {given!r:.60} of inputs of {query.shape}", "one size, known steps are")
    q = _projected(op, emit, query, "query", heads, size, bias=bias)
    k = _projected(op, emit, key, "key", heads, size, bias=bias)
    v = _projected(op, emit, value, "value", heads, depth, bias=bias)
    q = emit.node("Mul", (emit.node("Transpose", (q,), perm=[0, 2, 1, 3]), emit.scalar(1 / sqrt(size))))
    scores = emit.node("MatMul", (q, emit.node("Transpose", (k,), perm=[0, 2, 3, 1])))
    weights = emit.node("Softmax", (scores,), axis=3)
    mixed = emit.node("MatMul", (weights, emit.node("Transpose", (v,), perm=[0, 2, 1, 3])))
    rows = emit.reshaped(emit.node("Transpose", (mixed,), perm=[0, 2, 1, 3]), (None, query.shape[1], heads * depth))
    words = ("attention_output", "output_dense")
    kernel = op.weight("kernel", (heads, depth, outputs), within=words, fan=heads * depth)
    name = emit.node("MatMul", (rows, emit.constant("kernel", kernel.reshape(heads * depth, outputs))))
    if bias:
        name = emit.node("Add", (name, emit.constant("bias", op.weight("bias", (outputs,), within=words))))
    return Tensor(name, (None, query.shape[1], outputs), NATURAL)


def _projected(op: Layer, emit: Emit, x: Tensor, word: str, heads: int, size: int, *, bias: bool) -> str:
    """Add the projection of (N, steps, inputs) to (N, steps, heads, size)."""
    words, inputs = (word, f"{word}_dense"), x.shape[2] or 0
    kernel = op.weight("kernel", (inputs, heads, size), within=words, fan=inputs)
    name = emit.node("MatMul", (x.name, emit.constant("kernel", kernel.reshape(inputs, heads * size))))
    if bias:
        values = op.weight("bias", (heads, size), within=words)
        name = emit.node("Add", (name, emit.constant("bias", np.ravel(values))))
    return emit.reshaped(name, (None, x.shape[1], heads, size))


def _refuse_masks(op: Layer) -> None:
    for name in NO_MASK:
        if op.call.get(name) not in (None, False):
            raise op.unsupported(f"called with {name}", "query, value and key are")
