"""Your own images, labelled by a CSV file with the columns ``path``, ``age`` and/or ``gender``, and perhaps ``split``.

``path`` is relative to the CSV file, or absolute; a sample's name is its path relative to the CSV file. ``age`` is in
years; ``gender`` is male, female, m or f. An empty age or gender is unknown, and is not scored. Other columns are
ignored. Splits are those in the ``split`` column, and ``all``. A wrong label is an error here; a missing image is not:
it becomes a counted skip when it is read.

Given a folder, its ``labels.csv`` is read. Terms and citation are those of whoever made the images.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from bench.types import Sample, Split
from converters.errors import BadInput

TERMS = "those of your images"
CITATION = "that of whoever made the images"
SIZE = "as many as you have"
GET = "make a CSV file with the columns path, age and/or gender; give csv=FILE"
SPLITS = ("all",)
DEFAULT_SPLIT = "all"
OLDEST = 120

GENDERS: dict[str, Literal["male", "female"] | None] = {
    "male": "male", "m": "male", "female": "female", "f": "female", "": None,
}  # fmt: skip


def splits(path: Path) -> tuple[str, ...]:
    """List ``all``, and the splits that the ``split`` column of the file at ``path`` names, in their order."""
    return tuple(dict.fromkeys([*SPLITS, *(part for part, _ in _samples(_file(path)))]))


def load(path: Path, split: str) -> Split:
    """Read the CSV file ``path``, or ``labels.csv`` in the folder ``path``. A broken row is ``BadInput``."""
    file = _file(path)
    return Split(
        dataset="csv",
        split=split,
        label_rule=f"age and gender as {file.name} gives them"
        + ("" if split == DEFAULT_SPLIT else f", rows whose split is {split}"),
        samples=tuple(sample for part, sample in _samples(file) if split in (DEFAULT_SPLIT, part)),
    )


def _file(path: Path) -> Path:
    file = path / "labels.csv" if path.is_dir() else path
    if not file.is_file():
        raise BadInput(
            f"{file}: no such file; give a CSV file with the columns path, age, gender, or a folder with one"
        )
    return file


def _samples(file: Path) -> Iterator[tuple[str, Sample]]:
    """Each row's split (``all`` without that column) and sample."""
    lines: dict[str, int] = {}
    for line, row in _rows(file):
        where = f"{file}, line {line}, column"
        name = row["path"]
        if not name:
            raise BadInput(f"{where} path: is empty; must name an image file")
        if not name.isprintable():
            raise BadInput(f"{where} path: {name!r} holds control characters; must name an image file")
        name = os.path.relpath(file.parent / name, file.parent)  # one name for a file, wherever its folder lies
        if (first := lines.setdefault(name, line)) != line:
            raise BadInput(f"{where} path: {name!r} is already on line {first}; must be there once")
        age, gender, part = row.get("age", ""), row.get("gender", "").lower(), row.get("split", DEFAULT_SPLIT)
        if age and not (re.fullmatch(r"[0-9]+(\.[0-9]+)?", age) and float(age) <= OLDEST):
            raise BadInput(f"{where} age: {age!r}; must be years from 0 to {OLDEST}, or empty if unknown")
        if gender not in GENDERS:
            raise BadInput(f"{where} gender: {row['gender']!r}; must be male, female, m or f, or empty if unknown")
        if not part:
            raise BadInput(f"{where} split: is empty; every row must name its split, or the column be left out")
        yield part, Sample(name, file.parent / row["path"], float(age) if age else None, GENDERS[gender])


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row that is not blank as its line number and its stripped cells by column."""
    with file.open(newline="", encoding="utf-8-sig") as text:
        reader = csv.reader(text)
        try:
            header = [cell.strip() for cell in next(reader, [])]
            if "path" not in header or not {"age", "gender"} & set(header) or len(set(header)) < len(header):
                found = ", ".join(header) or "none"
                raise BadInput(f"{file}, line 1: the columns are {found}; must be path, age and/or gender, each once")
            row = None
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    where = f"{file}, line {reader.line_num}, column {header[min(len(row), len(header) - 1)]}"
                    raise BadInput(f"{where}: the row has {len(row)} cells; must have {len(header)}, as line 1 has")
                yield reader.line_num, dict(zip(header, (cell.strip() for cell in row), strict=True))
            if row is None:
                raise BadInput(f"{file}: holds no rows; must have one per image below its first line")
        except UnicodeDecodeError as error:
            raise BadInput(f"{file}: is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
        except csv.Error as error:
            raise BadInput(f"{file}, line {reader.line_num}: is not CSV ({error})") from error
