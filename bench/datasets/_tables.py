"""The files of the ``features`` data set: a table of numbers a face, of labels, or of both, from CSV, NumPy or HDF5."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets.csv import GENDERS, OLDEST
from converters.errors import BadInput

LABELS = ("name", "age", "gender")
LARGEST = 32 << 30
"""Bytes: an HDF5 file of a few kB may claim to hold more than any memory."""

Array = np.ndarray[Any, Any]
Words = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One file: ``features`` (N, F) or None, and its labels as words, by their name, N of each."""

    file: Path
    features: Array | None
    labels: Mapping[str, Words]

    @property
    def faces(self) -> int:
        """How many faces it has."""
        return len(next(iter(self.labels.values()))) if self.features is None else len(self.features)


def _read_csv(file: Path) -> Table:
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            header, *lines = list(csv.reader(text)) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{file}: is not a CSV file in UTF-8: {error}") from error
    header = [name.strip() for name in header]
    lines = [row or [""] for row in lines if row or len(header) == 1]  # an empty line is an unknown label of its own
    if not lines or len(set(header)) < len(header):
        raise BadInput(f"{file}: must have a header of different names, and a row for each face below it")
    for number, row in enumerate(lines, 2):
        if len(row) != len(header):
            raise BadInput(f"{file}, row {number}: has {len(row)} cells; must have {len(header)}, as the header has")
    labels = {name: tuple(row[header.index(name)].strip() for row in lines) for name in LABELS if name in header}
    if file.stem == "labels":
        if not {"age", "gender"} & set(labels):
            raise BadInput(f"{file}: the columns are {', '.join(header)}; must be age and/or gender, and perhaps name")
        return Table(file, None, _checked(file, labels))
    places = [place for place, name in enumerate(header) if name not in LABELS]
    try:
        values = np.array([[float(row[place]) for place in places] for row in lines], dtype=np.float32)
    except ValueError as error:
        raise BadInput(f"{file}: a feature is no number: {error}") from error
    return Table(file, _whole(file, values), _checked(file, labels))


def _read_npy(file: Path) -> Table:
    try:
        values = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise BadInput(f"{file}: is not an array in NumPy's format: {error}") from error
    return Table(file, _whole(file, values), {})


def _read_hdf5(file: Path) -> Table:
    import h5py

    try:
        with h5py.File(file, "r") as content:
            found = {key: content[key] for key in ("features", *LABELS) if isinstance(content.get(key), h5py.Dataset)}
            if "features" not in found:
                raise BadInput(f"{file}: no data set 'features'; there are: {', '.join(content) or 'none'}")
            if any(data.size and data.nbytes > LARGEST for data in found.values()):
                raise BadInput(f"{file}: holds a data set of more than {LARGEST >> 30} GB; cut it into several folders")
            values = found.pop("features")[()]
            labels = {key: tuple(_word(value) for value in data[()]) for key, data in found.items() if data.ndim == 1}
    except (OSError, RuntimeError, TypeError) as error:
        raise BadInput(f"{file}: is not an HDF5 file that can be read: {error}") from error
    return Table(file, _whole(file, np.asarray(values)), _checked(file, labels))


READERS: Mapping[str, Callable[[Path], Table]] = {
    ".csv": _read_csv,
    ".npy": _read_npy,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
}


def _word(value: object) -> str:
    """Return one cell of HDF5 as it would stand in a CSV file."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return "" if text == "nan" else text.strip()


def _whole(file: Path, values: Array) -> Array:
    """Return the features as (N, F), float32."""
    if values.ndim < 2 or 0 in values.shape or values.dtype.kind not in "fiu":
        raise BadInput(f"{file}: holds {values.dtype} of the shape {values.shape}; must be numbers, (faces, features)")
    flat = np.asarray(values, dtype=np.float32).reshape(len(values), -1)
    wrong = np.flatnonzero(~np.isfinite(flat).all(axis=1))
    if wrong.size:
        raise BadInput(f"{file}: face {wrong[0]} (of {len(flat)}, from 0) has a feature that is not finite")
    return flat


def _checked(file: Path, labels: Mapping[str, Words]) -> Mapping[str, Words]:
    for row, age in enumerate(labels.get("age", ())):
        if age and not is_age(age):
            raise BadInput(f"{file}: the age of face {row} (from 0) is {age!r}; must be years from 0 to {OLDEST}")
    for row, gender in enumerate(labels.get("gender", ())):
        if gender.lower() not in GENDERS:
            raise BadInput(f"{file}: the gender of face {row} (from 0) is {gender!r}; must be male, female, m or f")
    names = [name for name in labels.get("name", ()) if name]
    if len(set(names)) < len(names):
        raise BadInput(f"{file}: two faces have the same name; every name must be there once")
    return labels


def is_age(text: str) -> bool:
    try:
        return 0 <= float(text) <= OLDEST
    except ValueError:
        return False
