"""Text networks, cut into their layers first.

Each layer is read leniently, to learn whether the TEST phase has it and whether its type is known, and then strictly:
no field of a layer that is converted is ever skipped over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from converters.caffe.emit import kinds
from converters.caffe.messages import V1_TYPES
from converters.caffe.schema import Entry, included, layer_type, messages, refuse_type
from converters.errors import BadInput, Unsupported

TOKEN = re.compile(
    r"""\#[^\n]*|"(?:\\.|[^"\\\n])*("|\\?$)|'(?:\\.|[^'\\\n])*('|\\?$)|[{}<>]|[A-Za-z_0-9]+""", re.MULTILINE
)
"""A string ends at its quote or at its line's end: one that is not closed must not be tried again from each quote."""


def read_text(path: Path, data: bytes) -> tuple[Any, list[Entry]]:
    """Read a text network. Returns the NetParameter without layers, and the layers that its TEST phase has."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8 text") from error
    blocks = list(_layer_blocks(path, text))
    rest = text
    for start, end in blocks:
        rest = rest[:start] + re.sub(r"[^\n]", " ", rest[start:end]) + rest[end:]
    net = _parse_text(path, rest, 0, lenient=False, where=str(path))
    entries = []
    for start, end in blocks:
        line = text.count("\n", 0, start)
        padded = " " * (start - text.rfind("\n", 0, start) - 1) + text[start:end]
        named = re.search(r"""\bname\s*:\s*["']([^"']*)""", padded)
        where = f"{path}:{line + 1}: layer {named[1] if named else ''!r}"
        message = _only_layer(_parse_text(path, padded, line, lenient=True, where=where))
        if included(message, net.state, where):
            entry = Entry(
                type_name := layer_type(message), message, f"{path}:{line + 1}: layer {message.name!r} ({type_name})"
            )
            refuse_type(entry)
            _parse_text(path, padded, line, lenient=False, where=entry.where)
            entries.append(entry)
    return net, entries


def _layer_blocks(path: Path, text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each ``layer { .. }`` and ``layers { .. }`` of a text network."""
    depth, before, begin = 0, "", 0
    start: int | None = None
    for token in TOKEN.finditer(text):
        word = token[0]
        if word in "{<":
            if depth == 0 and before in ("layer", "layers"):
                start = begin
            depth += 1
        elif word in "}>":
            depth -= 1
            if depth == 0 and start is not None:
                yield start, token.end()
                start = None
        if word[0] != "#":
            before, begin = word, token.start()
    if start is not None:
        line = text.count("\n", 0, start) + 1
        raise BadInput(f"{path}:{line}: this layer block is not closed: the file ends before its '}}'")


def _only_layer(net: Any) -> Any:
    return (net.layer or net.layers)[0]


def _parse_text(path: Path, text: str, line: int, *, lenient: bool, where: str) -> Any:
    net = messages(plain=True)["NetParameter"]()
    try:
        text_format.Parse(text, net, allow_unknown_field=lenient)
    except text_format.ParseError as error:
        at = f"{path}:{line + (error.GetLine() or 1)}:{error.GetColumn() or 1}"
        what = re.sub(r"^\d+:\d+ : ('[^\n]*': )?", "", str(error)).rstrip(".")
        layer = where.partition(": ")[2]
        raise (Unsupported if "has no" in what else BadInput)(
            f"{at}: {layer + ': ' if layer else ''}{_plain(what)}"
        ) from error
    return net


def _plain(what: str) -> str:
    """Turn protobuf's words for an unknown name into ours, with the names that would be right."""
    if field := re.fullmatch(r'Message type "caffe\.(\w+)" has no field named "(\w+)"', what):
        known = messages(plain=True)[field[1]].DESCRIPTOR.fields_by_name
        return f"unknown field {field[2]!r}; {field[1]} has: {', '.join(known)}"
    if value := re.fullmatch(r'Enum type "caffe\.(\w+)\.Type" has no value (?:named|with number) "?(.+?)"?', what):
        if value[1] == "LayerType":
            return (
                f"type {value[2]} is not known; known are: {', '.join(n for n, t in V1_TYPES.items() if t in kinds())}"
            )
        return f"unknown value {value[2]} of {value[1]}"
    return what
