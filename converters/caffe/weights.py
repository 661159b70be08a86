"""Weights and mean images out of Caffe's binary files, as float32 arrays.

A blob says its shape in one of two ways: ``shape``, or before 2014 four numbers (num, channels, height, width), the
first of which are 1 for what has fewer axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from converters.caffe.binary import broken_at, has_unpacked, parse_binary
from converters.caffe.emit import Shape
from converters.caffe.schema import messages, read_bytes
from converters.errors import BadInput, Unsupported

Floats = NDArray[np.float32]


def read_weights(path: Path, data: bytes) -> dict[str, tuple[Floats, ...]]:
    """Return the blobs of each layer that has some, by layer name. Raises BadInput with the path."""
    if data.startswith(b"\x89HDF"):
        raise Unsupported(f"{path}: weights in HDF5 are not read; give a binary .caffemodel")
    net = parse_binary(path, data)
    weights: dict[str, tuple[Floats, ...]] = {}
    for layer in (*net.layers, *net.layer):
        if layer.blobs and layer.name in weights:
            raise BadInput(f"{path}: two layers named {layer.name!r} have weights; layers are matched by name")
        if layer.blobs:
            weights[layer.name] = tuple(
                read_blob(blob, f"{path}: blob {i} of layer {layer.name!r}") for i, blob in enumerate(layer.blobs)
            )
    return weights


def read_blob(blob: Any, where: str) -> Floats:
    """Return the numbers of a BlobProto in its own shape. Raises BadInput when it holds too few or too many."""
    if blob.HasField("num") or blob.HasField("channels") or blob.HasField("height") or blob.HasField("width"):
        shape: Shape = (blob.num, blob.channels, blob.height, blob.width)
    else:
        shape = tuple(blob.shape.dim)
    values = _numbers(blob.double_data, "<f8", where) if blob.double_data else _numbers(blob.data, "<f4", where)
    if values.size != prod(shape):
        raise BadInput(f"{where}: holds {values.size} numbers where its shape {shape} needs {prod(shape)}")
    return values.reshape(shape)


def _numbers(data: Sequence[Any], dtype: str, where: str) -> Floats:
    if not data or not isinstance(data[0], bytes):
        return np.array(data, dtype=np.float32)
    packed = data[0] if len(data) == 1 else b"".join(data)
    if len(packed) % np.dtype(dtype).itemsize:
        raise BadInput(f"{where}: {len(packed)} bytes are no whole list of numbers; get the file again")
    return np.frombuffer(packed, dtype=dtype).astype(np.float32, copy=False)


def read_mean(path: Path) -> Floats:
    """Read a mean image (``mean.binaryproto``). Returns float32 (C, H, W), channels in the net's own order.

    Raises BadInput when the file is missing, cut off, or holds no single image.
    """
    data = read_bytes(path, "a mean image (.binaryproto)")
    for plain in (False, True):
        blob = messages(plain=plain)["BlobProto"]()
        try:
            blob.ParseFromString(data)
        except DecodeError as error:
            raise BadInput(f"{path}: not a whole mean image: {broken_at(data)}; get the file again") from error
        if not has_unpacked(blob):
            break
    mean = read_blob(blob, f"{path}: mean image")
    if mean.ndim == 4 and len(mean) == 1:
        mean = mean[0]
    if mean.ndim != 3 or not mean.size:
        raise BadInput(f"{path}: holds an array of shape {mean.shape}; a mean image has (channels, height, width)")
    return mean
