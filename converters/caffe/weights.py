"""Weights and mean images out of Caffe's binary files, as float32 arrays that mostly are views of the file's bytes.

Of a caffemodel only names and blobs are read, so the parameter blocks of a fork cannot get in the way. A blob says its
shape in one of two ways: ``shape``, or before 2014 four numbers (num, channels, height, width), the first of which are
1 for what has fewer axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from converters.caffe.binary import TEXT, is_binary
from converters.caffe.schema import messages, read_bytes, refuse_others
from converters.caffe.wire import LENGTH, Broken, Record, Wire
from converters.errors import BadInput

Floats = NDArray[np.float32]

V0, V1, V2 = 1, 2, 100
"""The ages, by the field that holds a layer: of a V1 layer, of the network, of the network."""
NAME = {V0: 1, V1: 4, V2: 1}
BLOBS = {V0: 50, V1: 6, V2: 7}
DATA, DIFF, DOUBLE_DATA, DOUBLE_DIFF = 5, 6, 8, 9
"""Field numbers: of a layer of each age, and of a blob."""

MOST_AXES = 32
"""As many axes as Caffe allows."""


def read_weights(path: Path, data: bytes) -> dict[str, tuple[Floats, ...]]:
    """Return the blobs of each layer that has some, by layer name; the last one's where Caffe would take those.

    Raises BadInput with the path for a file that is broken, has layers of two ages, or contradicts itself.
    """
    refuse_others(path, data)
    if TEXT.match(data) and not is_binary(data):
        raise BadInput(f"{path}: is text; the network (.prototxt) comes first, then its weights (.caffemodel)")
    wire = Wire(data)
    weights: dict[str, tuple[Floats, ...]] = {}
    try:
        ages = {record.number for record in wire.whole()} & {V1, V2}
        if len(ages) > 1:
            raise BadInput(f"{path}: has both 'layer' and 'layers' records; Caffe reads files of one kind only")
        for layer, records in _layers(wire):
            name = _text(layer, path)
            blobs = tuple(
                _blob(wire, record, f"{path}: blob {i} of layer {name!r}") for i, record in enumerate(records)
            )
            if [blob.shape for blob in blobs] != [blob.shape for blob in weights.get(name, blobs)]:
                raise BadInput(f"{path}: two layers named {name!r} have other weights; layers are matched by name")
            weights[name] = blobs
    except Broken as broken:
        raise BadInput(f"{path}: not a whole caffemodel: {broken}; get the file again") from broken
    return {name: blobs for name, blobs in weights.items() if blobs}


def _layers(wire: Wire) -> Iterator[tuple[bytes, list[Record]]]:
    """Yield name and blobs of each layer."""
    for record in wire.whole():
        if record.number in (V1, V2) and record.kind == LENGTH:
            yield _layer(wire, record, record.number)


def _layer(wire: Wire, layer: Record, age: int) -> tuple[bytes, list[Record]]:
    name, blobs, inner = b"", [], None
    for record in wire.records(layer.start, layer.end):
        if record.kind != LENGTH:
            continue
        if record.number == NAME[age]:
            name = wire.data[record.start : record.end]
        elif record.number == BLOBS[age]:
            blobs.append(record)
        elif age == V1 and record.number == V0:
            inner = _layer(wire, record, V0)
    return inner or (name, blobs)


def _text(name: bytes, path: Path) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a caffemodel: its names are no text; get the file again") from error


def read_blob(blob: Any, where: str) -> Floats:
    """Return the numbers of a BlobProto in its own shape. Raises BadInput when it holds too few or too many."""
    blob.DiscardUnknownFields()  # what is left is a list or two, each packed
    return _packed(blob.SerializeToString(), where)


def _packed(data: bytes, where: str) -> Floats:
    return _blob(wire := Wire(data), Record(0, LENGTH, 0, 0, len(wire.data)), where)


def _blob(wire: Wire, blob: Record, where: str) -> Floats:
    """Return the numbers of a blob as they lie in the file; numbers not in one packed list are first made one."""
    head, numbers = bytearray(), dict[int, Record]()
    for record in wire.records(blob.start, blob.end):
        if record.number not in (DATA, DIFF, DOUBLE_DATA, DOUBLE_DIFF):
            head += wire.data[record.begin : record.end]
        elif record.kind != LENGTH or record.number in numbers:
            return read_blob(_message(wire.data[blob.start : blob.end], where), where)
        else:
            numbers[record.number] = record
    shape = _shape(_message(bytes(head), where), where)
    sizes = {field: record.end - record.start for field, record in numbers.items()}
    field = DOUBLE_DATA if sizes.get(DOUBLE_DATA) else DATA
    kind, size = np.dtype("<f8" if field == DOUBLE_DATA else "<f4"), sizes.get(field, 0)
    if size % kind.itemsize:
        raise BadInput(f"{where}: {size} bytes are no whole list of numbers; get the file again")
    if size // kind.itemsize != prod(shape):
        raise BadInput(f"{where}: holds {size // kind.itemsize} numbers where its shape {shape} needs {prod(shape)}")
    values = np.frombuffer(wire.data, kind, prod(shape), numbers[field].start) if size else np.empty(0, kind)
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False).reshape(shape)


def _message(data: bytes, where: str) -> Any:
    try:
        return messages()["BlobProto"].FromString(data)
    except DecodeError as error:
        raise BadInput(f"{where}: its records are damaged; get the file again") from error


def _shape(blob: Any, where: str) -> tuple[int, ...]:
    old = [blob.HasField(name) for name in ("num", "channels", "height", "width")]
    shape = (blob.num, blob.channels, blob.height, blob.width) if any(old) else tuple(blob.shape.dim)
    if len(shape) > MOST_AXES:
        raise BadInput(f"{where}: its shape has {len(shape)} axes; Caffe allows {MOST_AXES}")
    if min(shape, default=0) < 0:
        raise BadInput(f"{where}: its shape {shape} has a negative length")
    return shape


def read_mean(path: Path) -> Floats:
    """Read a mean image (``mean.binaryproto``). Returns float32 (C, H, W), channels in the net's own order.

    Raises BadInput when the file is missing, cut off, or holds no single image.
    """
    data = read_bytes(path, "a mean image (.binaryproto)")
    try:
        mean = _packed(data, f"{path}: mean image")
    except Broken as broken:
        raise BadInput(f"{path}: not a whole mean image: {broken}; get the file again") from broken
    if mean.ndim == 4 and len(mean) == 1:
        mean = mean[0]
    if mean.ndim != 3 or not mean.size:
        raise BadInput(f"{path}: holds an array of shape {mean.shape}; a mean image has (channels, height, width)")
    if not np.isfinite(mean).all():
        raise BadInput(f"{path}: holds numbers that are not finite; get the file again")
    return mean
