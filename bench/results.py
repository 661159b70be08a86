"""``results.jsonl``: one Result a line, on disk before the next case starts.

When the disk is full the file keeps every whole line it had, and the result that no longer fits is put into the
system's temporary folder, whose path is in the error: what was measured is never lost.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from bench.records import SCHEMA, Case, Result, RunRecord
from converters.errors import BadInput

RESULTS = "results.jsonl"
RUN = "run.json"


def read_run(out: Path) -> RunRecord:
    """Read ``run.json``. Raises BadInput when it is missing or not of a schema known here."""
    path = out / RUN
    if not path.exists():
        raise BadInput(f"{out} holds no {RUN}: give the --out folder of a run")
    try:
        return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not a run of schema {SCHEMA}: {_first(error)}") from error


def read_results(out: Path) -> list[Result]:
    """Read ``results.jsonl``, the last line of a case standing for it. A last line that was cut off is left out.

    Raises BadInput with file and line for any other line that is not a result.
    """
    path = out / RESULTS
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    found: dict[Case, Result] = {}
    for number, line in enumerate(lines, 1):
        if number == len(lines):  # what follows the last newline was not written whole
            break
        try:
            result = Result.model_validate_json(line)
        except ValidationError as error:
            raise BadInput(f"{path}:{number}: not a result of schema {SCHEMA}: {_first(error)}") from error
        found[result.case] = result
    return list(found.values())


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write ``content`` beside ``path`` and move it there: a full disk leaves the file as it was.

    Raises BadInput when it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from error


class ResultsFile:
    """The file that results are added to, one after each case."""

    def __init__(self, out: Path, kept: list[Result]) -> None:
        """Begin the file anew with the results that are kept."""
        self.path = out / RESULTS
        write_atomically(self.path, "".join(result.line() + "\n" for result in kept))

    def add(self, results: Sequence[Result]) -> None:
        """Append a line each and flush them to the disk. Raises BadInput when they cannot be written whole."""
        append(self.path, "".join(result.line() + "\n" for result in results).encode())


def append(path: Path, data: bytes) -> None:
    """Append whole lines to a file that is there and flush them to the disk: all of them, or none.

    Raises BadInput when they cannot be written, and says where they are instead.
    """
    size = path.stat().st_size
    try:
        with path.open("ab", buffering=0) as file:
            written = 0
            while written < len(data):
                written += file.write(data[written:])
            os.fsync(file.fileno())
    except OSError as error:
        os.truncate(path, size)
        raise BadInput(f"{path}: cannot be written: {error.strerror}; {_rescue(data)}") from error
    except BaseException:  # Ctrl-C in the middle of a line
        os.truncate(path, size)
        raise


def _rescue(data: bytes) -> str:
    try:
        with tempfile.NamedTemporaryFile(prefix="agebench-", suffix=".jsonl", delete=False) as file:
            file.write(data)
    except OSError:
        return "every earlier result is kept: make room and run again with --resume"
    return f"every earlier result is kept, the latest is in {file.name}: append it, make room, and run with --resume"


def _first(error: ValidationError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return str(error)
    first = error.errors()[0]
    return (
        f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}" if first["loc"] else json.dumps(first["msg"])
    )
