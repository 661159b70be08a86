"""Embedding: rows of a table, by numbers. The input of the ONNX file is float32 like every other one."""

from __future__ import annotations

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer

CASES: Cases = (
    ("Embedding", {"input_dim": 11, "output_dim": 4}, (7,)),
    ("Embedding", {"input_dim": 11, "output_dim": 4}, (5, 3)),
)
INT64 = 7


@layer("Embedding")
def embedding(op: Layer, emit: Emit) -> Tensor:
    """Add Cast and Gather."""
    x = emit.plain(op.input)
    rows, columns = op.integer("input_dim"), op.integer("output_dim")
    if op.flag("mask_zero", default=False):
        raise op.unsupported("mask_zero", "an Embedding without a mask is")
    table = emit.constant("embeddings", op.weight("embeddings", (rows, columns), fan=1))
    name = emit.node("Gather", (table, emit.node("Cast", (x.name,), to=INT64)), axis=0)
    return Tensor(name, (*x.shape, columns), tuple(range(x.rank + 1)))
