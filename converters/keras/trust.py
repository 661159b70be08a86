"""Files that hold code, or reach outside the network: refused before TensorFlow sees them.

Keras would run the Python code that a Lambda layer holds, and import what a custom class names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converters.errors import BadInput, Unsupported
from converters.keras.origin import KERAS

CODE = ("Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")
"""Classes that run code out of the file, or out of one that it names."""
OUTSIDE = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "MatchingFiles", "Print", "PrintV2")
"""Operations of TensorFlow that no network needs."""
OWN = (*KERAS, "builtins")
"""Packages of Keras, and what it calls those of plain functions."""


def refuse_code(path: Path, config: Any) -> None:
    """Raise Unsupported for an architecture that holds Python code or names classes that are not Keras's own."""
    for entry in objects(config):
        kind, inner = entry["class_name"], entry.get("config")
        name = inner.get("name", kind) if isinstance(inner, dict) else kind
        where = f"{path}: layer {name!r} ({kind})"
        if kind in CODE:
            raise Unsupported(f"{where}: runs code that the file brings, and code in a file is never run; use layers")
        if kind == "function" and entry.get("module") != "builtins":
            raise Unsupported(
                f"{where}: is the function {inner!r:.100}, given by its name; only Keras's layers are run"
            )
        package = str(entry.get("module") or "keras").partition(".")[0]
        registered = str(entry.get("registered_name") or "")
        if package not in OWN or (">" in registered and not registered.startswith("keras>")):
            owner = package if package not in OWN else registered
            raise Unsupported(f"{where}: is a class of {owner!r}; its code is not in Keras, only Keras's own is run")


def refuse_file_operations(path: Path) -> None:
    """Raise Unsupported for a SavedModel whose operations read or write files, or call Python."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    whole = SavedModel()
    try:
        whole.ParseFromString((path / "saved_model.pb").read_bytes())
    except OSError as error:
        known = "a SavedModel folder has saved_model.pb and variables/"
        raise BadInput(f"{path}: saved_model.pb cannot be read: {error.strerror}; {known}") from error
    except DecodeError as error:
        raise BadInput(f"{path}: saved_model.pb is no SavedModel: {' '.join(str(error).split())[:200]}") from error
    for graph in (meta.graph_def for meta in whole.meta_graphs):
        for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
            if node.op in OUTSIDE:
                raise Unsupported(f"{path}: operation {node.name!r} ({node.op}) reaches outside the network; never run")


def objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of an architecture that is a dictionary with a class_name, but for how it was trained."""
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get("class_name"), str):
                yield one
            waiting += [inner for key, inner in one.items() if key != "compile_config"]
        elif isinstance(one, list):
            waiting += one
