"""What a layer is called with, its tensors made: which are its inputs, and that nothing else is passed over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converters.keras.graph import Graph
from converters.keras.kind import Layer, Tensor

OPERATIONS = ("TFOpLambda", "SlicingOpLambda")
"""Arithmetic of Keras 2; that of Keras 3 is named ``ops.Add``."""


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors in an argument in Keras's order: those of a dictionary by sorted key."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for key in sorted(value) for tensor in tensors_in(value[key])]
    parts = value if isinstance(value, list | tuple) else ()
    return [tensor for part in parts for tensor in tensors_in(part)]


def model_inputs(op: Layer, graph: Graph) -> Sequence[Tensor]:
    """Return what a model is called with, in the order of its inputs; a dictionary has a word for each."""
    refuse_others(op, ())
    given = [*op.args, *(op.call[key] for key in ("inputs",) if key in op.call)]
    if len(op.inputs) != len(graph.inputs):
        raise op.bad(f"is called with {len(op.inputs)} tensors; the model has {len(graph.inputs)} inputs")
    if not given or not isinstance(given[0], dict):
        return op.inputs
    if set(given[0]) != set(graph.keys) or not all(isinstance(one, Tensor) for one in given[0].values()):
        raise op.bad(f"is called with {', '.join(given[0])}; the inputs of the model are {', '.join(graph.keys)}")
    return [given[0][key] for key in graph.keys]


def refuse_others(op: Layer, known: Sequence[str]) -> None:
    """Raise Unsupported for what is passed beside tensors and says something; ``known`` are names that are read."""
    for name, value in op.call.items():
        if name not in (*known, "inputs") and not _says_nothing(value):
            raise op.unsupported(f"called with {name}={_shown(value)}", "only its inputs may be given")
    if op.type.startswith("ops.") or op.type in OPERATIONS:
        return
    for value in op.args:
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
        if not all(isinstance(one, Tensor) or _says_nothing(one) for one in parts):
            raise op.unsupported(f"called with {_shown(value)}", "only tensors may be given")


def _says_nothing(value: Any) -> bool:
    """Whether an argument is None or False, or holds nothing else, as the mask of each of several inputs."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else None
    return value is None or value is False if parts is None else all(map(_says_nothing, parts))


def _shown(value: Any) -> str:
    """Return an argument as a message shows it."""
    return "a tensor" if tensors_in(value) else f"{value!r:.60}"
