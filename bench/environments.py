"""Environments of their own for backends that cannot share one: a venv a backend in ``$ZOO_HOME/envs``.

A backend runs wherever its needs are installed: in the harness's own environment first, else in any of these. What is
installed is read from the packages' own metadata; no interpreter is started for that. An environment counts only once
the mark in it says that it is whole: one whose making was cut short is never used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from zoo.store import home

COMPLETE = ".complete"
"""The mark: a file in an environment, written after everything else."""

PINNED = "=="
"""In the name of an environment of one version of a package, which ``bench ab`` made to compare that version."""

OWN = "own"
"""What a person is told of the harness's own environment."""


def folder() -> Path:
    """Return the folder of the environments, which need not exist."""
    return home() / "envs"


def python_of(environment: Path) -> Path:
    """Return the interpreter of an environment."""
    return environment / "bin" / "python"


def made() -> dict[str, Path]:
    """Return the environments that are whole, by name, in name order. One whose Python has gone is none."""
    return {
        path.name: path
        for path in sorted(folder().glob("*"))
        if (path / COMPLETE).is_file() and python_of(path).exists()
    }


def find(needs: Sequence[str]) -> Path | None:
    """Return the interpreter of the first environment that has ``needs``: the harness's own, then by name.

    None where none has them. One that was made for a single version of a package (`PINNED`) is never chosen by itself.
    """
    if not missing(needs, sys.path):
        return Path(sys.executable)
    shared = (path for name, path in made().items() if PINNED not in name)
    return next((python_of(path) for path in shared if not missing(needs, _site_packages(path))), None)


def called(python: Path) -> str:
    """Return what the environment of an interpreter is called: ``own``, or its name."""
    return OWN if python == Path(sys.executable) else python.parent.parent.name


def name_for(backend: str, form: str | None = None) -> str:
    """Return the name of the environment that ``bench env create`` makes for a backend, and a format if several."""
    return backend if form is None else f"{backend}-{form}"


def advice(name: str, needs: Sequence[str]) -> str:
    """Say what is lacking here, and that ``bench env create`` of the environment ``name`` is what to do about it."""
    return f"no environment has {preferred(missing(needs, sys.path))}: {remedy(name)}"


def preferred(needs: Iterable[str]) -> str:
    """Return needs as a person reads them: the first of the alternatives of each."""
    return ", ".join(need.partition(" | ")[0] for need in needs)


def remedy(name: str) -> str:
    """Return the command that makes an environment."""
    return f"python -m bench env create {name}"


def missing(needs: Iterable[str], places: Sequence[str]) -> list[str]:
    """Return those of ``needs`` that the packages in the folders ``places`` do not meet.

    A need is a requirement, or several with `` | `` between them of which any will do.
    """
    return lacking(needs, _installed(tuple(places)))


def lacking(needs: Iterable[str], installed: Mapping[str, str]) -> list[str]:
    """Return those of ``needs`` that packages, version by name, do not meet."""
    return [need for need in needs if not any(_met(one, installed) for one in need.split(" | "))]


def packages(environment: Path) -> Mapping[str, str]:
    """Return the packages in an environment: version by name."""
    return _installed(tuple(_site_packages(environment)))


def forget() -> None:
    """Look anew at what is installed: an environment has come or gone."""
    _installed.cache_clear()


def _met(text: str, installed: Mapping[str, str]) -> bool:
    requirement = Requirement(text)
    version = installed.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


@cache
def _installed(places: tuple[str, ...]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for one in distributions(path=list(places)):
        if one.metadata["Name"]:
            found.setdefault(canonicalize_name(one.metadata["Name"]), one.version)
    return found


def _site_packages(environment: Path) -> list[str]:
    return [str(path) for path in environment.glob("lib/python*/site-packages")]
