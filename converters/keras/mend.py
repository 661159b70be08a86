"""Architectures of Keras 2 as Keras 3 reads them rightly.

Keras 2 counts the calls of a nested model from 1 on, since a model had a call of its own when it was built; Keras 3
counts them from 0 on, and so takes another one or finds none. And it refuses some settings of Keras 2. What is in half
or double precision is done in float32, as in the ONNX file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from converters.keras.trust import objects

PRECISIONS = ("float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16")
POLICIES = ("DTypePolicy", "FloatDTypePolicy", "Policy", "PolicyV1")
NESTED = ("Model", "Functional", "Sequential")
GONE: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("groups", 1, ("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")),
    ("groups", 1, ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")),
    ("time_major", False, ("SimpleRNN", "LSTM", "GRU", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")),
)
"""Settings that Keras 3 refuses, the value of Keras 2 that says nothing, and the classes that had it."""


def mended(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return an architecture as Keras 3 has to see it: it computes the same, in float32. Training is left out."""
    found = deepcopy(dict(config))
    for entry in objects(found):
        entry.pop("compile_config", None)
        inner = entry.get("config")
        if not isinstance(inner, dict):
            continue
        if isinstance(inner.get("layers"), list) and "output_layers" in inner:
            _renumber(inner)
        if inner.get("dtype") in PRECISIONS:
            inner["dtype"] = "float32"
        if entry["class_name"] in POLICIES and inner.get("name") in PRECISIONS:
            inner["name"] = "float32"
        for key, value, kinds in GONE:
            if entry["class_name"] in kinds and key in inner and inner[key] == value:
                del inner[key]
    return found


def _renumber(model: dict[str, Any]) -> None:
    """Count the calls of nested models as Keras 3 does: from 0 on, but where a Functional one is an output from 1."""
    nodes = [node for entry in model["layers"] for node in entry.get("inbound_nodes") or ()]
    read = [ref for node in nodes if isinstance(node, list) for ref in node if isinstance(ref, list) and len(ref) > 2]
    made = list(_references(model["output_layers"]))
    for entry in model["layers"]:
        if entry.get("class_name") not in NESTED:
            continue
        reads, outputs = ([ref for ref in refs if ref[0] == entry.get("name")] for refs in (read, made))
        numbers = [ref[1] for ref in (*reads, *outputs)]
        if not numbers or min(numbers) < 1 or any(isinstance(node, dict) for node in nodes):
            continue
        for ref in (*reads, *(outputs if entry["class_name"] == "Sequential" else ())):
            ref[1] -= 1


def _references(value: Any) -> Iterator[list[Any]]:
    """Yield each ``[layer, call, output]`` of a structure of lists and dictionaries."""
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _references(one)
