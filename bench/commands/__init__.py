"""The commands of ``python -m bench``, one file each; a file's name is its name on the command line.

A file has ``HELP``, ``arguments(parser)``, and ``command(arguments)``, which returns the exit code. All of them are
imported for ``--help``, which stays under 0.3 s: what is heavy is imported inside the function that needs it.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def commands() -> dict[str, ModuleType]:
    """Return every command by name, those that a newcomer needs first in front."""
    found = {module.name: import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)}
    first = [name for name in ("run", "report", "doctor") if name in found]
    return {name: found[name] for name in (*first, *sorted(found.keys() - set(first)))}
