"""``python -m bench env``: the environments of the backends, listed, made and removed.

A name is a backend's, or the path of a file of the user's own. A backend that reads files of several formats has an
environment for each (``source-keras``), and its own name stands for all of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import backends, environments, installing
from bench.backends import ANY
from bench.host import gpus
from converters.errors import BadInput
from zoo.download import Unreachable


@dataclass(frozen=True)
class Wanted:
    """An environment that a backend may need: its name, the backend, and the packages."""

    name: str
    backend: str
    needs: tuple[str, ...]


def wanted(*, listed: bool = False) -> list[Wanted]:
    """Return every environment that can be made; ``listed``: of the backends that ``all`` stands for."""
    return [one for backend in backends.names(listed=listed) for one in _of(backend, backend)]


def create(names: Sequence[str]) -> None:
    """Make what ``names`` need: environments, backends, or ``all``, unless an environment has it already.

    Raises BadInput for a name that is neither, before anything is made, and once all is tried for what could not be
    made; Unreachable at once where there is no package index.
    """
    failed: list[BadInput] = []
    for one in _asked(names):
        python = environments.find(one.needs)
        if python is not None:
            print(
                f"{one.name}: nothing to do, {_whose(python)} has {environments.preferred(one.needs)}", file=sys.stderr
            )
            continue
        try:
            installing.create(one.name, one.needs)
        except Unreachable:
            raise
        except BadInput as error:
            failed.append(error)
    if len(failed) > 1:
        raise BadInput(f"{len(failed)} environments could not be made:", [str(error) for error in failed])
    if failed:
        raise failed[0]


def remove(name: str) -> None:
    """Delete one environment. Raises BadInput, with the names there are, for one that is not there."""
    installing.remove(name)
    print(f"{name}: removed", file=sys.stderr)


def listing(*, as_json: bool) -> str:
    """Return every environment there is or could be, its state, what it is for and its size: a table, or JSON."""
    from tabulate import tabulate

    rows = [_row(one) for one in wanted()]
    known = {row["name"] for row in rows}
    rows += [_row(Wanted(name, "", ())) for name in installing.leftovers() if name not in known]
    if as_json:
        return json.dumps(rows, indent=1)
    shown = [(row["name"], row["state"], row["size_mb"], " + ".join(row["needs"])) for row in rows]
    table = tabulate(shown, headers=("name", "state", "MB", "needs"), maxcolwidths=(None, 60, None, 60))
    return f"{environments.folder()}\n\n{table}"


def _asked(names: Sequence[str]) -> list[Wanted]:
    there = wanted()
    found: list[Wanted] = []
    for name in names:
        fit = [one for one in there if name in (one.name, one.backend)]
        if name == "all":
            fit = [one for one in wanted(listed=True) if _has_device(one)]
        elif name.endswith(".py"):
            fit = _of_file(Path(name))
        elif not fit:
            known = sorted({one.name for one in there} | {one.backend for one in there})
            raise BadInput(f"no environment {name!r} can be made; there are: all, {', '.join(known)}")
        found += [one for one in fit if one not in found]
    return found


def _has_device(one: Wanted) -> bool:
    """Whether a backend has any device here to run on; without a GPU ``all`` does not fetch gigabytes for one."""
    return "cpu" in backends.declared(one.backend).devices or bool(gpus())


def _of(backend: str, source: str) -> list[Wanted]:
    forms = backends.declared(source).needs.items()
    names = {form: environments.name_for(backend, None if form == ANY else form) for form, _ in forms}
    return [Wanted(names[form], backend, needs) for form, needs in forms if needs]


def _of_file(path: Path) -> list[Wanted]:
    if not path.is_file():
        raise BadInput(f"no backend file {path}")
    return _of(path.stem, str(path))


def _row(one: Wanted) -> dict[str, Any]:
    path = environments.folder() / one.name
    whole = one.name in environments.made()
    python = environments.find(one.needs) if one.needs else None
    if whole:
        state = "made"
    elif one.name in installing.leftovers():
        state = "not whole: create makes it anew"
    elif python is not None:
        state = f"not needed: {_whose(python)} has it"
    else:
        state = f"not made: {environments.remedy(one.name)}"
    return {
        "name": one.name,
        "backend": one.backend,
        "state": state,
        "needs": [need.partition(" | ")[0] for need in one.needs],
        "path": str(path) if path.exists() else "",
        "size_mb": installing.size_mb(path) if path.exists() else None,
        "packages": dict(environments.packages(path)) if whole else {},
    }


def _whose(python: Path) -> str:
    name = environments.called(python)
    return "the harness's own environment" if name == environments.OWN else f"the environment {name}"
