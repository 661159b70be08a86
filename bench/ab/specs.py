"""What a side of ``bench ab`` is, from one word of the command line: ``SPEC[,NAME=VALUE]..``.

A word that could be two things is refused, never guessed: a folder named like a branch is told to be one or the other.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement

from bench.process import PACKAGES
from converters.errors import BadInput

Kind = Literal["here", "interpreter", "zoo", "revision", "package"]

FORMS = (
    "here, a Python executable, a zoo folder, rev:REVISION or package==version; each with ,threads=N or ,OPTION=VALUE"
)
REVISION = "rev:"


@dataclass(frozen=True)
class Spec:
    """One side as it was asked for.

    ``value``: the path, the commit's sha, or the requirement. ``threads`` and ``options``, of the backend, are those of
    this side alone.
    """

    text: str
    kind: Kind
    value: str = ""
    threads: int | None = None
    options: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> Spec:
    """Read a SPEC. Raises BadInput, with what there could be, for what is none or could be several things."""
    word, *extras = text.split(",")
    threads, options = None, {}
    for extra in extras:
        name, equals, value = extra.partition("=")
        if not equals or not name or not value:
            raise BadInput(f"SPEC {text!r}: {extra!r} is no NAME=VALUE; give {FORMS}")
        if name == "threads":
            threads = _threads(text, value)
        else:
            options[name] = value
    kind, value = _what(word)
    return Spec(text, kind, value, threads, options)


def _threads(text: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise BadInput(f"SPEC {text!r}: threads={value!r}: give a whole number from 1")
    return int(value)


def _what(word: str) -> tuple[Kind, str]:
    if word == "here":
        return "here", ""
    if word.startswith(REVISION):
        commit = commit_of(word.removeprefix(REVISION))
        if commit is None:
            raise BadInput(f"SPEC {word!r}: {PACKAGES} has no such revision; `git rev-parse REVISION` says what it has")
        return "revision", commit
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==\S+", word):
        return "package", _pinned(word)
    path, commit = Path(word).expanduser(), commit_of(word)
    if path.exists() and commit is not None:
        raise BadInput(f"SPEC {word!r}: is a path and a revision; give ./{word} or {REVISION}{word}")
    if path.is_dir():
        return "zoo", str(path.resolve())
    if path.exists():
        if not os.access(path, os.X_OK):
            raise BadInput(f"SPEC {word!r}: is a file that cannot be executed; give {FORMS}")
        return "interpreter", str(path.absolute())  # a venv's python is a link: resolved it would be another one
    if commit is not None:
        return "revision", commit
    raise BadInput(f"SPEC {word!r}: there is no such file, folder or revision; give {FORMS}")


def _pinned(word: str) -> str:
    try:
        requirement = Requirement(word)
    except InvalidRequirement as error:
        raise BadInput(f"SPEC {word!r}: is no package==version: {' '.join(str(error).split())[:200]}") from error
    return str(requirement)


def commit_of(revision: str) -> str | None:
    """Return the sha of a revision of this project; None where there is none, or this is no checkout."""
    if not revision or revision.startswith("-"):
        return None
    command = ["git", "-C", str(PACKAGES), "rev-parse", "--verify", "--quiet", "--end-of-options"]
    try:
        if not (PACKAGES / ".git").exists():
            return None
        done = subprocess.run([*command, f"{revision}^{{commit}}"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
