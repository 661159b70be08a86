"""What each ONNX file of ours has alike: its version, names that occur once, and bytes that are written whole.

`pieces` gives a model as bytes without a copy of its constants, which may be half a gigabyte. Those bytes are what
protobuf's own serialisation gives: fields in the order of their numbers, so the constants (field 5 of the graph) stand
between the name of the graph (2) and its inputs (11), and the graph (7) between the producer (3) and the opsets (8) of
the model. The numbers are those of ``onnx.proto``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import BadInput

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 17, 8
"""Old enough for ONNX Runtime 1.17 and OpenCV 4.10, new enough for all that the layers need."""

LARGEST = 2**28
"""How many numbers an array may have at the file's batch size (1 GiB in float32): beyond it a size is a mistake."""

Array = np.ndarray[Any, Any]
Piece = bytes | memoryview
GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9


def unique(taken: dict[str, int], wanted: str) -> str:
    """Return ``wanted``, or ``wanted_2`` and so on when it is taken, and take it; ``taken`` notes the last number."""
    name, count = wanted, taken.get(wanted, 1)
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    taken[wanted] = count
    taken.setdefault(name, 1)
    return name


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Serialise a model: the same model gives the same bytes."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def pieces(model: onnx.ModelProto, constants: Mapping[str, Array]) -> Iterator[Piece]:
    """Yield the bytes of a model that lacks its constants, with them."""
    graph = list(_graph(model.graph, constants))
    before, after = _parts(model, GRAPH)
    yield before
    yield _header(GRAPH, sum(map(_length, graph)))
    yield from graph
    yield after


def write_whole(path: Path, parts: Iterable[bytes | memoryview]) -> int:
    """Write a file so that it is there whole or not at all; a device or a pipe is written to as it is.

    Returns how many bytes were written. Raises BadInput when it cannot be written.
    """
    path = path.resolve() if path.is_symlink() else path
    part = path.with_name(f".{path.name}.{os.getpid()}.part") if path.is_file() or not path.exists() else path
    try:
        with part.open("wb") as file:
            size = sum(file.write(piece) for piece in parts)
        if part != path:
            part.replace(path)
    except OSError as error:
        if part != path:
            part.unlink(missing_ok=True)
        raise BadInput(f"{path}: cannot be written: {error.strerror}; give a file in a folder with room") from error
    return size


def _graph(graph: onnx.GraphProto, constants: Mapping[str, Array]) -> Iterator[Piece]:
    import onnx

    before, after = _parts(graph, INITIALIZER)
    yield before
    for name, value in constants.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        tensor = onnx.TensorProto(dims=value.shape, data_type=kind, name=name).SerializeToString(deterministic=True)
        data = np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
        tensor += _header(RAW_DATA, _length(data))
        yield _header(INITIALIZER, len(tensor) + _length(data)) + tensor
        yield data
    yield after


def _parts(message: Any, number: int) -> tuple[bytes, bytes]:
    """Serialise the fields before a number, and those behind it."""
    before, after = type(message)(), type(message)()
    before.CopyFrom(message)
    after.CopyFrom(message)
    for field, _ in message.ListFields():
        if field.number >= number:
            before.ClearField(field.name)
        if field.number <= number:
            after.ClearField(field.name)
    return before.SerializeToString(deterministic=True), after.SerializeToString(deterministic=True)


def _header(number: int, length: int) -> bytes:
    """Return tag and length of a field that is so many bytes long."""
    return _varint(number << 3 | 2) + _varint(length)


def _varint(value: int) -> bytes:
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def _length(piece: Piece) -> int:
    return piece.nbytes if isinstance(piece, memoryview) else len(piece)
