"""A Caffe network: its description and its weights, through our own converter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROLES = ("prototxt", "caffemodel")
OPTIONS: Mapping[str, tuple[str, ...]] = {"lrn": ("lowered", "native")}


def model_bytes(paths: Mapping[str, Path], options: Mapping[str, str], metadata: Mapping[str, str]) -> bytes:
    """Convert ``prototxt`` and ``caffemodel``."""
    from converters.caffe import convert
    from converters.onnx_file import to_bytes

    chosen: dict[str, Any] = dict(options)
    return to_bytes(convert(paths["prototxt"], paths["caffemodel"], metadata=metadata, **chosen))
