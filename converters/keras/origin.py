"""Whose class or function a file names: Keras's own, or somebody's own of the same name.

Keras 3 and ``.keras`` files say ``module`` and ``registered_name``. For a class of Keras the module is one of Keras;
for somebody's own it is theirs, or null where it was written in a script, with a name that it is registered under.
HDF5 says neither of layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from converters.keras.calls import Call, Ref

KERAS = ("keras", "tf_keras")
"""Packages whose modules are Keras's own."""
ARITHMETIC = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
"""Layers that join tensors, and operations of Keras 3 of the same names."""


def class_of(entry: Mapping[str, Any]) -> str:
    """Return the class of an entry: ``ReLU``, ``ops.Add`` for an operation, ``mine>ReLU`` for somebody's own."""
    kind, module = str(entry.get("class_name")), str(entry.get("module") or "")
    registered = str(entry.get("registered_name") or "")
    package = registered.rpartition(">")[0]
    if package not in ("", *KERAS):
        return f"{package}>{kind}"
    if module.startswith(("keras.src.ops", "keras.ops")):
        return f"ops.{kind}"
    if module:
        return kind if module.partition(".")[0] in KERAS else f"{module}>{kind}"
    return f"__main__>{kind}" if registered else kind


def is_kerass_function(entry: Mapping[str, Any]) -> bool:
    """Whether a function, which is written with its name alone, is one of Keras; ``builtins`` is all others."""
    package = str(entry.get("registered_name") or "").rpartition(">")[0]
    return package in ("", *KERAS) and str(entry.get("module")).partition(".")[0] in KERAS


def is_operation(entry: Mapping[str, Any], calls: Sequence[Call]) -> bool:
    """Whether a layer that joins tensors is none, but arithmetic as ``x * 2``; HDF5 does not say, but how it is called.

    Keras 3 calls such a layer with one list and an operation with two values; Keras 2 lists a number as an input.
    """
    if entry["class_name"] not in ARITHMETIC or entry.get("module") or entry.get("registered_name"):
        return False
    nodes = entry.get("inbound_nodes")
    if isinstance(nodes, list) and any(isinstance(node, dict) for node in nodes):
        return all(len(call.args) == 2 for call in calls)
    kinds = [sorted(isinstance(value, Ref) for value in call.args) for call in calls]
    numbers = [value for call in calls for value in call.args if not isinstance(value, Ref)]
    return kinds == [[False, True]] * len(calls) and all(type(value) in (int, float) for value in numbers)
