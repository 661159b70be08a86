"""Binary files: networks and weights. A file that stops in the middle is told from one that is no Caffe file at all."""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from converters.caffe.schema import Entry, included, layer_type, messages, refuse_type
from converters.errors import BadInput, Unsupported


def read_binary(path: Path, data: bytes) -> tuple[Any, list[Entry]]:
    """Read a binary network. Returns the NetParameter and the layers that its TEST phase has, in file order."""
    net = parse_binary(path, data)
    _refuse_unknown(net, f"{path}: network")
    return net, list(_entries(path, net))


def parse_binary(path: Path, data: bytes) -> Any:
    """Parse a binary NetParameter; lists of numbers that are not packed are read too. Raises BadInput."""
    for plain in (False, True):
        net = messages(plain=plain)["NetParameter"]()
        try:
            net.ParseFromString(data)
        except DecodeError as error:
            raise BadInput(f"{path}: not a whole caffemodel: {broken_at(data)}; get the file again") from error
        names = [net.name, *net.input]
        for layer in (*net.layers, *net.layer):
            names += [layer.name, *layer.bottom, *layer.top]
        if not all(isinstance(name, str) for name in names):  # protobuf gives the bytes of what is no UTF-8
            raise BadInput(f"{path}: not a caffemodel: its names are no text; get the file again")
        if not any(has_unpacked(blob) for layer in (*net.layer, *net.layers) for blob in layer.blobs):
            break
    return net


def has_unpacked(blob: Any) -> bool:
    """Whether a blob has numbers one by one, which its message class, made for packed lists, left unread."""
    return not {5, 8}.isdisjoint(_unknown(blob))


def broken_at(data: bytes) -> str:
    """Say where the records of a binary file stop making sense."""
    position = 0
    while position < len(data):
        start = position
        tag, position = _varint(data, position)
        wire = tag & 7
        if wire == 2:
            length, position = _varint(data, position)
            if position + length > len(data):
                missing = position + length - len(data)
                return f"cut off after {len(data)} bytes, the record at byte {start} needs {missing} more"
            position += length
        elif wire == 0:
            _, position = _varint(data, position)
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        else:
            break
    if position > len(data):
        return f"cut off after {len(data)} bytes"
    return f"no Caffe record at byte {start} (the file starts with {data[:16]!r})"


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
    return value, len(data) + 1  # it goes on after the end


def _entries(path: Path, net: Any) -> Iterator[Entry]:
    for message in (*net.layers, *net.layer):
        if included(message, net.state, f"{path}: layer {message.name!r}"):
            entry = Entry(type_name := layer_type(message), message, f"{path}: layer {message.name!r} ({type_name})")
            if type_name == "None" and 5 in _unknown(message):
                raise Unsupported(f"{entry.where}: a layer type of a number that Caffe does not have")
            refuse_type(entry)
            _refuse_unknown(message, entry.where)
            yield entry


def _refuse_unknown(message: Any, where: str) -> None:
    """Raise on fields that the tables do not have, in the message and in those inside it (but for other layers)."""
    numbers = sorted(_unknown(message))
    if numbers:
        raise Unsupported(f"{where}: unknown field number {numbers[0]} in {message.DESCRIPTOR.name}")
    for field, value in message.ListFields():
        if field.message_type is not None and field.name not in ("layer", "layers", "blobs"):
            for inner in value if isinstance(value, MutableSequence) else (value,):
                _refuse_unknown(inner, where)


def _unknown(message: Any) -> set[int]:
    found: Any = UnknownFieldSet(message)
    return {field.field_number for field in found}
