"""What reading text and binary files share: message classes for all known layers, and which layers a network has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from converters.caffe.emit import kinds
from converters.caffe.messages import V1_TYPES, build_messages
from converters.errors import BadInput, Unsupported

LARGEST = 2**31 - 1
"""bytes: protobuf messages are no larger"""


@dataclass(frozen=True)
class Entry:
    """A layer as the file has it: today's type name, the protobuf message, ``path:line: layer 'name' (Type)``."""

    type: str
    message: Any
    where: str


@cache
def messages(*, plain: bool) -> dict[str, type[Any]]:
    """Message classes for all known layers; ``plain`` is said in `converters.caffe.messages`."""
    return build_messages([kind.parameter for kind in kinds().values() if kind.parameter], plain=plain)


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


def is_v1(message: Any) -> bool:
    """Whether a layer is of the age whose files say ``layers``."""
    return bool(message.DESCRIPTOR.name == "V1LayerParameter")


def layer_type(message: Any) -> str:
    """Return today's name of a layer's type; ``None`` when it has none."""
    return list(V1_TYPES.values())[message.type] if is_v1(message) else message.type or "None"


def refuse_type(entry: Entry) -> None:
    """Raise Unsupported when no converter knows the layer's type, BadInput when it has none."""
    if entry.type not in kinds() and entry.type != "Input":
        if entry.type == "None":
            raise BadInput(
                f"{entry.where}: has no type; files from before 2014 need Caffe's upgrade_net_proto_text first"
            )
        raise Unsupported(
            f"{entry.where}: no such layer type is known; known are: {', '.join(sorted([*kinds(), 'Input']))}"
        )


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
