"""Text networks, cut into their layers first.

A layer with a field that is not known is read once more, leniently, to learn whether the TEST phase has it and whether
its type is known: no field of a layer that is converted is ever skipped over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf import text_format

from converters.caffe.kind import kinds
from converters.caffe.messages import V1_TYPES
from converters.caffe.schema import FILE_STATE, Entry, Found, State, entries, messages, refuse_number
from converters.caffe.v0 import upgrade
from converters.errors import BadInput, Unsupported

TOKEN = re.compile(
    r"""\#[^\n]*|"(?:\\.|[^"\\\n])*("|\\?$)|'(?:\\.|[^'\\\n])*('|\\?$)|[{}<>]|[A-Za-z_0-9]+""", re.MULTILINE
)
"""A string ends at its quote or at its line's end: one that is not closed must not be tried again from each quote."""

FOREIGN = re.compile("[\udc80-\udcff]")
"""What ``surrogateescape`` makes of bytes that are not UTF-8."""

LARGEST = 2**24
"""bytes: a text network of a thousand layers has a third of a megabyte."""

DEEPEST = 50
"""Braces inside braces: Caffe's own files have 5."""


class Block(NamedTuple):
    """The text of one ``layer { .. }``, and where it is."""

    text: str
    path: Path
    line: int
    column: int


def read_text(path: Path, data: bytes, state: State = FILE_STATE) -> tuple[Any, list[Entry]]:
    """Read a text network. Returns the NetParameter without layers, and the layers that its TEST phase has."""
    if len(data) > LARGEST:
        raise BadInput(f"{path}: a text of {len(data)} bytes; networks are far smaller, and at most {LARGEST} are read")
    text = _decode(path, data).replace("\r\n", "\n")
    spans = list(_layer_spans(path, text))
    refuse_number(path, len(spans))
    rest, layers, after, line = [], [], 0, 1
    for start, end in spans:
        line += text.count("\n", after, start)
        block = Block(text[start:end], path, line, start - text.rfind("\n", 0, start))
        rest += [text[after:start], re.sub(r"[^\n]", " ", block.text)]
        layers.append(_layer(block))
        line, after = line + block.text.count("\n"), end
    try:
        net = _parse("".join([*rest, text[after:]]))
    except text_format.ParseError as error:
        raise _said(error, Block(text, path, 1, 1)) from error
    state.put(net)
    return net, entries(net, upgrade(path, net, layers))


def _decode(path: Path, data: bytes) -> str:
    """Return the text of a file; only its comments may be in another encoding than UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
        text = TOKEN.sub(lambda token: FOREIGN.sub("?", token[0]) if token[0][0] == "#" else token[0], text)
        if foreign := FOREIGN.search(text):
            byte = len(text[: foreign.start()].encode())
            raise BadInput(f"{path}: byte {byte} is not UTF-8; save the file as UTF-8 text") from None
        return text.removeprefix("\ufeff")


def _layer_spans(path: Path, text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each ``layer { .. }`` and ``layers { .. }`` of a text network."""
    depth, before, begin = 0, "", 0
    start: int | None = None
    for token in TOKEN.finditer(text):
        word = token[0]
        if word in "{<":
            if depth == 0 and before in ("layer", "layers"):
                start = begin
            depth += 1
            if depth > DEEPEST:
                line = text.count("\n", 0, token.start()) + 1
                raise BadInput(f"{path}:{line}: more than {DEEPEST} braces inside each other; close some before")
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


def _layer(block: Block) -> Found:
    place = f"{block.path}:{block.line}"
    try:
        net, flaw = _parse(block.text), None
    except text_format.ParseError as error:
        net, flaw = _leniently(block, error), error

    def check(where: str) -> None:
        if flaw is not None:
            raise _said(flaw, block, where.removeprefix(f"{place}: ") + ": ") from flaw

    return Found((net.layer or net.layers)[0], place, check)


def _leniently(block: Block, flaw: text_format.ParseError) -> Any:
    """Parse a layer whose text has a flaw, which may be a field that is not known. Raises BadInput for other flaws."""
    named = re.search(r"""\bname\s*:\s*["']([^"']*)""", block.text)
    try:
        net = _parse(block.text, lenient=True)
    except text_format.ParseError as error:
        flaw, net = error, None
    if net is None or not (net.layer or net.layers):
        raise _said(flaw, block, f"layer {named[1] if named else ''!r}: ") from flaw
    return net


def _parse(text: str, *, lenient: bool = False) -> Any:
    net = messages()["NetParameter"]()
    text_format.Parse(text, net, allow_unknown_field=lenient)
    return net


def _said(error: text_format.ParseError, block: Block, layer: str = "") -> BadInput:
    """Turn protobuf's words into one line with the place in the file."""
    line, column = error.GetLine() or 1, error.GetColumn() or 1
    at = f"{block.path}:{block.line + line - 1}:{column + block.column - 1 if line == 1 else column}"
    what = re.sub(r"^\d+:\d+ : ('[^\n]*': )?", "", str(error)).rstrip(".")
    return (Unsupported if "has no" in what else BadInput)(f"{at}: {layer}{_plain(what)}")


def _plain(what: str) -> str:
    """Turn protobuf's words for an unknown name into ours, with the names that would be right."""
    if field := re.fullmatch(r'Message type "caffe\.(\w+)" has no field named "(\w+)"', what):
        known = messages()[field[1]].DESCRIPTOR.fields_by_name
        return f"unknown field {field[2]!r}; {field[1]} has: {', '.join(known)}"
    if value := re.fullmatch(r'Enum type "caffe\.(\w+)\.Type" has no value (?:named|with number) "?(.+?)"?', what):
        if value[1] == "LayerType":
            return (
                f"type {value[2]} is not known; known are: {', '.join(n for n, t in V1_TYPES.items() if t in kinds())}"
            )
        return f"unknown value {value[2]} of {value[1]}"
    return what
