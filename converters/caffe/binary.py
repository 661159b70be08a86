"""Binary networks. A file that stops in the middle is told from one that is no Caffe file at all."""

from __future__ import annotations

import re
from collections.abc import MutableSequence
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from converters.caffe.schema import FILE_STATE, Entry, Found, State, entries, messages, refuse_number, unknown_fields
from converters.caffe.v0 import upgrade
from converters.caffe.wire import Broken, Wire
from converters.errors import BadInput, Unsupported

CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
TEXT = re.compile(rb"(\xef\xbb\xbf)?\s*(#|[a-z_]+\s*[:{<])")
"""How text networks begin."""


def is_binary(data: bytes) -> bool:
    """Whether a network is binary: it has control characters, which text has in comments and strings at most."""
    return CONTROL.search(data) is not None and (TEXT.match(data) is None or _broken(data) is None)


def read_binary(path: Path, data: bytes, state: State = FILE_STATE) -> tuple[Any, list[Entry]]:
    """Read a binary network. Returns the NetParameter and the layers that its TEST phase has, in file order.

    Raises BadInput for what is no Caffe file, Unsupported for layers and fields that are not known.
    """
    net = messages()["NetParameter"]()
    try:
        net.ParseFromString(data)
    except DecodeError as error:
        why = _broken(data) or "a layer in it is damaged"
        raise BadInput(f"{path}: not a whole caffemodel: {why}; get the file again") from error
    refuse_number(path, len(net.layers) + len(net.layer))
    _refuse_unknown(net, f"{path}: network")
    layers = [Found(message, str(path), partial(_refuse_unknown, message)) for message in (*net.layers, *net.layer)]
    state.put(net)
    return net, entries(net, upgrade(path, net, layers))


def _broken(data: bytes) -> str | None:
    """Say where the records of a binary file stop making sense, if they do."""
    try:
        for _ in Wire(data).whole():
            pass
    except Broken as broken:
        return str(broken)
    return None


def _refuse_unknown(message: Any, where: str) -> None:
    """Raise on fields that the tables do not have, in the message and in those inside it (but for other layers)."""
    numbers = sorted(unknown_fields(message))
    if numbers:
        raise Unsupported(f"{where}: unknown field number {numbers[0]} in {message.DESCRIPTOR.name}")
    for field, value in message.ListFields():
        values = value if isinstance(value, MutableSequence) else (value,)
        if field.message_type is not None and field.name not in ("layer", "layers", "blobs"):
            for inner in values:
                _refuse_unknown(inner, where)
        elif field.type == field.TYPE_STRING and not all(isinstance(text, str) for text in values):
            raise BadInput(f"{where}: not a caffemodel: its names are no text; get the file again")
