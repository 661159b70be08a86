"""Environments of their own for backends that cannot share one: a venv a backend in ``$ZOO_HOME/envs``.

A backend runs wherever its needs are installed: in the harness's own environment first, else in any of these. What is
installed is read from the packages' own metadata; no interpreter is started for that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from zoo.store import home


def folder() -> Path:
    """Return the folder of the environments, which need not exist."""
    return home() / "envs"


def python_of(environment: Path) -> Path:
    """Return the interpreter of an environment."""
    return environment / "bin" / "python"


def find(needs: Sequence[str]) -> Path | None:
    """Return the interpreter of the first environment that has ``needs``: the harness's own, then by name.

    None where none has them.
    """
    if not missing(needs, sys.path):
        return Path(sys.executable)
    made = sorted(path for path in folder().glob("*") if python_of(path).exists())
    return next((python_of(path) for path in made if not missing(needs, _site_packages(path))), None)


def advice(backend: str, needs: Sequence[str]) -> str:
    """Say what a backend lacks here, and the one thing to do about it."""
    lacking = ", ".join(need.partition(" | ")[0] for need in missing(needs, sys.path))
    return f"no environment has {lacking}: python -m bench env create {backend}"


def missing(needs: Iterable[str], places: Sequence[str]) -> list[str]:
    """Return those of ``needs`` that the packages in the folders ``places`` do not meet.

    A need is a requirement, or several with `` | `` between them of which any will do.
    """
    installed = _installed(tuple(places))
    return [need for need in needs if not any(_met(one, installed) for one in need.split(" | "))]


def _met(text: str, installed: dict[str, str]) -> bool:
    requirement = Requirement(text)
    version = installed.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


@cache
def _installed(places: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in distributions(path=list(places)):
        if one.metadata["Name"]:
            found.setdefault(canonicalize_name(one.metadata["Name"]), one.version)
    return found


def _site_packages(environment: Path) -> list[str]:
    return [str(path) for path in environment.glob("lib/python*/site-packages")]
