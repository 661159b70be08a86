"""How the files of a card become its ONNX file. One module a format; its file name is the card's ``format``.

A module has ``ROLES`` (what its files are called on a card, each exactly once), ``OPTIONS`` (the keys that a card's
``convert`` may have, with their values; None: any, since the files say what there is), and ``model_bytes(paths,
options, metadata) -> bytes``, where ``paths`` holds one path a role. It raises what the converter raises, and the same
bytes come from the same files.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast


class Format(Protocol):
    """What a module of this package offers."""

    ROLES: tuple[str, ...]
    OPTIONS: Mapping[str, tuple[str, ...] | None]

    def model_bytes(self, paths: Mapping[str, Path], options: Mapping[str, str], metadata: Mapping[str, str]) -> bytes:
        """Return the ONNX file, with ``metadata`` in it."""


def names() -> tuple[str, ...]:
    """List the formats there are: the files of this folder."""
    return tuple(sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_")))


def find(name: str) -> Format:
    """Return the module of a format. Raises ValueError that lists those there are."""
    if name not in names():
        raise ValueError(f"no format {name!r}; there are {', '.join(names())}")
    return cast(Format, importlib.import_module(f"{__name__}.{name}"))


def check(name: str, roles: Sequence[str], options: Mapping[str, str]) -> None:
    """Raise ValueError unless the format exists and is given each of its files once, and options that it has."""
    known = find(name)
    if sorted(roles) != sorted(known.ROLES):
        given = ", ".join(roles) or "none"
        raise ValueError(f"a {name} network is made of the files {', '.join(known.ROLES)}, each once; given: {given}")
    for key, value in options.items():
        values = known.OPTIONS.get(key, ())
        if values is not None and value not in values:
            allowed = "; ".join(f"{k}: {', '.join(v or ['any'])}" for k, v in known.OPTIONS.items()) or "none"
            raise ValueError(f"convert.{key} = {value!r} is no option of the format {name}; there are {allowed}")
