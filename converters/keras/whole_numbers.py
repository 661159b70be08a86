"""Arithmetic on whole numbers, which wraps round in Keras: 200 + 100 is 44 in uint8. ONNX files have float32 alone."""

from __future__ import annotations

from typing import Any

from converters.keras.calls import Call, Ref, refs_in
from converters.keras.graph import Graph, Spec

WRAPPING = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "uint64")
"""Types that wrap at numbers a picture has; those of 32 bits and more with a sign do not."""
# fmt: off
ARITHMETIC = (
    "add", "sub", "subtract", "mul", "multiply", "average", "square", "neg", "negative", "abs", "absolute", "pow",
    "power", "matmul", "radd", "rsub", "rmul",
)
# fmt: on


def wraps(graph: Graph, spec: Spec, call: Call) -> bool:
    """Whether a layer calculates with tensors and numbers that are all whole, of a type that wraps round."""
    name = str(spec.config.get("function")) if spec.type == "TFOpLambda" else spec.type
    refs = list(refs_in((call.args, call.named)))
    whole = bool(refs) and all(_dtype(graph, ref) in WRAPPING for ref in refs)
    return whole and name.rpartition(".")[2].lower() in ARITHMETIC and not _has_fraction((call.args, call.named))


def _dtype(graph: Graph, ref: Ref) -> str:
    """Return the type of a tensor as far as the file says it; Keras 2 says it of inputs alone."""
    spec = graph.layers[ref.layer]
    return ref.dtype or (str(spec.config.get("dtype")) if spec.type == "InputLayer" else "")


def _has_fraction(value: Any) -> bool:
    """Whether one of the numbers is a float, so that Keras calculates in float32."""
    if isinstance(value, dict):
        return str(value.get("dtype")).startswith("float") or any(_has_fraction(one) for one in value.values())
    parts = value if isinstance(value, list | tuple) else ()
    return isinstance(value, float) or any(_has_fraction(one) for one in parts)
