"""Label lists, read a row at a time: what is wrong with a row is counted and named, and the next row is read.

A quote that is never closed would swallow all rows after it, so every line is taken as a row of its own: no official
list has a cell that spans lines.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.datasets._leavings import BROKEN, NOT_TEXT, Leavings
from converters.errors import BadInput

LONGEST = 65_536
"""Characters of a row."""


def lines(file: Path, leavings: Leavings) -> Iterator[tuple[str, str]]:
    """Yield each line that is not blank, and where it stands. Raises BadInput for a file that cannot be read."""
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape") as text:
            for number, line in enumerate(text, 1):
                stripped = line.strip()
                if not stripped:
                    continue
                where = f"{file.name} line {number}"
                if not stripped.isascii() and not _is_utf_8(stripped):
                    leavings.drop(NOT_TEXT, where)
                elif len(stripped) > LONGEST or "\0" in stripped:
                    leavings.drop(BROKEN, where)
                else:
                    yield where, stripped if "\t" not in line else line.rstrip("\r\n")
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror or error}; it is one of the data set's own label files") from error


def table(
    file: Path, wanted: Iterable[str], leavings: Leavings, delimiter: str = ","
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row below the header as its cells by column. Raises BadInput where a wanted column is missing."""
    rows = lines(file, leavings)
    _, first = next(rows, ("", ""))
    header = [cell.strip() for cell in _cells(first, delimiter) or ()]
    if absent := [name for name in wanted if name not in header]:
        raise BadInput(f"{file}: has no column {', '.join(map(repr, absent))}; its first line must name the columns")
    for where, line in rows:
        cells = _cells(line, delimiter)
        if cells is None or len(cells) != len(header):
            leavings.drop(BROKEN, where)
        else:
            yield where, dict(zip(header, cells, strict=True))


def entries(file: Path, leavings: Leavings) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each object of a JSON list, and where it stands. Raises BadInput for a file that is no JSON list."""
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror or error}; it is one of the data set's own label files") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{file}: is not JSON ({str(error)[:120]})") from error
    if not isinstance(content, list):
        raise BadInput(f"{file}: holds no list; must be a list of objects with img_path, age and folder")
    for number, entry in enumerate(content, 1):
        if isinstance(entry, dict):
            yield f"{file.name} entry {number}", entry
        else:
            leavings.drop(BROKEN, f"{file.name} entry {number}")


def first_there(folder: Path, *names: str) -> Path:
    """Return the first of the label files that is there. Raises BadInput that names them all."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise BadInput(f"{folder}: holds no {' or '.join(names)}; give the folder with the official label file")


def _cells(line: str, delimiter: str) -> list[str] | None:
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), None)
    except csv.Error:
        return None


def _is_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
