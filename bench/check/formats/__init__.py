"""How a check is told, one file a form; a file's name is its name on the command line.

Each has ``render(judged, *, everything) -> str``, the whole text that is printed or written.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from bench.check.findings import Judged
from converters.errors import BadInput

FORMATS = tuple(sorted(module.name for module in iter_modules(__path__)))


class Form(Protocol):
    """What a form's file has."""

    def render(self, judged: Judged, *, everything: bool) -> str:
        """Return the check as text."""


def known(name: str) -> str:
    """Return the name of a form. Raises BadInput for one that there is not."""
    if name not in FORMATS:
        raise BadInput(f"--format {name!r}: there are {', '.join(FORMATS)}")
    return name


def named(name: str) -> Form:
    """Return a form by its name. Raises BadInput for one that there is not."""
    return cast(Form, import_module(f"{__name__}.{known(name)}"))
