"""What reading text and binary files share: message classes for all known layers, and which layers a network has."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet

from converters.caffe.kind import kinds
from converters.caffe.messages import EXTRA, V1_TYPES, build_messages
from converters.errors import BadInput, Unsupported

LARGEST = 2**31 - 1
"""bytes: protobuf messages are no larger"""

INPUT_TYPES = ("Data", "HDF5Data", "ImageData", "Input", "MemoryData", "WindowData")
"""Layers without a bottom, whose tops are inputs of the network."""

MOST_LAYERS = 20_000
"""Four times the layers of the deepest networks; a text of so many takes some seconds."""


@dataclass(frozen=True)
class Entry:
    """A layer as the file has it: today's type name, the protobuf message, ``path:line: layer 'name' (Type)``."""

    type: str
    message: Any
    where: str


@dataclass(frozen=True)
class Found:
    """A layer of the file, whether the TEST phase has it or not: its message, and ``path:line``.

    ``check(where)`` raises on fields that are not known; ``where`` is an entry's.
    """

    message: Any
    place: str
    check: Callable[[str], None]


@cache
def messages() -> dict[str, type[Any]]:
    """Message classes for all known layers, and for those that only training has."""
    known = [kind.parameter for kind in kinds().values() if kind.parameter]
    return build_messages([*known, *(extra for extra in EXTRA if extra.name not in {block.name for block in known})])


MAGIC = {
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"PK\x03\x04": "a zip file; unpack it first",
    b"\x89HDF": "an HDF5 file; Caffe makes a binary one of it by "
    "caffe.Net('deploy.prototxt', 'net.caffemodel.h5', caffe.TEST).save('net.caffemodel')",
    b"\xff\xfe": "text in UTF-16; save it as UTF-8",
    b"\xfe\xff": "text in UTF-16; save it as UTF-8",
}
"""How files begin that are given for Caffe's, and what they are."""


def refuse_others(path: Path, data: bytes) -> None:
    """Raise Unsupported for a file of another known kind, by how it begins."""
    for magic, what in MAGIC.items():
        if data.startswith(magic):
            raise Unsupported(f"{path}: is {what}")
    if data[:1] == b"\x08" and any(
        word in data[:200] for word in (b"onnx", b"pytorch", b"tf2onnx", b"agebench", b"keras")
    ):
        raise Unsupported(f"{path}: is an ONNX file already; give Caffe's files")


def read_bytes(path: Path, what: str) -> bytes:
    """Read a whole file that must not be empty. Raises BadInput with the path; ``what`` says what it should be."""
    try:
        if path.exists() and not path.is_file():
            raise BadInput(f"{path}: is {'a folder' if path.is_dir() else 'no regular file'}; give {what}")
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path}: {path.stat().st_size} bytes are more than the format holds (2 GiB); give {what}")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; give {what}") from error
    if not data:
        raise BadInput(f"{path}: the file is empty; give {what}")
    return data


def refuse_number(path: Path, layers: int) -> None:
    """Raise BadInput when a network has more layers than any has."""
    if layers > MOST_LAYERS:
        raise BadInput(f"{path}: has {layers} layers; a network may have {MOST_LAYERS}")


@dataclass(frozen=True)
class State:
    """What rules choose layers by, besides what the file itself says: a level, None for the file's, and stages."""

    level: int | None = None
    stages: tuple[str, ...] = ()

    def put(self, net: Any) -> None:
        """Put it into a NetParameter."""
        if self.level is not None:
            net.state.level = self.level
        net.state.stage.extend(self.stages)


FILE_STATE = State()
"""What the file itself says."""


def entries(net: Any, layers: Iterable[Found]) -> list[Entry]:
    """Return the layers that the TEST phase has. Raises Unsupported on types and fields that are not known."""
    entries = []
    for layer in layers:
        name = f"{layer.place}: layer {layer.message.name!r}"
        if included(layer.message, net.state, name):
            entry = Entry(type_name := layer_type(layer.message), layer.message, f"{name} ({type_name})")
            refuse_type(entry)
            layer.check(entry.where)
            entries.append(entry)
    return entries


def is_v1(message: Any) -> bool:
    """Whether a layer is of the age whose files say ``layers``."""
    return bool(message.DESCRIPTOR.name == "V1LayerParameter")


def layer_type(message: Any) -> str:
    """Return today's name of a layer's type; ``None`` when it has none."""
    return list(V1_TYPES.values())[message.type] if is_v1(message) else message.type or "None"


def refuse_type(entry: Entry) -> None:
    """Raise Unsupported when no converter knows the layer's type, BadInput when it has none."""
    if entry.type not in kinds() and entry.type not in INPUT_TYPES:
        if entry.type == "None" and is_v1(entry.message) and 5 in unknown_fields(entry.message):
            raise Unsupported(f"{entry.where}: a layer type of a number that Caffe does not have")
        if entry.type == "None":
            raise BadInput(f"{entry.where}: has no type; give it one, such as 'Convolution'")
        known = sorted([*kinds(), *INPUT_TYPES])
        near = difflib.get_close_matches(entry.type.lower(), [name.lower() for name in known], 1)
        meant = f"; did you mean {next(name for name in known if name.lower() == near[0])!r}?" if near else ""
        raise Unsupported(f"{entry.where}: no such layer type is known{meant}; known are: {', '.join(known)}")


def unknown_fields(message: Any) -> set[int]:
    """Return the numbers of the fields that a message has in the file, and its table has not."""
    found: Any = UnknownFieldSet(message)
    return {field.field_number for field in found}


def included(message: Any, state: Any, where: str) -> bool:
    """Whether the TEST phase has the layer, by its ``include`` or ``exclude`` rules. Raises BadInput if it has both."""
    if message.include and message.exclude:
        raise BadInput(f"{where}: has include and exclude rules; Caffe allows one of the two")
    if message.include:
        return any(_meets(rule, state) for rule in message.include)
    return not any(_meets(rule, state) for rule in message.exclude)


def _meets(rule: Any, state: Any) -> bool:
    phase_ok = not rule.HasField("phase") or rule.phase == 1  # TEST
    level_ok = not (rule.HasField("min_level") and state.level < rule.min_level) and not (
        rule.HasField("max_level") and state.level > rule.max_level
    )
    return phase_ok and level_ok and set(rule.stage) <= set(state.stage) and not set(rule.not_stage) & set(state.stage)
