"""An ONNX model as bytes in pieces, its large constants never copied: half a gigabyte of weights is there only once.

The bytes are those of protobuf's own serialisation: fields in the order of their numbers, so the constants (field 5 of
the graph) stand between the name of the graph (2) and its inputs (11), and the graph (7) between the producer (3) and
the opsets (8) of the model. The numbers are those of ``onnx.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.caffe.kind import Array

if TYPE_CHECKING:
    import onnx

Piece = bytes | memoryview
GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9


def pieces(model: onnx.ModelProto, constants: Mapping[str, Array]) -> Iterator[Piece]:
    """Yield the bytes of a model that lacks its constants, with them."""
    graph = list(_graph(model.graph, constants))
    before, after = _parts(model, GRAPH)
    yield before
    yield _header(GRAPH, sum(map(_length, graph)))
    yield from graph
    yield after


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
