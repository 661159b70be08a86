"""Making an environment: a venv with a few packages, by uv where it is there, else by pip.

A venv cannot be moved, so it is made where it will stand, under a lock, and the mark that says it is whole comes last.
What a killed process left has no mark and is made anew; the packages that it fetched come out of the installer's cache.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.environments import COMPLETE, folder, forget, lacking, made, packages, python_of
from converters.errors import BadInput
from zoo.download import Unreachable
from zoo.lock import alone
from zoo.progress import task

ALWAYS = ("numpy",)
"""What every worker needs besides its runtime."""

NO_INDEX = ("connection broken by", "error sending request", "dns error", "Network connectivity is disabled")
"""What pip and uv say when they cannot reach their index."""


def create(name: str, needs: Sequence[str]) -> Path:
    """Make the environment ``name`` with the first of the alternatives of each need, and numpy; return its folder.

    Of several processes one makes it and the others wait. Raises Unreachable where the package index cannot be reached,
    BadInput with the installer's last word where it fails otherwise; nothing is left then.
    """
    path = folder() / name
    with alone(_lock(name), f"makes the environment {name}"):
        forget()
        if name in made() and not lacking(needs, packages(path)):  # another process has made it meanwhile
            return path
        try:
            _make(name, path, [*(need.partition(" | ")[0] for need in needs), *ALWAYS])
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        finally:
            forget()
    return path


def remove(name: str) -> None:
    """Delete the environment ``name``, whole or not. Raises BadInput for one that is not there."""
    there = leftovers()
    if name not in there:
        raise BadInput(f"no environment {name!r} in {folder()}; there are: {', '.join(there) or 'none'}")
    path = folder() / name
    with alone(_lock(name), f"makes the environment {name}"):
        (path / COMPLETE).unlink(missing_ok=True)  # from now on nobody starts a worker in it
        shutil.rmtree(path)
    forget()


def leftovers() -> list[str]:
    """Return the names of all environments that lie there, whole or not."""
    return sorted(path.name for path in folder().glob("*") if (path / "pyvenv.cfg").is_file())


def size_mb(path: Path) -> int:
    """Return the size of an environment in MB: as its mark says it, else counted file by file."""
    try:
        return int(json.loads((path / COMPLETE).read_text(encoding="utf-8"))["size_mb"])
    except (OSError, ValueError, KeyError, TypeError):
        return round(_counted_mb(path))


def _counted_mb(path: Path) -> float:
    return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir()) / 1e6


def _lock(name: str) -> Path:
    return folder() / f".{name}.lock"


def _make(name: str, path: Path, wanted: Sequence[str]) -> None:
    uv = shutil.which("uv")
    what = ", ".join(wanted)
    print(f"{name}: {'uv' if uv else 'pip'} installs {what} in {path}", file=sys.stderr, flush=True)
    start = time.monotonic()
    if path.exists():
        print(f"{name}: made anew, since the one there is not whole", file=sys.stderr, flush=True)
        (path / COMPLETE).unlink(missing_ok=True)  # a package that is needed may be new
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with task(f"{name}: making a venv"):
        _run(name, [uv, "venv", "--quiet", "--python", sys.executable] if uv else _venv(), path)
    python = str(python_of(path))
    quiet = ("--no-input", "--disable-pip-version-check", "--no-warn-script-location", "--prefer-binary")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", *quiet]  # the harness's own: none is laid there
    install = [uv, "pip", "install", "--quiet", "--python", python] if uv else pip
    with task(f"{name}: installing {what}"):
        _run(name, install, *wanted)
    seconds = time.monotonic() - start
    size = _counted_mb(path)
    mark = {"needs": list(wanted), "seconds": round(seconds, 1), "size_mb": round(size)}
    part = path / f"{COMPLETE}.part"
    part.write_text(json.dumps(mark), encoding="utf-8")
    part.replace(path / COMPLETE)
    print(f"{name}: made in {seconds:.0f} s, {size:.0f} MB", file=sys.stderr, flush=True)


def _venv() -> list[str]:
    return [sys.executable, "-m", "venv", "--without-pip"]


def _run(name: str, command: Sequence[str], *more: str | Path) -> None:
    """Run a command of the installer's. Raises Unreachable or BadInput with the last of its lines that says why."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [*command, *map(str, more)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    said = done.stderr + done.stdout
    if "No module named pip" in said:
        raise BadInput(f"environment {name}: {sys.executable} has no pip; `{sys.executable} -m ensurepip` adds it")
    if any(words in said for words in NO_INDEX):
        raise Unreachable(f"environment {name}: the package index cannot be reached; nothing was made")
    raise BadInput(f"environment {name}: {_last_word(said) or f'exit code {done.returncode}'}; nothing was made")


def _last_word(said: str) -> str:
    """Return the line of an installer that says why it failed; uv draws a tree, of which all branches belong to it."""
    lines = [line.strip(" \t×╰├│─▶") for line in said.splitlines()]
    tree = [line for line, drawn in zip(lines, said.splitlines(), strict=True) if drawn.lstrip()[:1] in tuple("×╰├│")]
    if tree:
        return " ".join(filter(None, tree))[:500]
    errors = [line for line in lines if line.lower().startswith("error:")]
    plain = [line for line in lines if line and not line.startswith(("[notice]", "WARNING:", "hint:"))]
    return next(iter((errors or plain)[-1:]), "").removeprefix("ERROR: ").removeprefix("error: ")[:500]
