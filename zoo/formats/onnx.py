"""A network that is ONNX already: only its opset, its batch and its names are brought to the zoo's (`zoo.clean`)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from converters.onnx_file import to_bytes

ROLES = ("model",)
OPTIONS: Mapping[str, tuple[str, ...]] = {}


def model_bytes(paths: Mapping[str, Path], options: Mapping[str, str], metadata: Mapping[str, str]) -> bytes:
    """Clean ``model``. Raises BadInput for a file that is no whole ONNX file, Unsupported for a batch held fast."""
    from zoo import clean, graph

    content = paths["model"].read_bytes()
    told = {"source_model": paths["model"].name, "source_model_sha256": hashlib.sha256(content).hexdigest()}
    return to_bytes(clean.clean(graph.read(paths["model"]), {"converter": "onnx", **told, **metadata}))
