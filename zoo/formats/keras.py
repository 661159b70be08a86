"""A Keras model in one file, through our own reader: nothing here needs TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ROLES = ("model",)
OPTIONS: Mapping[str, tuple[str, ...]] = {}


def model_bytes(paths: Mapping[str, Path], options: Mapping[str, str], metadata: Mapping[str, str]) -> bytes:
    """Convert ``model``: HDF5, ``.keras``, or an architecture alone, which gets weights by a fixed seed."""
    from converters.keras import convert
    from converters.onnx_file import to_bytes

    return to_bytes(convert(paths["model"], metadata=metadata))
